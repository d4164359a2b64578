//! A worker alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    keystead_hsm::worker::process::main()
}
