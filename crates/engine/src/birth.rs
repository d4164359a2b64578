//! How a vault begins: domain key pair, root generation 1, its own random keys, built-in issuer, first policy. All of
//! it goes into one transaction with the first record.

use crate::enrol;
use crate::error::Refusal;
use crate::issuer;
use crate::operate::OperateError;
use crate::records::{
    BlobKey, ClockRecord, DomainRecord, HsmRecord, IssuerRecord, PathRecord, PathsRecord, SecretsRecord, VaultRecord,
};
use crate::room::{Place, seal_row};
use crate::vault::Vault;
use crate::wraps;
use crate::written_roots;
use keystead_access::{BadPolicy, Grantee, Policy, PolicyDocument};
use keystead_crypto::sealed::{Binding, Usage};
use keystead_custody::{DomainKey, DomainPublic, Root, UnsealPath, WorkingKeys, WrappingKey};
use keystead_identity::Principal;
use keystead_model::{Generation, KeySpec, Moment, ObjectId, PublicKey, Revision, VaultId, VaultStatus, Version};
use keystead_store::{Changes, Kind, Row, RowKey};
use zeroize::Zeroizing;

/// In a policy given at creation, the issuer that means the vault's own: its name is not known before.
pub const BUILT_IN: &str = "built-in";

/// Where a row of which a vault has one stands.
pub(crate) const fn singleton(kind: Kind) -> RowKey {
    RowKey { kind, lookup: [kind.code(); 32], version: None }
}

/// Whose the domain is.
pub(crate) enum Domain<'a> {
    /// It is made here, and the path wraps its private key.
    Here(&'a dyn UnsealPath),
    /// Its custodians have the private key.
    Custodians(Custodians<'a>),
}

/// What custodians gave to a vault.
pub(crate) struct Custodians<'a> {
    pub(crate) public: DomainPublic,
    pub(crate) keys: WorkingKeys,
    /// SHA-256 of the activation record.
    pub(crate) activation: [u8; 32],
    /// What wraps the root besides.
    pub(crate) paths: Vec<&'a dyn UnsealPath>,
    /// What is kept of it in the clear.
    pub(crate) rows: Vec<(Kind, Vec<u8>)>,
}

/// What a vault has of its domain.
struct Begun {
    public: DomainPublic,
    blob: BlobKey,
    wrapping: Option<WrappingKey>,
    domain: Option<DomainRecord>,
    paths: PathsRecord,
    puts: Vec<Row>,
}

/// Makes everything a vault needs to be open, and the rows that keep it.
pub(crate) async fn birth(
    vault: &Vault,
    domain: Domain<'_>,
    document: PolicyDocument,
    purge_protection: bool,
    tokens: &[String],
    at: Moment,
) -> Result<(Root, Changes), OperateError> {
    let root = Root::generate(Generation::FIRST);
    let Begun { public, blob, wrapping, domain, paths, mut puts } = match domain {
        Domain::Here(path) => here(vault, path, &root, at).await?,
        Domain::Custodians(given) => given.begin(vault, &root, at).await?,
    };
    let issuer = issuer_record(vault, &root, at).await?;
    let document = named(directory(document)?, &issuer.iss);
    Policy::new(&document, Revision(1)).map_err(OperateError::Policy)?;
    let hsm = match tokens {
        [] => None,
        tokens => Some(hsm(vault, public, tokens, wrapping.ok_or(OperateError::NoHsm)?, at).await?),
    };
    let (hsm, wrapping) = hsm.unzip();
    let mut secrets = SecretsRecord {
        index_key: keystead_crypto::random(),
        detail_key: keystead_crypto::random(),
        blob_key: Some(blob),
        purge_protection: Some(purge_protection),
        hsm,
        domain,
        details: None,
        public: Some((*public.as_bytes()).into()),
        listed: Some(true),
        sealed_roots: None,
    };
    written_roots::keep(&mut secrets, &puts, &[root.generation()]);
    puts.push(clear(Kind::Domain, public.as_bytes().to_vec()));
    puts.extend(wrapping.map(|sealed| clear(Kind::SealedWrapping, sealed)));
    puts.extend(first_rows(vault, &root, (&paths, &secrets, &issuer, &document))?);
    Ok((root, Changes { puts, ..Changes::default() }))
}

/// What a vault has under its root from its first moment.
fn first_rows(
    vault: &Vault,
    root: &Root,
    (paths, secrets, issuer, document): (&PathsRecord, &SecretsRecord, &IssuerRecord, &PolicyDocument),
) -> Result<[Row; 6], OperateError> {
    let sealer = root.sealer(Usage::Records);
    // Nothing in it is older than what the clock says.
    let clock = ClockRecord { confirmed: vault.clock.doubt().map(|doubt| doubt.id.into()) };
    Ok([
        wraps::paths_row(vault, &sealer, None, paths)?,
        seal_row(vault, &sealer, place(Kind::Secrets), secrets)?,
        seal_row(vault, &sealer, place(Kind::Issuer), issuer)?,
        seal_row(vault, &sealer, place(Kind::Policy), document)?,
        seal_row(vault, &sealer, place(Kind::Vault), &VaultRecord::of(vault.info(), VaultStatus::Active))?,
        seal_row(vault, &sealer, place(Kind::Clock), &clock)?,
    ])
}

/// A new domain, whose private key the path wraps.
async fn here(vault: &Vault, path: &dyn UnsealPath, root: &Root, at: Moment) -> Result<Begun, OperateError> {
    let (id, domain) = (vault.info().id, DomainKey::generate());
    let wrapped_domain = path.wrap_domain(id, &domain).await.map_err(OperateError::Path)?;
    let sealed_root = domain.public().seal_root(id, root).map_err(|_| OperateError::Damaged)?;
    domain.open_root(id, &sealed_root).map_err(|_| OperateError::Damaged)?;
    let (record, wrapped_root) = behind(vault, path, root, at).await?;
    Ok(Begun {
        public: domain.public(),
        blob: BlobKey::of(&Zeroizing::new(keystead_crypto::random())),
        wrapping: Some(WrappingKey::generate()),
        domain: None,
        paths: PathsRecord::of(vec![record]),
        puts: vec![
            wraps::clear(wraps::domain_at(path.name()), None, wrapped_domain),
            wraps::clear(wraps::sealed_root_at(root.generation()), None, sealed_root),
            wrapped_root,
        ],
    })
}

impl Custodians<'_> {
    async fn begin(self, vault: &Vault, root: &Root, at: Moment) -> Result<Begun, OperateError> {
        let id = vault.info().id;
        // Not proven by opening: only the custodians can. What they confirmed is to whom it is sealed.
        let sealed_root = self.public.seal_root(id, root).map_err(|_| OperateError::Damaged)?;
        let mut puts = vec![wraps::clear(wraps::sealed_root_at(root.generation()), None, sealed_root)];
        let mut paths = Vec::with_capacity(self.paths.len());
        for path in self.paths {
            let (record, wrapped) = behind(vault, path, root, at).await?;
            paths.push(record);
            puts.push(wrapped);
        }
        puts.extend(self.rows.into_iter().map(|(kind, bytes)| clear(kind, bytes)));
        Ok(Begun {
            public: self.public,
            blob: BlobKey::of(self.keys.blob.expose()),
            wrapping: self.keys.wrapping,
            domain: Some(DomainRecord {
                id: *self.keys.domain.as_bytes(),
                activation: Some(self.activation.into()),
                wrapping: None,
            }),
            paths: PathsRecord::of(paths),
            puts,
        })
    }
}

/// The root, wrapped by a path and proven by opening.
async fn behind(
    vault: &Vault,
    path: &dyn UnsealPath,
    root: &Root,
    at: Moment,
) -> Result<(PathRecord, Row), OperateError> {
    let id = vault.info().id;
    let wrapped = path.wrap_root(id, root).await.map_err(OperateError::Path)?;
    if !path.unwrap_root(id, &wrapped).await.map_err(OperateError::Path)?.same_as(root) {
        return Err(OperateError::NotProven { name: path.name().to_owned() });
    }
    let record = PathRecord { name: path.name().to_owned(), kind: path.kind().to_owned(), added: at.now.0 };
    Ok((record, wraps::clear(wraps::root_at(path.name(), root.generation()), None, wrapped)))
}

/// The wrapping key, sealed to the domain and given to every token before the vault counts on them.
async fn hsm(
    vault: &Vault,
    domain: DomainPublic,
    tokens: &[String],
    key: WrappingKey,
    at: Moment,
) -> Result<(HsmRecord, Vec<u8>), OperateError> {
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
    Place { kind, tag: singleton(kind).lookup, version: None, id, counter: 1, due: None }
}

/// A row whose content is a public key or sealed to one: it needs no seal of the root's.
fn clear(kind: Kind, bytes: Vec<u8>) -> Row {
    wraps::clear(singleton(kind), None, bytes)
}
