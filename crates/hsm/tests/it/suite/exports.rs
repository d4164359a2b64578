//! Keys of the token's owner that leave it, wrapped for a vault.

use super::on_each_token;
use crate::bed::{Bed, PIN, TOKEN};
use crate::software::curve_of;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::{AuthPin, Ulong};
use keystead_crypto::aes::wrap::unwrap_padded;
use keystead_crypto::rsa::Scheme;
use keystead_crypto::{ec, rsa};
use keystead_hsm::worker::{Hand, Settings, Token};
use keystead_hsm::{Call, HsmError, NotExported, Recipe, Reply, Subject, Wanted};
use keystead_model::{KeySpec, PublicKey, Size};

on_each_token! {
    keys_of_each_kind_leave_wrapped_for_the_one_key_that_opens_them
    keys_that_may_not_leave_and_kinds_that_no_vault_has_are_refused_by_name
    nothing_of_a_guest_stays_in_the_token
}

/// A token as its owner uses it, and as a guest does, in one process.
struct Both {
    owner: Session,
    guest: Hand,
    _token: Token,
}

impl Both {
    fn of(bed: &Bed) -> Self {
        let settings = Settings { guest: true, sessions: Some(1), ..bed.settings(TOKEN) };
        let token = Token::open(&settings).unwrap();
        let guest = token.session().unwrap();
        Self { owner: owner(bed), guest, _token: token }
    }

    fn generate(&self, bytes: u64, label: &str, more: &[Attribute]) -> ObjectHandle {
        let template = [&of_his(label, bytes as u8)[..], &[Attribute::ValueLen(Ulong::new(bytes))], more].concat();
        self.owner.generate_key(&Mechanism::AesKeyGen, &template).unwrap()
    }

    fn pair(&self, bits: Option<u64>, label: &str, more: &[Attribute]) -> (ObjectHandle, ObjectHandle) {
        let (how, public) = match bits {
            Some(bits) => (Mechanism::RsaPkcsKeyPairGen, Attribute::ModulusBits(Ulong::new(bits))),
            None => (Mechanism::EccKeyPairGen, Attribute::EcParams(vec![6, 8, 42, 134, 72, 206, 61, 3, 1, 7])),
        };
        let private = [&of_his(label, 9)[..], &[Attribute::Sign(true)], more].concat();
        self.owner.generate_key_pair(&how, &[public, Attribute::Token(false)], &private).unwrap()
    }

    fn locate(&mut self, label: &str) -> Result<(KeySpec, Vec<Recipe>), HsmError> {
        match self.guest.work(&Call::Locate(wanted(label)))? {
            Reply::Located { spec, recipes, .. } => Ok((spec, recipes)),
            _ => panic!("another answer"),
        }
    }

    /// What comes out of the wrapping: only with the one key exchange key.
    fn left(&mut self, subject: Subject, recipe: Recipe, kek: &rsa::PrivateKey) -> Option<(Vec<u8>, PublicKey)> {
        let (n, e) = kek.public();
        let public = PublicKey::Rsa { n: n.to_vec(), e: e.to_vec() };
        let answer = self.guest.work(&Call::WrapOut { subject, kek: public, recipe });
        let Ok(Reply::WrappedOut { wrapped, public, .. }) = answer else { return None };
        let (head, tail) = wrapped.split_at(kek.size().modulus_len());
        let between = kek.decrypt(Scheme::OaepSha1, head).unwrap();
        assert_eq!(between.len(), 32);
        let mut key = unwrap_padded(&between, tail).ok()?.to_vec();
        // SoftHSM2 wraps a document with zeros behind it.
        while key.first() == Some(&0x30) && key.len() > 32 && key.last() == Some(&0) {
            key.pop();
        }
        Some((key, public))
    }
}

fn owner(bed: &Bed) -> Session {
    let library = Pkcs11::new(bed.kind.module()).unwrap();
    let _ = library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slots = library.get_slots_with_initialized_token().unwrap();
    let slot = slots.into_iter().find(|slot| library.get_token_info(*slot).unwrap().label() == TOKEN).unwrap();
    let session = library.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&AuthPin::new(PIN.into())));
    session
}

fn of_his(label: &str, id: u8) -> Vec<Attribute> {
    let label = Attribute::Label(label.as_bytes().to_vec());
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        label,
        Attribute::Id(vec![id; 4]),
    ]
}

fn wanted(label: &str) -> Wanted {
    Wanted { label: Some(label.to_owned()), id: None }
}

fn public_of(spec: KeySpec, pkcs8: &[u8]) -> Option<PublicKey> {
    match spec.size() {
        Size::Curve(curve) => ec::PrivateKey::from_pkcs8(curve_of(curve), pkcs8).ok().map(|key| PublicKey::Ec {
            curve,
            x: key.public().0.to_vec(),
            y: key.public().1.to_vec(),
        }),
        Size::Modulus(_) => rsa::PrivateKey::from_pkcs8(pkcs8)
            .ok()
            .map(|key| PublicKey::Rsa { n: key.public().0.to_vec(), e: key.public().1.to_vec() }),
        Size::Secret(bits) => (pkcs8.len() == usize::from(bits / 8)).then_some(PublicKey::Symmetric),
    }
}

const LEAVES: &[Attribute] = &[Attribute::Extractable(true)];

fn keys_of_each_kind_leave_wrapped_for_the_one_key_that_opens_them(bed: &Bed) {
    let mut both = Both::of(bed);
    let kek = rsa::PrivateKey::generate(rsa::Size::Bits3072, rsa::EXPONENT).unwrap();
    for (bytes, label) in [(16, "oct-128"), (32, "oct-256")] {
        both.generate(bytes, label, LEAVES);
    }
    let (rsa_public, _) = both.pair(Some(2048), "rsa", LEAVES);
    both.pair(None, "ec", LEAVES);
    for (label, spec) in
        [("rsa", KeySpec::Rsa2048), ("ec", KeySpec::EcP256), ("oct-128", KeySpec::Oct128), ("oct-256", KeySpec::Oct256)]
    {
        let (found, recipes) = both.locate(label).unwrap();
        assert_eq!(found, spec, "{label}");
        // The first is the one that works, on a throw-away key and on his.
        let (trial, public) = both.left(Subject::Trial(spec), recipes[0], &kek).unwrap();
        assert_eq!(public_of(spec, &trial), Some(public), "{label}");
        let (his, _) = both.left(Subject::Own(wanted(label)), recipes[0], &kek).unwrap();
        let shown = public_of(spec, &his).unwrap();
        assert_ne!(his, trial);
        if let PublicKey::Rsa { n, .. } = shown {
            let of_his = both.owner.get_attributes(rsa_public, &[AttributeType::Modulus]).unwrap();
            assert_eq!(of_his, [Attribute::Modulus(n)]);
        }
    }
}

fn keys_that_may_not_leave_and_kinds_that_no_vault_has_are_refused_by_name(bed: &Bed) {
    let mut both = Both::of(bed);
    both.generate(32, "stays", &[Attribute::Extractable(false)]);
    both.generate(32, "trusted", &[Attribute::Extractable(true), Attribute::WrapWithTrusted(true)]);
    both.generate(16, "twice", LEAVES);
    both.pair(None, "twice", LEAVES);
    both.pair(Some(1024), "small", LEAVES);
    let template = [&of_his("mac", 5)[..], LEAVES, &[Attribute::ValueLen(Ulong::new(32))]].concat();
    both.owner.generate_key(&Mechanism::GenericSecretKeyGen, &template).unwrap();
    let refused = |both: &mut Both, wanted: Wanted| {
        let located = both.guest.work(&Call::Locate(wanted.clone())).err();
        // What may not leave is not wrapped either, whoever asks.
        let kek = PublicKey::Rsa { n: vec![0xff; 256], e: vec![1, 0, 1] };
        let subject = Subject::Own(wanted);
        let wrapped = both.guest.work(&Call::WrapOut { subject, kek, recipe: Recipe::Whole }).err();
        assert_eq!(located, wrapped);
        match located {
            Some(HsmError::NotExported(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&mut both, wanted("stays")), NotExported::NotExtractable);
    assert_eq!(refused(&mut both, wanted("trusted")), NotExported::TrustedOnly);
    let NotExported::Several { ids, .. } = refused(&mut both, wanted("twice")) else { panic!() };
    assert!(ids.contains("10101010") && ids.contains("09090909"), "{ids}");
    let one = Wanted { label: Some("twice".to_owned()), id: Some(vec![16; 4]) };
    assert!(matches!(both.guest.work(&Call::Locate(one)), Ok(Reply::Located { spec: KeySpec::Oct128, .. })));
    let NotExported::NotFound { wanted: why } = refused(&mut both, wanted("nobody")) else { panic!() };
    assert_eq!(why, "the label \"nobody\"");
    let NotExported::Kind { kind } = refused(&mut both, wanted("small")) else { panic!() };
    assert_eq!(kind, "RSA of 1024 bits");
    let NotExported::Kind { kind } = refused(&mut both, wanted("mac")) else { panic!() };
    assert!(kind.contains("GENERIC_SECRET"), "{kind}");
}

fn nothing_of_a_guest_stays_in_the_token(bed: &Bed) {
    let mut both = Both::of(bed);
    both.generate(32, "oct", LEAVES);
    let everything = |both: &Both| both.owner.find_objects(&[]).unwrap().len();
    // With what lives as long as the guest's session.
    let before = everything(&both);
    both.guest.work(&Call::Check).unwrap();
    let kek = rsa::PrivateKey::generate(rsa::Size::Bits2048, rsa::EXPONENT).unwrap();
    let (_, recipes) = both.locate("oct").unwrap();
    for subject in [Subject::Trial(KeySpec::EcP256), Subject::Own(wanted("oct"))] {
        both.left(subject, recipes[0], &kek).unwrap();
    }
    // Also where a step fails: this modulus has no room for an AES key, and the other mechanism is not there.
    let broken = PublicKey::Rsa { n: vec![0xff; 64], e: vec![3] };
    for (kek, recipe) in [(broken, recipes[0]), (PublicKey::Rsa { n: vec![0xff; 256], e: vec![3] }, Recipe::Whole)] {
        let subject = Subject::Own(wanted("oct"));
        let failed = both.guest.work(&Call::WrapOut { subject, kek, recipe });
        assert!(matches!(failed, Err(HsmError::NotExported(NotExported::Step { .. }))));
    }
    assert_eq!(everything(&both), before);
    drop(both);
    let listed = bed.with_pin(TOKEN, &["--list-objects"]);
    assert_eq!(listed.matches("label:").count(), 1, "{listed}");
    assert!(!listed.contains("keystead"), "{listed}");
}
