//! Ids that must be unique and need not be secret.

use std::sync::atomic::{AtomicU64, Ordering};

/// Makes UUIDs of version 8 (RFC 9562, section 5.8): random bits of the process, and a count.
pub struct Ids {
    seed: u128,
    count: AtomicU64,
}

const LOW_62: u128 = (1 << 62) - 1;
const VERSION_AND_VARIANT: u128 = (0xf << 76) | (0x3 << 62);
const VERSION_8: u128 = (0x8 << 76) | (0x2 << 62);

impl Ids {
    /// `seed`: 16 random bytes, new for each start of the process.
    pub const fn new(seed: [u8; 16]) -> Self {
        Self { seed: u128::from_be_bytes(seed), count: AtomicU64::new(0) }
    }

    /// The next one.
    pub fn next(&self) -> [u8; 16] {
        let n = u128::from(self.count.fetch_add(1, Ordering::Relaxed));
        let bits = self.seed ^ (n & LOW_62);
        ((bits & !VERSION_AND_VARIANT) | VERSION_8).to_be_bytes()
    }
}

/// In groups of 8, 4, 4, 4 and 12 digits.
pub fn uuid(id: [u8; 16]) -> String {
    let text = format!("{:032x}", u128::from_be_bytes(id));
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| text.get(part).unwrap_or_default()).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_never_repeat() {
        let ids = Ids::new([0xff; 16]);
        let made: std::collections::BTreeSet<_> = (0..1000).map(|_| uuid(ids.next())).collect();
        assert_eq!(made.len(), 1000);
        for id in made {
            let parts: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
            assert!(id.as_bytes()[14] == b'8' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
        }
    }
}
