//! `keystead audit prove`.

use super::kept::Store;
use super::log::Log;
use super::trust::{self, Accepted, Past};
use crate::exit::Failure;
use crate::key::connection::ConnectionArgs;
use crate::output::{self, OutputArgs};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_audit::ReceiptText;
use keystead_audit::tlog::{proof, verify_inclusion};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead audit prove 1.0123456789abcdef0123456789abcdef.7.AbCd...
  keystead audit prove 1.0123456789abcdef0123456789abcdef.7.AbCd... --data DIR

Receipts come with every answer (x-keystead-receipt; --receipt). What is
proven: the record stands at its index in the log under a signed checkpoint,
and that checkpoint extends the one kept before. No token and no key of the
vault is needed. A new record is waited for up to 2 s.")]
pub(crate) struct Prove {
    /// The receipt
    #[arg(value_name = "RECEIPT", value_parser = receipt)]
    receipt: ReceiptText,
    /// Prove from a server's data directory instead of asking a vault
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// A receipt as it came with an answer.
pub(crate) fn receipt(text: &str) -> Result<ReceiptText, String> {
    text.trim().parse::<ReceiptText>().map_err(|e| e.to_string())
}

impl Prove {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let log = self.log().await?;
        let store = Store::open()?;
        let accepted = trust::newest(&log, &store, Some(self.receipt.index)).await?;
        self.prove(&log, &accepted).await?;
        self.print(&log, &accepted, &store)
    }

    async fn log(&self) -> Result<Log, Failure> {
        let id = hex::encode(self.receipt.log);
        match &self.data {
            Some(data) => self.in_directory(data, &id).await,
            None => Log::at_vault(self.connection.open_client().await?, Some(&id)).await?.ok_or_else(|| {
                Failure::refused(format!(
                    "the vault has no log {id} on the node that answers: ask the one that gave the receipt"
                ))
            }),
        }
    }

    /// A log that has just begun has no directory before its first checkpoint.
    async fn in_directory(&self, data: &Path, id: &str) -> Result<Log, Failure> {
        let mut waited = Duration::ZERO;
        loop {
            match Log::in_directory(data, self.receipt.log)? {
                Some(log) => return Ok(log),
                None if waited >= trust::PATIENCE => {
                    return Err(Failure::refused(format!("{} holds no log {id}", data.display())));
                }
                None => {}
            }
            tokio::time::sleep(trust::BETWEEN).await;
            waited = waited.saturating_add(trust::BETWEEN);
        }
    }

    /// That the leaf stands at its index under the checkpoint.
    async fn prove(&self, log: &Log, accepted: &Accepted) -> Result<(), Failure> {
        let (index, size) = (self.receipt.index, accepted.checkpoint.size);
        let failed = |why: String| {
            Failure::check(format!("record {index} of log {} is not the one the receipt is for: {why}", log.id()))
        };
        let tiles = log.tiles(proof::inclusion_tiles(index, size)).await?;
        let path = proof::inclusion(index, size, &tiles).map_err(|e| failed(e.to_string()))?;
        verify_inclusion(index, size, &self.receipt.leaf, &path, &accepted.checkpoint.root)
            .map_err(|e| failed(e.to_string()))
    }

    fn print(&self, log: &Log, accepted: &Accepted, store: &Store) -> Result<(), Failure> {
        let (size, root) = (accepted.checkpoint.size, STANDARD.encode(accepted.checkpoint.root));
        if self.output.is_json() {
            return output::json(&serde_json::json!({
                "proven": true, "receipt": self.receipt.to_string(), "log": log.id(), "origin": log.origin(),
                "index": self.receipt.index, "leaf": hex::encode(self.receipt.leaf), "size": size, "root": root,
                "vkey": log.key.to_string(), "past": accepted.past,
            }));
        }
        let kept = store.note_file(log.origin());
        let past = match accepted.past {
            Past::First => format!("none kept before; the key is trusted on first use ({})", kept.display()),
            Past::Extends { size } => format!("extends the checkpoint of {size} records ({})", kept.display()),
        };
        output::fields([
            ("proven", format!("record {} stands in the log", self.receipt.index)),
            ("log", log.id()),
            ("origin", log.origin().to_owned()),
            ("leaf", hex::encode(self.receipt.leaf)),
            ("checkpoint", format!("{size} records, root {root}")),
            ("signed by", log.key.to_string()),
            ("past", past),
        ])
    }
}
