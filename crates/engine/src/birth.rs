//! How a vault begins: domain key pair, root generation 1, its own random keys, built-in issuer, first policy. All of
//! it goes into one transaction with the first record.

use crate::enrol;
use crate::error::Refusal;
use crate::issuer;
use crate::operate::OperateError;
use crate::records::{
    BlobKey, ClockRecord, HsmRecord, IssuerRecord, PathRecord, PathsRecord, SecretsRecord, VaultRecord,
};
use crate::room::{Place, seal_row};
use crate::vault::Vault;
use crate::wraps;
use keystead_access::{BadPolicy, Grantee, Policy, PolicyDocument};
use keystead_crypto::sealed::{Binding, Usage};
use keystead_custody::{DomainKey, DomainPublic, Root, UnsealPath, WrappingKey};
use keystead_identity::Principal;
use keystead_model::{Generation, KeySpec, Moment, ObjectId, PublicKey, Revision, VaultId, VaultStatus, Version};
use keystead_store::{Changes, Kind, Row, RowKey};

/// In a policy given at creation, the issuer that means the vault's own: its name is not known before.
pub const BUILT_IN: &str = "built-in";

/// Where a row of which a vault has one stands.
pub(crate) const fn singleton(kind: Kind) -> [u8; 32] {
    [kind.code(); 32]
}

/// Makes everything a vault needs to be open, and the rows that keep it.
pub(crate) async fn birth(
    vault: &Vault,
    path: &dyn UnsealPath,
    document: PolicyDocument,
    purge_protection: bool,
    tokens: &[String],
    at: Moment,
) -> Result<(Root, Changes), OperateError> {
    let (domain, root) = (DomainKey::generate(), Root::generate(Generation::FIRST));
    let id = vault.info().id;
    let wrapped_domain = path.wrap_domain(id, &domain).await.map_err(OperateError::Path)?;
    let wrapped_root = path.wrap_root(id, &root).await.map_err(OperateError::Path)?;
    path.unwrap_root(id, &wrapped_root).await.map_err(OperateError::Path)?;
    let first = PathRecord { name: path.name().to_owned(), kind: path.kind().to_owned(), added: at.now.0 };
    let paths = PathsRecord { paths: vec![first] };
    let sealed_root = domain.public().seal_root(id, &root).map_err(|_| OperateError::Damaged)?;
    domain.open_root(id, &sealed_root).map_err(|_| OperateError::Damaged)?;

    let issuer = issuer_record(vault, &root, at).await?;
    let document = named(directory(document)?, &issuer.iss);
    Policy::new(&document, Revision(1)).map_err(OperateError::Policy)?;
    let hsm = match tokens {
        [] => None,
        tokens => Some(hsm(vault, domain.public(), tokens, at).await?),
    };
    let (hsm, wrapping) = hsm.unzip();
    let secrets = SecretsRecord {
        index_key: keystead_crypto::random(),
        detail_key: keystead_crypto::random(),
        blob_key: Some(BlobKey(keystead_crypto::random())),
        purge_protection: Some(purge_protection),
        hsm,
        details: None,
    };
    let sealer = root.sealer(Usage::Records);
    // Nothing in it is older than what the clock says.
    let clock = ClockRecord { confirmed: vault.clock.doubt().map(|doubt| doubt.id.into()) };
    let mut puts = vec![
        clear(Kind::Domain, domain.public().as_bytes().to_vec()),
        wraps::clear(wraps::domain_at(path.name()), None, wrapped_domain),
        wraps::clear(wraps::sealed_root_at(root.generation()), None, sealed_root),
        wraps::clear(wraps::root_at(path.name(), root.generation()), None, wrapped_root),
        wraps::paths_row(vault, &sealer, None, &paths)?,
        seal_row(vault, &sealer, place(Kind::Secrets), &secrets)?,
        seal_row(vault, &sealer, place(Kind::Issuer), &issuer)?,
        seal_row(vault, &sealer, place(Kind::Policy), &document)?,
        seal_row(vault, &sealer, place(Kind::Vault), &VaultRecord::of(vault.info(), VaultStatus::Active))?,
        seal_row(vault, &sealer, place(Kind::Clock), &clock)?,
    ];
    puts.extend(wrapping.map(|sealed| clear(Kind::SealedWrapping, sealed)));
    Ok((root, Changes { puts, ..Changes::default() }))
}

/// A new wrapping key, sealed to the domain and given to every token before the vault counts on them.
async fn hsm(
    vault: &Vault,
    domain: DomainPublic,
    tokens: &[String],
    at: Moment,
) -> Result<(HsmRecord, Vec<u8>), OperateError> {
    let key = WrappingKey::generate();
    let mut record = HsmRecord { wrapping: key.id(), tokens: tokens.to_vec(), class: None };
    for token in tokens {
        record.class = Some(enrol::give(vault, &record, token, &key, at).await?);
    }
    let sealed = domain.seal_wrapping(vault.info().id, &key).map_err(|_| OperateError::Damaged)?;
    Ok((record, sealed))
}

async fn issuer_record(vault: &Vault, root: &Root, at: Moment) -> Result<IssuerRecord, OperateError> {
    let sealer = root.sealer(Usage::KeyMaterial);
    let binding = issuer_binding(vault.info().id);
    let made = vault.protection.generate(&sealer, &binding, KeySpec::EcP256, at.deadline).await;
    let made = made.map_err(Refusal::from)?;
    let PublicKey::Ec { x, y, .. } = made.public else { return Err(OperateError::Damaged) };
    let whole = |number: Vec<u8>| <[u8; 32]>::try_from(number).map_err(|_| OperateError::Damaged);
    let (x, y) = (whole(x)?, whole(y)?);
    let kid = Version::from_bytes(keystead_crypto::random()).to_string();
    Ok(IssuerRecord { iss: issuer::iss(vault.info()), kid, x, y, material: made.material })
}

/// What the built-in issuer's key is bound to: a vault has one.
pub(crate) fn issuer_binding(vault: VaultId) -> Binding {
    Binding { vault: *vault.as_bytes(), kind: Kind::Issuer.code(), object: [0; 16], version: [0; 16], counter: 1 }
}

/// Writes the vault's own issuer where the document says [`BUILT_IN`].
fn named(mut document: PolicyDocument, iss: &str) -> PolicyDocument {
    let name = |p: &mut Principal| {
        if p.issuer() == BUILT_IN {
            *p = Principal::new(iss, p.subject());
        }
    };
    document.administrators.iter_mut().for_each(name);
    for assignment in &mut document.assignments {
        if let Grantee::Principal(principal) = &mut assignment.principal {
            name(principal);
        }
    }
    document
}

/// Whose subjects a GUID means: the vault's own issuer, which is not written down, or one that is trusted.
fn directory(mut document: PolicyDocument) -> Result<PolicyDocument, OperateError> {
    document.directory = document.directory.filter(|d| d != BUILT_IN);
    match &document.directory {
        Some(directory) if document.issuers.iter().all(|i| i.iss != *directory) => {
            let directory = directory.clone();
            Err(OperateError::Policy(BadPolicy::UnknownDirectory { directory }))
        }
        _ => Ok(document),
    }
}

fn place(kind: Kind) -> Place {
    let id = ObjectId::from_bytes(keystead_crypto::random());
    Place { kind, tag: singleton(kind), version: None, id, counter: 1, due: None }
}

/// A row whose content is a public key or sealed to one: it needs no seal of the root's.
fn clear(kind: Kind, bytes: Vec<u8>) -> Row {
    wraps::clear(RowKey { kind, lookup: singleton(kind), version: None }, None, bytes)
}
