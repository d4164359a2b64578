//! Keys of the token's owner that leave it for a vault, as CKM_RSA_AES_KEY_WRAP with SHA-1 wraps them: by that
//! mechanism, or by RSAES-OAEP over an AES key that is made in the token, and RFC 5649 under that. Neither the key nor
//! the AES key shows outside. Whatever is made for it is destroyed, also where a step fails.

use super::aes;
use super::making::encrypted;
use super::public::{self, params};
use super::raw::Way;
use super::rsa::Oaep;
use super::rv::{Tried, Trouble};
use super::seat::{Passing, Seat};
use super::templates::{self, Life, Purpose};
use super::token::Shared;
use super::{ec, mechanisms};
use crate::call::Reply;
use crate::export::{NotExported, Padded, Recipe, Step, Subject, Wanted, hexadecimal};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use cryptoki_sys::{CKF_WRAP, CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD, CKM_RSA_AES_KEY_WRAP, CKM_RSA_PKCS_OAEP};
use keystead_model::{Curve, KeySpec, PublicExponent, PublicKey, Size};

impl Shared {
    /// What the key is, and the ways in which it might leave, the likeliest first. The key is not used.
    pub(super) fn locate(&self, seat: &Seat, wanted: &Wanted) -> Tried<Reply> {
        let key = found(seat, wanted, KEYS)?;
        let spec = kind(seat, key)?;
        may_leave(seat, key)?;
        let id = id_of(seat, key)?;
        Ok(Reply::Located { spec, id, recipes: self.recipes()? })
    }

    /// Wraps a key for a key exchange key.
    pub(super) fn wrap_out(&self, seat: &Seat, subject: &Subject, kek: &PublicKey, recipe: Recipe) -> Tried<Reply> {
        match subject {
            Subject::Trial(spec) => {
                let trial = trial(seat, *spec).map_err(at(Step::Trial))?;
                let wrapped = self.wrapped(seat, trial.key.handle, kek, recipe);
                let (public, check) = (trial.shown.clone(), trial.check.clone());
                trial.destroy()?;
                Ok(Reply::WrappedOut { spec: *spec, wrapped: wrapped?, public, check })
            }
            Subject::Own(wanted) => {
                let key = found(seat, wanted, KEYS)?;
                let spec = kind(seat, key)?;
                may_leave(seat, key)?;
                let wrapped = self.wrapped(seat, key, kek, recipe)?;
                Ok(Reply::WrappedOut { spec, wrapped, public: PublicKey::Symmetric, check: Vec::new() })
            }
        }
    }

    fn recipes(&self) -> Tried<Vec<Recipe>> {
        let wraps = |number| self.mechanisms.can(number, CKF_WRAP);
        let mut all = Vec::new();
        if wraps(CKM_RSA_AES_KEY_WRAP) {
            all.push(Recipe::Whole);
        }
        let mut padded = vec![Padded::Vendor, Padded::Kwp, Padded::Pad];
        padded.retain(|padded| self.number(*padded).is_some_and(wraps));
        // What the self-test saw work is likeliest to be right.
        padded.sort_by_key(|padded| self.number(*padded) != self.abilities.wraps);
        if wraps(CKM_RSA_PKCS_OAEP) {
            all.extend(padded.iter().copied().map(Recipe::Composed));
        }
        if !all.is_empty() {
            return Ok(all);
        }
        let mut lacks = vec![mechanisms::name(CKM_RSA_AES_KEY_WRAP)];
        if !wraps(CKM_RSA_PKCS_OAEP) {
            lacks.push(mechanisms::name(CKM_RSA_PKCS_OAEP));
        }
        if padded.is_empty() {
            lacks.push("AES key wrap with padding (RFC 5649)".to_owned());
        }
        Err(no(NotExported::Lacks { lacks: lacks.join(", nor with ") }))
    }

    fn number(&self, padded: Padded) -> Option<u64> {
        match padded {
            Padded::Kwp => Some(CKM_AES_KEY_WRAP_KWP),
            Padded::Pad => Some(CKM_AES_KEY_WRAP_PAD),
            Padded::Vendor => self.quirks.own_wraps(),
        }
    }

    fn wrapped(&self, seat: &Seat, key: ObjectHandle, kek: &PublicKey, recipe: Recipe) -> Tried<Vec<u8>> {
        let kek = taken_in(seat, kek).map_err(at(Step::Kek))?;
        let wrapped = match recipe {
            Recipe::Whole => {
                let whole = seat.library.functions.wrap_rsa_aes(&seat.session, kek.handle, key);
                whole.map_err(Trouble::from).map_err(at(Step::Whole))
            }
            Recipe::Composed(padded) => self.composed(seat, key, kek.handle, padded),
        };
        kek.destroy().map_err(at(Step::Destroy))?;
        wrapped
    }

    fn composed(&self, seat: &Seat, key: ObjectHandle, kek: ObjectHandle, padded: Padded) -> Tried<Vec<u8>> {
        let number = self.number(padded).ok_or_else(|| no(NotExported::Lacks { lacks: padded.to_string() }))?;
        let between = seat.generate(&Mechanism::AesKeyGen, &templates::between()).map_err(at(Step::Between))?;
        let under_it = seat.wrap(number, between.handle, key).map_err(at(Step::Key(padded)));
        let sealed = under_it.and_then(|blob| {
            let way = Oaep::Sha1.mechanism();
            let sealed = seat.library.functions.wrap(&seat.session, Way::Named(&way), kek, between.handle);
            sealed.map(|sealed| [sealed, blob].concat()).map_err(Trouble::from).map_err(at(Step::Oaep))
        });
        // Until it is gone it may leave.
        between.destroy().map_err(at(Step::Destroy))?;
        sealed
    }
}

fn no(why: NotExported) -> Trouble {
    Trouble::Told(why.into())
}

/// Names the step, unless the worker is of no use any more.
fn at(step: Step) -> impl Fn(Trouble) -> Trouble {
    move |trouble| match trouble {
        lost if lost.is_lost() => lost,
        trouble => no(NotExported::Step { step, why: trouble.name() }),
    }
}

/// What leaves.
const KEYS: &[ObjectClass] = &[ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY];

/// The one key of these classes.
pub(super) fn found(seat: &Seat, wanted: &Wanted, classes: &[ObjectClass]) -> Tried<ObjectHandle> {
    let mut all = Vec::new();
    for class in classes {
        let mut template = vec![Attribute::Token(true), Attribute::Class(*class)];
        template.extend(wanted.label.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
        template.extend(wanted.id.as_ref().map(|id| Attribute::Id(id.clone())));
        all.extend(seat.find(&template)?);
    }
    match all.as_slice() {
        [] => Err(no(NotExported::NotFound { wanted: wanted.to_string() })),
        [one] => Ok(*one),
        several => {
            let ids: Vec<_> = several.iter().map(|key| id_of(seat, *key)).collect::<Tried<_>>()?;
            let shown = |id: &Vec<u8>| if id.is_empty() { "none".to_owned() } else { hexadecimal(id) };
            let ids = ids.iter().map(shown).collect::<Vec<_>>().join(", ");
            Err(no(NotExported::Several { wanted: wanted.to_string(), ids }))
        }
    }
}

fn id_of(seat: &Seat, key: ObjectHandle) -> Tried<Vec<u8>> {
    Ok(match seat.attribute(key, AttributeType::Id)? {
        Some(Attribute::Id(id)) => id,
        _ => Vec::new(),
    })
}

/// What kind of key it is. A token that does not know how long an AES key is (SoftHSM2, of one that it unwrapped) is
/// believed to have 256 bits: the length of what is wrapped shows it.
fn kind(seat: &Seat, key: ObjectHandle) -> Tried<KeySpec> {
    let Some(Attribute::KeyType(type_)) = seat.attribute(key, AttributeType::KeyType)? else {
        return Err(no(NotExported::Kind { kind: "of a kind that the token does not tell".to_owned() }));
    };
    let (spec, kind) = match type_ {
        KeyType::RSA => {
            let bits = match seat.attribute(key, AttributeType::Modulus)? {
                Some(Attribute::Modulus(n)) => public::bits(&n),
                _ => 0,
            };
            let spec = u16::try_from(bits).ok().and_then(|bits| KeySpec::of_size(Size::Modulus(bits)));
            (spec, format!("RSA of {bits} bits"))
        }
        KeyType::EC => {
            let curve = match seat.attribute(key, AttributeType::EcParams)? {
                Some(Attribute::EcParams(found)) => Curve::ALL.iter().copied().find(|curve| params(*curve) == found),
                _ => None,
            };
            (curve.and_then(|curve| KeySpec::of_size(Size::Curve(curve))), "EC on another curve".to_owned())
        }
        KeyType::AES => {
            let bits = match seat.attribute(key, AttributeType::ValueLen)? {
                Some(Attribute::ValueLen(length)) if *length != 0 => length.saturating_mul(8),
                _ => 256,
            };
            let spec = u16::try_from(bits).ok().and_then(|bits| KeySpec::of_size(Size::Secret(bits)));
            (spec, format!("AES of {bits} bits"))
        }
        other => (None, format!("of type {other}")),
    };
    spec.ok_or_else(|| no(NotExported::Kind { kind }))
}

fn may_leave(seat: &Seat, key: ObjectHandle) -> Tried<()> {
    if seat.attribute(key, AttributeType::Extractable)? == Some(Attribute::Extractable(false)) {
        return Err(no(NotExported::NotExtractable));
    }
    if seat.attribute(key, AttributeType::WrapWithTrusted)? == Some(Attribute::WrapWithTrusted(true)) {
        return Err(no(NotExported::TrustedOnly));
    }
    Ok(())
}

/// A public key that wraps, for as long as it is needed.
fn taken_in<'a>(seat: &'a Seat, kek: &PublicKey) -> Tried<Passing<'a>> {
    let PublicKey::Rsa { n, e } = kek else { return Err(aes::odd("no RSA key")) };
    seat.create(&templates::exchange(n, e))
}

/// A throw-away key, and what it is known by.
struct Trial<'a> {
    key: Passing<'a>,
    public: Option<Passing<'a>>,
    shown: PublicKey,
    /// What a symmetric key makes of a block of zeros.
    check: Vec<u8>,
}

impl Trial<'_> {
    fn destroy(self) -> Tried<()> {
        let gone = [Some(self.key), self.public].into_iter().flatten().map(Passing::destroy);
        gone.fold(Ok(()), Result::and).map_err(at(Step::Destroy))
    }
}

fn trial(seat: &Seat, spec: KeySpec) -> Tried<Trial<'_>> {
    let mut private = templates::key(spec, Purpose::Work, Life::Birth, templates::Hardening::NONE);
    let public = templates::generated_public(spec, PublicExponent::default());
    match spec.size() {
        Size::Secret(bits) => {
            private.push(Attribute::ValueLen(Ulong::new(u64::from(bits / 8))));
            let key = seat.generate(&Mechanism::AesKeyGen, &private)?;
            let check = encrypted(seat, key.handle)?;
            Ok(Trial { key, public: None, shown: PublicKey::Symmetric, check })
        }
        Size::Curve(curve) => {
            let (public, key) = seat.pair(&Mechanism::EccKeyPairGen, &public, &private)?;
            let shown = ec::public_of(seat, public.handle, curve)?;
            Ok(Trial { key, public: Some(public), shown, check: Vec::new() })
        }
        Size::Modulus(_) => {
            let (public, key) = seat.pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)?;
            let numbers = [AttributeType::Modulus, AttributeType::PublicExponent];
            let shown = public::rsa(&seat.session.get_attributes(public.handle, &numbers)?);
            let shown = shown.ok_or_else(|| aes::odd("the token shows no public half"))?;
            Ok(Trial { key, public: Some(public), shown, check: Vec::new() })
        }
    }
}
