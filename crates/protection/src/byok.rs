//! A key that comes wrapped for one of ours, as CKM_RSA_AES_KEY_WRAP does (PKCS#11 3.1, section 6.1.22; Azure's
//! `.byok`):
//!
//! ```text
//! RSAES-OAEP with SHA-1 under the key exchange key: an AES key of 32 bytes | AES key wrap with padding under that: the key
//! ```
//!
//! The key is PKCS#8 (RSA, EC) or the bytes themselves (symmetric). Some tokens wrap a document with zeros behind it
//! (SoftHSM2); it says itself where it ends, and the zeros are nothing.

use crate::material::Material;
use crate::{ImportError, KeyError};
use keystead_crypto::aes::wrap;
use keystead_crypto::rsa::Scheme;
use keystead_model::{KeySpec, Size};

/// Unwraps a key of one of these kinds. Which step failed is not told: the blob is made by others, and the key exchange
/// key decrypts for whoever may import.
pub(crate) fn unwrap(kek: &Material, specs: &[KeySpec], wrapped: &[u8]) -> Result<Material, ImportError> {
    let Material::Rsa(kek) = kek else { return Err(KeyError::WrongAlgorithm.into()) };
    let bad = || ImportError::Failed(KeyError::BadWrappedKey);
    let (first, second) = wrapped.split_at_checked(kek.size().modulus_len()).ok_or_else(bad)?;
    let ephemeral = kek.decrypt(Scheme::OaepSha1, first).map_err(|_| bad())?;
    let key = wrap::unwrap_padded(&ephemeral, second).map_err(|_| bad())?;
    specs.iter().find_map(|spec| material(*spec, &key)).ok_or_else(bad)
}

fn material(spec: KeySpec, key: &[u8]) -> Option<Material> {
    let most = if matches!(spec.size(), Size::Secret(_)) { 0 } else { wrap::STEP.saturating_sub(1) };
    (0..=most).find_map(|zeros| {
        let (key, behind) = key.split_at_checked(key.len().checked_sub(zeros)?)?;
        if behind.iter().all(|byte| *byte == 0) { Material::of_parts(spec, key).ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_crypto::rsa;

    fn wrapped(kek: &Material, key: &[u8]) -> Vec<u8> {
        let Material::Rsa(kek) = kek else { panic!("no RSA key") };
        let between = [9; 32];
        [kek.encrypt(Scheme::OaepSha1, &between).unwrap(), wrap::wrap_padded(&between, key).unwrap()].concat()
    }

    #[test]
    fn zeros_behind_a_document_are_nothing_and_behind_a_secret_make_another() {
        let kek = rsa::PrivateKey::generate(rsa::Size::Bits2048, rsa::EXPONENT).unwrap();
        let kek = Material::Rsa(Box::new(kek));
        for spec in [KeySpec::Rsa2048, KeySpec::EcP256] {
            let key = Material::generate(spec.into()).unwrap();
            let bytes = key.encode()[2..].to_vec();
            for (behind, good) in [(&[][..], true), (&[0; 7], true), (&[0; 8], false), (&[0, 1], false)] {
                let got = unwrap(&kek, &[spec], &wrapped(&kek, &[&bytes, behind].concat()));
                assert_eq!(got.ok().map(|got| got.public() == key.public()), good.then_some(true), "{behind:?}");
            }
        }
        for (length, good) in [(16, true), (17, false), (23, false), (24, true), (31, false)] {
            let mut secret = vec![7; 16];
            secret.resize(length, 0);
            let got = unwrap(&kek, &[KeySpec::Oct128, KeySpec::Oct192], &wrapped(&kek, &secret)).ok();
            assert_eq!(got.map(|got| got.encode()[2..] == secret), good.then_some(true), "{length}");
        }
    }
}
