//! The worker's side of a token: the only code that loads a vendor's library.
//!
//! - [`process`]: its life, one call after the other; `confine`: what it gives up first; `link`: the socket
//! - `token`: opening: library, slot, PIN, self-test, canary; `hand`: one session, which does what is asked
//! - `selftest`: what the token is and can: how it wraps, what attacks get, which algorithms work
//! - `making`, `wrapped_import`, `wrapping`: keys that are made, come in, and wrap others; `wrapped_export`: keys of
//!   others that leave; `owned`, `texts`: keys of others at work
//! - `using`, `rsa`, `rsa15`, `ec`, `aes`, `keywrap`: keys at work; `opened`: the stored ones, unwrapped and kept
//! - `rv`: what each CKR code means; `quirks`: where vendors differ; `raw`: what `cryptoki` cannot call

mod aes;
pub(crate) mod confine;
mod ec;
mod hand;
mod keywrap;
mod link;
mod making;
mod mechanisms;
mod opened;
mod owned;
mod point;
mod porter;
pub mod process;
mod public;
mod quirks;
mod raw;
mod rsa;
mod rsa15;
mod rv;
mod seat;
mod selftest;
mod settings;
mod slot;
pub(crate) mod templates;
mod texts;
mod token;
mod using;
mod wrapped_export;
mod wrapped_import;
mod wrapping;

pub use hand::Hand;
pub(crate) use selftest::Found;
pub use settings::{Select, Settings};
pub use token::Token;
