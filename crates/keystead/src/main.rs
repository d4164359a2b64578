//! Keystead: customer-controlled key management. One binary; each subcommand is one file.
//!
//! - [`dev`], [`serve`]: the server; [`setup`] is what they share, [`config`] and [`paths`] what `serve` reads,
//!   [`certificate`] what it reads again
//! - [`vault`], [`path`], [`unseal`], [`doctor`]: the operator's commands over the local socket ([`socket`])
//! - [`domain`], [`custodian`]: the customer's and his custodians', offline
//! - [`rehearse`]: whether what the customer keeps would bring his vault back
//! - [`key`], [`role`], [`audit`], [`backup`]: a client's commands over HTTPS; [`policy`]: an administrator's
//! - [`approval`]: approvers' signatures; [`own_key`]: their keys, and custodians'
//! - [`hsm`]: PKCS#11 tokens; [`byok`]: keys on their way into a vault
//! - [`clock_note`]: what is kept of the clock over a restart
//! - [`storage`]: where backups of whole vaults go
//! - [`syslog`]: where a copy of the audit goes
//! - [`watch`]: metrics, readiness and the server's own log
//! - [`exit`]: exit codes and how errors are shown

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod approval;
mod audit;
mod backup;
mod byok;
mod certificate;
mod clock_note;
mod compare;
mod config;
mod custodian;
mod dev;
mod doctor;
mod domain;
mod exit;
#[cfg(test)]
mod fuzz;
mod handler;
mod harden;
#[cfg(test)]
mod help;
mod hsm;
mod key;
mod new_client;
mod new_files;
mod node_key;
mod output;
mod own_key;
mod path;
mod paths;
mod pem;
mod policy;
mod rehearse;
mod role;
mod running;
mod secret_file;
mod serve;
mod setup;
mod socket;
mod storage;
mod syslog;
mod tls;
mod unseal;
mod vault;
mod watch;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Memory is cleared when it is freed, so no secret outlives its owner.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Customer-controlled key management that speaks the Azure Key Vault API.
#[derive(Parser)]
#[command(version, about, after_help = format!("{EXAMPLES}\n\n{}", exit::TABLE))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  keystead dev                               a server of your own in ./keystead-dev, with a vault to try
  set -a; . ./keystead-dev/dev.env; set +a   what clients need, in this shell
  keystead key create payments --kty EC      a signing key
  keystead audit tail                        who did what
  keystead audit verify                      whether the log on disk is whole";

const COMPLETIONS: &str = "\
Examples:
  keystead completion bash > ~/.local/share/bash-completion/completions/keystead
  keystead completion zsh > ~/.zfunc/_keystead
  keystead completion fish > ~/.config/fish/completions/keystead.fish";

#[derive(Subcommand)]
enum Command {
    /// Run a server for development: own CA, one open vault, state kept in a directory
    Dev(dev::Args),
    /// Run a server as its configuration says
    Serve(serve::Args),
    /// Create, list, seal, unseal and rotate vaults (operator, over the local socket)
    Vault(vault::Args),
    /// Add, prove, test and remove the ways to a vault's root (operator)
    Path(path::Args),
    /// Ask the custodians of a vault, and bring their answers (operator)
    Unseal(unseal::Args),
    /// Try everything the server needs, and each way to each vault's root (operator)
    Doctor(doctor::Args),
    /// Make the security domain of a vault, offline
    Domain(domain::Args),
    /// Try on a machine of your own whether domain, custodians and backup bring a vault back
    Rehearse(Box<rehearse::Args>),
    /// Hold one key of a security domain: confirm an activation, answer a challenge
    Custodian(custodian::Args),
    /// Create and use keys
    Key(key::Args),
    /// Manage roles and who has them
    Role(role::Args),
    /// Make backups of the whole vault
    Backup(backup::Args),
    /// Restore the whole vault, or one key, from such a backup
    Restore(backup::restore::Args),
    /// Approve, with others, what the vault's policy lets happen only so
    Approval(approval::Args),
    /// Say whose tokens are believed
    Issuer(policy::issuer::Args),
    /// Manage the vault's own clients and their credentials
    Client(policy::client::Args),
    /// Say which client certificates are believed
    Certificate(policy::certificate::Args),
    /// Show a vault's policy, and refuse older tokens
    Policy(policy::show::Args),
    /// Bring keys of your own into a vault
    Byok(byok::Args),
    /// Look at PKCS#11 tokens
    Hsm(hsm::Args),
    /// Look at the server's clock, and confirm one that is doubted
    Clock(policy::clock::Args),
    /// Read and check the audit log
    Audit(audit::Args),
    /// A token's worker: the server starts it
    #[command(name = hsm::WORKER, hide = true)]
    HsmWorker,
    /// Print a completion script for a shell
    #[command(visible_alias = "completion", after_help = COMPLETIONS)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let parsed = Cli::command().try_get_matches().and_then(|all| Ok((json_wanted(&all), Cli::from_arg_matches(&all)?)));
    let (json, cli) = match parsed {
        Ok(parsed) => parsed,
        Err(e) if e.use_stderr() && json_written(std::env::args_os()) => {
            return exit::Failure::usage(e.to_string().trim_end()).show(true);
        }
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { exit::USAGE } else { exit::DONE });
        }
    };
    if matches!(cli.command, Command::HsmWorker) {
        // Few lines, and none in a usual life: its standard error is the server's.
        let _ = watch::log::begin(watch::log::Level::Warn, watch::log::Form::Text, None);
        return keystead_hsm::worker::process::main();
    }
    harden::process();
    match run(cli) {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(failure) => failure.show(json),
    }
}

/// Whether the command that was given shows JSON.
fn json_wanted(given: &ArgMatches) -> bool {
    let here = given.try_get_one::<output::Format>("output").ok().flatten();
    here == Some(&output::Format::Json) || given.subcommand().is_some_and(|(_, below)| json_wanted(below))
}

/// The same of a command line that is none.
fn json_written(words: impl Iterator<Item = OsString>) -> bool {
    let words: Vec<OsString> = words.collect();
    words.iter().any(|word| word == "--output=json")
        || words.windows(2).any(|pair| matches!(pair, [flag, json] if flag == "--output" && json == "json"))
}

fn run(cli: Cli) -> Result<(), exit::Failure> {
    match cli.command {
        Command::Dev(args) => runtime()?.block_on(dev::run(args)),
        Command::Serve(args) => runtime()?.block_on(serve::run(args)),
        Command::Vault(args) => runtime()?.block_on(vault::run(args)),
        Command::Path(args) => runtime()?.block_on(path::run(args)),
        Command::Unseal(args) => runtime()?.block_on(unseal::run(args)),
        Command::Doctor(args) => runtime()?.block_on(doctor::run(args)),
        Command::Domain(args) => domain::run(args),
        Command::Rehearse(args) => runtime()?.block_on(rehearse::run(*args)),
        Command::Custodian(args) => custodian::run(args),
        Command::Key(args) => runtime()?.block_on(key::run(args)),
        Command::Role(args) => runtime()?.block_on(role::run(args)),
        Command::Backup(args) => runtime()?.block_on(backup::run(args)),
        Command::Restore(args) => runtime()?.block_on(backup::restore::run(args)),
        Command::Approval(args) => runtime()?.block_on(approval::run(args)),
        Command::Issuer(args) => runtime()?.block_on(policy::issuer::run(args)),
        Command::Client(args) => runtime()?.block_on(policy::client::run(args)),
        Command::Certificate(args) => runtime()?.block_on(policy::certificate::run(args)),
        Command::Policy(args) => runtime()?.block_on(policy::show::run(args)),
        Command::Byok(args) => runtime()?.block_on(byok::run(args)),
        Command::Hsm(args) => runtime()?.block_on(hsm::run(args)),
        Command::Clock(args) => runtime()?.block_on(policy::clock::run(args)),
        Command::Audit(args) => runtime()?.block_on(audit::run(args)),
        // Never comes here: it has an exit code of its own.
        Command::HsmWorker => Ok(()),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "keystead", &mut std::io::stdout());
            Ok(())
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, exit::Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| exit::Failure::unavailable(format!("cannot start the runtime: {e}")))
}
