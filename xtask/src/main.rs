//! Work on the workspace itself. `cargo xtask load` measures the server and writes docs/performance.md.
//!
//! - [`load`]: the command; [`rounds`]: who is measured when; [`drive`], [`client`]: the load itself
//! - [`keystead`], [`bare`], [`bao`]: the servers under load; [`target`], [`template`]: what they have in common
//! - [`fairness`], [`abuse`], [`hsm`], [`scale`]: scenarios with runs of their own
//! - [`raw`], [`cipher`]: the primitives alone; [`start`]: start-up times; [`profile`]: where the time goes
//! - [`timing`]: whether decryption tells by its time what was wrong
//! - [`budget`], [`figures`], [`report`]: what the numbers mean and how they are written down
//! - [`process`], [`machine`], [`out`]: children, this machine, the terminal

#![allow(clippy::disallowed_methods, reason = "a program that measures time; nothing of it is in the product")]

mod abuse;
mod bao;
mod bare;
mod budget;
mod cipher;
mod client;
mod drive;
mod fairness;
mod figures;
mod hsm;
mod keystead;
mod load;
mod machine;
mod op;
mod out;
mod process;
mod profile;
mod raw;
mod report;
mod rounds;
mod scale;
mod start;
mod target;
mod template;
mod timing;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Why a run could not be made; shown to whoever started it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "Work on the workspace itself", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the release server beside a bare handler, the raw primitives and, if given, OpenBao
    Load(load::Args),
    /// Measure whether RSA1_5 decryption tells by its time what was wrong
    Timing(timing::Args),
    /// Call a token directly, for `load --hsm`
    #[command(hide = true)]
    RawHsm(hsm::RawArgs),
    /// Serve the bare handlers that `load` compares with
    #[command(hide = true)]
    Bare(bare::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Load(args) => load::run(args),
        Command::Timing(args) => timing::run(&args),
        Command::RawHsm(args) => hsm::raw(&args),
        Command::Bare(args) => bare::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::warn(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}
