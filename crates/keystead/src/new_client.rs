//! A built-in client made on the spot: ids and a fresh secret.

use keystead_model::Guid;
use zeroize::Zeroizing;

/// A client that was made here. Its secret is shown once and stands nowhere else. No Debug.
pub(crate) struct NewClient {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) secret: Zeroizing<String>,
}

impl NewClient {
    /// A client with a secret of 256 random bits, in an alphabet that needs no quoting.
    pub(crate) fn generate(name: &str) -> Self {
        let secret = Zeroizing::new(keystead_crypto::random::<32>());
        Self { name: name.to_owned(), id: guid(), subject: guid(), secret: Zeroizing::new(hex::encode(*secret)) }
    }
}

/// A random GUID (RFC 9562, version 4).
pub(crate) fn new_guid() -> Guid {
    let bytes = u128::from_be_bytes(keystead_crypto::random());
    let bits = (bytes & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    Guid::from_bytes(bits.to_be_bytes())
}

fn guid() -> String {
    new_guid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_have_version_and_variant() {
        for _ in 0..100 {
            let g = guid();
            assert_eq!(g.len(), 36);
            assert_eq!(g.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&g.as_bytes()[19]), "{g}");
        }
    }
}
