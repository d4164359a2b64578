//! The functions that stand in for the C library's. The variadic ones are defined with all arguments they can have,
//! which is the same call on x86-64 and AArch64.

mod data;
mod names;
mod opening;
mod sync;

use crate::real::{self, Result};
use libc::c_int;

/// A result as C wants it: the value, or -1 and `errno`.
trait Give: Sized {
    const FAILED: Self;
}

impl Give for c_int {
    const FAILED: Self = -1;
}

impl Give for isize {
    const FAILED: Self = -1;
}

fn give<T: Give>(result: Result<T>) -> T {
    result.unwrap_or_else(|code| {
        real::set_errno(code);
        T::FAILED
    })
}

fn to_int(value: libc::c_long) -> c_int {
    c_int::try_from(value).unwrap_or(-1)
}
