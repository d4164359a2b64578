//! How a vault's wrapping key enters a token: wrapped for a transfer key that was made in it. Whoever has the domain
//! can do that with an empty token: the same act is a second token, fail-over and disaster recovery.

use crate::error::Refusal;
use crate::operate::OperateError;
use crate::records::HsmRecord;
use crate::vault::Vault;
use keystead_custody::WrappingKey;
use keystead_model::Moment;

/// Gives the token of this name the wrapping key, unless it has it.
pub(crate) async fn give(
    vault: &Vault,
    hsm: &HsmRecord,
    token: &str,
    key: &WrappingKey,
    at: Moment,
) -> Result<(), OperateError> {
    let unknown = || OperateError::UnknownToken { name: token.to_owned() };
    let one = HsmRecord { wrapping: hsm.wrapping, tokens: vec![token.to_owned()] };
    let tokens = vault.hsms.tokens(&one).ok_or_else(unknown)?;
    if tokens.without_wrapping_key(at.deadline).await.map_err(Refusal::from)?.is_empty() {
        return Ok(());
    }
    tokens.give(token, key.expose(), at.deadline).await.map_err(Refusal::from)?;
    let without = tokens.without_wrapping_key(at.deadline).await.map_err(Refusal::from)?;
    if without.is_empty() { Ok(()) } else { Err(Refusal::Damaged.into()) }
}
