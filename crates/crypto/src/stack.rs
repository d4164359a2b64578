//! The stack: a call that worked with a key leaves copies of it below, where they stay until other calls come as deep.

use std::hint::black_box;
use zeroize::Zeroize as _;

/// As deep as any call here goes, with room to spare.
const DEPTH: usize = 64 << 10;

/// Works, and overwrites what was left below.
#[inline(never)]
pub fn cleared<T>(work: impl FnOnce() -> T) -> T {
    let done = called(work);
    clear();
    done
}

#[inline(never)]
fn called<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn clear() {
    let mut below = [0_u8; DEPTH];
    below.zeroize();
    black_box(&below);
}
