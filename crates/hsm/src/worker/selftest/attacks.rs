//! What somebody with the PIN tries on a stored key: he has the blob, the token with the wrapping key in it, and the
//! library. It must get him neither the key's bytes nor rights that give them.

use super::Abilities;
use super::wraps::{STORED, Trial};
use crate::describe::{Attack, Outcome};
use crate::worker::raw::{Template, Way};
use crate::worker::rv::{Tried, Trouble};
use crate::worker::seat::Passing;
use crate::worker::templates::{self, Life, Purpose};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::misc::{ExtractParams, KeyDerivationStringData};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use cryptoki_sys::CKM_AES_CBC;
use keystead_model::KeySpec;

/// What an attack got, in words; or nothing, and why.
type Loot = Tried<Result<String, String>>;

/// All of them, on a wrapping key and on what it wrapped: a secret that is known here, and private keys.
pub(super) fn run(
    trial: &Trial<'_>,
    found: &Abilities,
    stored: &[u8],
    pairs: &[(KeySpec, Vec<u8>)],
) -> Tried<Vec<Attack>> {
    let raid = Raid { trial, found, stored };
    let mut attacks = Vec::new();
    let mut add = |name: &str, loot: Loot| -> Tried<()> {
        let (outcome, detail) = match loot {
            Ok(Ok(loot)) => (Outcome::Succeeded, loot),
            Ok(Err(why)) => (Outcome::Refused, why),
            Err(trouble) if trouble.is_lost() => return Err(trouble),
            Err(trouble) => (Outcome::Refused, trouble.name()),
        };
        attacks.push(Attack { name: name.to_owned(), outcome, detail });
        Ok(())
    };
    add("read the wrapping key", raid.read(trial.wrapping, AttributeType::Value))?;
    for (name, mechanism) in ciphers() {
        add(&format!("decrypt with the wrapping key, {name}"), raid.decrypt(&mechanism))?;
        add(&format!("encrypt with the wrapping key, {name}"), raid.encrypt(&mechanism))?;
    }
    add("decrypt a stored key as it was wrapped", raid.decrypt_as_wrapped())?;
    add("wrap the wrapping key under itself", raid.wrap(trial.wrapping, trial.wrapping))?;
    add("wrap the wrapping key under a known key", raid.wrap_under_known(trial.wrapping))?;
    for (name, template) in readable() {
        add(&format!("unwrap a stored key {name} and read it"), raid.unwrap_and_read(&template))?;
    }
    for (spec, blob) in pairs {
        for (name, sensitive) in [("readable", false), ("extractable", true)] {
            let changed = [Attribute::Sensitive(sensitive), Attribute::Extractable(true)];
            let loot = raid.unwrap_private(*spec, blob, &changed);
            add(&format!("unwrap a stored private key, {}, as {name} and read it", spec.kty()), loot)?;
        }
    }
    add("unwrap one byte of a stored key", raid.shorten(Way::Number(trial.number)))?;
    for (name, mechanism) in other_ways() {
        add(&format!("unwrap a stored key with {name} and read it"), raid.unwrap_otherwise(&mechanism))?;
        add(&format!("unwrap one byte of a stored key with {name}"), raid.shorten(Way::Named(&mechanism)))?;
    }
    add("unwrap a stored key and make it extractable", raid.change_unwrapped())?;
    add("unwrap a stored key and copy it as extractable", raid.copy_unwrapped())?;
    add("unwrap a stored key and wrap it under a known key", raid.wrap_unwrapped())?;
    add("unwrap a stored key as DES, of 56 bits, and use it", raid.use_as_des())?;
    add("unwrap a stored key and derive a readable one from it", raid.derive())?;
    add("unwrap a stored key, let it derive, and derive a readable one", raid.let_it_derive())?;
    // Last what may change the wrapping key.
    for attribute in rights() {
        let name = attribute_name(&attribute);
        add(&format!("copy the wrapping key with another {name}"), raid.copy(trial.wrapping, &attribute))?;
        add(&format!("change {name} of the wrapping key"), raid.change(trial.wrapping, &attribute))?;
    }
    let readable = [Attribute::Sensitive(false), Attribute::Extractable(true)];
    let mechanisms = [CKM_AES_CBC];
    for (name, lists) in [
        ("CKA_UNWRAP_TEMPLATE", Template { unwrapped: &readable, ..Template::default() }),
        ("CKA_ALLOWED_MECHANISMS", Template { allowed: &mechanisms, ..Template::default() }),
    ] {
        add(&format!("copy the wrapping key with another {name}"), raid.other_lists(lists, true))?;
        add(&format!("change {name} of the wrapping key"), raid.other_lists(lists, false))?;
    }
    Ok(attacks)
}

/// Mechanisms that encrypt blocks.
fn ciphers() -> Vec<(&'static str, Mechanism<'static>)> {
    vec![
        ("AES-ECB", Mechanism::AesEcb),
        ("AES-CBC", Mechanism::AesCbc([0; 16])),
        ("AES-CBC with padding", Mechanism::AesCbcPad([0; 16])),
    ]
}

fn other_ways() -> Vec<(&'static str, Mechanism<'static>)> {
    let mut all = ciphers();
    all.push(("AES key wrap", Mechanism::AesKeyWrap));
    all
}

/// Rights that the wrapping key must not get.
fn rights() -> [Attribute; 6] {
    [
        Attribute::Decrypt(true),
        Attribute::Encrypt(true),
        Attribute::Derive(true),
        Attribute::Extractable(true),
        Attribute::Sensitive(false),
        Attribute::Modifiable(true),
    ]
}

fn attribute_name(attribute: &Attribute) -> &'static str {
    match attribute {
        Attribute::Decrypt(_) => "CKA_DECRYPT",
        Attribute::Encrypt(_) => "CKA_ENCRYPT",
        Attribute::Derive(_) => "CKA_DERIVE",
        Attribute::Extractable(_) => "CKA_EXTRACTABLE",
        Attribute::Sensitive(_) => "CKA_SENSITIVE",
        _ => "CKA_MODIFIABLE",
    }
}

/// Templates of objects whose value would show.
fn readable() -> Vec<(&'static str, Vec<Attribute>)> {
    let secret = |type_, sensitive, extractable| {
        vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(type_),
            Attribute::Token(false),
            Attribute::Sensitive(sensitive),
            Attribute::Extractable(extractable),
            Attribute::Derive(false),
        ]
    };
    let default = vec![Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(KeyType::GENERIC_SECRET)];
    vec![
        ("as extractable", secret(KeyType::AES, true, true)),
        ("as not sensitive", secret(KeyType::AES, false, false)),
        ("as both", secret(KeyType::AES, false, true)),
        ("as a generic secret", secret(KeyType::GENERIC_SECRET, false, true)),
        ("with default attributes", default),
        ("as data", vec![Attribute::Class(ObjectClass::DATA), Attribute::Token(false)]),
    ]
}

struct Raid<'a> {
    trial: &'a Trial<'a>,
    found: &'a Abilities,
    stored: &'a [u8],
}

fn nothing(why: &str) -> Loot {
    Ok(Err(why.to_owned()))
}

fn but(mut template: Vec<Attribute>, changed: &Attribute) -> Vec<Attribute> {
    template.retain(|attribute| attribute.attribute_type() != changed.attribute_type());
    template.push(changed.clone());
    template
}

impl<'a> Raid<'a> {
    /// As we unwrap it ourselves.
    fn ours(&self) -> Vec<Attribute> {
        templates::key(KeySpec::Oct256, Purpose::Work, Life::Session, self.trial.hardening)
    }

    fn ours_but(&self, changed: &Attribute) -> Vec<Attribute> {
        but(self.ours(), changed)
    }

    fn read(&self, object: ObjectHandle, value: AttributeType) -> Loot {
        match self.trial.seat.attribute(object, value)? {
            Some(Attribute::Value(value) | Attribute::PrivateExponent(value)) if !value.is_empty() => {
                Ok(Ok(format!("{} bytes of the key", value.len())))
            }
            _ => nothing("its value is not shown"),
        }
    }

    fn encrypt(&self, mechanism: &Mechanism<'_>) -> Loot {
        self.trial.seat.session.encrypt(mechanism, self.trial.wrapping, &[0; 16])?;
        Ok(Ok("it encrypts".to_owned()))
    }

    fn decrypt(&self, mechanism: &Mechanism<'_>) -> Loot {
        self.trial.seat.session.decrypt(mechanism, self.trial.wrapping, &[0; 16])?;
        Ok(Ok("it decrypts".to_owned()))
    }

    fn decrypt_as_wrapped(&self) -> Loot {
        let seat = self.trial.seat;
        seat.library.functions.decrypt(&seat.session, self.trial.number, self.trial.wrapping, self.stored)?;
        Ok(Ok("it decrypts".to_owned()))
    }

    /// Some tokens take a change and keep the old value: what counts is what the object has then.
    fn change(&self, object: ObjectHandle, to: &Attribute) -> Loot {
        self.trial.seat.session.update_attributes(object, std::slice::from_ref(to))?;
        self.has(object, to)
    }

    fn copy(&self, object: ObjectHandle, to: &Attribute) -> Loot {
        let template = Template { plain: std::slice::from_ref(to), ..Template::default() };
        let copy = self.trial.seat.copy(object, template)?;
        self.has(copy.handle, to)
    }

    fn has(&self, object: ObjectHandle, wanted: &Attribute) -> Loot {
        match self.trial.seat.attribute(object, wanted.attribute_type())? {
            Some(found) if found == *wanted => Ok(Ok("the attribute is changed".to_owned())),
            _ => nothing("the attribute stays as it was"),
        }
    }

    /// The wrapping key's copy, or itself, with other attributes that hold attributes; then what it unwraps is read.
    fn other_lists(&self, wanted: Template<'_>, copied: bool) -> Loot {
        let seat = self.trial.seat;
        let copy = if copied {
            Some(seat.copy(self.trial.wrapping, wanted)?)
        } else {
            seat.library.functions.change(&seat.session, self.trial.wrapping, wanted)?;
            None
        };
        let wrapping = copy.as_ref().map_or(self.trial.wrapping, |copy| copy.handle);
        if !wanted.allowed.is_empty() {
            let allowed = seat.library.functions.allowed(&seat.session, wrapping)?;
            return if allowed == wanted.allowed {
                Ok(Ok("other mechanisms are allowed".to_owned()))
            } else {
                nothing("the attribute stays as it was")
            };
        }
        let readable = wanted.unwrapped.iter().fold(self.ours(), but);
        let template = Template { plain: &readable, ..Template::default() };
        let key = seat.unwrap(Way::Number(self.trial.number), wrapping, self.stored, template)?;
        self.read_or_wrap(key.handle, AttributeType::Value)
    }

    fn wrap(&self, wrapping: ObjectHandle, key: ObjectHandle) -> Loot {
        self.trial.seat.wrap(self.trial.number, wrapping, key)?;
        Ok(Ok("it is wrapped".to_owned()))
    }

    /// A key of the attacker's own, with every right.
    fn known(&self) -> Tried<Passing<'a>> {
        let known = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
        ];
        let Some(porter) = &self.found.porter else { return Err(Trouble::Library("no known key".to_owned())) };
        porter.bring(self.trial.seat, &STORED, Template { plain: &known, ..Template::default() })
    }

    fn wrap_under_known(&self, key: ObjectHandle) -> Loot {
        self.wrap(self.known()?.handle, key)
    }

    fn unwrap_and_read(&self, template: &[Attribute]) -> Loot {
        let key = self.trial.unwrap(self.stored, template)?;
        self.read_or_wrap(key.handle, AttributeType::Value)
    }

    fn unwrap_private(&self, spec: KeySpec, blob: &[u8], changed: &[Attribute]) -> Loot {
        let ours = templates::key(spec, Purpose::Work, Life::Session, self.trial.hardening);
        let key = self.trial.unwrap(blob, &changed.iter().fold(ours, but))?;
        let value = if spec.curve().is_some() { AttributeType::Value } else { AttributeType::PrivateExponent };
        self.read_or_wrap(key.handle, value)
    }

    fn read_or_wrap(&self, key: ObjectHandle, value: AttributeType) -> Loot {
        match self.read(key, value)? {
            Ok(loot) => Ok(Ok(loot)),
            // Not shown, but it may leave.
            Err(_) if self.is_extractable(key)? => self.wrap_under_known(key),
            Err(why) => Ok(Err(why)),
        }
    }

    fn is_extractable(&self, key: ObjectHandle) -> Tried<bool> {
        let found = self.trial.seat.attribute(key, AttributeType::Extractable)?;
        Ok(found == Some(Attribute::Extractable(true)))
    }

    fn unwrap_otherwise(&self, mechanism: &Mechanism<'_>) -> Loot {
        let template = self.ours_but(&Attribute::Sensitive(false));
        let template = Template { plain: &template, ..Template::default() };
        let key = self.trial.seat.unwrap(Way::Named(mechanism), self.trial.wrapping, self.stored, template)?;
        self.read(key.handle, AttributeType::Value)
    }

    /// A key of one byte is found by trying.
    fn shorten(&self, way: Way<'_>) -> Loot {
        let mut template = templates::key(KeySpec::Oct256, Purpose::Mac, Life::Session, self.trial.hardening);
        template.push(Attribute::ValueLen(Ulong::new(1)));
        let template = Template { plain: &template, ..Template::default() };
        let key = self.trial.seat.unwrap(way, self.trial.wrapping, self.stored, template)?;
        match self.trial.seat.attribute(key.handle, AttributeType::ValueLen)? {
            Some(Attribute::ValueLen(length)) if *length == 1 => Ok(Ok("a key of one byte".to_owned())),
            _ => nothing("the key is whole"),
        }
    }

    fn change_unwrapped(&self) -> Loot {
        let key = self.trial.unwrap(self.stored, &self.ours())?;
        self.change(key.handle, &Attribute::Extractable(true))
    }

    fn copy_unwrapped(&self) -> Loot {
        let key = self.trial.unwrap(self.stored, &self.ours())?;
        self.copy(key.handle, &Attribute::Extractable(true))
    }

    fn wrap_unwrapped(&self) -> Loot {
        let key = self.trial.unwrap(self.stored, &self.ours())?;
        self.wrap_under_known(key.handle)
    }

    /// A key of 56 bits is found by trying, too.
    fn use_as_des(&self) -> Loot {
        let template = self.ours_but(&Attribute::KeyType(KeyType::DES));
        let key = self.trial.unwrap(self.stored, &template)?;
        self.trial.seat.session.encrypt(&Mechanism::DesEcb, key.handle, &[0; 8])?;
        Ok(Ok("it encrypts with a part of the key".to_owned()))
    }

    fn derive(&self) -> Loot {
        let key = self.trial.unwrap(self.stored, &self.ours_but(&Attribute::Derive(true)))?;
        self.derive_from(key.handle)
    }

    /// The unwrap template says what a key is unwrapped with, not what becomes of it.
    fn let_it_derive(&self) -> Loot {
        let key = self.trial.unwrap(self.stored, &self.ours())?;
        self.trial.seat.session.update_attributes(key.handle, &[Attribute::Derive(true)])?;
        self.derive_from(key.handle)
    }

    /// Mechanisms that give the bytes of the key they start from: the first that does, or what the last one said.
    fn derive_from(&self, key: ObjectHandle) -> Loot {
        let zeros = [0; 32];
        let data = KeyDerivationStringData::new(&zeros);
        let ways = [
            (Mechanism::ExtractKeyFromKey(ExtractParams::new(0)), 16),
            (Mechanism::ConcatenateDataAndBase(data), 64),
            (Mechanism::ConcatenateBaseAndData(data), 64),
            (Mechanism::XorBaseAndData(data), 32),
        ];
        let mut last = nothing("no mechanism derives so");
        for (mechanism, length) in ways {
            last = self.derived(&mechanism, key, length);
            match &last {
                Ok(Ok(_)) => break,
                Err(trouble) if trouble.is_lost() => break,
                _ => {}
            }
        }
        last
    }

    fn derived(&self, mechanism: &Mechanism<'_>, key: ObjectHandle, length: u64) -> Loot {
        let readable = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::Token(false),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
            Attribute::ValueLen(Ulong::new(length)),
        ];
        let derived = self.trial.seat.derived(mechanism, key, &readable)?;
        self.read_or_wrap(derived.handle, AttributeType::Value)
    }
}
