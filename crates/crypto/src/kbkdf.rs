//! Key derivation in counter mode with HMAC-SHA-512 (NIST SP 800-108 rev. 1, section 4.1).

mod ffi;

use crate::{CryptoError, sure};
use zeroize::Zeroizing;

/// Most bytes of label and context together, and of what is derived.
const MOST: usize = 4096;

/// Derives `N` bytes: of each block HMAC(key, counter | label | 00 | context | length), counter from 1 and length in
/// bits as 32-bit numbers, big-endian. [`CryptoError::TooLong`] over 4,096 bytes of label and context, or of output.
pub fn counter_hmac_sha512<const N: usize>(
    key: &[u8],
    label: &[u8],
    context: &[u8],
) -> Result<Zeroizing<[u8; N]>, CryptoError> {
    let too_long = CryptoError::TooLong { most: MOST };
    if label.len().saturating_add(context.len()) > MOST || !(1..=MOST).contains(&N) {
        return Err(too_long);
    }
    let bits = u32::try_from(N.saturating_mul(8)).map_err(|_| too_long)?;
    let info = [label, &[0], context, &bits.to_be_bytes()].concat();
    let mut out = Zeroizing::new([0; N]);
    sure(ffi::counter_hmac_sha512(key, &info, out.as_mut_slice()).ok_or(()));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hash, hmac};

    #[test]
    fn derives_as_managed_hsm_does() {
        let key = counter_hmac_sha512::<32>(&[0x41; 32], b"label", b"context").unwrap();
        let expected = "f0ca51f6308791404bf68b56024ee7c64d6c737716f81d47e1e68b5c4e399575";
        assert_eq!(hex::encode(*key), expected);
    }

    #[test]
    fn each_block_is_the_mac_of_its_counter_and_the_whole_length() {
        let long = counter_hmac_sha512::<100>(&[7; 20], b"l", b"c").unwrap();
        let block = |counter: u8| hmac(Hash::Sha512, &[7; 20], &[0, 0, 0, counter, b'l', 0, b'c', 0, 0, 3, 32]);
        assert_eq!(long.as_slice(), &[block(1), block(2)].concat()[..100]);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let refused = Some(CryptoError::TooLong { most: MOST });
        assert!(counter_hmac_sha512::<64>(b"", &[0; MOST], b"").is_ok());
        assert_eq!(counter_hmac_sha512::<64>(b"", &[0; MOST], &[0]).err(), refused);
        assert_eq!(counter_hmac_sha512::<0>(b"", b"", b"").err(), refused);
        assert_eq!(counter_hmac_sha512::<{ MOST + 1 }>(b"", b"", b"").err(), refused);
    }
}
