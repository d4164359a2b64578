//! Keys of the token's owner that sign texts, in the token: an approver's. Ed25519, or ECDSA on P-256.

use super::ec;
use super::owned::{asks_once, cannot, named};
use super::public::{self, PointForm, params};
use super::rv::{Tried, tolerated};
use super::seat::Seat;
use super::token::Shared;
use super::wrapped_export::found;
use crate::call::Reply;
use crate::export::Wanted;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki_sys::{CKF_SIGN, CKM_ECDSA, CKM_EDDSA};
use keystead_model::{Curve, PublicKey};

const KINDS: &str = "keys that sign texts but those of Ed25519 and P-256";
const ED25519_LEN: usize = 32;
const DIGEST_LEN: usize = 32;
const SIGNATURE_LEN: usize = 64;
/// Tag and length of a DER OCTET STRING of so many bytes.
const OCTETS: &[u8] = &[4, 32];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ed25519,
    P256,
}

impl Kind {
    const fn mechanism(self) -> (u64, &'static str) {
        match self {
            Self::Ed25519 => (CKM_EDDSA, "Ed25519 (CKM_EDDSA)"),
            Self::P256 => (CKM_ECDSA, "ECDSA on P-256 (CKM_ECDSA)"),
        }
    }

    /// A point as the token writes it, in the one form that is given out.
    fn point(self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Ed25519 if value.len() == ED25519_LEN => Some(value.to_vec()),
            Self::Ed25519 => value.strip_prefix(OCTETS).filter(|key| key.len() == ED25519_LEN).map(<[u8]>::to_vec),
            Self::P256 => match public::point(Curve::P256, value)?.0 {
                PublicKey::Ec { x, y, .. } => Some(PointForm::Raw.write(&x, &y)),
                _ => None,
            },
        }
    }
}

impl Shared {
    /// The public half: the private object tells it, or the public one that has its label and id.
    pub(super) fn text_key(seat: &Seat, wanted: &Wanted) -> Tried<Reply> {
        let (key, kind) = its(seat, wanted)?;
        let told = tolerated(seat.attribute(key, AttributeType::EcPoint))?.flatten();
        let told = match told {
            Some(Attribute::EcPoint(value)) => kind.point(&value),
            _ => None,
        };
        if let Some(point) = told {
            return Ok(Reply::Bytes(point));
        }
        let public = found(seat, wanted, &[ObjectClass::PUBLIC_KEY])?;
        let point = match seat.attribute(public, AttributeType::EcPoint)? {
            Some(Attribute::EcPoint(value)) => kind.point(&value),
            _ => None,
        };
        point.map(Reply::Bytes).ok_or_else(|| cannot(KINDS))
    }

    /// Signs the text, or the digest that ECDSA takes.
    pub(super) fn sign_text(&self, seat: &Seat, wanted: &Wanted, message: &[u8]) -> Tried<Reply> {
        let (key, kind) = its(seat, wanted)?;
        let (mechanism, what) = kind.mechanism();
        if !self.mechanisms.can(mechanism, CKF_SIGN) || (kind == Kind::P256 && message.len() != DIGEST_LEN) {
            return Err(cannot(what));
        }
        asks_once(seat, key)?;
        let signed = match kind {
            Kind::P256 => ec::sign(seat, key, Curve::P256, message),
            Kind::Ed25519 => {
                let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
                seat.session.sign(&mechanism, key, message).map_err(Into::into)
            }
        };
        let signature = signed.map_err(|trouble| named(trouble, what))?;
        if signature.len() == SIGNATURE_LEN { Ok(Reply::Bytes(signature)) } else { Err(cannot(what)) }
    }
}

/// The private key, if it is of a kind that approvers have.
fn its(seat: &Seat, wanted: &Wanted) -> Tried<(ObjectHandle, Kind)> {
    let key = found(seat, wanted, &[ObjectClass::PRIVATE_KEY])?;
    let Some(Attribute::KeyType(of)) = seat.attribute(key, AttributeType::KeyType)? else { return Err(cannot(KINDS)) };
    if of == KeyType::EC_EDWARDS {
        return Ok((key, Kind::Ed25519));
    }
    let curve = match of {
        KeyType::EC => seat.attribute(key, AttributeType::EcParams)?,
        _ => None,
    };
    let is_p256 = matches!(&curve, Some(Attribute::EcParams(curve)) if curve == params(Curve::P256));
    if is_p256 { Ok((key, Kind::P256)) } else { Err(cannot(KINDS)) }
}
