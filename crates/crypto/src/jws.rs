//! Signatures on tokens of others (RFC 7518, section 3): verified, never made.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
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

/// Elliptic curves of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    /// Bytes of a coordinate.
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
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

    /// A point, each coordinate of the curve's full length. Whether it lies on the curve shows at the first signature.
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Option<Self> {
        let whole = x.len() == curve.coordinate_len() && y.len() == curve.coordinate_len();
        whole.then(|| Self(Form::Ec { curve, point: [&[4], x, y].concat() }))
    }

    /// Whether a signature on the message is this key's. False for a scheme of another kind of key, and for anything
    /// malformed. ECDSA signatures are raw r|s.
    pub fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Form::Rsa { n, e } => rsa_parameters(scheme).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }),
            Form::Ec { curve, point } => ec_algorithm(*curve, scheme)
                .is_some_and(|algorithm| UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()),
        }
    }

    /// Whether the scheme is one of this kind of key.
    pub fn takes(&self, scheme: Scheme) -> bool {
        match &self.0 {
            Form::Rsa { .. } => rsa_parameters(scheme).is_some(),
            Form::Ec { curve, .. } => ec_algorithm(*curve, scheme).is_some(),
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

fn ec_algorithm(curve: Curve, scheme: Scheme) -> Option<&'static dyn VerificationAlgorithm> {
    match (curve, scheme) {
        (Curve::P256, Scheme::Es256) => Some(&ECDSA_P256_SHA256_FIXED),
        (Curve::P384, Scheme::Es384) => Some(&ECDSA_P384_SHA384_FIXED),
        (Curve::P521, Scheme::Es512) => Some(&ECDSA_P521_SHA512_FIXED),
        _ => None,
    }
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    };

    fn ec(curve: Curve, algorithm: &'static EcdsaSigningAlgorithm) -> (PublicKey, Vec<u8>) {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let point = pair.public_key().as_ref();
        let key =
            PublicKey::ec(curve, &point[1..=curve.coordinate_len()], &point[1 + curve.coordinate_len()..]).unwrap();
        (key, pair.sign(&SystemRandom::new(), b"message").unwrap().as_ref().to_vec())
    }

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
        for (curve, algorithm, scheme) in [
            (Curve::P256, &ECDSA_P256_SHA256_FIXED_SIGNING, Scheme::Es256),
            (Curve::P384, &ECDSA_P384_SHA384_FIXED_SIGNING, Scheme::Es384),
            (Curve::P521, &ECDSA_P521_SHA512_FIXED_SIGNING, Scheme::Es512),
        ] {
            let (key, signature) = ec(curve, algorithm);
            check(&key, scheme, &signature);
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
        let off = PublicKey::ec(Curve::P256, &[1; 32], &[1; 32]).unwrap();
        assert!(!off.verifies(Scheme::Es256, b"message", &[1; 64]));
    }
}
