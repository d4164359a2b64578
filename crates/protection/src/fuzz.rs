//! Entry points for fuzzing: each takes any bytes and must return.

use crate::material::Material;
use crate::{ImportedKey, RsaNumbers, RsaPrimes};
use keystead_model::{Curve, KeySpec};

/// Key material, as it comes out of a sealed record.
pub fn material(bytes: &[u8]) {
    for spec in KeySpec::ALL {
        drop(Material::decode(*spec, bytes));
    }
}

/// A key that was made elsewhere, cut into numbers of equal lengths.
pub fn imported(bytes: &[u8]) {
    let parts: Vec<&[u8]> = bytes.chunks(bytes.len().div_ceil(7).max(1)).collect();
    let public = |at: usize| parts.get(at).copied().unwrap_or_default().to_vec();
    let secret = |at: usize| public(at).into();
    let primes = RsaPrimes { p: secret(2), q: secret(3), dp: secret(4), dq: secret(5), qi: secret(6) };
    let rsa = |primes| ImportedKey::Rsa(Box::new(RsaNumbers { n: public(0), e: vec![1, 0, 1], d: secret(1), primes }));
    let mut keys = vec![rsa(Some(primes)), rsa(None), ImportedKey::Oct(bytes.to_vec().into())];
    for curve in Curve::ALL {
        keys.push(ImportedKey::Ec { curve: *curve, x: public(0), y: public(1), d: secret(2) });
    }
    for key in &keys {
        drop((key.spec(), Material::import(key)));
    }
}
