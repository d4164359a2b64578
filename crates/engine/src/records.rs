//! What stands inside the sealed rows: deterministic CBOR maps with integer keys. The owner of these layouts; each has
//! a golden file under `tests/golden`.

pub(crate) mod backup;
pub(crate) mod custody;
pub(crate) mod job;
pub mod key_backup;
pub(crate) mod proposal;
pub(crate) mod rotation;

pub(crate) use custody::{
    DetailKey, FormerRecord, PathRecord, PathsRecord, RootRotationRecord, RotationStep, SealedDigest,
};
pub(crate) use rotation::{RotationRecord, Work};

use crate::error::Refusal;
use keystead_model::{KeyOperation, KeySpec, Name, ProtectionLevel, PublicKey, Version};
use keystead_protection::{StoredKey, WrapClass};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// A key through all its versions.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeyRecord {
    /// As given at creation.
    #[n(0)]
    pub(crate) name: String,
    /// The newest version.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) newest: [u8; 16],
    /// When the newest version was made, ms since the epoch.
    #[n(2)]
    pub(crate) newest_created: i64,
    /// The rotation policy, if one is stored.
    #[n(3)]
    pub(crate) rotation: Option<RotationRecord>,
    /// Set while deleted.
    #[n(4)]
    pub(crate) deletion: Option<DeletionRecord>,
    /// When the newest version expires, ms since the epoch.
    #[n(5)]
    pub(crate) newest_expires: Option<i64>,
    /// The version of whose end was told.
    #[n(6)]
    pub(crate) notified: Option<ByteArray<16>>,
}

/// When a key was deleted and when it goes for good, ms since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct DeletionRecord {
    #[n(0)]
    pub(crate) deleted: i64,
    #[n(1)]
    pub(crate) purge_at: i64,
}

/// One version of a key.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct VersionRecord {
    #[cbor(n(0), with = "spec")]
    pub(crate) spec: KeySpec,
    #[cbor(n(1), with = "operations")]
    pub(crate) ops: Vec<KeyOperation>,
    #[n(2)]
    pub(crate) enabled: bool,
    #[n(3)]
    pub(crate) not_before: Option<i64>,
    #[n(4)]
    pub(crate) expires: Option<i64>,
    #[n(5)]
    pub(crate) created: i64,
    #[n(6)]
    pub(crate) updated: i64,
    #[n(7)]
    pub(crate) tags: BTreeMap<String, String>,
    #[cbor(n(8), with = "public")]
    pub(crate) public: PublicKey,
    /// Sealed by `protection` under the key-material key.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub(crate) material: Vec<u8>,
    /// AES-GCM uses reserved so far, in blocks.
    #[n(10)]
    pub(crate) uses_reserved: u64,
    /// Whether it may be released; absent is no.
    #[n(11)]
    pub(crate) exportable: Option<bool>,
    /// To whom it may be released.
    #[n(12)]
    pub(crate) release: Option<ReleaseRecord>,
    /// [`ProtectionLevel`]'s code; absent is software.
    #[n(13)]
    pub(crate) level: Option<u8>,
}

/// A release policy, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ReleaseRecord {
    #[n(0)]
    pub(crate) content_type: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) data: Vec<u8>,
    #[n(2)]
    pub(crate) immutable: bool,
}

/// The random keys of a vault, born with it.
#[derive(Clone, Encode, Decode, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
#[cbor(map)]
pub(crate) struct SecretsRecord {
    /// Keys the lookup tags.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) index_key: [u8; 32],
    /// Seals the details of audit records of generation 1.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) detail_key: [u8; 32],
    /// Seals backups of keys. Vaults that were made before there were any have none.
    #[n(2)]
    pub(crate) blob_key: Option<BlobKey>,
    /// Whether nobody may purge before the retention has passed: chosen at creation, for good. Not secret; it stands
    /// here because nothing in the clear may decide it.
    #[n(3)]
    pub(crate) purge_protection: Option<bool>,
    /// The vault's HSM, if it has one.
    #[n(4)]
    pub(crate) hsm: Option<HsmRecord>,
    /// The domain that the vault was activated with, or adopted. One that made its own has none: its id is the vault's.
    #[n(5)]
    pub(crate) domain: Option<DomainRecord>,
    /// Seal the details of audit records of later generations, in their order.
    #[n(6)]
    pub(crate) details: Option<Vec<DetailKey>>,
    /// The public half of the domain. Not secret; it stands here because nothing in the clear may say to whom a root or
    /// a backup is sealed. Vaults that were made before it was kept have none, until their root is rotated.
    #[n(7)]
    #[zeroize(skip)]
    pub(crate) public: Option<ByteArray<32>>,
    /// Whether the row of the unseal paths exists. Such a vault without the row was altered.
    #[n(8)]
    pub(crate) listed: Option<bool>,
    /// What is sealed to the domain, as it was written. Vaults that were made before it was kept have none, until their
    /// root is rotated or their custodians unseal them.
    #[n(9)]
    #[zeroize(skip)]
    pub(crate) sealed_roots: Option<Vec<SealedDigest>>,
}

/// A domain that came from outside. Not secret; it stands here because nothing in the clear may say which it is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, zeroize::Zeroize)]
#[cbor(map)]
pub(crate) struct DomainRecord {
    /// Its id, to which backups are bound.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) id: [u8; 16],
    /// SHA-256 of the activation record, of a vault that was activated with the domain.
    #[n(1)]
    #[zeroize(skip)]
    pub(crate) activation: Option<ByteArray<32>>,
    /// The id of the domain's wrapping key, if it has one, of a vault that adopted the domain.
    #[n(2)]
    #[zeroize(skip)]
    pub(crate) wrapping: Option<ByteArray<16>>,
}

/// A vault's HSM. Not secret; it stands here because nothing in the clear may say which tokens a vault believes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, zeroize::Zeroize)]
#[cbor(map)]
pub(crate) struct HsmRecord {
    /// The wrapping key's id.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) wrapping: [u8; 16],
    /// The names of the tokens, as nodes are configured with them, in the order in which they are asked.
    #[n(1)]
    pub(crate) tokens: Vec<String>,
    /// How they wrap: what one wrapped, only tokens of its class unwrap. [`class_code`]; vaults that were made before
    /// it was kept have none.
    #[n(2)]
    pub(crate) class: Option<u8>,
}

/// What stands for a class of wrapping, for ever.
pub(crate) const fn class_code(class: WrapClass) -> u8 {
    match class {
        WrapClass::Kwp => 1,
        WrapClass::KwpZeroExtended => 2,
        WrapClass::None => 3,
    }
}

/// The key that seals backups of keys. It stays in its place when the record around it is moved.
#[derive(Clone, Encode, Decode, zeroize::Zeroize)]
#[cbor(transparent)]
pub(crate) struct BlobKey(#[cbor(n(0), with = "in_place")] Box<[u8; 32]>);

impl BlobKey {
    pub(crate) fn of(key: &[u8; 32]) -> Self {
        let mut place = Box::new([0; 32]);
        place.copy_from_slice(key);
        Self(place)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The built-in issuer.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct IssuerRecord {
    #[n(0)]
    pub(crate) iss: String,
    #[n(1)]
    pub(crate) kid: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) x: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) y: [u8; 32],
    /// Sealed by `protection` under the key-material key.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(crate) material: Vec<u8>,
}

/// What a vault's clear columns said when they were last written. They are clear because a request must find its vault
/// before it is open; opening holds them against this.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct VaultRecord {
    #[n(0)]
    pub(crate) name: String,
    /// `vault` or `hsm`.
    #[n(1)]
    pub(crate) kind: String,
    /// `active` or `sealed`.
    #[n(2)]
    pub(crate) status: String,
    /// In their order: the first is in the name of the built-in issuer.
    #[n(3)]
    pub(crate) authorities: Vec<String>,
    /// `file` or `quorum`.
    #[n(4)]
    pub(crate) custody: String,
    /// ms since the epoch.
    #[n(5)]
    pub(crate) created: i64,
    #[n(6)]
    pub(crate) retention_days: u8,
    #[n(7)]
    pub(crate) tenant: String,
}

/// Which doubt of the clock was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ClockRecord {
    /// The newest that was; of a vault that was made while one stood, that one.
    #[n(0)]
    pub(crate) confirmed: Option<ByteArray<16>>,
}

/// That a key was purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PurgedRecord {
    /// When the last of those that share this row was, ms since the epoch.
    #[n(0)]
    pub(crate) at: i64,
}

/// The vault's settings; what is absent was never changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct SettingsRecord {
    /// `AllowKeyManagementOperationsThroughARM`.
    #[n(0)]
    pub(crate) keys_through_arm: Option<bool>,
}

/// The clear body of a vault's first record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FirstRecord {
    /// `vault` or `hsm`.
    #[n(0)]
    pub kind: String,
    /// How its domain key is kept: `file` or `quorum`.
    #[n(1)]
    pub custody: String,
    /// The key of the log's checkpoints.
    #[n(2)]
    pub vkey: String,
    /// Set if nobody may purge before the retention has passed.
    #[n(3)]
    pub purge_protection: Option<bool>,
    /// SHA-256 of the activation record, of a vault in the custody of a quorum.
    #[n(4)]
    pub activation: Option<ByteArray<32>>,
}

impl VersionRecord {
    pub(crate) fn level(&self) -> Result<ProtectionLevel, Refusal> {
        match self.level {
            None => Ok(ProtectionLevel::Software),
            Some(code) => ProtectionLevel::from_code(code).ok_or(Refusal::Damaged),
        }
    }

    /// As `protection` opens it.
    pub(crate) fn stored(&self) -> StoredKey<'_> {
        StoredKey { spec: self.spec, public: &self.public, material: &self.material }
    }
}

impl KeyRecord {
    pub(crate) fn newest(&self) -> Version {
        Version::from_bytes(self.newest)
    }

    pub(crate) fn name(&self) -> Result<Name, Refusal> {
        Name::parse(&self.name).map_err(|_| Refusal::Damaged)
    }
}

/// Encodes a record. Writing CBOR into memory cannot fail.
pub(crate) fn encode<T: Encode<()>>(record: &T) -> Result<zeroize::Zeroizing<Vec<u8>>, Refusal> {
    minicbor::to_vec(record).map(zeroize::Zeroizing::new).map_err(|_| Refusal::Fault)
}

/// Decodes a record that was opened.
pub(crate) fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, Refusal> {
    minicbor::decode(bytes).map_err(|_| Refusal::Damaged)
}

/// Parses every layout of this file from untrusted bytes.
#[doc(hidden)]
pub mod fuzz {
    use super::*;

    /// Must never panic.
    pub fn records(bytes: &[u8]) {
        let _ = decode::<KeyRecord>(bytes);
        let _ = decode::<VersionRecord>(bytes);
        let _ = decode::<SecretsRecord>(bytes);
        let _ = decode::<IssuerRecord>(bytes);
        let _ = decode::<VaultRecord>(bytes);
        let _ = decode::<ClockRecord>(bytes);
        let _ = decode::<SettingsRecord>(bytes);
        let _ = decode::<PurgedRecord>(bytes);
        let _ = crate::clock::note::ClockNote::parse(bytes);
        let _ = decode::<RootRotationRecord>(bytes);
        let _ = decode::<PathsRecord>(bytes);
        let _ = decode::<key_backup::BackupRecord>(bytes);
        let _ = decode::<job::JobsRecord>(bytes);
        let _ = decode::<job::JobRecord<job::BackupWork>>(bytes);
        let _ = decode::<job::JobRecord<job::RestoreWork>>(bytes);
        let _ = decode::<backup::Item>(bytes);
        let _ = decode::<proposal::ProposalRecord>(bytes);
        let _ = decode::<proposal::ErasedRecord>(bytes);
    }
}

mod spec {
    use super::KeySpec;
    use minicbor::{Decoder, Encoder, decode::Error as Bad, encode::Error as Unwritten, encode::Write};

    pub(super) fn encode<C, W: Write>(v: &KeySpec, e: &mut Encoder<W>, _: &mut C) -> Result<(), Unwritten<W::Error>> {
        e.u8(v.code())?.ok()
    }

    pub(super) fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<KeySpec, Bad> {
        KeySpec::from_code(d.u8()?).ok_or_else(|| Bad::message("unknown key kind"))
    }
}

mod in_place {
    use minicbor::{Decoder, Encoder, decode::Error as Bad, encode::Error as Unwritten, encode::Write};

    pub(super) fn encode<C, W: Write>(v: &[u8; 32], e: &mut Encoder<W>, _: &mut C) -> Result<(), Unwritten<W::Error>> {
        e.bytes(v)?.ok()
    }

    pub(super) fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Box<[u8; 32]>, Bad> {
        let bytes = d.bytes()?;
        let mut place = Box::new([0; 32]);
        if bytes.len() != place.len() {
            return Err(Bad::message("a key has not 32 bytes"));
        }
        place.copy_from_slice(bytes);
        Ok(place)
    }
}

mod operations {
    use super::KeyOperation;
    use minicbor::{Decoder, Encoder, decode::Error as Bad, encode::Error as Unwritten, encode::Write};

    pub(super) fn encode<C, W: Write>(
        v: &[KeyOperation],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), Unwritten<W::Error>> {
        let codes: Vec<u8> = v.iter().map(|o| o.code()).collect();
        e.bytes(&codes)?.ok()
    }

    pub(super) fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Vec<KeyOperation>, Bad> {
        let known = |c: &u8| KeyOperation::from_code(*c).ok_or_else(|| Bad::message("unknown operation"));
        d.bytes()?.iter().map(known).collect()
    }
}

mod public {
    use super::PublicKey;
    use keystead_model::Curve;
    use minicbor::{Decoder, Encoder, decode::Error as Bad, encode::Error as Unwritten, encode::Write};

    pub(super) fn encode<C, W: Write>(v: &PublicKey, e: &mut Encoder<W>, _: &mut C) -> Result<(), Unwritten<W::Error>> {
        match v {
            PublicKey::Symmetric => e.array(0)?.ok(),
            PublicKey::Ec { curve, x, y } => e.array(3)?.u8(code(*curve))?.bytes(x)?.bytes(y)?.ok(),
            PublicKey::Rsa { n, e: exponent } => e.array(3)?.u8(2)?.bytes(n)?.bytes(exponent)?.ok(),
        }
    }

    /// What stands before a point; 2 stands before an RSA key.
    const fn code(curve: Curve) -> u8 {
        match curve {
            Curve::P256 => 1,
            Curve::P384 => 3,
            Curve::P521 => 4,
            Curve::P256K => 5,
        }
    }

    pub(super) fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<PublicKey, Bad> {
        let bad = || Bad::message("unknown public key");
        match d.array()? {
            Some(0) => Ok(PublicKey::Symmetric),
            Some(3) => match d.u8()? {
                2 => Ok(PublicKey::Rsa { n: d.bytes()?.to_vec(), e: d.bytes()?.to_vec() }),
                number => {
                    let curve = Curve::ALL.iter().copied().find(|c| code(*c) == number).ok_or_else(bad)?;
                    let (x, y) = (d.bytes()?.to_vec(), d.bytes()?.to_vec());
                    let whole = [&x, &y].iter().all(|c| c.len() == curve.field_len());
                    if whole { Ok(PublicKey::Ec { curve, x, y }) } else { Err(bad()) }
                }
            },
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests;
