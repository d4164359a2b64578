//! Who approves, and what needs how many approvals.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keystead_crypto::signature::PublicKey;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)+) => {
        /// A kind of operation that can need approvals. The code stands in stored policies and never changes its
        /// meaning.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
        )]
        #[cbor(index_only)]
        #[serde(rename_all = "kebab-case")]
        pub enum Rule {
            $($(#[$doc])* #[n($code)] $variant,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in documents.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

rules! {
    /// Purging a deleted key.
    Purge = 1, "purge";
    /// Backing up the whole vault, or a key.
    Backup = 2, "backup";
    /// Restoring the whole vault, or a key.
    Restore = 3, "restore";
    /// Role definitions and assignments.
    Roles = 4, "roles";
    /// Every other change of the policy: issuers, clients, certificates, administrators, revocations.
    Policy = 5, "policy";
    /// Who approves, and what needs approvals.
    Approvers = 6, "approvers";
    /// Removing an unseal path.
    PathRemoval = 7, "path-removal";
    /// Keys that leave the vault: their release, and whatever backup they are in.
    Export = 8, "export";
    /// Erasing the vault.
    Erase = 9, "erase";
    /// Adding an unseal path.
    PathAddition = 10, "path-addition";
}

/// Somebody who approves: a name that people read, and a key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// Unique among the approvers, whatever its case.
    #[n(0)]
    pub name: String,
    /// The public key, DER SubjectPublicKeyInfo: Ed25519 or P-256. In documents, PEM.
    #[cbor(n(1), with = "minicbor::bytes")]
    #[serde(with = "pem")]
    pub key: Vec<u8>,
}

/// The part of a policy about approvals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// Who approves.
    #[n(0)]
    #[serde(default)]
    pub approvers: Vec<Approver>,
    /// How many of them each kind of operation needs. One that is absent needs none.
    #[n(1)]
    #[serde(default, rename = "approvals")]
    pub rules: BTreeMap<Rule, u8>,
}

/// What cannot stand in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadApprovals {
    /// Over the bound.
    #[error("a policy has at most {} approvers", Approvals::MAX_APPROVERS)]
    TooMany,
    /// A name that is none.
    #[error("the approver '{name}' has no usable name: 1 to 64 characters of a-z, A-Z, 0-9 and . _ - @")]
    Name {
        /// As written, cut.
        name: String,
    },
    /// Two of one name.
    #[error("the approver '{name}' stands twice: give each a name of its own")]
    NameTwice {
        /// The repeated name.
        name: String,
    },
    /// A key that is none.
    #[error("the key of the approver '{name}' is none: it must be a public key (PEM) of Ed25519 or P-256")]
    Key {
        /// Whose.
        name: String,
    },
    /// Two of one key would be one approver with two votes.
    #[error("the approver '{name}' has the key of another one: each needs a key of his own")]
    KeyTwice {
        /// Whose.
        name: String,
    },
    /// A number that nobody can reach, or that asks for nothing.
    #[error(
        "`{}` needs {k} approvals, and there are {approvers} approvers: name a number from 1 to that of the approvers, \
         or leave it out", rule.name()
    )]
    Number {
        /// Of what.
        rule: Rule,
        /// As written.
        k: u8,
        /// How many approvers there are.
        approvers: usize,
    },
}

impl Approvals {
    /// Most approvers.
    pub const MAX_APPROVERS: usize = 16;

    /// Whether nobody approves and nothing needs it.
    pub fn is_empty(&self) -> bool {
        self.approvers.is_empty() && self.rules.is_empty()
    }

    /// Refuses what cannot be satisfied or is not clear.
    pub fn check(&self) -> Result<(), BadApprovals> {
        if self.approvers.len() > Self::MAX_APPROVERS {
            return Err(BadApprovals::TooMany);
        }
        let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for Approver { name, key } in &self.approvers {
            let shown = || name.chars().take(64).collect();
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@');
            if !(1..=64).contains(&name.len()) || !name.bytes().all(good) {
                return Err(BadApprovals::Name { name: shown() });
            }
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(BadApprovals::NameTwice { name: shown() });
            }
            PublicKey::from_spki(key).ok_or_else(|| BadApprovals::Key { name: shown() })?;
            if !keys.insert(key) {
                return Err(BadApprovals::KeyTwice { name: shown() });
            }
        }
        let approvers = self.approvers.len();
        match self.rules.iter().find(|(_, k)| !(1..=approvers).contains(&usize::from(**k))) {
            Some((rule, k)) => Err(BadApprovals::Number { rule: *rule, k: *k, approvers }),
            None => Ok(()),
        }
    }

    /// How many approvals an operation needs to which these rules apply: the highest of their numbers. None: it needs
    /// none.
    pub fn needed(&self, rules: &[Rule]) -> Option<u8> {
        rules.iter().filter_map(|rule| self.of(*rule)).max()
    }

    /// Whoever could change the rules could go round each of them, so that takes no fewer than any of them.
    fn of(&self, rule: Rule) -> Option<u8> {
        match rule {
            Rule::Approvers => self.rules.values().copied().max(),
            _ => self.rules.get(&rule).copied(),
        }
    }

    /// What needs fewer approvals here than before: the rule, the number of before, and the one here.
    pub fn fewer_than(&self, before: &Self) -> Vec<(Rule, u8, u8)> {
        let numbers = |rule: &Rule| {
            let of = |approvals: &Self| approvals.of(*rule).unwrap_or_default();
            (*rule, of(before), of(self))
        };
        Rule::ALL.iter().map(numbers).filter(|(_, before, now)| now < before).collect()
    }

    /// The approver of this name, whose case does not matter.
    pub fn named(&self, name: &str) -> Option<&Approver> {
        self.approvers.iter().find(|a| a.name.eq_ignore_ascii_case(name))
    }

    /// The approver with this key.
    pub fn with_key(&self, spki: &[u8]) -> Option<&Approver> {
        self.approvers.iter().find(|a| a.key == spki)
    }
}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

impl Approver {
    /// The DER in one PEM block with a public key (RFC 7468).
    pub fn key_of_pem(text: &str) -> Option<Vec<u8>> {
        let (_, rest) = text.split_once(BEGIN)?;
        let (inner, rest) = rest.split_once(END)?;
        let base64: String = inner.split_ascii_whitespace().collect();
        let der = STANDARD.decode(base64).ok()?;
        (!rest.contains(BEGIN)).then_some(der)
    }

    /// A public key in PEM.
    pub fn pem_of_key(spki: &[u8]) -> String {
        let encoded = STANDARD.encode(spki);
        let lines: Vec<&str> = encoded.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
        format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
    }
}

/// Public keys in documents.
mod pem {
    use super::Approver;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(key: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Approver::pem_of_key(key))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        Approver::key_of_pem(&text).ok_or_else(|| D::Error::custom("an approver's `key` is one public key in PEM"))
    }
}
