//! Brings bytes into the token as a key: they are encrypted to a pair that was made in it, and unwrapped there. So
//! wrapping keys come in, and so do secrets from outside, for tokens that take none in clear.

use super::raw::{Template, Way};
use super::rsa::Oaep;
use super::rv::{Tried, tolerated};
use super::seat::{Passing, Seat};
use super::templates;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{AttributeType, ObjectHandle};
use keystead_model::PublicKey;

/// A pair that lives as long as the session that made it.
pub(super) struct Porter {
    public: ObjectHandle,
    private: ObjectHandle,
    pub(super) oaep: Oaep,
}

impl Porter {
    /// Makes a pair with so many bits. It has OAEP with SHA-256 if the token has.
    pub(super) fn make(seat: &Seat, bits: u16) -> Tried<Option<Self>> {
        let (public, private) = templates::transfer(bits);
        let Some((public, private)) = tolerated(seat.pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private))? else {
            return Ok(None);
        };
        for oaep in [Oaep::Sha256, Oaep::Sha1] {
            let porter = Self { public: public.handle, private: private.handle, oaep };
            let template = templates::known_secret();
            if tolerated(porter.bring(seat, &[1; 16], Template { plain: &template, ..Template::default() }))?.is_some()
            {
                public.keep();
                private.keep();
                return Ok(Some(porter));
            }
        }
        Ok(None)
    }

    /// Its public half.
    pub(super) fn public(&self, seat: &Seat) -> Tried<PublicKey> {
        let attributes =
            seat.session.get_attributes(self.public, &[AttributeType::Modulus, AttributeType::PublicExponent])?;
        super::public::rsa(&attributes).ok_or_else(|| super::aes::odd("the token shows no public half"))
    }

    /// The bytes as a key with these attributes.
    pub(super) fn bring<'a>(&self, seat: &'a Seat, bytes: &[u8], template: Template<'_>) -> Tried<Passing<'a>> {
        let sealed = self.oaep.encrypt(seat, self.public, bytes)?;
        self.unwrap(seat, &sealed, template)
    }

    /// What was encrypted to its public half, as a key with these attributes.
    pub(super) fn unwrap<'a>(&self, seat: &'a Seat, sealed: &[u8], template: Template<'_>) -> Tried<Passing<'a>> {
        seat.unwrap(Way::Named(&self.oaep.mechanism()), self.private, sealed, template)
    }

    /// Destroys the pair.
    pub(super) fn destroy(self, seat: &Seat) -> Tried<()> {
        seat.session.destroy_object(self.private)?;
        Ok(seat.session.destroy_object(self.public)?)
    }
}
