//! Where a row stands, what it follows, and what it is bound to.

use crate::error::Refusal;
use crate::records;
use crate::vault::Vault;
use keystead_crypto::sealed::{Binding, Sealer};
use keystead_model::{ObjectId, Revision, Time, Version};
use keystead_store::{Changes, Kind, Row, RowKey};
use minicbor::Encode;

/// Where a row stands and what it follows.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) tag: [u8; 32],
    pub(crate) version: Option<Version>,
    pub(crate) id: ObjectId,
    /// The counter this row gets: one more than the row it replaces.
    pub(crate) counter: u64,
    pub(crate) due: Option<Time>,
}

impl Place {
    /// Of a row that is alone at its place, behind the one that stands there.
    pub(crate) fn behind(at: RowKey, stands: Option<&Row>) -> Self {
        let RowKey { kind, lookup: tag, version } = at;
        let id = stands.map_or_else(|| ObjectId::from_bytes(keystead_crypto::random()), |row| row.id);
        let counter = stands.map_or(0, |row| row.counter).saturating_add(1);
        Self { kind, tag, version, id, counter, due: None }
    }
}

/// Seals a record into a row.
pub(crate) fn seal_row<T: Encode<()>>(
    vault: &Vault,
    sealer: &Sealer,
    place: Place,
    record: &T,
) -> Result<Row, Refusal> {
    let plain = records::encode(record)?;
    let binding = binding(vault, place.kind, place.id, place.version, place.counter);
    Ok(Row {
        kind: place.kind,
        lookup: place.tag,
        version: place.version,
        id: place.id,
        counter: place.counter,
        revision: Revision(0),
        due: place.due,
        sealed: sealer.seal(&binding, &[], &plain),
    })
}

/// What a row is bound to.
pub(crate) fn row_binding(vault: &Vault, row: &Row) -> Binding {
    binding(vault, row.kind, row.id, row.version, row.counter)
}

pub(crate) fn binding(vault: &Vault, kind: Kind, id: ObjectId, version: Option<Version>, counter: u64) -> Binding {
    Binding {
        vault: *vault.info.id.as_bytes(),
        kind: kind.code(),
        object: *id.as_bytes(),
        version: version_bytes(version),
        counter,
    }
}

fn version_bytes(version: Option<Version>) -> [u8; 16] {
    version.map_or([0; 16], |v| *v.as_bytes())
}

/// The digest of changed rows that stands in the record.
pub(crate) fn digest(changes: &Changes) -> [u8; 32] {
    let mut all = Vec::new();
    for row in &changes.puts {
        all.push(row.kind.code());
        all.extend_from_slice(&row.lookup);
        all.extend_from_slice(&version_bytes(row.version));
        all.extend_from_slice(&row.counter.to_be_bytes());
        all.extend_from_slice(&keystead_crypto::sha256(&[&row.sealed]));
    }
    for (key, counter) in &changes.removes {
        all.push(key.kind.code() | 0x80);
        all.extend_from_slice(&key.lookup);
        all.extend_from_slice(&version_bytes(key.version));
        all.extend_from_slice(&counter.to_be_bytes());
    }
    keystead_crypto::sha256(&[&all])
}
