//! The layout of wraps. What tokens do with them is tested with tokens, in `hsm` and in the server.

use super::*;
use proptest::prelude::*;

/// Written by hand: AES-GCM under the key 0a0a..., a path key of 60 bytes 0b, a wrap of 3 bytes 0c.
const GOLDEN: &str = include_str!("../../tests/golden/hsm-wrap-v1.hex");

#[test]
fn the_golden_wrap_reads_and_is_written_the_same() {
    let golden = hex::decode(GOLDEN.split_whitespace().collect::<String>()).unwrap();
    let expected = Blob { how: How::Gcm, id: KeyId([0x0a; 16]), blob: &[0x0b; 60], wrapped: &[0x0c; 3] };
    assert_eq!(Blob::decode(&golden), Some(expected));
    assert_eq!(Blob::decode(&golden).unwrap().encode(), golden);
    for (at, to) in [(0, 2), (1, 4), (1, 0)] {
        let mut other = golden.clone();
        other[at] = to;
        assert_eq!(Blob::decode(&other), None, "byte {at} is {to}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Some(blob) = Blob::decode(&bytes) {
            prop_assert_eq!(blob.encode(), bytes);
        }
    }
}
