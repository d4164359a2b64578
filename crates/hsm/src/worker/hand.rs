//! One session of a token, in the hands of one thread.

use super::making::kind;
use super::rv::{Class, Tried, Trouble};
use super::seat::Seat;
use super::token::Shared;
use super::using::Beside;
use crate::call::{Answer, Call, Destination, Held, Reply, Stored};
use crate::error::HsmError;
use std::sync::Arc;

/// Does what is asked, one call after the other.
pub struct Hand {
    /// Nothing only while it is dropped.
    seat: Option<Seat>,
    token: Arc<Shared>,
    /// In the middle of a call: if it is dropped so, its session is not used again.
    at_work: bool,
}

impl Hand {
    pub(super) fn new(seat: Seat, token: Arc<Shared>) -> Self {
        Self { seat: Some(seat), token, at_work: false }
    }

    /// Does it. After [`HsmError::Down`] the worker is of no use any more.
    pub fn work(&mut self, call: &Call) -> Answer {
        let Some(seat) = &self.seat else { return Err(HsmError::Failed { code: "no session".to_owned() }) };
        self.at_work = true;
        let mut tried = attempt(&self.token, seat, call);
        if matches!(&tried, Err(trouble) if trouble.class() == Class::Stale) {
            // Somebody destroyed an object; it is looked for once more.
            forget(&self.token, call);
            tried = attempt(&self.token, seat, call);
        }
        let answer = tried.map_err(|trouble| judged(&self.token, seat, call, trouble));
        self.token.opened.tidy(seat);
        self.at_work = false;
        answer
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.token.give_back(seat, self.at_work);
        }
    }
}

fn attempt(token: &Shared, seat: &Seat, call: &Call) -> Tried<Reply> {
    match call {
        Call::Describe => Ok(Reply::Description(Box::new(token.description.clone()))),
        Call::Check => token.check(seat).map(|()| Reply::Done),
        Call::HoldsWrapping(id) => token.holds_wrapping(seat, *id),
        Call::TransferKey => token.transfer_key(seat),
        Call::InstallWrapping { id, wrapped } => token.install_wrapping(seat, *id, wrapped),
        Call::Generate { id, spec, exponent, to } => token.generate(seat, *id, *spec, *exponent, *to),
        Call::Import { id, spec, parts, to } => token.import(seat, *id, *spec, parts, *to),
        Call::ImportWrapped { id, spec, kek, wrapped, to } => token.import_wrapped(seat, *id, *spec, kek, wrapped, *to),
        Call::Sign { key, algorithm, digest } => token.sign(seat, key, *algorithm, digest),
        Call::Encrypt { key, algorithm, data, iv, aad } => {
            token.encrypt(seat, key, *algorithm, data, &Beside { iv, tag: &[], aad })
        }
        Call::Decrypt { key, algorithm, data, iv, tag, aad } => {
            token.decrypt(seat, key, *algorithm, data, &Beside { iv, tag, aad })
        }
        Call::Random { count } => seat.random_vec(*count).map(Reply::Bytes),
        Call::Destroy(owner, id) => token.destroy(seat, *owner, *id),
        Call::Residents(owner) => token.residents(seat, *owner),
        Call::Locate(wanted) => token.locate(seat, wanted),
        Call::WrapOut { subject, kek, recipe } => token.wrap_out(seat, subject, kek, *recipe),
        Call::OwnedPublic(wanted) => token.owned_public(seat, wanted),
        Call::OwnedSign { key, digest } => token.owned_sign(seat, key, digest),
        Call::OwnedDecrypt { key, cipher } => token.owned_decrypt(seat, key, cipher),
        Call::TextKey(wanted) => Shared::text_key(seat, wanted),
        Call::SignText { key, message } => token.sign_text(seat, key, message),
    }
}

/// Forgets where the objects are that a call needs.
fn forget(token: &Shared, call: &Call) {
    let held = |held: &Held| {
        token.opened.forget(held.id);
        if let Stored::Wrapped { wrapping, .. } = &held.stored {
            token.opened.forget_wrapping(*wrapping);
        }
    };
    match call {
        Call::Sign { key, .. } | Call::Encrypt { key, .. } | Call::Decrypt { key, .. } => held(key),
        Call::ImportWrapped { kek, .. } => held(kek),
        _ => {}
    }
    match call {
        Call::Generate { to: Destination::Wrapped(wrapping), .. }
        | Call::Import { to: Destination::Wrapped(wrapping), .. }
        | Call::ImportWrapped { to: Destination::Wrapped(wrapping), .. } => token.opened.forget_wrapping(*wrapping),
        Call::HoldsWrapping(id) | Call::InstallWrapping { id, .. } => token.opened.forget_wrapping(*id),
        _ => {}
    }
}

/// What trouble is to the one who asked. If the code says nothing that could be relied on, the canary does.
fn judged(token: &Shared, seat: &Seat, call: &Call, trouble: Trouble) -> HsmError {
    let unsure = !matches!(trouble, Trouble::Told(_)) && matches!(trouble.class(), Class::Fatal | Class::Stale);
    if unsure && token.check(seat).is_err() {
        return HsmError::Down { why: trouble.name() };
    }
    trouble.told(&what(call))
}

/// What a call is about, in words.
fn what(call: &Call) -> String {
    match call {
        Call::Generate { spec, .. } | Call::Import { spec, .. } | Call::ImportWrapped { spec, .. } => kind(*spec),
        Call::Sign { algorithm, .. } => algorithm.wire().to_owned(),
        Call::Encrypt { algorithm, .. } | Call::Decrypt { algorithm, .. } => algorithm.wire().to_owned(),
        other => other.name().to_owned(),
    }
}
