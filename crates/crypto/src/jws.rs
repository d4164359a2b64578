//! Signatures on tokens of others (RFC 7518, section 3): verified, never made.

use crate::ec::Curve;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// How a token is signed. There is no symmetric one: a public key is never a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// ECDSA over P-521 with SHA-512.
    Es512,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
    ];

    /// Its name in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
        }
    }

    /// The scheme of this name, compared exactly.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// A public key. What it is decides which schemes it may be used with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: Curve, point: Vec<u8> },
}

/// Smallest and largest RSA modulus, in bytes.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

impl PublicKey {
    /// An RSA key of 2,048 to 8,192 bits; modulus and exponent big-endian.
    pub fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let (n, e) = (without_zeros(n), without_zeros(e));
        let odd = e.last().is_some_and(|b| b & 1 == 1);
        let good = RSA_BYTES.contains(&n.len()) && (1..=8).contains(&e.len()) && odd && e != [1];
        good.then(|| Self(Form::Rsa { n: n.to_vec(), e: e.to_vec() }))
    }

    /// A point on a curve of NIST's, each coordinate of the curve's full length. Whether it lies on the curve shows at
    /// the first signature.
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Option<Self> {
        let whole = [x.len(), y.len()] == [curve.field_len(); 2];
        (whole && ec_scheme(curve).is_some()).then(|| Self(Form::Ec { curve, point: [&[4], x, y].concat() }))
    }

    /// Whether a signature on the message is this key's. False for a scheme of another kind of key, and for anything
    /// malformed. ECDSA signatures are raw r|s.
    pub fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Form::Rsa { n, e } => rsa_parameters(scheme).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }),
            Form::Ec { curve, point } => {
                ec_scheme(*curve) == Some(scheme)
                    && UnparsedPublicKey::new(curve.verifying(), point).verify(message, signature).is_ok()
            }
        }
    }

    /// Whether the scheme is one of this kind of key.
    pub fn takes(&self, scheme: Scheme) -> bool {
        match &self.0 {
            Form::Rsa { .. } => rsa_parameters(scheme).is_some(),
            Form::Ec { curve, .. } => ec_scheme(*curve) == Some(scheme),
        }
    }
}

const fn rsa_parameters(scheme: Scheme) -> Option<&'static RsaParameters> {
    Some(match scheme {
        Scheme::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Scheme::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Scheme::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Scheme::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Scheme::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Scheme::Ps512 => &RSA_PSS_2048_8192_SHA512,
        Scheme::Es256 | Scheme::Es384 | Scheme::Es512 => return None,
    })
}

/// The one scheme of a curve. There is none for secp256k1: nobody signs tokens with it here.
const fn ec_scheme(curve: Curve) -> Option<Scheme> {
    match curve {
        Curve::P256 => Some(Scheme::Es256),
        Curve::P384 => Some(Scheme::Es384),
        Curve::P521 => Some(Scheme::Es512),
        Curve::P256K1 => None,
    }
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
        RsaEncoding,
    };

    /// Good under its own scheme; under no other, and not when anything is changed.
    fn check(key: &PublicKey, own: Scheme, signature: &[u8]) {
        for scheme in Scheme::ALL {
            assert_eq!(key.verifies(scheme, b"message", signature), scheme == own, "{scheme:?}");
        }
        assert!(!key.verifies(own, b"messagf", signature));
        for at in [0, signature.len() / 2, signature.len() - 1] {
            let mut bad = signature.to_vec();
            bad[at] ^= 1;
            assert!(!key.verifies(own, b"message", &bad));
        }
        assert!(!key.verifies(own, b"message", &signature[1..]) && !key.verifies(own, b"message", &[]));
    }

    #[test]
    fn a_signature_holds_under_its_own_scheme_and_no_other() {
        for (curve, scheme) in
            [(Curve::P256, Scheme::Es256), (Curve::P384, Scheme::Es384), (Curve::P521, Scheme::Es512)]
        {
            let pair = ec::PrivateKey::generate(curve);
            let (x, y) = pair.public();
            let signature = pair.sign_digest(&curve.hash().of(b"message")).unwrap();
            check(&PublicKey::ec(curve, x, y).unwrap(), scheme, &signature);
        }
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        // RSAPublicKey (RFC 8017): a sequence of a modulus of 257 bytes, the first zero, and the exponent.
        let public = pair.public_key().as_ref();
        let key = PublicKey::rsa(&public[8..265], &public[public.len() - 3..]).unwrap();
        let encodings: [(&'static dyn RsaEncoding, Scheme); 6] = [
            (&RSA_PKCS1_SHA256, Scheme::Rs256),
            (&RSA_PKCS1_SHA384, Scheme::Rs384),
            (&RSA_PKCS1_SHA512, Scheme::Rs512),
            (&RSA_PSS_SHA256, Scheme::Ps256),
            (&RSA_PSS_SHA384, Scheme::Ps384),
            (&RSA_PSS_SHA512, Scheme::Ps512),
        ];
        for (encoding, scheme) in encodings {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), b"message", &mut signature).unwrap();
            check(&key, scheme, &signature);
        }
    }

    #[test]
    fn weak_and_malformed_keys_are_none() {
        let (n, e) = ([0xff; 256], [1, 0, 1]);
        assert!(PublicKey::rsa(&n, &e).is_some());
        for (n, e) in [(&n[1..], &e[..]), (&[0xff; 1025], &e), (&n, &[]), (&n, &[0, 0]), (&n, &[1]), (&n, &[2])] {
            assert!(PublicKey::rsa(n, e).is_none());
        }
        assert!(PublicKey::ec(Curve::P256, &[1; 31], &[1; 33]).is_none());
        let pair = ec::PrivateKey::generate(Curve::P256K1);
        assert!(PublicKey::ec(Curve::P256K1, pair.public().0, pair.public().1).is_none());
        let off = PublicKey::ec(Curve::P256, &[1; 32], &[1; 32]).unwrap();
        assert!(!off.verifies(Scheme::Es256, b"message", &[1; 64]));
    }
}
