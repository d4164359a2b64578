//! AES-CBC (NIST SP 800-38A). It does not authenticate: what was changed may decrypt to something else.

use super::BLOCK;
use crate::CryptoError;
use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use std::hint::black_box;
use zeroize::Zeroizing;

/// How the last block is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// With as many zeros as it needs, and none if it is full. They stay when it is decrypted.
    Zeros,
    /// With the padding of PKCS#7 (RFC 5652, section 6.3).
    Pkcs7,
}

/// Encrypts under an initialisation vector that the caller chose. The key has 16, 24 or 32 bytes.
pub fn encrypt(key: &[u8], iv: &[u8; BLOCK], fill: Fill, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let mut text = Zeroizing::new(plain.to_vec());
    let over = plain.len().checked_rem(BLOCK).unwrap_or(0);
    let lacking = BLOCK.saturating_sub(over);
    match fill {
        Fill::Zeros if over == 0 => {}
        Fill::Zeros => text.extend(std::iter::repeat_n(0, lacking)),
        // At most 16, so it fits.
        Fill::Pkcs7 => text.extend(std::iter::repeat_n(u8::try_from(lacking).unwrap_or(0), lacking)),
    }
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let key = EncryptingKey::cbc(unbound(key)?).map_err(|_| CryptoError::Exhausted)?;
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(&mut text, context).map_err(|_| CryptoError::Exhausted)?;
    Ok(std::mem::take(&mut *text))
}

/// Decrypts. A length that is not of whole blocks and a padding that is none are the same
/// [`CryptoError::NotDecrypted`], and the time does not tell where the padding ends.
pub fn decrypt(key: &[u8], iv: &[u8; BLOCK], fill: Fill, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if !cipher.len().is_multiple_of(BLOCK) || (cipher.is_empty() && fill == Fill::Pkcs7) {
        return Err(CryptoError::NotDecrypted);
    }
    let mut text = Zeroizing::new(cipher.to_vec());
    if text.is_empty() {
        return Ok(text);
    }
    let key = DecryptingKey::cbc(unbound(key)?).map_err(|_| CryptoError::Exhausted)?;
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    key.decrypt(&mut text, context).map_err(|_| CryptoError::NotDecrypted)?;
    if fill == Fill::Pkcs7 {
        let padding = padding(&text).ok_or(CryptoError::NotDecrypted)?;
        let length = text.len().saturating_sub(padding);
        text.truncate(length);
    }
    Ok(text)
}

/// How long the padding is, if it is one. Looks at every byte of the last block in the same way.
fn padding(text: &[u8]) -> Option<usize> {
    let block = text.last_chunk::<BLOCK>()?;
    let [.., last] = *block;
    let length = usize::from(last);
    let mut wrong = u8::from(length == 0) | u8::from(length > BLOCK);
    for (from_end, byte) in block.iter().rev().enumerate() {
        let within = 0u8.wrapping_sub(black_box(u8::from(from_end < length)));
        wrong |= within & (byte ^ last);
    }
    (black_box(wrong) == 0).then_some(length)
}

fn unbound(key: &[u8]) -> Result<UnboundCipherKey, CryptoError> {
    let algorithm = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        32 => &AES_256,
        _ => return Err(CryptoError::BadKey),
    };
    UnboundCipherKey::new(algorithm, key).map_err(|_| CryptoError::BadKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IV: [u8; BLOCK] = [9; BLOCK];

    #[test]
    fn zeros_fill_the_last_block_and_stay() {
        for (length, filled) in [(0, 0), (1, 16), (15, 16), (16, 16), (17, 32), (65_536, 65_536)] {
            let cipher = encrypt(&[7; 24], &IV, Fill::Zeros, &vec![1; length]).unwrap();
            assert_eq!(cipher.len(), filled);
            let plain = decrypt(&[7; 24], &IV, Fill::Zeros, &cipher).unwrap();
            assert_eq!(plain[..length], vec![1; length]);
            assert!(plain[length..].iter().all(|byte| *byte == 0) && plain.len() == filled);
        }
    }

    #[test]
    fn padding_is_taken_off_again() {
        for key in [16, 24, 32].map(|length| vec![3; length]) {
            for length in [0, 1, 15, 16, 17, 100] {
                let cipher = encrypt(&key, &IV, Fill::Pkcs7, &vec![1; length]).unwrap();
                assert_eq!(cipher.len(), (length / BLOCK + 1) * BLOCK);
                assert_eq!(*decrypt(&key, &IV, Fill::Pkcs7, &cipher).unwrap(), vec![1; length]);
            }
        }
    }

    #[test]
    fn what_is_not_of_whole_blocks_or_has_no_padding_fails_in_one_way() {
        let failed = Some(CryptoError::NotDecrypted);
        for length in [1, 15, 17] {
            for fill in [Fill::Zeros, Fill::Pkcs7] {
                assert_eq!(decrypt(&[7; 16], &IV, fill, &vec![0; length]).err(), failed);
            }
        }
        assert_eq!(decrypt(&[7; 16], &IV, Fill::Pkcs7, &[]).err(), failed);
        for last in [[0; 16], [17; 16], [0xff; 16], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 2, 3]] {
            let cipher = encrypt(&[7; 16], &IV, Fill::Zeros, &last).unwrap();
            assert_eq!(decrypt(&[7; 16], &IV, Fill::Pkcs7, &cipher).err(), failed, "{last:?}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert_eq!(encrypt(&[7; 20], &IV, Fill::Zeros, b"x").err(), Some(CryptoError::BadKey));
        assert_eq!(decrypt(&[7; 8], &IV, Fill::Zeros, &[0; 16]).err(), Some(CryptoError::BadKey));
    }
}
