//! What is approved, and the text that is signed for it.

use super::rules::Rule;
use keystead_identity::Principal;
use keystead_model::{Action, ObjectId, Target, Time, VaultId};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt::Write as _;
use thiserror::Error;

/// Longest reason, in bytes.
const MAX_REASON: usize = 512;

/// Where parameters say what was found.
const FOUND: &str = "found";

/// Where the operator's parameters say what there was when it was proposed. It is signed as it was seen, and binds
/// nothing.
const TOLD: &str = "when_proposed";

/// An operation as its approvers see it. Two are the same if and only if all of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Which rules apply to it.
    pub rules: &'static [Rule],
    /// Its action's name.
    pub name: &'static str,
    /// What it falls on, as a scope.
    pub target: String,
    /// What else decides what it does: JSON in ASCII, with sorted members.
    pub parameters: String,
}

impl Operation {
    /// Of an action; the parameters are a JSON object.
    pub fn new(rules: &'static [Rule], action: Action, target: &Target, parameters: &Value) -> Self {
        Self { rules, name: action.name(), target: target.to_string(), parameters: ascii(parameters) }
    }

    /// With what the request falls on as that was found, which the request itself does not say.
    pub fn with_found(self, found: Option<&Value>) -> Self {
        self.with(FOUND, found)
    }

    /// With what there is while it is proposed: only the operator's proposals say that.
    pub fn with_told(self, told: Option<&Value>) -> Self {
        self.with(TOLD, told)
    }

    fn with(self, member: &str, value: Option<&Value>) -> Self {
        let Some(value) = value else { return self };
        let mut parameters: Value = serde_json::from_str(&self.parameters).unwrap_or_default();
        if let Some(members) = parameters.as_object_mut() {
            members.insert(member.to_owned(), value.clone());
        }
        Self { parameters: ascii(&parameters), ..self }
    }
}

/// An operation that somebody proposed. It is stored and exported as it is; what is signed is [`Self::text`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Its id: 32 hex digits.
    #[n(0)]
    pub id: String,
    /// The vault's id: 32 hex digits.
    #[n(1)]
    pub vault: String,
    /// The vault's name.
    #[n(2)]
    pub vault_name: String,
    /// Which rules applied when it was proposed.
    #[n(3)]
    pub rules: Vec<Rule>,
    /// The action's name.
    #[n(4)]
    pub operation: String,
    /// What it falls on.
    #[n(5)]
    pub target: String,
    /// What else decides what it does.
    #[n(6)]
    pub parameters: String,
    /// Who proposed it, and will carry it out: JSON in ASCII.
    #[n(7)]
    pub proposer: String,
    /// Why, in his words.
    #[n(8)]
    pub reason: String,
    /// The policy's revision when it was proposed.
    #[n(9)]
    pub policy_revision: u64,
    /// When it was proposed, ms since the epoch.
    #[n(10)]
    pub proposed: i64,
    /// Until when it can be carried out, ms since the epoch.
    #[n(11)]
    pub expires: i64,
    /// Which text is signed; the first if none.
    #[n(12)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_as: Option<u8>,
}

/// What an approver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may be carried out.
    #[n(1)]
    Approve,
    /// It may not.
    #[n(2)]
    Reject,
}

impl Verdict {
    /// The word in the text.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// A reason that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a reason has 1 to {MAX_REASON} characters of printable ASCII")]
pub struct BadReason;

/// A reason stands in a text that is signed, and in a header: one line of printable ASCII.
pub fn check_reason(reason: &str) -> Result<(), BadReason> {
    let good = (1..=MAX_REASON).contains(&reason.len())
        && reason.bytes().all(|b| (b' '..=b'~').contains(&b))
        && !reason.trim().is_empty();
    if good { Ok(()) } else { Err(BadReason) }
}

impl Proposal {
    /// Longest time until it expires, ms.
    pub const MAX_LIFE: i64 = 7 * 24 * 3_600_000;

    /// The text that new ones are signed by: its first line names it.
    pub const SIGNED_AS: u8 = 2;

    /// How long one lives for which no time was named, ms.
    pub const LIFE: i64 = 24 * 3_600_000;

    /// A principal as it stands in a proposal.
    pub fn proposer(principal: &Principal) -> String {
        ascii(&json!({ "issuer": principal.issuer(), "subject": principal.subject() }))
    }

    /// The operator of the node: whoever may open its socket. No principal is written like it.
    pub const OPERATOR: &str = "operator";

    /// Whether it is about exactly this: the vault, the operation and all that decides what it does, and who does it.
    pub fn is_for(&self, vault: VaultId, operation: &Operation, proposer: &str) -> bool {
        self.is_of(vault, operation, proposer)
            && binding(&self.parameters, proposer) == binding(&operation.parameters, proposer)
    }

    /// Whether it is of the same request, whatever that fell on.
    pub fn is_asked_as(&self, vault: VaultId, operation: &Operation, proposer: &str) -> bool {
        let asked = |parameters: &str| without(parameters, &[FOUND, TOLD]);
        self.is_of(vault, operation, proposer) && asked(&self.parameters) == asked(&operation.parameters)
    }

    fn is_of(&self, vault: VaultId, operation: &Operation, proposer: &str) -> bool {
        (self.vault.as_str(), self.operation.as_str(), self.target.as_str())
            == (vault.to_string().as_str(), operation.name, &operation.target)
            && self.proposer == proposer
            && (!self.signs_rules() || self.rules == operation.rules)
    }

    /// Whether what is signed says which rules applied.
    pub fn signs_rules(&self) -> bool {
        self.signed_as.is_some_and(|text| text > 1)
    }

    /// Its id, if it is one.
    pub fn id(&self) -> Option<ObjectId> {
        self.id.parse().ok()
    }

    /// What an approver signs: UTF-8, a line for each of its members, the last one ended, too. No value breaks a line.
    /// The first release's had no line for the rules.
    pub fn text(&self, verdict: Verdict) -> String {
        let mut text = format!("keystead approval {}\n", self.signed_as.unwrap_or(1));
        let rules = self.rules.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(", ");
        let revision = self.policy_revision.to_string();
        let (vault, expires) = (format!("{} {}", self.vault, self.vault_name), Time(self.expires).to_string());
        for (member, value) in [
            ("verdict", verdict.word()),
            ("vault", vault.as_str()),
            ("proposal", &self.id),
            ("rules", &rules),
            ("operation", &self.operation),
            ("target", &self.target),
            ("parameters", &self.parameters),
            ("proposer", &self.proposer),
            ("reason", &self.reason),
            ("policy revision", &revision),
            ("expires", &expires),
        ] {
            if member != "rules" || self.signs_rules() {
                let _ = writeln!(text, "{member}: {}", line(value));
            }
        }
        text
    }
}

/// Parameters without these.
fn without(parameters: &str, members: &[&str]) -> Value {
    let mut parameters: Value = serde_json::from_str(parameters).unwrap_or_default();
    if let Some(of) = parameters.as_object_mut() {
        members.iter().for_each(|member| drop(of.remove(*member)));
    }
    parameters
}

/// What of parameters binds: all of it, but for what the operator was only told.
fn binding(parameters: &str, proposer: &str) -> String {
    match proposer {
        Proposal::OPERATOR => ascii(&without(parameters, &[TOLD])),
        _ => parameters.to_owned(),
    }
}

/// A value that stays in its line and shows all that is in it, whatever it is: those that this server makes are
/// printable ASCII and stay as they are.
fn line(value: &str) -> String {
    let shown = |c: char| if (' '..='~').contains(&c) { c.to_string() } else { format!("\\u{{{:x}}}", u32::from(c)) };
    value.chars().map(shown).collect()
}

/// JSON with nothing but ASCII, so that what is signed is what is seen.
fn ascii(value: &Value) -> String {
    let mut text = String::new();
    let mut units = [0; 2];
    for c in value.to_string().chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}
