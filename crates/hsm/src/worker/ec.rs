//! What elliptic-curve keys do in a token, and how the public half of one that came in wrapped is found.

use super::aes::odd;
use super::point;
use super::public::{self, PointForm, params};
use super::rv::{Tried, Trouble, tolerated};
use super::seat::{Passing, Seat};
use super::templates;
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use keystead_model::{Curve, KeySpec, PublicKey, Size};

/// ECDSA over a digest: r|s, each as long as the field.
pub(super) fn sign(seat: &Seat, key: ObjectHandle, curve: Curve, digest: &[u8]) -> Tried<Vec<u8>> {
    let signature = seat.session.sign(&Mechanism::Ecdsa, key, digest)?;
    let whole = curve.field_len().checked_mul(2) == Some(signature.len());
    if whole { Ok(signature) } else { Err(odd("ECDSA gave a signature of another length")) }
}

pub(super) fn verify(seat: &Seat, key: ObjectHandle, digest: &[u8], signature: &[u8]) -> Tried<()> {
    Ok(seat.session.verify(&Mechanism::Ecdsa, key, digest, signature)?)
}

/// The point of a public key object.
pub(super) fn public_of(seat: &Seat, key: ObjectHandle, curve: Curve) -> Tried<PublicKey> {
    let read = match seat.attribute(key, AttributeType::EcPoint)? {
        Some(Attribute::EcPoint(value)) => public::point(curve, &value),
        _ => None,
    };
    read.map(|(public, _)| public).ok_or_else(|| odd("the token's CKA_EC_POINT is no point of the curve"))
}

/// Makes a public key object, in the form of the point that this token takes.
pub(super) fn object<'a>(seat: &'a Seat, curve: Curve, x: &[u8], y: &[u8]) -> Tried<Passing<'a>> {
    let spec = KeySpec::of_size(Size::Curve(curve)).ok_or_else(|| odd("a curve without keys"))?;
    let make = |form: PointForm| {
        let mut template = templates::public_rights(spec);
        template.retain(|attribute| !matches!(attribute, Attribute::Encrypt(_)));
        template.extend([Attribute::EcParams(params(curve).to_vec()), Attribute::EcPoint(form.write(x, y))]);
        seat.create(&template)
    };
    match make(PointForm::Octets) {
        Err(trouble) if !trouble.is_lost() => make(PointForm::Raw),
        made => made,
    }
}

/// The public half of a private key that the token tells no point of. The key must be allowed to derive: then its
/// product with the curve's base point gives x, and of the two y's that go with it the one that its signature verifies
/// with is right.
pub(super) fn found(seat: &Seat, key: ObjectHandle, curve: Curve) -> Tried<PublicKey> {
    if let Some(Some(Attribute::EcPoint(value))) = tolerated(seat.attribute(key, AttributeType::EcPoint))?
        && let Some((public, _)) = public::point(curve, &value)
    {
        return Ok(public);
    }
    let x = product(seat, key, curve)?;
    let ys = point::ys(curve, &x).ok_or_else(|| odd("ECDH gave no x of a point of the curve"))?;
    let digest = [0x5a; 32];
    let signature = sign(seat, key, curve, &digest)?;
    for y in ys {
        if proves(seat, curve, &x, &y, &digest, &signature)? {
            return Ok(PublicKey::Ec { curve, x, y });
        }
    }
    Err(odd("a signature verifies with neither point"))
}

/// Whether this is a signature of the digest under the point.
pub(super) fn proves(seat: &Seat, curve: Curve, x: &[u8], y: &[u8], digest: &[u8], signature: &[u8]) -> Tried<bool> {
    let public = match object(seat, curve, x, y) {
        Err(trouble) if trouble.is_lost() => return Err(trouble),
        // Some tokens look whether the point is on the curve.
        Err(_) => return Ok(false),
        Ok(public) => public,
    };
    match verify(seat, public.handle, digest, signature) {
        Ok(()) => Ok(true),
        Err(Trouble::Code(RvError::SignatureInvalid | RvError::SignatureLenRange, _)) => Ok(false),
        Err(trouble) => Err(trouble),
    }
}

/// x of the product of the key and the curve's base point: ECDH with nothing behind it.
fn product(seat: &Seat, key: ObjectHandle, curve: Curve) -> Tried<Vec<u8>> {
    let (x, y) = point::base(curve);
    let length = curve.field_len();
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::Token(false),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::ValueLen(Ulong::try_from(length)?),
    ];
    let derive = |form: PointForm| -> Tried<Vec<u8>> {
        let other = form.write(&x, &y);
        let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), &other));
        let secret = seat.derived(&mechanism, key, &template)?;
        match seat.attribute(secret.handle, AttributeType::Value)? {
            Some(Attribute::Value(value)) if value.len() == length => Ok(value),
            _ => Err(odd("ECDH gave a secret of another length")),
        }
    };
    // The standard lets the caller choose; tokens differ.
    match derive(PointForm::Raw) {
        Err(trouble) if !trouble.is_lost() => derive(PointForm::Octets),
        found => found,
    }
}
