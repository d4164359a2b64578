//! Whatever bytes come, the parsers of records return.

use keystead_crypto::sha256;
use keystead_engine::PageToken;
use keystead_engine::records::fuzz::records;

/// Bytes that only look random: the same in every run.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let block = |n: u64| sha256(&[&seed.to_be_bytes(), &n.to_be_bytes()]);
    (0..).flat_map(block).take(length).collect()
}

fn golden() -> Vec<Vec<u8>> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let files = std::fs::read_dir(dir).unwrap().map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap());
    files.map(|text| hex::decode(text.split_whitespace().collect::<String>()).unwrap()).collect()
}

#[test]
fn no_bytes_make_a_parser_panic() {
    let golden = golden();
    assert!(golden.len() >= 4);
    for seed in 0..4_000 {
        records(&bytes(seed, (seed % 300) as usize));
    }
    for (seed, good) in (0..4_000).zip(golden.iter().cycle()) {
        let noise = bytes(seed, 8);
        let mut bad = good.clone();
        for pair in noise.chunks(2).take(1 + seed as usize % 4) {
            let at = usize::from(pair[0]) * bad.len() / 256;
            bad[at] = pair[1];
        }
        bad.truncate(bad.len().saturating_sub(usize::from(noise[7]) % 3));
        records(&bad);
    }
    for length in 0..golden[0].len() {
        records(&golden[0][..length]);
    }
}

#[test]
fn a_page_token_parses_as_it_prints_and_no_text_makes_it_panic() {
    for seed in 0..2_000 {
        let text: String = bytes(seed, (seed % 70) as usize).into_iter().map(char::from).collect();
        if let Ok(token) = PageToken::parse(&text) {
            assert_eq!(token.encode(), text);
        }
        let key = PageToken::Key(bytes(seed, 32).try_into().unwrap());
        assert_eq!(PageToken::parse(&key.encode()), Ok(key));
    }
}
