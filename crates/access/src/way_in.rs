//! Whether anybody is left who can prove himself and administers the vault: nobody else could ever change that again.
//!
//! What cannot be known here counts as given for an issuer (its keys can be fetched, a group of its has members), and
//! as missing for a GUID that cannot be traced to anybody.

use crate::grantee::Grantee;
use crate::permit::Who;
use crate::policy::{Policy, PolicyDocument};
use keystead_identity::{By, Client, Principal, TrustedIssuer};
use keystead_model::Time;

/// What is known beside the policy when it is changed.
pub struct Known<'a> {
    /// `iss` of the vault's own issuer.
    pub own_issuer: &'a str,
    /// What time it is.
    pub now: Time,
    /// Who changes it. He has just proven himself, so his own way in is known.
    pub by: &'a Who,
}

impl Known<'_> {
    /// Whether an administrator of this policy, made of this document, could prove himself now.
    pub fn somebody_administers(&self, policy: &Policy, document: &PolicyDocument) -> bool {
        let himself = match self.by {
            Who::Caller(caller) => policy.is_administrator(caller) && self.can(caller.principal(), document),
            Who::Mandate(_) => false,
        };
        himself
            || policy.administrators.iter().any(|p| self.can(p, document))
            || policy.assignments.iter().filter(|a| a.administers()).any(|a| match &a.grantee {
                Grantee::Principal(principal) => self.can(principal, document),
                Grantee::Id(id) => {
                    let theirs = |c: &Client| Principal::new(self.own_issuer, &c.subject).id(&policy.directory) == *id;
                    let of_directory = !id.is_version_8() && policy.directory != self.own_issuer;
                    document.clients.iter().any(|c| theirs(c) && self.has_credential(c, document))
                        || (of_directory && trusts(document, &policy.directory))
                }
            })
    }

    fn can(&self, principal: &Principal, document: &PolicyDocument) -> bool {
        let (issuer, subject) = (principal.issuer(), principal.subject());
        if issuer == self.own_issuer {
            // The vault's own tokens name no groups.
            let theirs = |c: &Client| !principal.is_group() && c.subject == subject;
            return document.clients.iter().any(|c| theirs(c) && self.has_credential(c, document));
        }
        trusts(document, issuer) || document.callers.authorities.iter().any(|a| a.issuer() == issuer)
    }

    fn has_credential(&self, client: &Client, document: &PolicyDocument) -> bool {
        let good = client.credentials.iter().filter(|c| c.is_good(self.now));
        !client.secrets.is_empty()
            || good.into_iter().any(|c| match &c.by {
                By::Secret(_) | By::Key(_) => true,
                By::Federated(f) => trusts(document, &f.iss),
            })
    }
}

/// Whether tokens of that issuer can be good.
fn trusts(document: &PolicyDocument, iss: &str) -> bool {
    let has_keys = |i: &TrustedIssuer| !i.keys.is_empty() || i.metadata.is_some() || i.jwks.is_some();
    document.issuers.iter().any(|i| i.iss == iss && has_keys(i))
}
