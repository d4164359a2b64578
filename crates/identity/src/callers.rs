//! The parts of a policy, beside issuers and clients, that say who callers are.

use crate::certificate::CertificateAuthority;
use keystead_model::Time;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Certificates that are believed, and tokens that are not any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cbor(map)]
pub struct Callers {
    /// Who may vouch for clients that prove themselves in the TLS handshake.
    #[cbor(n(0), skip_if = "Vec::is_empty")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorities: Vec<CertificateAuthority>,
    /// Revocations.
    #[cbor(n(1), skip_if = "Vec::is_empty")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_before: Vec<NotBefore>,
}

/// Tokens that were issued before a time are refused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cbor(map)]
pub struct NotBefore {
    /// Of this issuer.
    #[n(0)]
    pub issuer: String,
    /// About this subject; about anybody if absent.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Before this time, ms since the epoch.
    #[n(2)]
    pub time: i64,
}

impl Callers {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.authorities.is_empty() && self.not_before.is_empty()
    }

    /// Forgets revocations of this issuer's subjects from before a time: no token is that old.
    pub fn forget(&mut self, issuer: &str, before: Time) {
        self.not_before.retain(|n| n.issuer != issuer || n.subject.is_none() || n.time >= before.0);
    }

    /// Refuses what was issued before this time; a later time that stands already stays.
    pub fn revoke(&mut self, issuer: &str, subject: Option<&str>, time: Time) {
        let same = |n: &&mut NotBefore| n.issuer == issuer && n.subject.as_deref() == subject;
        match self.not_before.iter_mut().find(same) {
            Some(known) => known.time = known.time.max(time.0),
            None => self.not_before.push(NotBefore {
                issuer: issuer.to_owned(),
                subject: subject.map(str::to_owned),
                time: time.0,
            }),
        }
    }
}

/// The revocations, to be asked of each token.
#[derive(Default)]
pub(crate) struct Revoked(HashMap<String, OfIssuer>);

#[derive(Default)]
struct OfIssuer {
    all: Option<i64>,
    subjects: HashMap<String, i64>,
}

impl Revoked {
    pub(crate) fn new(list: &[NotBefore]) -> Self {
        let mut all: HashMap<String, OfIssuer> = HashMap::new();
        for n in list {
            let of = all.entry(n.issuer.clone()).or_default();
            match &n.subject {
                None => of.all = of.all.max(Some(n.time)),
                Some(subject) => {
                    let time = of.subjects.entry(subject.clone()).or_insert(n.time);
                    *time = n.time.max(*time);
                }
            }
        }
        Self(all)
    }

    /// Before which time tokens of this subject are refused.
    pub(crate) fn before(&self, issuer: &str, subject: &str) -> Option<Time> {
        let of = self.0.get(issuer)?;
        of.all.max(of.subjects.get(subject).copied()).map(Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_what_is_said_of_a_subject_and_of_its_issuer_counts() {
        let mut callers = Callers::default();
        assert!(callers.is_empty());
        callers.revoke("i", Some("s"), Time(20));
        callers.revoke("i", None, Time(10));
        callers.revoke("i", Some("s"), Time(5));
        assert_eq!(callers.not_before.len(), 2);
        let revoked = Revoked::new(&callers.not_before);
        assert_eq!(revoked.before("i", "s"), Some(Time(20)));
        assert_eq!(revoked.before("i", "t"), Some(Time(10)));
        assert_eq!(revoked.before("j", "s"), None);
        callers.forget("j", Time(50));
        callers.forget("i", Time(20));
        assert_eq!(callers.not_before.len(), 2);
        callers.forget("i", Time(21));
        assert_eq!(callers.not_before, [NotBefore { issuer: "i".into(), subject: None, time: 10 }]);
    }
}
