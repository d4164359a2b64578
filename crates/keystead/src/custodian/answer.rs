//! `keystead custodian answer`.

use super::confirm::own_share;
use super::key::Key;
use crate::compare::{self, Comparison};
use crate::domain::files;
use crate::exit::Failure;
use crate::new_files;
use crate::output::{self, OutputArgs, time};
use crate::own_key::KeyArgs;
use crate::setup::moment;
use keystead_custody::activation::ActivationRecord;
use keystead_custody::challenge::{Answer, Appointee, BadChallenge, Challenge, MAX_TEXT, Purpose, SignedChallenge};
use keystead_custody::shares::Share;
use keystead_custody::words;
use keystead_engine::BUILT_IN;
use keystead_formats::security_domain::SecurityDomain;
use std::io::Read as _;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead custodian answer --challenge challenge.txt \\
    --domain payments-domain --key alice.key.pem

With a key in a token: --pkcs11 /usr/lib/opensc-pkcs11.so --label alice
--pin-file pin in place of --key.

What is printed goes back to the operator: it is your share, encrypted to this
one challenge. A node that the activation record does not name needs its words
compared with those that the server shows.

A challenge says what your share is for. Where others are to replace you and the
other custodians, compare the words of their activation record (`keystead domain
show`); where somebody is to administer the vault, say who it is; where a token
is to get the vault's wrapping key, say which.")]
pub(super) struct Answers {
    /// The challenge that the server shows, in a file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    challenge: PathBuf,
    /// The security domain, or the directory it stands in
    #[arg(long, value_name = "FILE|DIR")]
    domain: PathBuf,
    /// The activation record; default: the one in the directory that --domain names
    #[arg(long, value_name = "FILE|DIR")]
    record: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    /// The words of the node that asks, if the record does not name it; without, you are asked
    #[arg(long, value_name = "WORDS")]
    node: Option<String>,
    /// The words of the record that the challenge names, where custodians are replaced; without, you are asked
    #[arg(long, value_name = "WORDS")]
    words: Option<String>,
    /// Who is to administer the vault, where that is asked, and, of a new client, the SHA-256 of its secret; without,
    /// you are asked
    #[arg(long, num_args = 2..=3, value_names = ["ISSUER", "SUBJECT", "SHA256"])]
    appoint: Option<Vec<String>>,
    /// The token that is to get the vault's wrapping key, where that is asked; without, you are asked
    #[arg(long, value_name = "TOKEN")]
    enrol: Option<String>,
    /// A new file for the answer; default: standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Answers {
    pub(super) fn run(self, shown: OutputArgs) -> Result<(), Failure> {
        let asked = self.challenge()?;
        asked.check_time(moment(0).now).map_err(refused)?;
        let record = match &self.record {
            Some(path) => Some(files::record(path)?),
            None => files::record_beside(&self.domain)?,
        };
        let (domain, bytes) = files::security_domain(&self.domain)?;
        if let Some(record) = &record {
            files::belongs(record, &domain, &bytes)?;
        }
        output::note(&output::fields_text(fields(&asked, record.as_ref())));
        self.believe(&asked, record.as_ref())?;
        self.agree(asked.challenge(), record.as_ref())?;
        let key = Key::open(&self.key)?;
        let share = match &record {
            Some(record) => own_share(record, &domain, &key)?.1,
            None => any_share(&domain, &key)?,
        };
        // Reading the key may have taken its time.
        let answer = Answer::seal(&asked, &share, moment(0).now).map_err(refused)?.to_text();
        self.give(&answer, share.number(), shown)
    }

    fn challenge(&self) -> Result<SignedChallenge, Failure> {
        let text = if self.challenge.as_os_str() == "-" {
            let (mut bytes, most) = (Vec::new(), u64::try_from(MAX_TEXT).unwrap_or(u64::MAX).saturating_mul(2));
            let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
            read.map_err(|e| Failure::usage(format!("cannot read standard input: {e}")))?;
            bytes
        } else {
            files::read(&self.challenge, MAX_TEXT.saturating_mul(2))?
        };
        SignedChallenge::parse_text(&String::from_utf8_lossy(&text)).map_err(refused)
    }

    /// The domain must be the one, and the node one that is known or whose words were compared.
    fn believe(&self, asked: &SignedChallenge, record: Option<&ActivationRecord>) -> Result<(), Failure> {
        let challenge = asked.challenge();
        if let Some(record) = record.filter(|record| record.domain_public != challenge.domain) {
            return Err(Failure::check(format!(
                "the challenge is for another security domain, {}, and your record is of {}. If the vault was given \
                 other custodians since (replace-custodians), those of {} open it: ask the customer; if it was not, \
                 somebody else asks. Do not answer it",
                challenge.domain.id(),
                record.domain_public.id(),
                challenge.domain.id()
            )));
        }
        if is_known(asked, record) {
            return Ok(());
        }
        compare::agree(&challenge.node.words(), self.node.as_deref(), compare::NODE)
    }

    /// Opening a vault that is his needs no further word; what changes who has it does.
    fn agree(&self, challenge: &Challenge, record: Option<&ActivationRecord>) -> Result<(), Failure> {
        match &challenge.purpose {
            // Whose machine it is that opens the domain was always compared by its words.
            Purpose::Unseal | Purpose::Recover => Ok(()),
            Purpose::Replace { activation } => {
                compare::agree(&words(activation), self.words.as_deref(), compare::RECORD)
            }
            Purpose::Appoint(who) => {
                let own = record.filter(|record| record.vault == challenge.vault).and_then(own_issuer);
                let given = self.appoint.as_deref().map(|given| quoted(&with_issuer(given, own)));
                // Quoted, so that no two read alike in a row.
                compare::agree_to(&quoted(&appointed(who)), given.as_deref(), APPOINTED)
            }
            Purpose::Enrol { token } => compare::agree_to(token, self.enrol.as_deref(), ENROLLED),
        }
    }

    fn give(&self, answer: &str, number: u8, shown: OutputArgs) -> Result<(), Failure> {
        if let Some(out) = &self.out {
            new_files::write(out, format!("{answer}\n").as_bytes())?;
        }
        match (shown.is_json(), &self.out) {
            (true, _) => output::json(&serde_json::json!({ "custodian": number, "answer": answer })),
            (false, None) => output::text(answer),
            (false, Some(out)) => output::text(&format!("custodian {number} has answered: {}", out.display())),
        }
    }
}

const APPOINTED: Comparison = Comparison {
    flag: "--appoint",
    question: "Is this who you agree to?",
    told: "whoever is to administer the vault tells you issuer and subject and, of a new client, the SHA-256 of its \
           secret; `built-in` is the vault's own issuer, where you have the vault's activation record",
};

const ENROLLED: Comparison = Comparison {
    flag: "--enrol",
    question: "Is this the token that you agree to?",
    told: "the operator tells you which token it is, as `[[hsm]]` names it",
};

/// The issuer of the vault's own clients, as each vault names it.
fn own_issuer(record: &ActivationRecord) -> Option<String> {
    record.authorities.first().map(|authority| format!("https://{authority}/{}", record.vault))
}

/// The same with the vault's own issuer in place of its short name.
fn with_issuer(given: &[String], own: Option<String>) -> Vec<String> {
    let mut given = given.to_vec();
    if let (Some(issuer), Some(own)) = (given.first_mut(), own)
        && issuer == BUILT_IN
    {
        *issuer = own;
    }
    given
}

/// Whether its words need no comparison. A node's key lies in its data directory: what a server's node never asks, and
/// what another vault's asks, is compared all the same.
fn is_known(asked: &SignedChallenge, record: Option<&ActivationRecord>) -> bool {
    let asked = asked.challenge();
    let known = |record: &ActivationRecord| record.vault == asked.vault && record.nodes.contains(&asked.node);
    asked.purpose != Purpose::Recover && record.is_some_and(known)
}

fn quoted(values: &[String]) -> String {
    values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" ")
}

/// Who is appointed, as the custodian has to say it: whoever knows the secret of a new client is it.
fn appointed(who: &Appointee) -> Vec<String> {
    [Some(who.issuer.clone()), Some(who.subject.clone()), who.secret.map(hex::encode)].into_iter().flatten().collect()
}

fn fields(asked: &SignedChallenge, record: Option<&ActivationRecord>) -> Vec<(&'static str, String)> {
    let challenge = asked.challenge();
    let name = match record {
        Some(record) if record.vault == challenge.vault => format!("{} ({})", challenge.vault, record.name),
        Some(record) => format!("{}, which has adopted the domain of {}", challenge.vault, record.name),
        None => challenge.vault.to_string(),
    };
    let known = if is_known(asked, record) { "named by the record" } else { "not known: compare its words" };
    let mut fields = purpose(&challenge.purpose, compare::at_a_terminal());
    fields.extend([
        ("vault", name),
        ("domain", challenge.domain.id().to_string()),
        ("node", format!("{} ({known})", challenge.node.id)),
        ("until", time::millis(challenge.expires.0)),
    ]);
    fields
}

/// What the share is for, in plain words. Of what is compared, only whoever is asked sees this half.
fn purpose(purpose: &Purpose, asked: bool) -> Vec<(&'static str, String)> {
    let mut lines = match purpose {
        Purpose::Unseal => vec![("purpose", "unseal a vault".to_owned())],
        Purpose::Recover => {
            let what = "open the domain on a machine of the customer's: to recover, or to give others its key for HSMs";
            vec![("purpose", what.to_owned())]
        }
        Purpose::Replace { activation } => vec![
            ("purpose", "replace the custodians of a vault: you and the others".to_owned()),
            ("new record", hex::encode(activation)),
        ],
        Purpose::Appoint(who) => {
            let mut lines = vec![
                ("purpose", "make somebody an administrator of a vault".to_owned()),
                ("issuer", output::printable(&who.issuer)),
                ("subject", output::printable(&who.subject)),
            ];
            let secret = |secret: [u8; 32]| ("new client", format!("SHA-256 of its secret: {}", hex::encode(secret)));
            lines.extend(who.secret.map(secret));
            lines
        }
        Purpose::Enrol { token } => vec![
            ("purpose", "give a token the key that wraps the vault's HSM keys: it opens them all".to_owned()),
            ("token", output::printable(token)),
        ],
    };
    if !asked {
        lines.truncate(1);
    }
    lines
}

/// Where no record says which share is whose: the one that the key opens.
fn any_share(domain: &SecurityDomain, key: &Key) -> Result<Share, Failure> {
    for sealed in &domain.shares {
        if let Ok(share) = key.share(sealed)? {
            return Ok(share);
        }
    }
    Err(Failure::refused("the key opens no share of this security domain: name the right one"))
}

fn refused(why: BadChallenge) -> Failure {
    match why {
        BadChallenge::NotOne | BadChallenge::Version | BadChallenge::Purpose => Failure::usage(why.to_string()),
        _ => Failure::check(why.to_string()),
    }
}
