//! A key, its versions, and what is left of one that was purged.

use super::RotationRecord;
use crate::error::Refusal;
use keystead_model::{KeyOperation, KeySpec, Name, ProtectionLevel, PublicKey, Version};
use keystead_protection::StoredKey;
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

/// That a key was purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PurgedRecord {
    /// When the last of those that share this row was, ms since the epoch.
    #[n(0)]
    pub(crate) at: i64,
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
