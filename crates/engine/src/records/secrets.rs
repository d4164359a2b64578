//! The vault's secrets: its own random keys, and what of it nothing in the clear may decide.

use super::{DetailKey, SealedDigest};
use keystead_protection::WrapClass;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

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
