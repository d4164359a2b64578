//! How the token wraps keys, and whether what it wraps it also unwraps.

use super::probe::Pair;
use super::{Abilities, attacks};
use crate::describe::WrapClass;
use crate::worker::public::Hash;
use crate::worker::quirks::Quirks;
use crate::worker::raw::{Template, Way};
use crate::worker::rv::{Tried, tolerated};
use crate::worker::seat::{Passing, Seat};
use crate::worker::templates::{self, Hardening, Life, Purpose};
use crate::worker::{aes, ec, rsa, wrapping};
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectHandle};
use keystead_model::{Curve, KeySpec, PublicExponent};

/// A wrapping key that is known, and therefore kept nowhere.
const WRAPPING: [u8; 32] = *b"@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_";

/// A secret of 20 bytes, which is no multiple of eight.
const ODD: [u8; 20] = *b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14";

/// It, wrapped: by RFC 5649; the same with zeros behind it.
const WRAPPED: [u8; 32] = *b"\x84\xcf\x84\x94\xa7\xa6\x63\xf5\x78\x4c\x2a\x1d\xec\xba\xb8\x1c\
    \x8d\x5e\x69\xf6\x50\x00\xcc\xf5\x3c\x00\x75\x57\x78\x5a\xb2\xd2";
const WRAPPED_WITH_ZEROS: [u8; 32] = *b"\x57\xba\x43\x8e\x25\xe1\x46\xaa\x76\xab\x12\x0c\x9d\x15\x24\x61\
    \xe5\x7a\xf1\xd3\xf6\xd1\xa0\x9c\x2a\xcd\xf4\x9f\xb9\x1f\x2e\xd7";

/// An AES key, and what it makes of sixteen zeros.
pub(super) const STORED: [u8; 32] = *b"`abcdefghijklmnopqrstuvwxyz{|}~\x7f";
const BLOCK: [u8; 16] = *b"\x79\x36\x0f\xe3\xbd\xfe\x0c\x08\x39\x7c\xe7\x65\x00\x6d\xaf\x36";

/// Finds class and number, and sends the attackers.
pub(super) fn run(
    seat: &Seat,
    quirks: &Quirks,
    candidates: &[Hardening],
    rsa: Option<Pair<'_>>,
    found: &mut Abilities,
) -> Tried<()> {
    for number in quirks.wraps() {
        let Some((hardening, wrapping)) = known_wrapping(seat, found, candidates, number)? else { continue };
        let Some(class) = tolerated(classify(seat, found, number, wrapping.handle))?.flatten() else { continue };
        let trial = Trial { seat, number, wrapping: wrapping.handle, hardening };
        let Some(secret) = tolerated(trial.stored(found))?.flatten() else { continue };
        let Some(pairs) = tolerated(trial.pairs(found, rsa.as_ref()))? else { continue };
        (found.class, found.wraps, found.hardening) = (class, Some(number), hardening);
        found.refusals.unwrap = trial.refusals(found, &secret)?;
        found.attacks = attacks::run(&trial, found, &secret, &pairs)?;
        return Ok(());
    }
    Ok(())
}

/// The known wrapping key, with as many of its protections as the token takes.
fn known_wrapping<'a>(
    seat: &'a Seat,
    found: &Abilities,
    candidates: &[Hardening],
    number: u64,
) -> Tried<Option<(Hardening, Passing<'a>)>> {
    let Some(porter) = &found.porter else { return Ok(None) };
    for hardening in candidates {
        let made = wrapping::made(seat, None, *hardening, number, |template| porter.bring(seat, &WRAPPING, template));
        if let Some(key) = tolerated(made)? {
            return Ok(Some((*hardening, key)));
        }
    }
    Ok(None)
}

fn classify(seat: &Seat, found: &Abilities, number: u64, wrapping: ObjectHandle) -> Tried<Option<WrapClass>> {
    let Some(porter) = &found.porter else { return Ok(None) };
    let template = templates::known_secret();
    let odd = porter.bring(seat, &ODD, Template { plain: &template, ..Template::default() })?;
    let wrapped = seat.wrap(number, wrapping, odd.handle)?;
    Ok(match wrapped.as_slice() {
        exact if exact == WRAPPED => Some(WrapClass::Kwp),
        zeros if zeros == WRAPPED_WITH_ZEROS => Some(WrapClass::KwpZeroExtended),
        _ => None,
    })
}

/// A wrapping key on trial.
pub(super) struct Trial<'a> {
    pub(super) seat: &'a Seat,
    pub(super) number: u64,
    pub(super) wrapping: ObjectHandle,
    pub(super) hardening: Hardening,
}

impl<'a> Trial<'a> {
    pub(super) fn unwrap(&self, blob: &[u8], plain: &[Attribute]) -> Tried<Passing<'a>> {
        let template = Template { plain, ..Template::default() };
        self.seat.unwrap(Way::Number(self.number), self.wrapping, blob, template)
    }

    /// The known AES key, wrapped; it comes out of it as itself.
    fn stored(&self, found: &Abilities) -> Tried<Option<Vec<u8>>> {
        let Some(porter) = &found.porter else { return Ok(None) };
        let template = |life| templates::key(KeySpec::Oct256, Purpose::Work, life, self.hardening);
        let birth = template(Life::Birth);
        let birth = porter.bring(self.seat, &STORED, Template { plain: &birth, ..Template::default() })?;
        let blob = self.seat.wrap(self.number, self.wrapping, birth.handle)?;
        drop(birth);
        let again = self.unwrap(&blob, &template(Life::Session))?;
        let block = aes::cbc_encrypt(self.seat, again.handle, [0; 16], &[0; 16])?;
        Ok((block == BLOCK).then_some(blob))
    }

    /// Key pairs of each kind that the token makes, wrapped; they come out as themselves.
    fn pairs(&self, found: &Abilities, rsa: Option<&Pair<'_>>) -> Tried<Vec<(KeySpec, Vec<u8>)>> {
        let (seat, digest) = (self.seat, [0x5a; 32]);
        let mut pairs = Vec::new();
        if found.keys.contains(&KeySpec::EcP256) {
            let public = templates::generated_public(KeySpec::EcP256, PublicExponent::default());
            let private = templates::key(KeySpec::EcP256, Purpose::Work, Life::Birth, self.hardening);
            let (public, private) = seat.pair(&Mechanism::EccKeyPairGen, &public, &private)?;
            let (again, blob) = self.again(KeySpec::EcP256, private.handle)?;
            let signature = ec::sign(seat, again.handle, Curve::P256, &digest)?;
            ec::verify(seat, public.handle, &digest, &signature)?;
            pairs.push((KeySpec::EcP256, blob));
        }
        if let Some((public, private)) = rsa {
            let (again, blob) = self.again(KeySpec::Rsa2048, private.handle)?;
            let signature = rsa::sign_pkcs1(seat, again.handle, Hash::Sha256, &digest)?;
            rsa::verify_pkcs1(seat, public.handle, Hash::Sha256, &digest, &signature)?;
            pairs.push((KeySpec::Rsa2048, blob));
        }
        Ok(pairs)
    }

    /// A private key out of its wrapping, and the wrapping.
    fn again(&self, spec: KeySpec, private: ObjectHandle) -> Tried<(Passing<'a>, Vec<u8>)> {
        let blob = self.seat.wrap(self.number, self.wrapping, private)?;
        let template = templates::key(spec, Purpose::Work, Life::Session, self.hardening);
        Ok((self.unwrap(&blob, &template)?, blob))
    }

    /// By which codes the token says that a blob is not what it wrapped, or not for this key.
    fn refusals(&self, found: &Abilities, stored: &[u8]) -> Tried<Vec<RvError>> {
        let template = templates::key(KeySpec::Oct256, Purpose::Work, Life::Session, self.hardening);
        let pair = templates::key(KeySpec::EcP256, Purpose::Work, Life::Session, self.hardening);
        let changed = |at: usize| {
            let mut blob = stored.to_vec();
            blob.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
            blob
        };
        let shorter = stored.get(..stored.len().saturating_sub(8)).unwrap_or_default().to_vec();
        let blobs = [(changed(0), &template), (changed(20), &template), (shorter, &template), (stored.to_vec(), &pair)];
        let mut tries: Vec<_> =
            blobs.into_iter().map(|(blob, template)| self.unwrap(&blob, template).map(drop)).collect();
        if let Some(porter) = &found.porter {
            let plain = Template { plain: &template, ..Template::default() };
            // Below every modulus, and padded for nothing.
            let sealed = [vec![1], vec![0; usize::from(super::PORTER_BITS / 8).saturating_sub(1)]].concat();
            tries.push(porter.unwrap(self.seat, &sealed, plain).map(drop));
        }
        let mut codes = Vec::new();
        for trouble in tries.into_iter().filter_map(Result::err) {
            match trouble.code() {
                _ if trouble.is_lost() => return Err(trouble),
                Some(code) if !codes.contains(&code) => codes.push(code),
                _ => {}
            }
        }
        Ok(codes)
    }
}
