//! `keystead key purge`.

use super::{Session, words};
use crate::audit::last_use;
use crate::exit::Failure;
use crate::output;
use keystead_model::Name;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key purge payments
  keystead key purge payments --yes
  keystead key purge payments --yes --propose 'replaced by payments-2'

Whatever only this key can decrypt is lost. Without --yes its last use
is shown, as far as the log may be read, and the name must be typed again.")]
pub(crate) struct Purge {
    /// Which deleted key
    #[arg(value_parser = words::name)]
    name: Name,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Purge {
    /// Asks, unless that was answered on the command line.
    pub(crate) async fn confirm(&self, session: &Session) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage("purge removes a key for good: give --yes where nobody can be asked"));
        }
        output::note(&format!("last use: {}", last_use(&session.client, &self.name).await));
        let _ = write!(std::io::stderr(), "Remove {} and all its versions for good? Type its name: ", self.name);
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let agreed = read.is_ok() && Name::parse(line.trim()).is_ok_and(|typed| typed == self.name);
        if agreed { Ok(()) } else { Err(Failure::usage("not purged: that was another name")) }
    }

    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let done = session.client.purge_key(&self.name).await.map_err(|e| session.shown.failure(&e))?;
        if session.shown.is_json() {
            return output::json(&serde_json::json!({ "purged": self.name.as_str(), "receipt": done.receipt }));
        }
        output::text(&format!("purged {}", self.name))?;
        session.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}
