//! The engine by what it promises: a real store, a real journal and real keys, in a directory of their own.
#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod access;
mod administered;
mod altered;
mod backup;
mod bounds;
mod canaries;
mod cancelled;
mod ciphers;
mod clock;
mod faults;
mod fuzz;
mod imports;
mod journal;
mod keys;
mod lists;
mod model;
mod moved;
mod operate;
mod paths;
mod policy;
mod races;
mod random;
mod recovery;
mod release;
mod roles;
mod root;
mod root_crashes;
mod rotation;
mod schedule;
mod sealing;
mod support;
mod tokens;
mod uses;
mod whole;
