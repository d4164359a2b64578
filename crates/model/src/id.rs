//! Identities. They are random (never derived from names) and print as 32 lower-case hex digits.

use std::fmt;
use std::str::FromStr;

/// Text that is not 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 32 lower-case hexadecimal digits")
    }
}

impl std::error::Error for BadId {}

fn parse_hex(text: &str) -> Result<[u8; 16], BadId> {
    let lower = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !lower {
        return Err(BadId);
    }
    u128::from_str_radix(text, 16).map(u128::to_be_bytes).map_err(|_| BadId)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From 16 bytes that the caller drew at random or read from a record.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
            /// The 16 bytes, as stored.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_hex(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// One vault, whatever its host names.
    VaultId,
    /// One installation: all nodes that share a store.
    InstanceId,
    /// One node of an instance.
    NodeId,
    /// One object (a key, an issuer, a policy) through all its versions.
    ObjectId,
    /// One version of a key: what stands last in a kid.
    Version,
    /// One operation, from its decision to its record.
    OperationId,
    /// One role assignment.
    AssignmentId,
}

/// The vault's revision: how many changes it has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// A generation of a vault's root, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    /// The generation a vault is born with.
    pub const FIRST: Self = Self(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_as_it_parses() {
        let id = Version::from_bytes([0x0f; 16]);
        assert_eq!(id.to_string(), "0f".repeat(16));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn anything_but_32_lower_case_hex_digits_is_refused() {
        for text in ["", "0f", &"0F".repeat(16), &"+f".repeat(16), &"0".repeat(33), &"é".repeat(16)] {
            assert_eq!(text.parse::<Version>(), Err(BadId), "{text}");
        }
    }
}
