//! `keystead hsm`: what a PKCS#11 token is, can, and lets the holder of its PIN get.
//!
//! - [`settings`]: `[[hsm]]` of the configuration; [`softhsm`]: a token of one's own for `dev`
//! - [`show`]: a token's description as a table; [`owned`]: a key in somebody's own token

pub(crate) mod owned;
pub(crate) mod settings;
mod show;
pub(crate) mod softhsm;

use crate::config;
use crate::exit::Failure;
use crate::output::{self, OutputArgs};
use crate::setup::moment;
use settings::HsmSection;
use std::path::PathBuf;

/// The hidden subcommand that a worker process runs.
pub(crate) const WORKER: &str = "hsm-worker";

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead hsm probe --config /etc/keystead/keystead.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show what tokens can, their quirks, and what the self-test's attacks got
    #[command(after_help = "\
Examples:
  keystead hsm probe --config /etc/keystead/keystead.toml
  keystead hsm probe --file hsm.toml --token main --output json

Exit code 1 if an attack of a self-test succeeded: keys that such a token wraps are as safe from the holder of its PIN as
software keys.")]
    Probe(Probe),
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct From {
    /// The server's configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file with the section `[[hsm]]` alone
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Probe {
    #[command(flatten)]
    from: From,
    /// Only the token of this name
    #[arg(long, value_name = "NAME")]
    token: Option<String>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let Command::Probe(probe) = args.command;
    let sections = match (&probe.from.config, &probe.from.file) {
        (Some(file), _) => config::read(file)?.hsm.into_iter().map(toml::Spanned::into_inner).collect(),
        (None, Some(file)) => config::read_hsm(file)?,
        (None, None) => Vec::new(),
    };
    let wanted = |s: &HsmSection| probe.token.as_ref().is_none_or(|name| *name == s.name);
    let sections: Vec<_> = sections.into_iter().filter(wanted).collect();
    if sections.is_empty() {
        return Err(Failure::usage("the file has no such [[hsm]]: see docs/keystead.example.toml"));
    }
    let mut found = Vec::new();
    for section in &sections {
        let (client, _) = section.start()?;
        let described = client.describe(moment(120).deadline).await;
        client.stop().await;
        let described = described.map_err(|e| Failure::unavailable(format!("hsm {}: {e}", section.name)))?;
        found.push((section.name.clone(), described));
    }
    if args.output.is_json() {
        output::json(&show::json(&found))?;
    } else {
        found.iter().try_for_each(|(name, token)| show::table(name, token))?;
    }
    show::verdict(&found)
}
