//! What a worker finds out about its token before it works: how it wraps keys, what somebody with the PIN could do with
//! stored ones, and which algorithms it really has. It works on keys of its own, made as the real ones are, which live
//! with the session.

mod attacks;
mod found;
mod probe;
mod wraps;

pub(crate) use found::Found;

use super::mechanisms::Mechanisms;
use super::porter::Porter;
use super::quirks::Quirks;
use super::rv::{Class, Tried, Trouble};
use super::seat::Seat;
use super::templates::Hardening;
use crate::describe::{Attack, Native, WrapClass};
use cryptoki::error::RvError;
use cryptoki_sys::{CKF_UNWRAP, CKF_WRAP};
use keystead_model::{CipherAlgorithm, KeySpec, SignAlgorithm};

/// What was found: all that work with the token depends on.
pub(super) struct Abilities {
    pub(super) class: WrapClass,
    /// The number of RFC 5649, unless the class is none.
    pub(super) wraps: Option<u64>,
    /// What brings bytes in; it lives as long as the token is open.
    pub(super) porter: Option<Porter>,
    pub(super) hardening: Hardening,
    pub(super) refusals: Refusals,
    /// The number by which a caller's bytes are wrapped in one call: RFC 3394 and RFC 5649.
    pub(super) wraps_bytes: Option<u64>,
    pub(super) wraps_bytes_padded: Option<u64>,
    pub(super) own_nonce: bool,
    pub(super) attacks: Vec<Attack>,
    pub(super) keys: Vec<KeySpec>,
    pub(super) signs: Vec<(SignAlgorithm, Native)>,
    pub(super) ciphers: Vec<(CipherAlgorithm, Native)>,
}

/// The codes by which this token says that data are wrong: as good tokens use few of the standard's for it, and some
/// use those of a broken device, only what was seen counts.
#[derive(Default)]
pub(super) struct Refusals {
    pub(super) decrypt: Vec<RvError>,
    pub(super) unwrap: Vec<RvError>,
    /// Of RSAES-PKCS1-v1_5: none if the token has it not.
    pub(super) pkcs1: Option<Vec<RvError>>,
}

impl Refusals {
    /// Whether this is what the token says of what it cannot unwrap.
    pub(super) fn of_unwrapping(&self, trouble: &Trouble) -> bool {
        let sizes = [RvError::KeySizeRange, RvError::KeyTypeInconsistent];
        let of_these = |code| sizes.contains(&code) || self.unwrap.contains(&code);
        trouble.class() == Class::Data || trouble.code().is_some_and(of_these)
    }

    /// Whether this is what the token says of what it cannot decrypt.
    pub(super) fn of_decryption(&self, trouble: &Trouble) -> bool {
        trouble.class() == Class::Data || trouble.code().is_some_and(|code| self.decrypt.contains(&code))
    }
}

/// The test as a whole, with the first of the candidates for a wrapping key's protections that the token takes. An
/// error is that of a token that cannot be worked with at all.
pub(super) fn run(seat: &Seat, mechanisms: &Mechanisms, quirks: &Quirks, candidates: &[Hardening]) -> Tried<Abilities> {
    let found = once(seat, mechanisms, quirks, candidates)?;
    let should_wrap = quirks.wraps().into_iter().any(|number| mechanisms.can(number, CKF_WRAP | CKF_UNWRAP));
    // Without it no stored key opens: not believed of one bad moment.
    if found.class == WrapClass::None && should_wrap { once(seat, mechanisms, quirks, candidates) } else { Ok(found) }
}

fn once(seat: &Seat, mechanisms: &Mechanisms, quirks: &Quirks, candidates: &[Hardening]) -> Tried<Abilities> {
    let mut found = Abilities {
        class: WrapClass::None,
        wraps: None,
        porter: Porter::make(seat, PORTER_BITS)?,
        hardening: Hardening::BEST,
        refusals: Refusals::default(),
        wraps_bytes: None,
        wraps_bytes_padded: None,
        own_nonce: quirks.own_nonce(),
        attacks: Vec::new(),
        keys: Vec::new(),
        signs: Vec::new(),
        ciphers: Vec::new(),
    };
    let rsa = probe::run(seat, mechanisms, &mut found)?;
    wraps::run(seat, quirks, candidates, rsa, &mut found)?;
    Ok(found)
}

/// The same without the test, as an earlier worker found it: only the pair is the session's own.
pub(super) fn known(seat: &Seat, quirks: &Quirks, found: Found) -> Tried<Abilities> {
    Ok(found.again(Porter::make(seat, PORTER_BITS)?, quirks.own_nonce()))
}

/// Made at each start, so no larger than must be.
const PORTER_BITS: u16 = 2048;
