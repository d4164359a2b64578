//! To whom a role is given.

use keystead_identity::{Caller, Principal};
use keystead_model::Guid;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// Whom an assignment names: a principal, or whoever has a GUID, where the principal behind it is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// An issuer, and a subject or a group.
    Principal(Principal),
    /// The one who has this GUID in the vault, or the members of the group that has it.
    Id(Guid),
}

impl Grantee {
    /// Whether the caller is the one who is named, or a member of the group, in a vault with this directory.
    pub fn names(&self, caller: &Caller, directory: &str) -> bool {
        match self {
            Self::Principal(principal) => caller.is(principal),
            Self::Id(id) => caller.has_id(*id, directory),
        }
    }

    /// Its GUID on the wire, in a vault with this directory.
    pub fn id(&self, directory: &str) -> Guid {
        match self {
            Self::Principal(principal) => principal.id(directory),
            Self::Id(id) => *id,
        }
    }
}

impl From<Principal> for Grantee {
    fn from(principal: Principal) -> Self {
        Self::Principal(principal)
    }
}

/// As a principal writes itself, `{0: issuer, 1: subject}`, a group with `3: true`; a GUID is `{2: 16 bytes}`.
impl<C> Encode<C> for Grantee {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::Principal(principal) => principal.encode(e, c),
            Self::Id(id) => e.map(1)?.u8(2)?.bytes(id.as_bytes())?.ok(),
        }
    }
}

#[derive(Decode)]
#[cbor(map)]
struct Stored {
    #[n(0)]
    issuer: Option<String>,
    #[n(1)]
    subject: Option<String>,
    #[cbor(n(2), with = "minicbor::bytes")]
    id: Option<[u8; 16]>,
    #[n(3)]
    group: Option<bool>,
}

impl<'b, C> Decode<'b, C> for Grantee {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        match Stored::decode(d, c)? {
            Stored { issuer: Some(issuer), subject: Some(subject), id: None, group } => Ok(match group {
                Some(true) => Principal::group(issuer, subject).into(),
                Some(false) | None => Principal::new(issuer, subject).into(),
            }),
            Stored { issuer: None, subject: None, id: Some(id), group: None } => Ok(Self::Id(Guid::from_bytes(id))),
            _ => Err(decode::Error::message("neither a principal nor a GUID")),
        }
    }
}
