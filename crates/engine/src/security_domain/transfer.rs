//! Transfer keys: what a vault is sent is encrypted to one. Each is in this memory alone.

use crate::error::Refusal;
use keystead_crypto::certificate::self_signed;
use keystead_crypto::rsa::{PrivateKey, Size};
use keystead_custody::Certificate;
use keystead_model::Time;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A transfer key of one vault.
pub(crate) struct Transfer {
    pub(crate) key: PrivateKey,
    pub(crate) certificate: Certificate,
}

impl Transfer {
    /// Makes one, which takes up to seconds.
    pub(crate) async fn make() -> Result<Arc<Self>, Refusal> {
        let made = tokio::task::spawn_blocking(|| {
            let key = PrivateKey::generate(Size::Bits3072, 65_537).ok()?;
            let certificate = self_signed(&key, "Keystead transfer key").ok()?;
            Some(Self { certificate: Certificate::parse(&certificate).ok()?, key })
        });
        made.await.ok().flatten().map(Arc::new).ok_or(Refusal::Fault)
    }
}

/// How long one is good after it was last asked for.
const LIFE_MS: i64 = 3_600_000;

/// The one of an open vault. It goes when the vault is sealed, and when it was used.
#[derive(Default)]
pub(crate) struct TransferKey(Mutex<Option<(Time, Arc<Transfer>)>>);

impl TransferKey {
    /// The one there is, or a new one; good for an hour from now on. Nobody makes a second one meanwhile.
    pub(crate) async fn give(&self, now: Time) -> Result<Arc<Transfer>, Refusal> {
        let mut held = self.0.lock().await;
        let transfer = match held.take().filter(|(asked, _)| is_good(*asked, now)) {
            Some((_, transfer)) => transfer,
            None => Transfer::make().await?,
        };
        *held = Some((now, Arc::clone(&transfer)));
        Ok(transfer)
    }

    /// The one that was given.
    pub(crate) async fn given(&self, now: Time) -> Option<Arc<Transfer>> {
        let mut held = self.0.lock().await;
        *held = held.take().filter(|(asked, _)| is_good(*asked, now));
        held.as_ref().map(|(_, transfer)| Arc::clone(transfer))
    }
}

/// A clock that went back by more than that ends it, too.
fn is_good(asked: Time, now: Time) -> bool {
    (asked.plus_millis(-LIFE_MS)..asked.plus_millis(LIFE_MS)).contains(&now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transfer_key_stays_the_same_and_ends_an_hour_after_it_was_last_asked_for() {
        let (keys, at) = (TransferKey::default(), |ms: i64| Time(1_900_000_000_000).plus_millis(ms));
        assert!(keys.given(at(0)).await.is_none());
        let first = keys.give(at(0)).await.unwrap();
        assert!(Arc::ptr_eq(&first, &keys.give(at(LIFE_MS - 1)).await.unwrap()));
        assert!(Arc::ptr_eq(&first, &keys.given(at(2 * LIFE_MS - 2)).await.unwrap()));
        assert!(keys.given(at(2 * LIFE_MS - 1)).await.is_none());
        assert!(keys.given(at(0)).await.is_none(), "what has ended does not come back");
        let second = keys.give(at(0)).await.unwrap();
        assert!(second.certificate != first.certificate && second.key.public() != first.key.public());
        assert!(keys.given(at(-LIFE_MS - 1)).await.is_none());
    }
}
