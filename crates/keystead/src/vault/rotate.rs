//! `keystead vault rotate-root`: begins a rotation and shows its steps as they come.

use super::name;
use crate::exit::Failure;
use crate::key::connection::failure;
use crate::output::{self, OutputArgs};
use keystead_client::{OperatorClient, VaultInfo};
use keystead_model::Name;
use serde_json::Value;
use std::time::Duration;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead vault rotate-root payments
  keystead vault rotate-root payments --after-purge

The next generation of the root is wrapped by every unseal path of the vault,
sealed to its domain, and proven. Then each row is sealed again under it, while
the vault works on; at the end the generation before is destroyed. It goes on
by itself, also after a restart. Copies of the store from before stay openable
with the path keys of then; with --after-purge each path gets a new key, and
the one before is destroyed where it is the vault's alone.")]
pub(super) struct Rotate {
    /// Which vault
    #[arg(value_parser = name)]
    name: Name,
    /// Give each unseal path a new key, too
    #[arg(long)]
    after_purge: bool,
    /// Do not wait for the end
    #[arg(long)]
    no_wait: bool,
}

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// Looks in a row at which the rotation waits for something, before that is told.
const PATIENCE: u8 = 20;

impl Rotate {
    pub(super) async fn run(self, client: &OperatorClient, shown: OutputArgs) -> Result<(), Failure> {
        let begun = client.rotate_root(&self.name, self.after_purge).await.map_err(|e| failure(&e))?.value;
        let told = |text: &str| if shown.is_json() { Ok(()) } else { output::text(text) };
        let root = begun.more.get("root").map(ToString::to_string).unwrap_or_default();
        told(&format!("root {root} was made, wrapped by every path, sealed to the domain, proven and written"))?;
        if self.no_wait {
            return if shown.is_json() { output::json(&begun) } else { Ok(()) };
        }
        let ended = follow(client, &self.name, told).await?;
        told(&format!("done: root {root} seals everything, and nothing opens under the one before"))?;
        if shown.is_json() { output::json(&ended) } else { Ok(()) }
    }
}

/// Tells each step until the rotation ends.
pub(super) async fn follow(
    client: &OperatorClient,
    name: &Name,
    told: impl Fn(&str) -> Result<(), Failure>,
) -> Result<VaultInfo, Failure> {
    let (mut last, mut waited) = (String::new(), 0_u8);
    loop {
        let vault = client.vault(name).await.map_err(|e| failure(&e))?.value;
        let Some(rotation) = vault.more.get("rotation") else {
            return match vault.status.as_str() {
                "open" => Ok(vault),
                status => Err(Failure::unavailable(format!(
                    "the vault is {status} now: the rotation goes on when it is unsealed"
                ))),
            };
        };
        let line = shown(rotation);
        if line != last {
            told(&line)?;
            last = line;
        }
        waited = if rotation.get("waits_for").is_some() { waited.saturating_add(1) } else { 0 };
        if waited > PATIENCE {
            return Err(Failure::check(format!("{last}. It goes on by itself when that is mended")));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// A rotation in one line.
pub(super) fn shown(rotation: &Value) -> String {
    let number = |name: &str| rotation.get(name).and_then(Value::as_u64).unwrap_or_default();
    let text = |name: &str| rotation.get(name).and_then(Value::as_str);
    let (from, to, left, step) = (number("from"), number("to"), number("rows_left"), text("step").unwrap_or("-"));
    let rows = match step {
        "resealing" | "proving" => format!(", {left} rows left"),
        _ => String::new(),
    };
    let waits = text("waits_for").map(|why| format!("; it waits: {why}")).unwrap_or_default();
    let custodians = rotation.get("custodians").and_then(Value::as_bool).unwrap_or_default();
    let what = if custodians { "replacing custodians, root" } else { "rotating root" };
    format!("{what} {from} -> {to}: {step}{rows}{waits}")
}
