//! Who someone is.

use crate::principal_id::Ids;
use keystead_model::Guid;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// An issuer and a subject, both compared exactly. Neither alone names anybody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cbor(map)]
pub struct Principal {
    #[n(0)]
    issuer: String,
    #[n(1)]
    subject: String,
    /// A group is never the subject of the same name.
    #[cbor(n(3), default, skip_if = "is_false")]
    #[serde(default, skip_serializing_if = "is_false")]
    group: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Principal {
    /// The subject as this issuer knows it.
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), subject: subject.into(), group: false }
    }

    /// Everybody whom this issuer's tokens put into the group (claim `groups`).
    pub fn group(issuer: impl Into<String>, id: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), subject: id.into(), group: true }
    }

    /// Whether it is a group.
    pub fn is_group(&self) -> bool {
        self.group
    }

    /// `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The value of the claim that names it.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// A principal that was proven. Made only by [`crate::Identity::authenticate`], or in its two halves by
/// [`crate::Identity::look`] and [`crate::Claimed::prove`]:
///
/// ```
/// use keystead_identity::{Caller, Identity, Proof};
/// fn caller(identity: &Identity, proof: Proof<'_>, now: keystead_model::Time) -> Option<Caller> {
///     Some(identity.authenticate(proof, None, now).ok()?.caller)
/// }
/// ```
///
/// ```compile_fail,E0624
/// use keystead_identity::{Caller, Principal};
/// fn caller(principal: Principal) -> Caller {
///     Caller::by_secret(principal, String::new(), None)
/// }
/// ```
///
/// Cheap to clone: what was proven once is shared by all requests under the same token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    known: Arc<Known>,
    address: Option<IpAddr>,
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    principal: Principal,
    groups: Vec<String>,
    ids: Ids,
    application: Option<String>,
    by_secret: bool,
}

impl Known {
    fn new(principal: Principal, groups: Vec<String>, application: Option<String>, by_secret: bool) -> Arc<Self> {
        let of_groups = groups.iter().map(|g| Principal::group(principal.issuer(), g));
        let ids = Ids::of(of_groups.chain([principal.clone()]));
        Arc::new(Self { principal, groups, ids, application, by_secret })
    }
}

impl Caller {
    pub(crate) fn by_certificate(principal: Principal, address: Option<IpAddr>) -> Self {
        Self::by_token(principal, Vec::new(), None, address)
    }

    pub(crate) fn by_token(
        principal: Principal,
        groups: Vec<String>,
        application: Option<String>,
        address: Option<IpAddr>,
    ) -> Self {
        Self { known: Known::new(principal, groups, application, false), address }
    }

    pub(crate) fn by_secret(principal: Principal, client: String, address: Option<IpAddr>) -> Self {
        Self { known: Known::new(principal, Vec::new(), Some(client), true), address }
    }

    /// The same caller with a request from here: a remembered proof says nothing about where the next one comes from.
    #[must_use]
    pub fn at(&self, address: Option<IpAddr>) -> Self {
        Self { address, ..self.clone() }
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.known.principal
    }

    /// Claim `groups` of its token; empty if there is none.
    pub fn groups(&self) -> &[String] {
        &self.known.groups
    }

    /// Whether this principal is the caller, or a group of the caller's own issuer that the caller is in.
    pub fn is(&self, principal: &Principal) -> bool {
        let own = &self.known.principal;
        match principal.is_group() {
            false => *own == *principal,
            true => own.issuer() == principal.issuer() && self.groups().iter().any(|g| g == principal.subject()),
        }
    }

    /// Whether this GUID is the caller's, or that of a group the caller is in, in a vault with this directory.
    pub fn has_id(&self, id: Guid, directory: &str) -> bool {
        self.known.ids.contain(id, self.principal().issuer() == directory)
    }

    /// Where the request came from; none over a local socket.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The client that was used: claim `appid`, or `azp` where there is none; a built-in client's own id.
    pub fn application(&self) -> Option<&str> {
        self.known.application.as_deref()
    }

    /// Whether it proved itself as a built-in client, with one of that client's credentials. A token never does.
    pub fn is_built_in_client(&self) -> bool {
        self.known.by_secret
    }
}
