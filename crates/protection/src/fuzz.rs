//! Entry points for fuzzing: each takes any bytes and must return.

use crate::material::Material;
use crate::{ImportedKey, RsaNumbers};
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
    let (n, e, d, p, q) = (public(0), vec![1, 0, 1], secret(1), secret(2), secret(3));
    let numbers = RsaNumbers { n, e, d, p, q, dp: secret(4), dq: secret(5), qi: secret(6) };
    let mut keys = vec![ImportedKey::Rsa(Box::new(numbers)), ImportedKey::Oct(bytes.to_vec().into())];
    for curve in Curve::ALL {
        keys.push(ImportedKey::Ec { curve: *curve, x: public(0), y: public(1), d: secret(2) });
    }
    for key in &keys {
        drop((key.spec(), Material::import(key)));
    }
}
