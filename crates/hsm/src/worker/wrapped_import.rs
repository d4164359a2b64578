//! Keys that come in wrapped as CKM_RSA_AES_KEY_WRAP with SHA-1 does it: an AES key under RSAES-OAEP, and behind it the
//! key under RFC 5649. Both are unwrapped in the token, so the key never shows outside it.

use super::making::{Born, bad_key, encrypted, no_such_kind, proves};
use super::opened::is_of;
use super::public;
use super::raw::{Template, Way};
use super::rsa::{self, Oaep};
use super::rv::{Tried, Trouble};
use super::seat::{Passing, Seat};
use super::templates::{self, Life, Purpose};
use super::token::Shared;
use super::{aes, ec};
use crate::call::{Destination, Held, KeyId, Reply};
use crate::error::HsmError;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use keystead_model::{KeySpec, PublicKey, Size};

impl Shared {
    pub(super) fn import_wrapped(
        &self,
        seat: &Seat,
        id: KeyId,
        spec: KeySpec,
        kek: &Held,
        wrapped: &[u8],
        to: Destination,
    ) -> Tried<Reply> {
        let Size::Modulus(bits) = kek.spec.size() else { return Err(HsmError::BadKey.into()) };
        let Some(number) = self.abilities.wraps else { return Err(cannot()) };
        if !self.abilities.keys.contains(&spec) {
            return Err(no_such_kind(spec));
        }
        let Some((sealed, blob)) = wrapped.split_at_checked(usize::from(bits / 8)) else {
            return Err(HsmError::BadKey.into());
        };
        if let Size::Secret(bits) = spec.size()
            && blob.len() != usize::from(bits / 8).saturating_add(8)
        {
            return Err(HsmError::BadKey.into());
        }
        let kek = self.key(seat, kek, Purpose::Unwrap)?;
        let between = between(seat, kek.handle, sealed).map_err(|trouble| self.not_unwrapped(trouble))?;
        let inside = Inside { shared: self, seat, number, between: between.handle, blob, spec };
        let (public, shown) = inside.public()?;
        let born = self.born_to(id, to, |life, hardening| {
            let private = inside.unwrap(&templates::key(spec, Purpose::Work, life, hardening))?;
            let public = public.then(|| public_object(seat, &shown)).transpose()?;
            Ok(Born { public, private, shown: shown.clone() })
        })?;
        self.placed(seat, id, spec, born, to)
    }

    /// A token says in many ways that something does not unwrap.
    fn not_unwrapped(&self, trouble: Trouble) -> Trouble {
        if self.abilities.refusals.of_unwrapping(&trouble) { HsmError::BadKey.into() } else { trouble }
    }
}

fn cannot() -> Trouble {
    HsmError::NotSupported { what: "the import of wrapped keys, as it unwraps none by RFC 5649".to_owned() }.into()
}

/// The AES key between the key exchange key and the key.
fn between<'a>(seat: &'a Seat, kek: ObjectHandle, sealed: &[u8]) -> Tried<Passing<'a>> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(false),
        Attribute::Decrypt(false),
        Attribute::Wrap(false),
        Attribute::Unwrap(true),
        Attribute::Derive(false),
    ];
    let template = Template { plain: &template, ..Template::default() };
    seat.unwrap(Way::Named(&Oaep::Sha1.mechanism()), kek, sealed, template)
}

fn public_object<'a>(seat: &'a Seat, public: &PublicKey) -> Tried<Passing<'a>> {
    match public {
        PublicKey::Ec { curve, x, y } => ec::object(seat, *curve, x, y),
        PublicKey::Rsa { n, e } => rsa::object(seat, n, e),
        PublicKey::Symmetric => Err(aes::odd("a secret has no public half")),
    }
}

/// The key in its wrapping.
struct Inside<'a> {
    shared: &'a Shared,
    seat: &'a Seat,
    number: u64,
    between: ObjectHandle,
    blob: &'a [u8],
    spec: KeySpec,
}

impl<'a> Inside<'a> {
    fn unwrap(&self, plain: &[Attribute]) -> Tried<Passing<'a>> {
        let template = Template { plain, ..Template::default() };
        let unwrapped = self.seat.unwrap(Way::Number(self.number), self.between, self.blob, template);
        unwrapped.map_err(|trouble| self.shared.not_unwrapped(trouble))
    }

    /// Its public half, if it has one, proven by a signature; and that it is of the kind that was named.
    fn public(&self) -> Tried<(bool, PublicKey)> {
        let purpose = if self.spec.curve().is_some() { Purpose::Derive } else { Purpose::Work };
        let hardening = self.shared.abilities.hardening;
        let key = self.unwrap(&templates::key(self.spec, purpose, Life::Session, hardening))?;
        let (seat, handle) = (self.seat, key.handle);
        if !is_of(seat, handle, self.spec)? {
            return Err(HsmError::BadKey.into());
        }
        let shown = match self.spec.size() {
            // Only a key of a length that AES has does it.
            Size::Secret(_) => {
                encrypted(seat, handle).map_err(bad_key)?;
                return Ok((false, PublicKey::Symmetric));
            }
            Size::Curve(curve) => ec::found(seat, handle, curve)?,
            Size::Modulus(_) => {
                let numbers = [AttributeType::Modulus, AttributeType::PublicExponent];
                let numbers = seat.session.get_attributes(handle, &numbers)?;
                let shown = public::rsa(&numbers).ok_or_else(|| aes::odd("the token shows no public half"))?;
                // Tokens take exponent 1, too, with which everybody signs. Its primes only the token sees.
                if !public::has_exponent(&shown) {
                    return Err(HsmError::BadKey.into());
                }
                shown
            }
        };
        let public = public_object(seat, &shown).map_err(bad_key)?;
        proves(seat, self.spec, public.handle, handle).map_err(bad_key)?;
        Ok((true, shown))
    }
}
