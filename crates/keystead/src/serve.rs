//! `keystead serve`: a server as its configuration says.

use crate::certificate::CertificateFiles;
use crate::config::{self, Config, OutgoingSection, TracesSection};
use crate::exit::Failure;
use crate::setup::Setup;
use keystead_server::Outgoing;
use std::path::{Path, PathBuf};

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
    let (limits, bounds) = (config.limits.server(), config.limits.bounds());
    let traces = config.traces.as_ref().map(TracesSection::settings);
    let prepared = Setup::prepare(config.node.data.get_ref(), config.log, traces)?;
    let files = CertificateFiles::new(config.listen.certificate, config.listen.private_key);
    let pair = files.read()?;
    Ok(Setup {
        key_file: config.custody.map(|c| c.key_file.into_inner()),
        paths: config.path.into_iter().map(toml::Spanned::into_inner).collect(),
        addresses: config.listen.tls.into_inner(),
        pair,
        certificate: Some(files),
        operator_socket: config.listen.operator_socket.unwrap_or_else(|| prepared.operator_socket.clone()),
        sink_file: config.audit.sink_file.map(toml::Spanned::into_inner),
        syslog: config.audit.syslog,
        syslog_ca: config.audit.syslog_ca.map(toml::Spanned::into_inner),
        metrics: config.metrics.listen.map(toml::Spanned::into_inner),
        max_journal_bytes: config.audit.max_bytes,
        limits,
        bounds,
        outgoing: outgoing(config.outgoing)?,
        backups: (config.backup.directory.map(toml::Spanned::into_inner), config.backup.hosts),
        hsms: config.hsm.into_iter().map(toml::Spanned::into_inner).collect(),
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

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| Failure::usage(format!("cannot read {}: {e}", file.display())))
}
