//! Entry points for fuzzing: each takes any bytes and must return.

use crate::material::Material;
use keystead_model::KeySpec;

/// Key material, as it comes out of a sealed record.
pub fn material(bytes: &[u8]) {
    for spec in KeySpec::ALL {
        drop(Material::decode(*spec, bytes));
    }
}
