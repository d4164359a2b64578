//! `keystead approval approve`, `reject`, `sign` and `submit`.

use super::file::{Exported, Signed, bytes};
use super::key::sign;
use super::show::VerdictArg;
use crate::exit::Failure;
use crate::key::{Session, Shown};
use crate::new_files;
use crate::output;
use crate::own_key::KeyArgs;
use keystead_access::{Approver, Proposal, Verdict};
use serde_json::Value;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Vote {
    /// Which proposal
    id: String,
    #[command(flatten)]
    key: KeyArgs,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead approval sign --file proposal.json --key alice.pem --out alice.vote.json")]
pub(super) struct Sign {
    /// The proposal, as `approval show --out` wrote it
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// What you say
    #[arg(long, value_name = "VERDICT", value_enum, default_value = "approve")]
    verdict: VerdictArg,
    #[command(flatten)]
    key: KeyArgs,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// A new file for the signature
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead approval submit 0123456789abcdef0123456789abcdef alice.vote.json
  keystead approval submit 0123456789abcdef0123456789abcdef bob.sig --public bob.pub.pem \\
    --verdict approve")]
pub(super) struct Submit {
    /// Which proposal
    id: String,
    /// The file of `approval sign`; with --public the signature alone, as a card or OpenSSL made it
    file: PathBuf,
    /// The approver's public key, PEM
    #[arg(long, value_name = "FILE", requires = "verdict")]
    public: Option<PathBuf>,
    /// What was signed
    #[arg(long, value_name = "VERDICT", value_enum, requires = "public")]
    verdict: Option<VerdictArg>,
}

impl Vote {
    pub(super) async fn run(self, session: &Session, verdict: Verdict) -> Result<(), Failure> {
        let found = session.client.proposal(&self.id).await.map_err(|e| session.shown.failure(&e))?;
        let exported = Exported::of(&found.value)?;
        if exported.proposal.id != self.id.to_ascii_lowercase() {
            return Err(Failure::check("the server answered with another proposal: sign nothing"));
        }
        let signed = signed(&exported.proposal, verdict, &self.key, self.yes).await?;
        bring(session, &self.id, &signed).await
    }
}

impl Sign {
    pub(super) async fn run(self, shown: Shown) -> Result<(), Failure> {
        let exported = Exported::read(&self.file)?;
        let signed = signed(&exported.proposal, self.verdict.into(), &self.key, self.yes).await?;
        let text = serde_json::to_vec_pretty(&signed).map_err(|e| Failure::unavailable(e.to_string()))?;
        new_files::write(&self.out, &text)?;
        let (file, id) = (self.out.display().to_string(), &signed.proposal);
        if shown.is_json() {
            return output::json(&serde_json::json!({ "proposal": id, "signature": file }));
        }
        output::text(&format!("signed: `keystead approval submit {id} {file}` brings it to the server"))
    }
}

impl Submit {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let signed = match (&self.public, self.verdict) {
            (Some(public), Some(verdict)) => {
                let found = session.client.proposal(&self.id).await.map_err(|e| session.shown.failure(&e))?;
                let pem = String::from_utf8_lossy(&bytes(public)?).into_owned();
                Signed::new(&Exported::of(&found.value)?.proposal, verdict.into(), pem, &bytes(&self.file)?)
            }
            _ => Signed::read(&self.file)?,
        };
        if !signed.proposal.eq_ignore_ascii_case(&self.id) {
            return Err(Failure::usage(format!("{} is of another proposal: {}", self.file.display(), signed.proposal)));
        }
        bring(session, &self.id, &signed).await
    }
}

/// Shows what is signed, asks, and signs it.
async fn signed(proposal: &Proposal, verdict: Verdict, key: &KeyArgs, yes: bool) -> Result<Signed, Failure> {
    let text = proposal.text(verdict);
    output::note(&text);
    if !yes {
        agree(verdict)?;
    }
    let (public, signature) = sign(key, &text).await?;
    let pem = Approver::pem_of_key(&public.to_spki());
    Ok(Signed::new(proposal, verdict, pem, &signature))
}

fn agree(verdict: Verdict) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("what is signed should be read: give --yes where nobody can be asked"));
    }
    let word = verdict.word();
    let _ = write!(std::io::stderr(), "Sign this? Type '{word}': ");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if read.is_ok() && line.trim() == word { Ok(()) } else { Err(Failure::usage("not signed")) }
}

async fn bring(session: &Session, id: &str, signed: &Signed) -> Result<(), Failure> {
    let (client, shown) = (&session.client, session.shown);
    let done = client.vote(id, signed.verdict.word(), &signed.key, &signed.signature()?).await;
    let done = done.map_err(|e| shown.failure(&e))?;
    if shown.is_json() {
        return output::json(&done.value);
    }
    let text = |member: &str| done.value.get(member).and_then(Value::as_str).map(output::printable).unwrap_or_default();
    let count = done.value.get("approved").and_then(Value::as_array).map_or(0, Vec::len);
    let needed = done.value.get("needed").and_then(Value::as_u64).unwrap_or_default();
    output::text(&format!(
        "{} taken; {count} of {needed} approvals; the proposal is {}",
        signed.verdict.word(),
        text("state")
    ))?;
    shown.receipt(done.receipt.as_deref());
    Ok(())
}
