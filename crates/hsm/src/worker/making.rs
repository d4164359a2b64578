//! Keys that are made in the token, and keys that come in clear. What is stored of a key is opened and tried before it
//! is given out: nothing is kept that would not come back.

use super::aes::{self, BLOCK};
use super::opened::cannot_wrap;
use super::public::{self, Hash, params};
use super::raw::Template;
use super::rv::{Class, Tried, Trouble};
use super::seat::{Passing, Seat};
use super::templates::{self, Fixed, Hardening, Life, Purpose};
use super::token::Shared;
use super::{ec, rsa};
use crate::call::{Destination, Held, KeyId, Owner, Parts, Reply, Stored};
use crate::error::HsmError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::types::Ulong;
use keystead_model::{Curve, KeySpec, PublicExponent, PublicKey, Size};

/// A key that is in the token and not yet where it is to be.
pub(super) struct Born<'a> {
    /// A public key object, if the key has a public half.
    pub(super) public: Option<Passing<'a>>,
    pub(super) private: Passing<'a>,
    pub(super) shown: PublicKey,
}

impl Shared {
    pub(super) fn generate(
        &self,
        seat: &Seat,
        id: KeyId,
        spec: KeySpec,
        exponent: PublicExponent,
        to: Destination,
    ) -> Tried<Reply> {
        if !self.abilities.keys.contains(&spec) {
            return Err(no_such_kind(spec));
        }
        self.born_to(id, to, |life, hardening| {
            let mut private = templates::key(spec, Purpose::Work, life, hardening);
            let public = templates::generated_public(spec, exponent);
            match spec.size() {
                Size::Secret(bits) => {
                    private.push(Attribute::ValueLen(Ulong::new(u64::from(bits / 8))));
                    let private = seat.generate(&Mechanism::AesKeyGen, &private)?;
                    Ok(Born { public: None, private, shown: PublicKey::Symmetric })
                }
                Size::Curve(curve) => {
                    let (public, private) = seat.pair(&Mechanism::EccKeyPairGen, &public, &private)?;
                    let shown = ec::public_of(seat, public.handle, curve)?;
                    Ok(Born { public: Some(public), private, shown })
                }
                Size::Modulus(_) => {
                    let (public, private) = seat.pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)?;
                    let numbers = [AttributeType::Modulus, AttributeType::PublicExponent];
                    let shown = public::rsa(&seat.session.get_attributes(public.handle, &numbers)?);
                    let shown = shown.ok_or_else(|| aes::odd("the token shows no public half"))?;
                    Ok(Born { public: Some(public), private, shown })
                }
            }
        })
        .and_then(|born| self.placed(seat, id, spec, born, to))
    }

    pub(super) fn import(&self, seat: &Seat, id: KeyId, spec: KeySpec, parts: &Parts, to: Destination) -> Tried<Reply> {
        let born = self.born_to(id, to, |life, hardening| {
            let private = templates::key(spec, Purpose::Work, life, hardening);
            match (spec.size(), parts) {
                (Size::Curve(curve), Parts::Ec { d, x, y }) => imported_ec(seat, private, curve, d, x, y),
                (Size::Modulus(bits), Parts::Rsa(numbers)) => imported_rsa(seat, private, bits, numbers),
                (Size::Secret(bits), Parts::Oct(bytes)) if bytes.len() == usize::from(bits / 8) => {
                    let private = match &self.abilities.porter {
                        Some(porter) => {
                            porter.bring(seat, bytes, Template { plain: &private, ..Template::default() })?
                        }
                        None => seat.create(&[private, vec![Attribute::Value(bytes.to_vec())]].concat())?,
                    };
                    Ok(Born { public: None, private, shown: PublicKey::Symmetric })
                }
                _ => Err(HsmError::BadKey.into()),
            }
        })?;
        // Numbers of different keys are found out by their signature.
        let proven =
            born.public.as_ref().map_or(Ok(()), |public| proves(seat, spec, public.handle, born.private.handle));
        proven.map_err(bad_key)?;
        self.placed(seat, id, spec, born, to)
    }

    /// Made with the attributes that the destination asks for: with all protections, or with those that the token
    /// takes.
    pub(super) fn born_to<'a>(
        &self,
        id: KeyId,
        to: Destination,
        make: impl Fn(Life, Hardening) -> Tried<Born<'a>>,
    ) -> Tried<Born<'a>> {
        let best = self.abilities.hardening;
        let Destination::Resident(owner) = to else { return make(Life::Birth, best) };
        let tried = |fixed, single| make(Life::Token(id, owner), Hardening { fixed, single, ..best });
        let mut made = tried(Fixed::AtOnce, true);
        for single in [true, false] {
            match made {
                Err(trouble) if is_refusal(&trouble) => made = tried(Fixed::Never, single),
                other => return other,
            }
        }
        made
    }

    /// Brings a key to its place, and proves that it is there.
    pub(super) fn placed(
        &self,
        seat: &Seat,
        id: KeyId,
        spec: KeySpec,
        born: Born<'_>,
        to: Destination,
    ) -> Tried<Reply> {
        let Born { public, private, shown } = born;
        let stored = match to {
            Destination::Resident(_) => Stored::Resident,
            Destination::Wrapped(wrapping) => {
                let number = self.abilities.wraps.ok_or_else(cannot_wrap)?;
                let blob = seat.wrap(number, self.wrapping(seat, wrapping)?, private.handle)?;
                Stored::Wrapped { wrapping, blob }
            }
        };
        let held = Held { id, spec, stored };
        match (&public, to) {
            (Some(public), Destination::Resident(_)) => proves(seat, spec, public.handle, private.handle)?,
            (Some(public), Destination::Wrapped(_)) => {
                let again = self.key(seat, &held, Purpose::Work)?;
                proves(seat, spec, public.handle, again.handle)?;
            }
            (None, Destination::Resident(_)) => {
                encrypted(seat, private.handle)?;
            }
            (None, Destination::Wrapped(_)) => {
                let again = self.key(seat, &held, Purpose::Work)?;
                if encrypted(seat, private.handle)? != encrypted(seat, again.handle)? {
                    return Err(aes::odd("the token wrapped another key than it was told to"));
                }
            }
        }
        match to {
            Destination::Resident(_) => {
                private.keep();
            }
            // It must be gone: until then it may leave.
            Destination::Wrapped(_) => private.destroy()?,
        }
        Ok(Reply::Made { public: shown, stored: held.stored })
    }

    /// Destroys a key of this owner's, and whatever else of his has its id. All other objects have other labels.
    pub(super) fn destroy(&self, seat: &Seat, owner: Owner, id: KeyId) -> Tried<Reply> {
        self.opened.forget(id);
        let mut wanted = templates::of(owner);
        wanted.push(Attribute::Id(id.0.to_vec()));
        for found in seat.find(&wanted)? {
            seat.session.destroy_object(found)?;
        }
        Ok(Reply::Done)
    }

    pub(super) fn residents(&self, seat: &Seat, owner: Owner) -> Tried<Reply> {
        let mut ids = Vec::new();
        for found in seat.find(&templates::of(owner))? {
            if let Some(Attribute::Id(id)) = seat.attribute(found, AttributeType::Id)?
                && let Ok(id) = id.try_into()
            {
                ids.push(KeyId(id));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(Reply::Ids(ids))
    }
}

/// Whether the private half signs what the public half verifies.
pub(super) fn proves(seat: &Seat, spec: KeySpec, public: ObjectHandle, private: ObjectHandle) -> Tried<()> {
    let digest: [u8; 32] = seat.random()?;
    match spec.size() {
        Size::Curve(curve) => {
            let signature = ec::sign(seat, private, curve, &digest)?;
            ec::verify(seat, public, &digest, &signature)
        }
        Size::Modulus(_) => {
            let signature = rsa::sign_pkcs1(seat, private, Hash::Sha256, &digest)?;
            rsa::verify_pkcs1(seat, public, Hash::Sha256, &digest, &signature)
        }
        Size::Secret(_) => Ok(()),
    }
}

/// Whether it was an attribute that the token did not take.
fn is_refusal(trouble: &Trouble) -> bool {
    use cryptoki::error::RvError::{
        ActionProhibited, AttributeReadOnly, AttributeTypeInvalid, AttributeValueInvalid, TemplateInconsistent,
    };
    let refusals =
        [ActionProhibited, AttributeReadOnly, AttributeTypeInvalid, AttributeValueInvalid, TemplateInconsistent];
    trouble.code().is_some_and(|code| refusals.contains(&code))
}

/// What a secret makes of a block of zeros.
pub(super) fn encrypted(seat: &Seat, key: ObjectHandle) -> Tried<Vec<u8>> {
    aes::cbc_encrypt(seat, key, [0; BLOCK], &[0; BLOCK])
}

/// A token that refuses the parts of a key, or that finds them not to go together, says that the key is bad.
pub(super) fn bad_key(trouble: Trouble) -> Trouble {
    match trouble.class() {
        Class::Caller | Class::Data | Class::Fatal => HsmError::BadKey.into(),
        _ => trouble,
    }
}

pub(super) fn no_such_kind(spec: KeySpec) -> Trouble {
    HsmError::NotSupported { what: kind(spec) }.into()
}

/// A kind of key, in words.
pub(super) fn kind(spec: KeySpec) -> String {
    match spec.size() {
        Size::Curve(curve) => format!("{} keys", curve.wire()),
        Size::Modulus(bits) | Size::Secret(bits) => format!("{} keys of {bits} bits", spec.kty()),
    }
}

fn imported_ec<'a>(
    seat: &'a Seat,
    mut private: Vec<Attribute>,
    curve: Curve,
    d: &[u8],
    x: &[u8],
    y: &[u8],
) -> Tried<Born<'a>> {
    let field = curve.field_len();
    if [d.len(), x.len(), y.len()] != [field; 3] {
        return Err(HsmError::BadKey.into());
    }
    let public = ec::object(seat, curve, x, y).map_err(bad_key)?;
    private.extend([Attribute::EcParams(params(curve).to_vec()), Attribute::Value(d.to_vec())]);
    let private = seat.create(&private).map_err(bad_key)?;
    let shown = PublicKey::Ec { curve, x: x.to_vec(), y: y.to_vec() };
    Ok(Born { public: Some(public), private, shown })
}

fn imported_rsa<'a>(
    seat: &'a Seat,
    mut private: Vec<Attribute>,
    bits: u16,
    numbers: &[zeroize::Zeroizing<Vec<u8>>; 8],
) -> Tried<Born<'a>> {
    let [n, e, d, p, q, dp, dq, qi] = numbers.each_ref().map(|number| public::unsigned(number).to_vec());
    if public::bits(&n) != usize::from(bits) {
        return Err(HsmError::BadKey.into());
    }
    let public = rsa::object(seat, &n, &e).map_err(bad_key)?;
    let shown = PublicKey::Rsa { n: n.clone(), e: e.clone() };
    private.extend([
        Attribute::Modulus(n),
        Attribute::PublicExponent(e),
        Attribute::PrivateExponent(d),
        Attribute::Prime1(p),
        Attribute::Prime2(q),
        Attribute::Exponent1(dp),
        Attribute::Exponent2(dq),
        Attribute::Coefficient(qi),
    ]);
    let private = seat.create(&private).map_err(bad_key)?;
    Ok(Born { public: Some(public), private, shown })
}
