//! `keystead issuer`, `client`, `certificate`, `policy` and `clock`: who and what is believed in a vault, for its
//! administrators.
//!
//! - [`issuer`], [`client`], [`certificate`]: each kind of caller; [`show`]: the whole, and revocations
//! - [`clock`]: the server's clock

pub(crate) mod certificate;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod issuer;
pub(crate) mod show;

use crate::exit::Failure;
use crate::key::Shown;
use crate::key::connection::ConnectionArgs;
use crate::output;
use keystead_client::{Client, Done};
use serde_json::Value;
use std::path::Path;

/// Where the commands go, and how results are shown.
#[derive(clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

impl Common {
    async fn client(&self) -> Result<Client, Failure> {
        self.connection.client().await
    }

    /// A value: as JSON with its receipt, or as the lines made of it.
    fn show(&self, done: Done<Value>, lines: impl FnOnce(&Value) -> Result<(), Failure>) -> Result<(), Failure> {
        if self.shown.is_json() {
            return output::json(&with_receipt(done));
        }
        lines(&done.value)?;
        self.shown.receipt(done.receipt.as_deref());
        Ok(())
    }

    /// Something that was removed.
    fn removed(&self, what: &str, done: Done<()>) -> Result<(), Failure> {
        if self.shown.is_json() {
            return output::json(&serde_json::json!({ "removed": what, "receipt": done.receipt }));
        }
        output::text(&format!("removed {}", output::printable(what)))?;
        self.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

fn with_receipt(done: Done<Value>) -> Value {
    let mut value = done.value;
    if let Some(members) = value.as_object_mut() {
        members.insert("receipt".to_owned(), done.receipt.into());
    }
    value
}

/// A member's text; of a list, its texts; of anything else, JSON.
fn text(value: &Value, member: &str) -> String {
    match value.get(member) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Vec<String> =
                items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned)).collect();
            if items.is_empty() { "-".to_owned() } else { items.join(", ") }
        }
        Some(other) => other.to_string(),
    }
}

/// The items of a list in an answer.
fn items<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|e| Failure::usage(format!("cannot read {}: {e}", file.display())))
}

fn read_json(file: &Path) -> Result<Value, Failure> {
    serde_json::from_str(&read(file)?).map_err(|e| Failure::usage(format!("{} is not JSON: {e}", file.display())))
}

/// Milliseconds since the epoch, from a time on the command line.
fn millis(text: &str) -> Result<i64, String> {
    output::time::parse(text).map(|seconds| seconds.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    #[test]
    fn the_command_lines_are_consistent() {
        super::issuer::Args::augment_args(clap::Command::new("issuer")).debug_assert();
        super::client::Args::augment_args(clap::Command::new("client")).debug_assert();
        super::certificate::Args::augment_args(clap::Command::new("certificate")).debug_assert();
        super::clock::Args::augment_args(clap::Command::new("clock")).debug_assert();
        super::show::Args::augment_args(clap::Command::new("policy")).debug_assert();
    }
}
