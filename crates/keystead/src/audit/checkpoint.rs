//! `keystead audit checkpoint`.

use super::kept::Store;
use super::log::Log;
use super::trust;
use crate::exit::Failure;
use crate::key::connection::ConnectionArgs;
use crate::output::{self, OutputArgs};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead audit checkpoint
  keystead audit checkpoint --vault https://dev.localhost:8443 > dev.checkpoint
  keystead audit verify --checkpoint dev.checkpoint

The signed note (c2sp.org/tlog-checkpoint) needs no token. It must extend the
one kept before, and is kept in its place.")]
pub(crate) struct Print {
    /// Which log, by its id as in receipts; default: the vault's on the node that answers
    #[arg(long, value_name = "ID")]
    log: Option<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Print {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = self.connection.open_client().await?;
        let log = Log::at_vault(client, self.log.as_deref()).await?.ok_or_else(|| {
            Failure::refused(
                "the vault has no such log on the node that answers: `audit prove` names its log in the receipt",
            )
        })?;
        let accepted = trust::newest(&log, &Store::open()?, None).await?;
        if !self.output.is_json() {
            return output::bytes(&accepted.note);
        }
        output::json(&serde_json::json!({
            "origin": log.origin(), "id": log.id(), "vkey": log.key.to_string(),
            "size": accepted.checkpoint.size, "root": STANDARD.encode(accepted.checkpoint.root),
            "past": accepted.past, "note": String::from_utf8_lossy(&accepted.note),
        }))
    }
}
