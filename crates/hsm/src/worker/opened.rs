//! Keys that are ready for use in the token: stored ones, unwrapped once and kept while there is room, and what was
//! found of those that live there. All sessions share them.
//!
//! An object is destroyed only when no thread works with it any more: a token may give its handle to the next object.

use super::aes::odd;
use super::public::{self, params};
use super::raw::{Template, Way};
use super::rsa15::Guard;
use super::rv::{Class, Tried, Trouble};
use super::seat::Seat;
use super::templates::{self, Hardening, Life, Purpose};
use super::token::Shared;
use crate::call::{Held, KeyId, Stored};
use crate::error::HsmError;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use keystead_model::{KeySpec, Size};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// How many keys are kept.
const ROOM: usize = 256;

/// A key that can be used.
pub(super) struct Key {
    pub(super) handle: ObjectHandle,
    /// What goes with it when it decrypts RSAES-PKCS1-v1_5.
    pub(super) rsa15: OnceLock<Guard>,
    /// What it was opened from: a row that says something else gets another key.
    stored: Stored,
}

#[derive(Default)]
pub(super) struct Opened(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    keys: HashMap<(KeyId, Purpose), (Arc<Key>, u64)>,
    wrapping: HashMap<KeyId, ObjectHandle>,
    /// The time of the last use, counted.
    now: u64,
    /// Unwrapped keys to be destroyed as soon as nobody uses them.
    old: Vec<Arc<Key>>,
}

impl Kept {
    fn find(&mut self, held: &Held, purpose: Purpose) -> Option<Arc<Key>> {
        self.now = self.now.wrapping_add(1);
        let (key, used) = self.keys.get_mut(&(held.id, purpose))?;
        *used = self.now;
        (key.stored == held.stored).then(|| Arc::clone(key))
    }

    fn keep(&mut self, id: KeyId, purpose: Purpose, key: &Arc<Key>) {
        self.now = self.now.wrapping_add(1);
        if let Some((before, _)) = self.keys.insert((id, purpose), (Arc::clone(key), self.now)) {
            self.old.push(before);
        }
        while self.keys.len() > ROOM {
            let oldest = self.keys.iter().min_by_key(|(_, (_, used))| *used).map(|(place, _)| *place);
            match oldest {
                Some(place) => self.forget(place),
                None => break,
            }
        }
    }

    fn forget(&mut self, place: (KeyId, Purpose)) {
        if let Some((key, _)) = self.keys.remove(&place) {
            self.old.push(key);
        }
    }
}

impl Opened {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a key in all its forms.
    pub(super) fn forget(&self, id: KeyId) {
        let mut kept = self.lock();
        for purpose in Purpose::ALL {
            kept.forget((id, *purpose));
        }
    }

    /// Forgets where a wrapping key is.
    pub(super) fn forget_wrapping(&self, id: KeyId) {
        self.lock().wrapping.remove(&id);
    }

    pub(super) fn wrapping(&self, id: KeyId) -> Option<ObjectHandle> {
        self.lock().wrapping.get(&id).copied()
    }

    pub(super) fn keep_wrapping(&self, id: KeyId, handle: ObjectHandle) {
        self.lock().wrapping.insert(id, handle);
    }

    /// Destroys what was put aside and is not in use.
    pub(super) fn tidy(&self, seat: &Seat) {
        let unused: Vec<_> = {
            let mut kept = self.lock();
            if kept.old.is_empty() {
                return;
            }
            let (unused, used) = std::mem::take(&mut kept.old).into_iter().partition(|key| Arc::strong_count(key) == 1);
            kept.old = used;
            unused
        };
        for key in unused {
            if matches!(key.stored, Stored::Wrapped { .. }) {
                // One that is gone already is as good.
                let _ = seat.session.destroy_object(key.handle);
            }
        }
    }

    /// Puts everything aside that was unwrapped: the token is full.
    fn clear(&self) {
        let mut kept = self.lock();
        let places: Vec<_> = kept.keys.keys().copied().collect();
        places.into_iter().for_each(|place| kept.forget(place));
    }
}

impl Shared {
    /// The key as an object that can be used.
    pub(super) fn key(&self, seat: &Seat, held: &Held, purpose: Purpose) -> Tried<Arc<Key>> {
        if let Some(key) = self.opened.lock().find(held, purpose) {
            return Ok(key);
        }
        let handle = match &held.stored {
            Stored::Resident => self.resident(seat, held)?,
            Stored::Wrapped { wrapping, blob } => {
                let wrapping = self.wrapping(seat, *wrapping)?;
                match self.unwrapped(seat, held.spec, purpose, wrapping, blob) {
                    Err(trouble) if trouble.class() == Class::Full => {
                        self.opened.clear();
                        self.opened.tidy(seat);
                        self.unwrapped(seat, held.spec, purpose, wrapping, blob)
                    }
                    unwrapped => unwrapped,
                }?
            }
        };
        let key = Arc::new(Key { handle, rsa15: OnceLock::new(), stored: held.stored.clone() });
        self.opened.lock().keep(held.id, purpose, &key);
        Ok(key)
    }

    fn resident(&self, seat: &Seat, held: &Held) -> Tried<ObjectHandle> {
        let wanted = templates::resident(held.spec, held.id);
        match seat.find(&wanted)?.as_slice() {
            [] => Err(HsmError::NoSuchKey.into()),
            [one] if is_of(seat, *one, held.spec)? => Ok(*one),
            [_] => Err(HsmError::Damaged.into()),
            _ => Err(odd("the token has two keys of one id")),
        }
    }

    fn unwrapped(
        &self,
        seat: &Seat,
        spec: KeySpec,
        purpose: Purpose,
        wrapping: ObjectHandle,
        blob: &[u8],
    ) -> Tried<ObjectHandle> {
        let Some(number) = self.abilities.wraps else { return Err(cannot_wrap()) };
        let plain = templates::key(spec, purpose, Life::Session, Hardening::BEST);
        let template = Template { plain: &plain, ..Template::default() };
        let unwrap = || seat.unwrap(Way::Number(number), wrapping, blob, template);
        let is_refusal = |trouble: &Trouble| self.abilities.refusals.of_unwrapping(trouble);
        // Twice: a code that says "damaged" on one day and not on the other says something else.
        let unwrapped = match unwrap() {
            Err(first) if is_refusal(&first) => {
                unwrap().map_err(|second| self.refused(seat, &first, second, HsmError::Damaged))
            }
            other => other,
        }?;
        let of_its_kind = match spec.size() {
            // A wrapped secret is as long as it must be, or is another's.
            Size::Secret(bits) => blob.len() == usize::from(bits / 8).saturating_add(8),
            _ => is_of(seat, unwrapped.handle, spec)?,
        };
        if of_its_kind { Ok(unwrapped.keep()) } else { Err(HsmError::Damaged.into()) }
    }
}

impl Shared {
    /// What it means that a token refused some data twice. Where its code is also that of a broken device, the canary
    /// must be there.
    pub(super) fn refused(&self, seat: &Seat, first: &Trouble, second: Trouble, means: HsmError) -> Trouble {
        if first.code() != second.code() {
            return second;
        }
        match (second.class(), self.check(seat)) {
            (Class::Fatal, Err(trouble)) => trouble,
            _ => means.into(),
        }
    }
}

pub(super) fn cannot_wrap() -> Trouble {
    HsmError::NotSupported { what: "placement `wrapped`, as it wraps no keys by RFC 5649".to_owned() }.into()
}

/// Whether a private or secret key is of this kind, as far as the token tells.
pub(super) fn is_of(seat: &Seat, key: ObjectHandle, spec: KeySpec) -> Tried<bool> {
    Ok(match spec.size() {
        Size::Curve(curve) => match seat.attribute(key, AttributeType::EcParams)? {
            Some(Attribute::EcParams(found)) => found == params(curve),
            _ => false,
        },
        Size::Modulus(bits) => match seat.attribute(key, AttributeType::Modulus)? {
            Some(Attribute::Modulus(n)) => public::bits(&n) == usize::from(bits),
            _ => false,
        },
        // SoftHSM2 does not know the length of what it unwrapped.
        Size::Secret(bits) => match seat.attribute(key, AttributeType::ValueLen)? {
            Some(Attribute::ValueLen(length)) if *length != 0 => *length == u64::from(bits / 8),
            _ => true,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::KeyId;

    /// Handles are made up: nothing here reaches a token.
    fn key(wrapping: u8) -> Arc<Key> {
        let stored = Stored::Wrapped { wrapping: KeyId([wrapping; 16]), blob: vec![wrapping] };
        Arc::new(Key { handle: crate::worker::raw::made_up(1), rsa15: OnceLock::new(), stored })
    }

    fn held(id: u8, wrapping: u8) -> Held {
        let id = KeyId([id; 16]);
        Held { id, spec: KeySpec::EcP256, stored: key(wrapping).stored.clone() }
    }

    #[test]
    fn the_key_that_was_not_used_longest_goes_first() {
        let mut kept = Kept::default();
        for id in 0..=255 {
            kept.keep(KeyId([id; 16]), Purpose::Work, &key(1));
        }
        assert!(kept.find(&held(0, 1), Purpose::Work).is_some());
        kept.keep(KeyId([0; 16]), Purpose::Mac, &key(1));
        assert_eq!(kept.keys.len(), ROOM);
        assert!(kept.find(&held(0, 1), Purpose::Work).is_some());
        assert!(kept.find(&held(1, 1), Purpose::Work).is_none());
        assert_eq!(kept.old.len(), 1);
    }

    #[test]
    fn a_row_that_says_something_else_gets_another_key() {
        let mut kept = Kept::default();
        kept.keep(KeyId([7; 16]), Purpose::Work, &key(1));
        assert!(kept.find(&held(7, 1), Purpose::Work).is_some());
        assert!(kept.find(&held(7, 2), Purpose::Work).is_none());
        assert!(kept.find(&held(7, 1), Purpose::Mac).is_none());
        kept.keep(KeyId([7; 16]), Purpose::Work, &key(2));
        assert!(kept.find(&held(7, 1), Purpose::Work).is_none());
        assert_eq!(kept.old.len(), 1);
    }
}
