//! How a key is protected, and the key kinds that the wire names after it.

use crate::{KeySpec, Size};

/// What keeps a key's private half from its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ProtectionLevel {
    /// This process: whoever reads its memory has the key.
    #[default]
    Software,
    /// A PKCS#11 token.
    Hsm,
}

impl ProtectionLevel {
    /// The number that stands in records; never reused.
    pub const fn code(self) -> u8 {
        match self {
            Self::Software => 1,
            Self::Hsm => 2,
        }
    }

    /// The number's meaning, if this release knows it.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Software),
            2 => Some(Self::Hsm),
            _ => None,
        }
    }

    /// `kty` of such a key of this kind.
    pub const fn kty(self, spec: KeySpec) -> &'static str {
        match (self, spec.size()) {
            (Self::Software, _) => spec.kty(),
            (Self::Hsm, Size::Curve(_)) => "EC-HSM",
            (Self::Hsm, Size::Modulus(_)) => "RSA-HSM",
            (Self::Hsm, Size::Secret(_)) => "oct-HSM",
        }
    }

    /// A `kty` without what it says of protection, and that: `RSA-HSM` is RSA in an HSM.
    pub fn of_kty(kty: &str) -> (&str, Self) {
        match kty.strip_suffix("-HSM") {
            Some(family) => (family, Self::Hsm),
            None => (kty, Self::Software),
        }
    }
}

/// Where the private half of an HSM's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placement {
    /// A token object, non-extractable from birth: no backup, no fail-over.
    Resident,
    /// Outside, wrapped by the vault's wrapping key; in the token only while it works.
    Wrapped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_on_the_wire_is_one_kind_and_one_level() {
        for level in [ProtectionLevel::Software, ProtectionLevel::Hsm] {
            assert_eq!(ProtectionLevel::from_code(level.code()), Some(level));
            for spec in KeySpec::ALL {
                assert_eq!(ProtectionLevel::of_kty(level.kty(*spec)), (spec.kty(), level));
            }
        }
        assert_eq!(ProtectionLevel::from_code(0), None);
    }
}
