//! Read what came of the security domain's download and upload. Both are done when they are answered: nothing is ever
//! under way.

use crate::birth::singleton;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::security_domain::{SecurityDomainError, is_here};
use keystead_access::Permit;
use keystead_formats::security_domain::SecurityDomain;
use keystead_model::Target;
use keystead_store::Kind;

/// What is so, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainStatus {
    /// A sentence.
    pub details: String,
}

/// Reads whether the domain that the vault has was downloaded.
pub struct ReadDownload;
ask!(ReadDownload, ReadSecurityDomain, |c| Target::Vault);

/// Reads which domain the vault has.
pub struct ReadUpload;
ask!(ReadUpload, ReadSecurityDomain, |c| Target::Vault);

impl Execute for ReadDownload {
    type Output = DomainStatus;
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<DomainStatus>, Refusal> {
        is_here(room)?;
        let at = singleton(Kind::SecurityDomain);
        let row = room.row_at(at).await?.ok_or(SecurityDomainError::NotDownloaded)?;
        let file = SecurityDomain::parse(&row.sealed).map_err(|_| Refusal::Damaged)?;
        let (required, all) = (file.required, file.shares.len());
        let details = format!("{required} of the {all} custodians open the security domain {}", room.domain());
        Ok(Effect::read(DomainStatus { details }))
    }
}

impl Execute for ReadUpload {
    type Output = DomainStatus;
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<DomainStatus>, Refusal> {
        is_here(room)?;
        Ok(Effect::read(has(room)))
    }
}

/// Which domain the vault has.
fn has(room: &Room<'_>) -> DomainStatus {
    let domain = room.domain();
    let details = match domain == room.vault().info().id {
        true => format!("the vault has the security domain it was born with, {domain}"),
        false => format!("the vault has the security domain {domain}, which was uploaded"),
    };
    DomainStatus { details }
}
