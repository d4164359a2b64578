//! `keystead serve`: a server as its configuration says.

use crate::config::{self, Config, OutgoingSection};
use crate::exit::Failure;
use crate::setup::{Listener, Setup};
use keystead_server::{Limits, Outgoing};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead serve --config /etc/keystead/keystead.toml

docs/keystead.example.toml shows every setting.")]
pub(crate) struct Args {
    /// The configuration, TOML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let config = config::read(&args.config)?;
    let setup = setup(config)?;
    setup.start().await?.serve().await
}

fn setup(config: Config) -> Result<Setup, Failure> {
    let limits = limits(&config);
    let prepared = Setup::prepare(config.node.data.get_ref())?;
    let chain = read(&config.listen.certificate)?;
    let key = Zeroizing::new(read(&config.listen.private_key)?);
    let addresses = config.listen.tls.into_inner();
    let listener = |address| Listener { address, chain: chain.clone(), key: key.clone() };
    Ok(Setup {
        key_file: config.custody.map(|c| c.key_file.into_inner()),
        listeners: addresses.into_iter().map(listener).collect(),
        operator_socket: config.listen.operator_socket.unwrap_or_else(|| prepared.operator_socket.clone()),
        sink_file: config.audit.sink_file.map(toml::Spanned::into_inner),
        max_journal_bytes: config.audit.max_bytes,
        limits,
        outgoing: outgoing(config.outgoing)?,
        ..prepared
    })
}

fn outgoing(section: OutgoingSection) -> Result<Outgoing, Failure> {
    let own = match &section.ca {
        Some(file) => read(file)?,
        None => Vec::new(),
    };
    let roots = crate::tls::roots(&own).map_err(|e| {
        let file = section.ca.as_deref().unwrap_or(Path::new("")).display();
        Failure::usage(format!("outgoing.ca: cannot use {file}: {e}"))
    })?;
    Ok(Outgoing { hosts: section.hosts, roots, proxy: section.proxy })
}

fn limits(config: &Config) -> Limits {
    let (default, set) = (Limits::default(), &config.limits);
    Limits {
        max_connections: set.max_connections.unwrap_or(default.max_connections),
        max_body: set.max_body_bytes.unwrap_or(default.max_body),
        request_deadline: set.request_deadline_ms.map_or(Duration::from_secs(10), Duration::from_millis),
        ..default
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| Failure::usage(format!("cannot read {}: {e}", file.display())))
}
