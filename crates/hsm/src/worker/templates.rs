//! The attributes that our objects are made with.

use super::public::params;
use super::raw::Template;
use crate::call::{KeyId, Owner};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::types::Ulong;
use keystead_model::{KeySpec, PublicExponent, Size};
use minicbor::{Decode, Encode};

/// CKA_LABEL of customers' keys begins so, their owner's id follows.
const KEY: &str = "keystead key";

/// CKA_LABEL of wrapping keys and of the canary: they are found by it.
pub(super) const WRAPPING: &str = "keystead wrapping key";
pub(super) const CANARY: &str = "keystead canary";

/// What a private or secret key is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// To sign, encrypt and decrypt.
    Work,
    /// A secret, for HMAC: another type of object.
    Mac,
    /// An RSA key, to unwrap what is imported.
    Unwrap,
    /// An EC key that is being imported, to find its public half.
    Derive,
}

impl Purpose {
    /// All of them.
    pub(super) const ALL: &[Self] = &[Self::Work, Self::Mac, Self::Unwrap, Self::Derive];
}

/// How long a private or secret key lives, and whether it may leave.
#[derive(Clone, Copy)]
pub(super) enum Life {
    /// With the session; it leaves once, wrapped.
    Birth,
    /// With the session; it never leaves.
    Session,
    /// In the token for good; it never leaves.
    Token(KeyId, Owner),
}

/// What a token takes to make an object harder to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Hardening {
    /// CKA_MODIFIABLE can be false.
    #[n(0)]
    pub(super) fixed: Fixed,
    /// CKA_COPYABLE can be false.
    #[n(1)]
    pub(super) single: bool,
    /// CKA_UNWRAP_TEMPLATE.
    #[n(2)]
    pub(super) unwraps: Unwraps,
    /// CKA_ALLOWED_MECHANISMS.
    #[n(3)]
    pub(super) allowed: bool,
}

/// When CKA_MODIFIABLE becomes false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Fixed {
    /// As soon as the object is made.
    #[n(0)]
    AtOnce,
    /// In a copy, after which the first one is destroyed.
    #[n(1)]
    ByCopy,
    /// Never.
    #[n(2)]
    Never,
}

/// What CKA_UNWRAP_TEMPLATE can demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Unwraps {
    /// That keys are sensitive, not extractable, and that nothing is derived from them.
    #[n(0)]
    NoDerive,
    /// That keys are sensitive and not extractable.
    #[n(1)]
    Sensitive,
    /// Nothing.
    #[n(2)]
    Anything,
}

impl Hardening {
    /// All of it.
    pub(super) const BEST: Self =
        Self { fixed: Fixed::AtOnce, single: true, unwraps: Unwraps::NoDerive, allowed: true };

    /// None of it.
    pub(super) const NONE: Self =
        Self { fixed: Fixed::Never, single: false, unwraps: Unwraps::Anything, allowed: false };

    /// Weaker and weaker, for tokens that do not take an attribute: what costs least goes first.
    pub(crate) fn candidates() -> Vec<Self> {
        let mut all = Vec::new();
        for unwraps in [Unwraps::NoDerive, Unwraps::Sensitive, Unwraps::Anything] {
            for fixed in [Fixed::AtOnce, Fixed::ByCopy, Fixed::Never] {
                for (single, allowed) in [(true, true), (true, false), (false, true), (false, false)] {
                    all.push(Self { fixed, single, unwraps, allowed });
                }
            }
        }
        all
    }

    /// A wrapping key's whole template. Nothing is wrapped or unwrapped with it but by the mechanisms that are named.
    pub(super) fn template<'a>(self, plain: &'a [Attribute], mechanisms: &'a [u64]) -> Template<'a> {
        let allowed = if self.allowed { mechanisms } else { &[] };
        Template { plain, unwrapped: self.unwraps.template(), allowed }
    }

    /// What an object is made with.
    fn attributes(self) -> Vec<Attribute> {
        match self.fixed {
            Fixed::AtOnce => [Attribute::Modifiable(false)]
                .into_iter()
                .chain(self.single.then_some(Attribute::Copyable(false)))
                .collect(),
            Fixed::ByCopy => Vec::new(),
            Fixed::Never => self.single.then_some(Attribute::Copyable(false)).into_iter().collect(),
        }
    }
}

impl Unwraps {
    pub(super) fn template(self) -> &'static [Attribute] {
        match self {
            Self::NoDerive => &[Attribute::Sensitive(true), Attribute::Extractable(false), Attribute::Derive(false)],
            Self::Sensitive => &[Attribute::Sensitive(true), Attribute::Extractable(false)],
            Self::Anything => &[],
        }
    }
}

/// A private or secret key.
pub(super) fn key(spec: KeySpec, purpose: Purpose, life: Life, hardening: Hardening) -> Vec<Attribute> {
    let mut all = match spec.size() {
        Size::Curve(_) | Size::Modulus(_) => vec![Attribute::Class(ObjectClass::PRIVATE_KEY)],
        Size::Secret(_) => vec![Attribute::Class(ObjectClass::SECRET_KEY)],
    };
    all.push(Attribute::KeyType(key_type(spec, purpose)));
    all.extend([Attribute::Private(true), Attribute::Sensitive(true)]);
    match life {
        Life::Birth => all.extend([Attribute::Token(false), Attribute::Extractable(true)]),
        Life::Session => all.extend([Attribute::Token(false), Attribute::Extractable(false)]),
        Life::Token(id, owner) => {
            all.extend([
                Attribute::Token(true),
                Attribute::Extractable(false),
                owned(owner),
                Attribute::Id(id.0.to_vec()),
            ]);
            all.extend(hardening.attributes());
        }
    }
    all.extend(rights(spec, purpose, matches!(life, Life::Token(..))));
    all
}

/// A resident RSA key may also unwrap, as who may decrypt with it could do the same: it is one object for all purposes.
fn rights(spec: KeySpec, purpose: Purpose, resident: bool) -> Vec<Attribute> {
    let work = purpose == Purpose::Work;
    match spec.size() {
        Size::Curve(_) => vec![
            Attribute::Sign(true),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(purpose == Purpose::Derive),
        ],
        Size::Modulus(_) => vec![
            Attribute::Sign(work),
            Attribute::Decrypt(work),
            Attribute::Unwrap(resident || purpose == Purpose::Unwrap),
            Attribute::Derive(false),
        ],
        Size::Secret(_) => secret(work, purpose == Purpose::Mac, false),
    }
}

fn secret(encrypts: bool, authenticates: bool, wraps: bool) -> Vec<Attribute> {
    vec![
        Attribute::Encrypt(encrypts),
        Attribute::Decrypt(encrypts),
        Attribute::Sign(authenticates),
        Attribute::Verify(authenticates),
        Attribute::Wrap(wraps),
        Attribute::Unwrap(wraps),
        Attribute::Derive(false),
    ]
}

/// The public half of a pair that is generated, for as long as the session lives.
pub(super) fn generated_public(spec: KeySpec, exponent: PublicExponent) -> Vec<Attribute> {
    let mut all = public_rights(spec);
    match spec.size() {
        Size::Curve(curve) => all.push(Attribute::EcParams(params(curve).to_vec())),
        Size::Modulus(bits) => {
            let exponent = exponent.get().to_be_bytes();
            all.push(Attribute::ModulusBits(Ulong::new(bits.into())));
            all.push(Attribute::PublicExponent(super::public::unsigned(&exponent).to_vec()));
        }
        Size::Secret(_) => {}
    }
    all
}

pub(super) fn public_rights(spec: KeySpec) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(key_type(spec, Purpose::Work)),
        Attribute::Token(false),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Encrypt(spec.curve().is_none()),
    ]
}

/// A wrapping key: a token object, or one of the self-test, which lives with the session. The attributes that it is
/// made with, and those that it gets by being copied, if it is.
pub(super) fn wrapping(id: Option<KeyId>, hardening: Hardening) -> (Vec<Attribute>, Option<Vec<Attribute>>) {
    let copied = hardening.fixed == Fixed::ByCopy;
    let mut made = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Token(id.is_some() && !copied),
        named(WRAPPING),
    ];
    made.extend(id.map(|id| Attribute::Id(id.0.to_vec())));
    made.extend(hardening.attributes());
    made.extend(secret(false, false, true));
    // In this order: some tokens change nothing more of an object that is not modifiable.
    let copy = copied.then(|| {
        let single = hardening.single.then_some(Attribute::Copyable(false));
        [Attribute::Token(id.is_some())].into_iter().chain(single).chain([Attribute::Modifiable(false)]).collect()
    });
    (made, copy)
}

/// The pair under which a wrapping key comes in: public, private.
pub(super) fn transfer(bits: u16) -> (Vec<Attribute>, Vec<Attribute>) {
    let class = |class| [Attribute::Class(class), Attribute::KeyType(KeyType::RSA), Attribute::Token(false)];
    let mut public = class(ObjectClass::PUBLIC_KEY).to_vec();
    public.extend([
        Attribute::Private(false),
        Attribute::Encrypt(true),
        Attribute::Wrap(true),
        Attribute::Verify(false),
        Attribute::ModulusBits(Ulong::new(bits.into())),
        Attribute::PublicExponent(vec![1, 0, 1]),
    ]);
    let mut private = class(ObjectClass::PRIVATE_KEY).to_vec();
    private.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Decrypt(false),
        Attribute::Sign(false),
        Attribute::Unwrap(true),
        Attribute::Derive(false),
    ]);
    (public, private)
}

/// A secret that is known outside, to be wrapped for the test of how that is done.
pub(super) fn known_secret() -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(true),
        Attribute::Sign(true),
        Attribute::Verify(true),
    ]
}

/// An object that a lost or cleared token has not, and the token at work has.
pub(super) fn canary(id: [u8; 16], stays: bool) -> Vec<Attribute> {
    let mut all = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(Ulong::new(16)),
        Attribute::Token(stays),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        named(CANARY),
        Attribute::Id(id.to_vec()),
    ];
    all.extend(secret(true, false, false));
    all
}

/// What finds this canary, wherever it lives.
pub(super) fn this_canary(id: &[u8]) -> Vec<Attribute> {
    vec![named(CANARY), Attribute::Id(id.to_vec())]
}

/// A key exchange key's public half: it wraps and does nothing else.
pub(super) fn exchange(n: &[u8], e: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Token(false),
        Attribute::Private(false),
        Attribute::Encrypt(false),
        Attribute::Verify(false),
        Attribute::Wrap(true),
        Attribute::Modulus(n.to_vec()),
        Attribute::PublicExponent(e.to_vec()),
    ]
}

/// The AES key between a key exchange key and a key that leaves: it wraps once, and leaves once under that.
pub(super) fn between() -> Vec<Attribute> {
    let mut all = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(Ulong::new(32)),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(true),
    ];
    all.extend(secret(false, false, true));
    all.retain(|attribute| !matches!(attribute, Attribute::Unwrap(_)));
    all.push(Attribute::Unwrap(false));
    all
}

/// What finds the keys of ours of this label.
pub(super) fn ours(label: &str) -> Vec<Attribute> {
    vec![Attribute::Token(true), named(label)]
}

/// What finds the keys of this owner's.
pub(super) fn of(owner: Owner) -> Vec<Attribute> {
    vec![Attribute::Token(true), owned(owner)]
}

/// What finds this resident private or secret key, whoever's it is.
pub(super) fn resident(spec: KeySpec, id: KeyId) -> Vec<Attribute> {
    vec![Attribute::Token(true), Attribute::Class(class(spec)), Attribute::Id(id.0.to_vec())]
}

/// What finds this private or secret key of ours.
pub(super) fn ours_with(label: &str, class: ObjectClass, id: KeyId) -> Vec<Attribute> {
    vec![Attribute::Token(true), named(label), Attribute::Class(class), Attribute::Id(id.0.to_vec())]
}

fn owned(owner: Owner) -> Attribute {
    named(&format!("{KEY} {:032x}", u128::from_be_bytes(owner.0)))
}

fn named(label: &str) -> Attribute {
    Attribute::Label(label.as_bytes().to_vec())
}

/// CKA_KEY_TYPE.
pub(super) const fn key_type(spec: KeySpec, purpose: Purpose) -> KeyType {
    match (spec.size(), purpose) {
        (Size::Curve(_), _) => KeyType::EC,
        (Size::Modulus(_), _) => KeyType::RSA,
        (Size::Secret(_), Purpose::Mac) => KeyType::GENERIC_SECRET,
        (Size::Secret(_), _) => KeyType::AES,
    }
}

/// CKO_ of the private or secret key.
pub(super) const fn class(spec: KeySpec) -> ObjectClass {
    match spec.size() {
        Size::Curve(_) | Size::Modulus(_) => ObjectClass::PRIVATE_KEY,
        Size::Secret(_) => ObjectClass::SECRET_KEY,
    }
}
