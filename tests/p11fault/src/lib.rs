//! A PKCS#11 module for tests that passes everything on to a real one, and fails when it is told to.
//!
//! | variable | meaning |
//! |---|---|
//! | `KEYSTEAD_P11FAULT_MODULE` | the real module |
//! | `KEYSTEAD_P11FAULT_MECHANISMS` | mechanisms to hide (`-0x9`); `rsa-aes` has CKM_RSA_AES_KEY_WRAP, `rsa-aes-wrong` a bad one; `no-sha1` wraps with no OAEP of SHA-1 |
//! | `KEYSTEAD_P11FAULT_CONTROL` | a file of rules, read anew at every call; without it everything is passed on |
//!
//! A line of the file is a rule:
//!
//! ```text
//! C_Sign 3 rv CKR_DEVICE_ERROR       the third call fails with this code; codes are names or numbers
//! C_Sign 3.. sleep 500               the third and all later ones wait 500 ms, then work
//! C_Sign /3 rv 0x30                  every third one
//! C_Sign 1 once abort                the first one crashes the process; in this process and all that come after it
//!                                    only once
//! C_GenerateKeyPair 1 then abort     does its work first
//! token gone                         no token in any slot; sessions die, also for when it is back
//! ```
//!
//! A rule counts calls from when it is first seen, in each process anew. The first rule that fits is the one. Functions
//! beyond PKCS#11 2.40 are not offered, the few that nobody calls (`C_WaitForSlotEvent` and the like) not watched.
//!
//! - `calls`: the functions that stand before the real module's
//! - `listed`: mechanisms that it lists otherwise than the real one
//! - `real`: the real module
//! - `rules`: the file
//! - `faults`: what comes of a call
//! - `token`: which sessions the token has, and that it is gone
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "a C library, loaded into tests only")]
#![allow(clippy::disallowed_methods, reason = "it is told by environment variables what to do")]

mod calls;
mod codes;
mod faults;
mod listed;
mod real;
mod rules;
mod token;
