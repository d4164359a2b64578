//! No input panics. The seed is fixed, so a failure comes back.

use keystead_access::fuzz;

const DOCUMENT: &[u8] = include_bytes!("../golden/policy-v1.cbor");

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// A few bytes changed, put in or cut off.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut data = seed.to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(data.len());
            match self.below(4) {
                0 if !data.is_empty() => data[at] = self.next() as u8,
                1 if !data.is_empty() => data[at] ^= 1 << self.below(8),
                2 => data.insert(at, self.next() as u8),
                _ => data.truncate(at),
            }
        }
        data
    }
}

fn smoke(seeds: &[&[u8]], target: fn(&[u8])) {
    let mut random = Random(0x6b65_7973_7465_6164);
    for round in 0..8_000 {
        target(&random.mutate(seeds[round % seeds.len()]));
    }
}

#[test]
fn no_policy_panics() {
    // An array of 2^63 assignments, and one that goes on.
    let (huge, endless) = (b"\xa1\x01\x9b\x80\0\0\0\0\0\0\0", b"\xbf\x01\x9f\x9f\x9f");
    smoke(&[DOCUMENT, huge, endless, b""], fuzz::policy);
}

#[test]
fn no_scope_panics() {
    smoke(&[b"/", b"/keys", b"/keys/Payments-1", b"/keys/", "/keys/\u{e9}".as_bytes()], fuzz::scope);
}

#[test]
fn no_recorded_vote_panics() {
    let (id, digest) = ("0a".repeat(16), "01".repeat(32));
    let good = format!(
        "proposal {id}: reject by a; proof 1: text sha256 {digest}, key sha256 {digest}, signature {}",
        "A".repeat(86)
    );
    smoke(&[good.as_bytes(), b"proposal : approve by ", b""], fuzz::recorded_vote);
}
