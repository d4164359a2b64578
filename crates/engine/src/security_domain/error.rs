//! Why a security domain is not given out, or not adopted.

use crate::error::Refusal;
use crate::operate::OperateError;
use keystead_custody::DomainError;
use keystead_formats::security_domain::BadSecurityDomain;
use keystead_model::Generation;
use thiserror::Error;

/// Why a security domain is not given out, or not adopted. Nothing was changed. Closed: each protocol gives it its own
/// codes. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecurityDomainError {
    /// The vault is in the custody of a quorum.
    #[error(
        "only the custodians of this vault have its security domain, and no server does: use the file that `keystead \
         domain new` wrote for them"
    )]
    WithCustodians,
    /// One of the certificates.
    #[error("certificate {at} of those given is refused: {why}")]
    Certificate {
        /// Which, from 1.
        at: usize,
        /// Why.
        why: DomainError,
    },
    /// A JWK whose certificate is another key's.
    #[error("n and e of certificate {at} are not those of the certificate in its x5c: give the JWK of one key")]
    OtherKey {
        /// Which, from 1.
        at: usize,
    },
    /// The custodians together.
    #[error("no security domain is made of these custodians: {0}")]
    Custodians(DomainError),
    /// None was made since the vault has this domain.
    #[error("this vault's security domain was not downloaded yet: POST /securitydomain/download does")]
    NotDownloaded,
    /// What was uploaded cannot be read.
    #[error("what was uploaded is not taken: {0}")]
    Blob(BadSecurityDomain),
    /// There is no transfer key, or its time is over.
    #[error(
        "no transfer key is there (it lives for an hour, and no longer than the vault is open): get one with GET \
         /securitydomain/upload, and encrypt the security domain to it"
    )]
    NoTransferKey,
    /// It is not for the one that the vault gave.
    #[error(
        "what was uploaded was encrypted to another transfer key than the vault's: get that with GET \
         /securitydomain/upload, and encrypt the security domain to it"
    )]
    OtherTransferKey,
    /// What was uploaded does not open.
    #[error("what was uploaded is not taken: {0}")]
    NotReceived(DomainError),
    /// A part of a domain.
    #[error("what was uploaded has not the domain's private key: upload what was made of the whole security domain")]
    Part,
    /// Keys would be left behind under a domain that the vault no more has.
    #[error(
        "the vault has keys, live or deleted, and takes another security domain only while it has none: make a new \
         vault, upload there, and restore its keys from a backup"
    )]
    HasKeys,
    /// One thing at a time.
    #[error("the vault's root is being rotated from generation {} to {}: wait for its end", from.0, to.0)]
    Rotating {
        /// The generation that is replaced.
        from: Generation,
        /// The one that seals.
        to: Generation,
    },
    /// A vault with an HSM needs one.
    #[error("the security domain has no key for an HSM: it is one of a vault without; upload it to such a vault")]
    NoWrappingKey,
    /// A path or a token did not do its part.
    #[error("an unseal path or a token of the vault did not do its part, and nothing was changed: {why}")]
    Failed {
        /// Which, and why.
        why: String,
    },
}

impl SecurityDomainError {
    /// What the work around the domain came to nothing by.
    pub(crate) fn of(e: OperateError) -> Refusal {
        match e {
            OperateError::Refused(why) => why,
            OperateError::Damaged => Refusal::Damaged,
            other => Self::Failed { why: other.to_string() }.into(),
        }
    }

    /// Why what was uploaded does not open.
    pub(crate) const fn not_received(why: DomainError) -> Self {
        match why {
            DomainError::OtherTransferKey => Self::OtherTransferKey,
            why => Self::NotReceived(why),
        }
    }

    /// A word for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::WithCustodians => "DomainWithCustodians",
            Self::Certificate { .. } | Self::OtherKey { .. } => "BadCertificate",
            Self::Custodians(_) => "BadCustodians",
            Self::NotDownloaded => "SecurityDomainNotDownloaded",
            Self::Blob(_) => "NotASecurityDomain",
            Self::NoTransferKey | Self::OtherTransferKey => "NoTransferKey",
            Self::NotReceived(_) | Self::Part => "SecurityDomainNotOpened",
            Self::HasKeys => "VaultHasKeys",
            Self::Rotating { .. } => "RootRotating",
            Self::NoWrappingKey => "NoWrappingKey",
            Self::Failed { .. } => "NotCarriedOut",
        }
    }
}
