//! Create a key, or a new version of one.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::lifecycle;
use crate::records::{KeyRecord, VersionRecord};
use crate::room::{Key, Place, Room};
use crate::run::{Effect, Execute};
use crate::view::{KeyView, ReleasePolicy, SetAttributes};
use keystead_access::Permit;
use keystead_model::{
    KeyOperation, KeySpec, Name, ObjectId, ProtectionLevel, PublicExponent, Target, VaultKind, Version,
};
use keystead_protection::{ImportedKey, NewKey, OpenKey};
use keystead_store::{Changes, Kind, RowKey};
use std::collections::BTreeMap;

/// Creates a key; on an existing name, a new version that becomes the newest.
pub struct CreateKey {
    /// Its name.
    pub name: Name,
    /// What kind of key. It may differ between versions.
    pub spec: KeySpec,
    /// The public exponent, if it is an RSA key.
    pub exponent: PublicExponent,
    /// What is to protect it. A vault of kind hsm has HSM keys only: there a software key is one of the HSM.
    pub level: ProtectionLevel,
    /// What it may be used for; `None`: what its kind is usually for.
    pub ops: Option<Vec<KeyOperation>>,
    /// Its attributes.
    pub attributes: SetAttributes,
    /// Free text.
    pub tags: BTreeMap<String, String>,
    /// To whom it may be released, if it is exportable.
    pub release: Option<ReleasePolicy>,
}
ask!(CreateKey, CreateKey, |c| Target::Key(c.name.clone()));

impl Execute for CreateKey {
    type Output = KeyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyView>, Refusal> {
        let ask = permit.ask();
        lifecycle::check_tags(&ask.tags)?;
        let ops = lifecycle::operations(ask.spec, ask.ops.as_deref())?;
        let head = free_or_live(room, &ask.name).await?;
        let new = NewVersion {
            source: Source::Generate(NewKey { spec: ask.spec, exponent: ask.exponent, level: level(room, ask.level) }),
            ops,
            attributes: &ask.attributes,
            tags: &ask.tags,
            release: ask.release.as_ref(),
        };
        add_version(room, &ask.name, head, new).await
    }
}

/// The live key of this name, or none if the name is free.
pub(super) async fn free_or_live(room: &Room<'_>, name: &Name) -> Result<Option<Key>, Refusal> {
    let head = room.key(Kind::Key, name).await?;
    if head.is_none() && room.key(Kind::DeletedKey, name).await?.is_some() {
        return Err(Refusal::NameReserved { name: name.clone() });
    }
    Ok(head)
}

/// A vault of kind hsm has no other keys.
pub(super) fn level(room: &Room<'_>, asked: ProtectionLevel) -> ProtectionLevel {
    match room.vault().info.kind {
        VaultKind::Hsm => ProtectionLevel::Hsm,
        VaultKind::Vault => asked,
    }
}

/// Where a new version's key comes from.
pub(super) enum Source<'a> {
    Generate(NewKey),
    Import(&'a ImportedKey, ProtectionLevel),
    /// Under a key exchange key of the vault's own.
    Unwrap {
        kek: OpenKey,
        wrapped: &'a [u8],
        specs: &'a [KeySpec],
        level: ProtectionLevel,
    },
}

/// What a new version is to be.
pub(super) struct NewVersion<'a> {
    pub(super) source: Source<'a>,
    pub(super) ops: Vec<KeyOperation>,
    pub(super) attributes: &'a SetAttributes,
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) release: Option<&'a ReleasePolicy>,
}

/// Makes a version and makes it the newest of `head`, or the first of a new key.
pub(super) async fn add_version(
    room: &Room<'_>,
    name: &Name,
    head: Option<Key>,
    new: NewVersion<'_>,
) -> Result<Effect<KeyView>, Refusal> {
    let id = head.as_ref().map_or_else(|| ObjectId::from_bytes(keystead_crypto::random()), |k| k.id);
    let version = Version::from_bytes(keystead_crypto::random());
    let record = make(room, id, version, new).await?;
    let name = head.as_ref().map_or_else(|| Ok(name.clone()), |k| k.record.name())?;
    let view = KeyView::new(name.clone(), version, &record, room.recovery());
    let changes = changes(room, &name, head, id, version, &record)?;
    Ok(Effect::change(view, changes).about(id, Some(version)))
}

async fn make(room: &Room<'_>, id: ObjectId, version: Version, new: NewVersion<'_>) -> Result<VersionRecord, Refusal> {
    let binding = room.material_binding(id, version);
    let (now, by) = (room.at.now, room.at.deadline);
    let (protection, sealer) = (room.protection(), room.material());
    let (generated, level) = match new.source {
        Source::Generate(key) => (protection.generate(sealer, &binding, key, by).await?, key.level),
        Source::Import(key, level) => (protection.import(sealer, &binding, (key.clone(), level), by).await?, level),
        Source::Unwrap { kek, wrapped, specs, level } => {
            (protection.import_wrapped(sealer, &binding, (&kek, wrapped), (specs, level), by).await?, level)
        }
    };
    let mut record = VersionRecord {
        spec: generated.spec,
        ops: new.ops,
        enabled: true,
        not_before: None,
        expires: None,
        created: now.0,
        updated: now.0,
        tags: new.tags.clone(),
        public: generated.public,
        material: generated.material,
        uses_reserved: 0,
        exportable: new.attributes.exportable,
        release: new.release.map(ReleasePolicy::record),
        level: (level == ProtectionLevel::Hsm).then_some(level.code()),
    };
    lifecycle::set_attributes(&mut record, new.attributes)?;
    lifecycle::check_release(&record)?;
    Ok(record)
}

fn changes(
    room: &Room<'_>,
    name: &Name,
    head: Option<Key>,
    id: ObjectId,
    version: Version,
    record: &VersionRecord,
) -> Result<Changes, Refusal> {
    let (mut key, counter) = match head {
        Some(k) => (k.record, k.counter.saturating_add(1)),
        None => (new_key(name), 1),
    };
    key.newest = *version.as_bytes();
    key.newest_created = record.created;
    key.newest_expires = record.expires;
    let tag = room.tag(name);
    let head = Place { kind: Kind::Key, tag, version: None, id, counter, due: key.due() };
    let place = Place { kind: Kind::KeyVersion, tag, version: Some(version), id, counter: 1, due: None };
    let reserved = RowKey { kind: Kind::DeletedKey, lookup: tag, version: None };
    Ok(Changes {
        puts: vec![room.row(head, &key)?, room.row(place, record)?],
        checks: vec![(reserved, 0)],
        ..Changes::default()
    })
}

fn new_key(name: &Name) -> KeyRecord {
    KeyRecord {
        name: name.as_str().to_owned(),
        newest: [0; 16],
        newest_created: 0,
        rotation: None,
        deletion: None,
        newest_expires: None,
        notified: None,
    }
}
