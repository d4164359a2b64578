//! `keystead vault enrol`: another token for a vault. In a vault of custodians, they agree on it.

use super::custodians::ask;
use super::{name, show};
use crate::exit::Failure;
use crate::key::connection::failure;
use crate::output::OutputArgs;
use crate::unseal::{answer, report};
use keystead_client::OperatorClient;
use keystead_model::Name;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead vault enrol payments-hsm --token luna-2
  keystead vault enrol payments-hsm --token luna-2 --out challenge.txt
  keystead vault enrol payments-hsm --answer alice.answer --answer carol.answer

The server of a vault with custody `file` has the wrapping key and gives it. In
a vault of custodians the first shows what they are asked, and M of them answer
it (`keystead custodian answer`); with the last answer the token has the key.
Where all answers are there and it failed because the store, the log or a token
was away, say no more than `keystead vault enrol payments-hsm`: it goes on with
them.")]
pub(super) struct Enrol {
    /// Which vault
    #[arg(value_parser = name)]
    name: Name,
    /// The token, by its name in `[[hsm]]`
    #[arg(long, value_name = "TOKEN", conflicts_with = "answer")]
    token: Option<String>,
    /// Of a vault of custodians: a new file for the challenge
    #[arg(long, value_name = "FILE", requires = "token")]
    out: Option<PathBuf>,
    /// Also if the custodians are asked about another token: that challenge and its answers are discarded
    #[arg(long, requires = "token")]
    again: bool,
    /// What `keystead custodian answer` printed; repeat for more
    #[arg(long, value_name = "FILE")]
    answer: Vec<PathBuf>,
}

impl Enrol {
    pub(super) async fn run(self, client: &OperatorClient, shown: OutputArgs) -> Result<(), Failure> {
        let Self { name, token, out, again, answer: files } = self;
        let custody = client.vault(&name).await.map_err(|e| failure(&e))?.value.custody;
        if custody != "quorum" {
            let Some(token) = token else {
                return Err(Failure::usage(format!("{name} has no custodians who answer: say which --token")));
            };
            if out.is_some() {
                return Err(Failure::usage(format!("{name} has no custodians to be asked: leave --out out")));
            }
            client.enrol_token(&name, &token).await.map_err(|e| failure(&e))?;
            return show(client, &name, shown).await;
        }
        if let Some(token) = token {
            let asked = client.ask_enrolment(&name, &token, again).await.map_err(|e| failure(&e))?.value;
            return ask(&asked, &format!("keystead vault enrol {name}"), out.as_deref(), shown);
        }
        let answers = files.iter().map(|file| answer(file)).collect::<Result<Vec<_>, _>>()?;
        let done = client.answer_enrolment(&name, &answers).await.map_err(|e| failure(&e))?.value;
        report(&name, &files, &done, "the custodians have agreed, and the token has the vault's wrapping key", shown)
    }
}
