//! Wrapping keys: how they come into a token, and how they are known again.

use super::opened::cannot_wrap;
use super::porter::Porter;
use super::raw::{Template, Way};
use super::rv::{Class, Tried, Trouble, tolerated};
use super::seat::{Passing, Seat};
use super::templates::{self, Hardening, Life, Purpose, Unwraps};
use super::token::Shared;
use crate::call::{IDENTIFYING, KeyId, Reply};
use crate::error::HsmError;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use keystead_model::KeySpec;
use std::sync::PoisonError;

/// Bits of the transfer key.
const TRANSFER_BITS: u16 = 3072;

impl Shared {
    /// The wrapping key of this id. An object that has the id and does not make it is somebody else's.
    pub(super) fn wrapping(&self, seat: &Seat, id: KeyId) -> Tried<ObjectHandle> {
        if let Some(handle) = self.opened.wrapping(id) {
            return Ok(handle);
        }
        for found in seat.find(&templates::ours_with(templates::WRAPPING, ObjectClass::SECRET_KEY, id))? {
            if tolerated(self.makes(seat, found, id))? == Some(true) {
                self.opened.keep_wrapping(id, found);
                return Ok(found);
            }
            tracing::warn!("a key in the token has the id of a wrapping key and is another");
        }
        Err(HsmError::NoWrappingKey.into())
    }

    /// Whether a wrapping key makes this id.
    fn makes(&self, seat: &Seat, key: ObjectHandle, id: KeyId) -> Tried<bool> {
        let (Some(number), Some(porter)) = (self.abilities.wraps, &self.abilities.porter) else {
            return Err(cannot_wrap());
        };
        let template = templates::known_secret();
        let known = porter.bring(seat, &IDENTIFYING, Template { plain: &template, ..Template::default() })?;
        let wrapped = seat.wrap(number, key, known.handle)?;
        Ok(wrapped.get(8..) == Some(id.0.as_slice()))
    }

    pub(super) fn holds_wrapping(&self, seat: &Seat, id: KeyId) -> Tried<Reply> {
        match self.wrapping(seat, id) {
            Ok(_) => Ok(Reply::Holds(true)),
            Err(Trouble::Told(HsmError::NoWrappingKey)) => Ok(Reply::Holds(false)),
            Err(trouble) => Err(trouble),
        }
    }

    /// A new transfer key; the one before is destroyed.
    pub(super) fn transfer_key(&self, seat: &Seat) -> Tried<Reply> {
        let mut place = self.transfer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = place.take() {
            before.destroy(seat)?;
        }
        let made = Porter::make(seat, TRANSFER_BITS)?;
        let porter = made.ok_or_else(|| HsmError::NotSupported { what: "RSA-OAEP to unwrap keys".to_owned() })?;
        let reply = Reply::Transfer { public: porter.public(seat)?, sha256: porter.oaep == super::rsa::Oaep::Sha256 };
        *place = Some(porter);
        Ok(reply)
    }

    /// Takes a wrapping key in. The transfer key is used up, however it ends.
    pub(super) fn install_wrapping(&self, seat: &Seat, id: KeyId, wrapped: &[u8]) -> Tried<Reply> {
        let Some(number) = self.abilities.wraps else { return Err(cannot_wrap()) };
        let transfer = self.transfer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(transfer) = transfer else { return Err(HsmError::BadKey.into()) };
        self.opened.forget_wrapping(id);
        if self.wrapping(seat, id).is_ok() {
            transfer.destroy(seat)?;
            return Ok(Reply::Done);
        }
        let hardening = self.abilities.hardening;
        let key = made(seat, Some(id), hardening, number, |template| transfer.unwrap(seat, wrapped, template));
        transfer.destroy(seat)?;
        let key = key.map_err(|trouble| match trouble.class() {
            Class::Data | Class::Caller | Class::Fatal => HsmError::BadKey.into(),
            _ => trouble,
        })?;
        if tolerated(self.makes(seat, key.handle, id))? != Some(true) {
            return Err(HsmError::BadKey.into());
        }
        self.reads_back(seat, key.handle, id)?;
        self.refuses_to_show(seat, key.handle)?;
        self.opened.keep_wrapping(id, key.keep());
        Ok(Reply::Done)
    }

    /// Every attribute is as it was asked for.
    fn reads_back(&self, seat: &Seat, key: ObjectHandle, id: KeyId) -> Tried<()> {
        let (mut asked, copied) = templates::wrapping(Some(id), self.abilities.hardening);
        for attribute in copied.into_iter().flatten() {
            asked.retain(|before| before.attribute_type() != attribute.attribute_type());
            asked.push(attribute);
        }
        for attribute in asked {
            let name = attribute.attribute_type();
            if seat.attribute(key, name)?.as_ref() != Some(&attribute) {
                return Err(weaker(&format!("{name}")));
            }
        }
        let number = self.abilities.wraps.into_iter();
        let allowed = || seat.library.functions.allowed(&seat.session, key);
        if self.abilities.hardening.allowed && !allowed()?.into_iter().eq(number) {
            return Err(weaker("CKA_ALLOWED_MECHANISMS"));
        }
        Ok(())
    }

    /// The unwrap template, which does not read back in the same way from all tokens, does what it is for.
    fn refuses_to_show(&self, seat: &Seat, key: ObjectHandle) -> Tried<()> {
        let Some(number) = self.abilities.wraps else { return Err(cannot_wrap()) };
        if self.abilities.hardening.unwraps == Unwraps::Anything {
            return Ok(());
        }
        let hardening = self.abilities.hardening;
        let mut birth = templates::key(KeySpec::Oct256, Purpose::Work, Life::Birth, hardening);
        birth.push(Attribute::ValueLen(32.into()));
        let secret = seat.generate(&cryptoki::mechanism::Mechanism::AesKeyGen, &birth)?;
        let blob = seat.wrap(number, key, secret.handle)?;
        for shown in [Attribute::Extractable(true), Attribute::Sensitive(false)] {
            let mut template = templates::key(KeySpec::Oct256, Purpose::Work, Life::Session, hardening);
            template.retain(|attribute| attribute.attribute_type() != shown.attribute_type());
            template.push(shown.clone());
            let plain = Template { plain: &template, ..Template::default() };
            if let Some(key) = tolerated(seat.unwrap(Way::Number(number), key, &blob, plain))?
                && seat.attribute(key.handle, shown.attribute_type())?.as_ref() == Some(&shown)
            {
                return Err(weaker("CKA_UNWRAP_TEMPLATE"));
            }
        }
        Ok(())
    }
}

/// Makes a wrapping key out of whatever brings it in, with all its protections.
pub(super) fn made<'a>(
    seat: &'a Seat,
    id: Option<KeyId>,
    hardening: Hardening,
    number: u64,
    bring: impl Fn(Template<'_>) -> Tried<Passing<'a>>,
) -> Tried<Passing<'a>> {
    let (plain, copy) = templates::wrapping(id, hardening);
    let key = bring(hardening.template(&plain, &[number]))?;
    match copy {
        Some(copy) => seat.copy(key.handle, Template { plain: &copy, ..Template::default() }),
        None => Ok(key),
    }
}

fn weaker(attribute: &str) -> Trouble {
    Trouble::Told(HsmError::Failed {
        code: format!("{attribute} of the wrapping key, which is not as it was asked for"),
    })
}
