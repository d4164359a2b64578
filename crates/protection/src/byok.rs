//! A key that comes wrapped for one of ours, as CKM_RSA_AES_KEY_WRAP does (PKCS#11 3.1, section 6.1.22; Azure's
//! `.byok`):
//!
//! ```text
//! RSAES-OAEP with SHA-1 under the key exchange key: an AES key of 32 bytes | AES key wrap with padding under that: the key
//! ```
//!
//! The key is PKCS#8 (RSA, EC) or the bytes themselves (symmetric).

use crate::material::Material;
use crate::{ImportError, KeyError};
use keystead_crypto::aes::wrap;
use keystead_crypto::rsa::Scheme;
use keystead_model::KeySpec;

/// Unwraps a key of one of these kinds. Which step failed is not told: the blob is made by others, and the key exchange
/// key decrypts for whoever may import.
pub(crate) fn unwrap(kek: &Material, specs: &[KeySpec], wrapped: &[u8]) -> Result<Material, ImportError> {
    let Material::Rsa(kek) = kek else { return Err(KeyError::WrongAlgorithm.into()) };
    let bad = || ImportError::Failed(KeyError::BadWrappedKey);
    let (first, second) = wrapped.split_at_checked(kek.size().modulus_len()).ok_or_else(bad)?;
    let ephemeral = kek.decrypt(Scheme::OaepSha1, first).map_err(|_| bad())?;
    let key = wrap::unwrap_padded(&ephemeral, second).map_err(|_| bad())?;
    specs.iter().find_map(|spec| Material::of_parts(*spec, &key).ok()).ok_or_else(bad)
}
