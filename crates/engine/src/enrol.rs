//! How a vault's wrapping key enters a token: wrapped for a transfer key that was made in it. Whoever has the domain
//! can do that with an empty token: the same act is a second token, fail-over and disaster recovery.

use crate::error::Refusal;
use crate::operate::OperateError;
use crate::records::{HsmRecord, class_code};
use crate::vault::Vault;
use keystead_custody::WrappingKey;
use keystead_model::Moment;
use keystead_protection::{KeyError, Tokens};

/// Gives the token of this name the wrapping key, unless it has it. How it wraps must be how the vault's tokens do.
pub(crate) async fn give(
    vault: &Vault,
    hsm: &HsmRecord,
    token: &str,
    key: &WrappingKey,
    at: Moment,
) -> Result<u8, OperateError> {
    let (tokens, class) = fitting(vault, hsm, token, at).await?;
    if tokens.without_wrapping_key(at.deadline).await.map_err(Refusal::from)?.is_empty() {
        return Ok(class);
    }
    tokens.give(token, key.expose(), at.deadline).await.map_err(Refusal::from)?;
    let without = tokens.without_wrapping_key(at.deadline).await.map_err(Refusal::from)?;
    if without.is_empty() { Ok(class) } else { Err(Refusal::Damaged.into()) }
}

/// The token of this name, if it is there and wraps as the vault's tokens do, and how that is.
pub(crate) async fn fitting(
    vault: &Vault,
    hsm: &HsmRecord,
    token: &str,
    at: Moment,
) -> Result<(Tokens, u8), OperateError> {
    let unknown = || OperateError::UnknownToken { name: token.to_owned() };
    let one = HsmRecord { tokens: vec![token.to_owned()], ..hsm.clone() };
    let tokens = vault.hsms.tokens(vault.info().id, &one).ok_or_else(unknown)?;
    let class = class(&tokens, at).await?;
    if hsm.class.is_some_and(|known| known != class) {
        return Err(OperateError::OtherClass { name: token.to_owned() });
    }
    Ok((tokens, class))
}

/// How the one token wraps.
async fn class(tokens: &Tokens, at: Moment) -> Result<u8, OperateError> {
    let found = tokens.describe(at.deadline).await.into_iter().next().map(|(_, found)| found);
    let found = found.unwrap_or(Err(KeyError::TokenAway)).map_err(Refusal::from)?;
    Ok(class_code(found.wrap))
}
