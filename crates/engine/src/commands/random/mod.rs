//! Commands on randomness.

mod bytes;

pub use bytes::RandomBytes;
