//! Opening a vault: from a root to everything that hangs on it.

use crate::believed::Trust;
use crate::birth::{issuer_binding, singleton};
use crate::clear_row;
use crate::clock::confirmed::Confirmed;
use crate::error::Refusal;
use crate::issuer::{self, BuiltInIssuer};
use crate::node::QUORUM;
use crate::operate::OperateError;
use crate::policy_row;
use crate::records::{self, IssuerRecord, SecretsRecord};
use crate::room::row_binding;
use crate::rotate::Rotation;
use crate::seals::{self, Roots, Seals};
use crate::vault::{Open, Settled, State, Vault, VaultKeys};
use crate::wraps;
use keystead_access::{Policy, PolicyDocument};
use keystead_crypto::sealed::{Sealer, Usage};
use keystead_crypto::stack::cleared;
use keystead_crypto::{Mac, hmac_sha256, sha256};
use keystead_custody::activation::ActivationRecord;
use keystead_custody::{DomainPublic, Root, UnsealPath, WorkingKeys};
use keystead_model::{Curve, KeySpec, Moment, PublicKey, Revision, VaultId, VaultStatus};
use keystead_protection::{OpenKey, StoredKey};
use keystead_store::{Kind, Row};
use minicbor::Decode;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Reads and opens everything a vault needs to be open. `stored` is the status that stands in the clear.
pub(crate) async fn open(vault: &Vault, roots: &Roots, stored: VaultStatus, at: Moment) -> Result<Open, OperateError> {
    let (root, older, rotation) = generations(vault, roots).await?;
    let sealer = match &older {
        Some(older) => root.sealer_after(older.sealer(Usage::Records)),
        None => root.sealer(Usage::Records),
    };
    clear_row::check(vault, &sealer, stored).await?;
    let (secrets, _): (SecretsRecord, _) = sealed(vault, &sealer, Kind::Secrets).await?;
    let activation = activated_with(vault, &secrets).await?;
    let public = wraps::proven_public(vault, &secrets, activation.map(|record| record.domain_public)).await?;
    let listed = secrets.listed.unwrap_or(false) || vault.info().custody == QUORUM;
    if listed && wraps::get(vault, wraps::PATHS).await?.is_none() {
        return Err(OperateError::Altered { what: "list of unseal paths" });
    }
    let (issuer, _): (IssuerRecord, _) = sealed(vault, &sealer, Kind::Issuer).await?;
    let (document, revision): (PolicyDocument, _) = sealed(vault, &sealer, Kind::Policy).await?;
    let confirmed = Confirmed::stored(vault, &sealer).await?;

    let seals = Seals::new(root, older, seals::details(&secrets));
    let key = issuer_key(vault, &seals, &issuer, at).await?;
    let document = policy_row::directed(document, &issuer.iss);
    let policy = Policy::stored(&document, revision).map_err(OperateError::Policy)?;
    let trust = Trust::new(issuer::trusted(vault.info(), &issuer), &document);
    let issuer = BuiltInIssuer::new(issuer, key);
    let settled = Settled {
        listed,
        purge_protection: secrets.purge_protection.unwrap_or(false),
        protection: vault.hsms.protection(vault.info().id, &vault.protection, secrets.hsm.as_ref()),
        hsm: secrets.hsm.clone(),
    };
    Ok(Open::new((seals, rotation), keys(vault, &secrets, public), settled, confirmed, policy, trust, issuer))
}

/// The generation that seals, and the one before while rows of it are left. What that sealed is believed only while the
/// newest says that it is being replaced.
async fn generations(
    vault: &Vault,
    roots: &Roots,
) -> Result<(Arc<Root>, Option<Arc<Root>>, Option<Rotation>), OperateError> {
    let root = roots.newest().ok_or(OperateError::Damaged)?;
    let rotation = Rotation::stored(vault, &root.sealer(Usage::Records)).await?;
    let older = match rotation.as_ref().and_then(Rotation::needs) {
        Some(generation) => Some(Arc::clone(roots.of(generation).ok_or(OperateError::Damaged)?)),
        None => None,
    };
    Ok((Arc::clone(root), older, rotation))
}

/// The key of the vault's own issuer.
async fn issuer_key(vault: &Vault, seals: &Seals, issuer: &IssuerRecord, at: Moment) -> Result<OpenKey, OperateError> {
    let binding = issuer_binding(vault.info().id);
    let public = PublicKey::Ec { curve: Curve::P256, x: issuer.x.to_vec(), y: issuer.y.to_vec() };
    let stored = StoredKey { spec: KeySpec::EcP256, public: &public, material: &issuer.material };
    Ok(vault.protection.open(&seals.material, &binding, stored, at.deadline).await.map_err(Refusal::from)?)
}

fn keys(vault: &Vault, secrets: &SecretsRecord, public: Option<DomainPublic>) -> VaultKeys {
    let domain = secrets.domain.as_ref().map_or(vault.info().id, |domain| VaultId::from_bytes(domain.id));
    let (blobs, checks) = with_blob_key(secrets, |blob| {
        let checks = Mac::new(&hmac_sha256(blob, &[b"keystead check values 1"]));
        (Sealer::new(blob, Usage::Backup, BLOB_GENERATION), checks)
    });
    VaultKeys { index: Mac::new(&secrets.index_key), blobs, checks, domain, public }
}

/// The activation record. It stands in the clear: it must be the one that the vault was activated with.
async fn activated_with(vault: &Vault, secrets: &SecretsRecord) -> Result<Option<ActivationRecord>, OperateError> {
    let altered = || OperateError::Altered { what: "activation record" };
    match secrets.domain.as_ref().and_then(|domain| domain.activation) {
        None if vault.info().custody == QUORUM => Err(altered()),
        None => Ok(None),
        Some(activation) => {
            let stands = match row(vault, Kind::Activation).await {
                Err(OperateError::Damaged) => return Err(altered()),
                found => found?,
            };
            if sha256(&[&stands.sealed]) != *activation {
                return Err(altered());
            }
            Ok(Some(ActivationRecord::parse(&stands.sealed).map_err(|_| altered())?))
        }
    }
}

/// The digest of the activation record that an open vault sealed, if it was activated with one.
pub(crate) async fn activation_of(vault: &Vault, open: &Open) -> Result<Option<[u8; 32]>, OperateError> {
    let (secrets, _): (SecretsRecord, _) = sealed(vault, &open.seals().records, Kind::Secrets).await?;
    Ok(secrets.domain.as_ref().and_then(|domain| domain.activation).map(|digest| *digest))
}

/// Whether what its custodians confirmed lets this unseal path open the vault besides them.
pub(crate) async fn allows_path(vault: &Vault, open: &Open, path: &dyn UnsealPath) -> Result<bool, OperateError> {
    let (secrets, _): (SecretsRecord, _) = sealed(vault, &open.seals().records, Kind::Secrets).await?;
    let record = activated_with(vault, &secrets).await?;
    Ok(record.is_some_and(|record| record.allows(path.name(), path.kind())))
}

/// A vault that was made before there were backups has no blob key of its own: it gets one from its index key. The
/// first byte is no kind's code, so that it is no lookup tag.
pub(crate) fn with_blob_key<T>(secrets: &SecretsRecord, work: impl FnOnce(&[u8; 32]) -> T) -> T {
    match &secrets.blob_key {
        Some(key) => work(key.bytes()),
        None => work(&Zeroizing::new(hmac_sha256(&secrets.index_key, &[&[0], b"keystead blob key"]))),
    }
}

/// Whether these are the keys that the opened vault works with.
pub(crate) async fn works_with(vault: &Vault, open: &Open, keys: &WorkingKeys) -> Result<(), OperateError> {
    let (secrets, _): (SecretsRecord, _) = sealed(vault, &open.seals().records, Kind::Secrets).await?;
    let same = with_blob_key(&secrets, |blob| keystead_crypto::same(blob, keys.blob.expose()));
    if same && open.domain == keys.domain { Ok(()) } else { Err(OperateError::Altered { what: "root" }) }
}

/// Opens an open vault anew, from the same root: something of it changed that stays as it is while it is open. Where
/// that does not succeed it is sealed, and the operator unseals it.
pub(crate) async fn anew(vault: &Vault, before: &Arc<Open>, at: Moment) {
    // What was asked for is done: it does not fail for want of the little time that is left.
    const MORE: Duration = Duration::from_secs(10);
    let at = Moment { deadline: at.deadline.checked_add(MORE).unwrap_or(at.deadline), ..at };
    let roots = Roots::from(Arc::clone(&before.seals().root));
    match open(vault, &roots, VaultStatus::Active, at).await {
        Ok(open) => {
            vault.succeed(before, State::Open(Arc::new(open)));
            vault.look_at_issuers(at);
        }
        Err(why) => {
            tracing::warn!(vault = %vault.info().name, "it is sealed, as it did not open with its new domain: {why}");
            vault.not_opened.store(Arc::new(Some(why.to_string())));
            vault.succeed(before, State::Sealed);
        }
    }
}

/// A blob key has one generation.
const BLOB_GENERATION: u32 = 1;

pub(crate) async fn row(vault: &Vault, kind: Kind) -> Result<Row, OperateError> {
    let at = singleton(kind);
    let found = vault.store.get(vault.info().id, at).await.map_err(Refusal::from)?;
    found.ok_or(OperateError::Damaged)
}

pub(crate) async fn sealed<T: for<'b> Decode<'b, ()>>(
    vault: &Vault,
    sealer: &Sealer,
    kind: Kind,
) -> Result<(T, Revision), OperateError> {
    let row = row(vault, kind).await?;
    let decoded = cleared(|| {
        let plain = sealer.open(&row_binding(vault, &row), &[], &row.sealed).map_err(Refusal::from)?;
        records::decode(&plain)
    });
    Ok((decoded?, row.revision))
}
