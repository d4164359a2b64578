//! Digests as words, for people who compare them by voice or on paper.
//!
//! The words are the English list of BIP-39, of which no two begin with the same four letters; it is kept in
//! `words/english.txt`, under the MIT licence that stands beside it.

const LIST: &str = include_str!("words/english.txt");
/// Twelve words are 132 bits: nobody finds another value with the same ones.
const WORDS: usize = 12;
const BITS: usize = 11;

/// The first 132 bits of a digest, as twelve words.
pub fn words(digest: &[u8; 32]) -> String {
    let list: Vec<&str> = LIST.lines().collect();
    let bit = |at: usize| {
        let byte = digest.get(at.wrapping_div(8)).copied().unwrap_or_default();
        usize::from(byte >> (7 & !at) & 1)
    };
    let word = |number: usize| {
        let first = number.saturating_mul(BITS);
        let index = (first..first.saturating_add(BITS)).fold(0, |index, at| index << 1 | bit(at));
        list.get(index).copied().unwrap_or_default()
    };
    (0..WORDS).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_list_is_the_whole_one() {
        let list: Vec<&str> = LIST.lines().collect();
        assert_eq!((list.len(), list[0], list[2047]), (2048, "abandon", "zoo"));
        let starts: BTreeSet<_> = list.iter().map(|word| word.chars().take(4).collect::<String>()).collect();
        assert_eq!(starts.len(), 2048);
        assert!(list.is_sorted() && list.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
    }

    #[test]
    fn digests_are_read_as_bip_39_reads_entropy() {
        // Vectors of BIP-39: all but the last word, of which its checksum is a part.
        assert_eq!(words(&[0; 32]), ["abandon"; 12].join(" "));
        assert_eq!(words(&[0xff; 32]), ["zoo"; 12].join(" "));
        let thank = "legal winner thank year wave sausage worth useful legal winner thank ";
        assert!(words(&[0x7f; 32]).starts_with(thank));
        let advice = "letter advice cage absurd amount doctor acoustic avoid letter advice cage ";
        assert!(words(&[0x80; 32]).starts_with(advice));
    }

    #[test]
    fn each_of_the_first_132_bits_changes_them_and_none_after() {
        let zero = words(&[0; 32]);
        for at in 0..256 {
            let mut digest = [0; 32];
            digest[at / 8] = 0x80 >> (at % 8);
            assert_eq!(words(&digest) != zero, at < 132, "bit {at}");
        }
    }
}
