use super::*;
use keystead_crypto::aes::{cbc, wrap};

fn encrypting(key: &[u8]) -> impl FnMut(&Block) -> Tried<Block> {
    move |block| one(&cbc::encrypt(key, &[0; 16], cbc::Fill::Zeros, block).unwrap())
}

fn decrypting(key: &[u8]) -> impl FnMut(&Block) -> Tried<Block> {
    move |block| one(&cbc::decrypt(key, &[0; 16], cbc::Fill::Zeros, block).unwrap())
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[test]
fn it_is_the_wrap_that_software_makes() {
    for key in [16, 24, 32].map(bytes) {
        for length in [16, 24, 32, 64, MOST_COMPOSED] {
            let plain = bytes(length);
            let wrapped = wrap_with(&mut encrypting(&key), &plain).unwrap().unwrap();
            assert_eq!(wrapped, wrap::wrap(&key, &plain).unwrap());
            assert_eq!(*unwrap_with(&mut decrypting(&key), &wrapped).unwrap().unwrap(), plain);
        }
        for length in [1, 7, 8, 9, 16, 20, 33, MOST_COMPOSED] {
            let plain = bytes(length);
            let wrapped = wrap_padded_with(&mut encrypting(&key), &plain).unwrap().unwrap();
            assert_eq!(wrapped, wrap::wrap_padded(&key, &plain).unwrap());
            assert_eq!(*unwrap_padded_with(&mut decrypting(&key), &wrapped).unwrap().unwrap(), plain);
        }
    }
}

#[test]
fn what_was_changed_does_not_unwrap() {
    let key = bytes(32);
    let mut unwrap = decrypting(&key);
    let mut unwraps = |text: &[u8]| {
        let plain = unwrap_with(&mut unwrap, text).unwrap();
        let padded = unwrap_padded_with(&mut unwrap, text).unwrap();
        plain.is_some() || padded.is_some()
    };
    for text in [wrap::wrap(&key, &bytes(24)).unwrap(), wrap::wrap_padded(&key, &bytes(20)).unwrap()] {
        assert!(unwraps(&text));
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert!(!unwraps(&changed));
        }
        for length in 0..text.len() {
            assert!(!unwraps(&text[..length]));
        }
    }
}

#[test]
fn a_wrong_length_inside_is_found() {
    let key = bytes(32);
    // (what stands in the IV, bytes behind it, whether they are zeros)
    for (length, filled, good) in
        [(20, 24, true), (16, 24, false), (25, 24, false), (0, 8, false), (u32::MAX, 16, false)]
    {
        let mut iv = [0; STEP];
        iv.copy_from_slice(&[IV_PADDED, u32::to_be_bytes(length)].concat());
        let text = match vec![0; filled].as_chunks().0 {
            [only] => encrypting(&key)(&joined(iv, *only)).unwrap().to_vec(),
            halves => forth(&mut encrypting(&key), iv, halves).unwrap(),
        };
        assert_eq!(unwrap_padded_with(&mut decrypting(&key), &text).unwrap().is_some(), good, "{length}");
        assert_eq!(wrap::unwrap_padded(&key, &text).is_ok(), good);
    }
}

#[test]
fn odd_lengths_are_refused() {
    let key = bytes(16);
    for length in [0, 8, 15, 17, MOST_COMPOSED + 8] {
        assert_eq!(wrap_with(&mut encrypting(&key), &bytes(length)).unwrap(), None);
    }
    for length in [0, MOST_COMPOSED + 1] {
        assert_eq!(wrap_padded_with(&mut encrypting(&key), &bytes(length)).unwrap(), None);
    }
}
