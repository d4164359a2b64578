//! Every message survives its way, no bytes panic, and only what would have been written is read.

use super::*;
use crate::call::{Destination, Held, KeyId, Owner, Parts, Reply, Stored};
use crate::describe::{Attack, Description, Mechanism, Native, Outcome, WrapClass};
use crate::export::{NotExported, Padded, Recipe, Step, Subject, Wanted};
use crate::worker::Select;
use crate::worker::templates::Hardening;
use crate::{Account, fuzz};
use keystead_model::{CipherAlgorithm, Curve, KeySpec, PublicExponent, PublicKey, SignAlgorithm};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..80)
}

fn secret() -> impl Strategy<Value = Zeroizing<Vec<u8>>> {
    bytes().prop_map(Zeroizing::new)
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(|chars| chars.into_iter().collect())
}

fn id() -> impl Strategy<Value = KeyId> {
    any::<[u8; 16]>().prop_map(KeyId)
}

fn owner() -> impl Strategy<Value = Owner> {
    any::<[u8; 16]>().prop_map(Owner)
}

fn spec() -> impl Strategy<Value = KeySpec> {
    select(KeySpec::ALL)
}

fn native() -> impl Strategy<Value = Native> {
    select(vec![Native::Mechanism, Native::Composed, Native::PublicOnly])
}

fn exponent() -> impl Strategy<Value = PublicExponent> {
    (1..=u32::MAX / 2).prop_map(|half| PublicExponent::new(half * 2 + 1).unwrap())
}

fn stored() -> impl Strategy<Value = Stored> {
    prop_oneof![Just(Stored::Resident), (id(), bytes()).prop_map(|(wrapping, blob)| Stored::Wrapped { wrapping, blob })]
}

fn held() -> impl Strategy<Value = Held> {
    (id(), spec(), stored()).prop_map(|(id, spec, stored)| Held { id, spec, stored })
}

fn destination() -> impl Strategy<Value = Destination> {
    prop_oneof![owner().prop_map(Destination::Resident), id().prop_map(Destination::Wrapped)]
}

fn parts() -> impl Strategy<Value = Parts> {
    prop_oneof![
        (secret(), bytes(), bytes()).prop_map(|(d, x, y)| Parts::Ec { d, x, y }),
        proptest::array::uniform8(secret()).prop_map(|numbers| Parts::Rsa(Box::new(numbers))),
        secret().prop_map(Parts::Oct),
    ]
}

fn public() -> impl Strategy<Value = PublicKey> {
    prop_oneof![
        Just(PublicKey::Symmetric),
        (bytes(), bytes()).prop_map(|(n, e)| PublicKey::Rsa { n, e }),
        (select(Curve::ALL), bytes(), bytes()).prop_map(|(curve, x, y)| PublicKey::Ec { curve, x, y }),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let plain = select(vec![Call::Describe, Call::Check, Call::TransferKey]);
    let keys = prop_oneof![
        id().prop_map(Call::HoldsWrapping),
        (owner(), id()).prop_map(|(owner, id)| Call::Destroy(owner, id)),
        owner().prop_map(Call::Residents),
        (id(), bytes()).prop_map(|(id, wrapped)| Call::InstallWrapping { id, wrapped }),
        (id(), spec(), exponent(), destination()).prop_map(|(id, spec, exponent, to)| Call::Generate {
            id,
            spec,
            exponent,
            to
        }),
        (id(), spec(), parts(), destination()).prop_map(|(id, spec, parts, to)| Call::Import { id, spec, parts, to }),
        (id(), spec(), held(), bytes(), destination()).prop_map(|(id, spec, kek, wrapped, to)| Call::ImportWrapped {
            id,
            spec,
            kek,
            wrapped,
            to
        }),
    ];
    let uses = prop_oneof![
        (held(), select(SignAlgorithm::ALL), bytes()).prop_map(|(key, algorithm, digest)| Call::Sign {
            key,
            algorithm,
            digest
        }),
        (held(), select(CipherAlgorithm::ALL), secret(), bytes(), bytes())
            .prop_map(|(key, algorithm, data, iv, aad)| Call::Encrypt { key, algorithm, data, iv, aad }),
        (held(), select(CipherAlgorithm::ALL), bytes(), bytes(), bytes(), bytes())
            .prop_map(|(key, algorithm, data, iv, tag, aad)| Call::Decrypt { key, algorithm, data, iv, tag, aad }),
        any::<u8>().prop_map(|count| Call::Random { count }),
    ];
    let leaving = prop_oneof![
        wanted().prop_map(Call::Locate),
        (prop_oneof![spec().prop_map(Subject::Trial), wanted().prop_map(Subject::Own)], public(), recipe())
            .prop_map(|(subject, kek, recipe)| Call::WrapOut { subject, kek, recipe }),
    ];
    let owned = prop_oneof![
        wanted().prop_map(Call::OwnedPublic),
        (wanted(), bytes()).prop_map(|(key, digest)| Call::OwnedSign { key, digest }),
        (wanted(), bytes()).prop_map(|(key, cipher)| Call::OwnedDecrypt { key, cipher }),
        wanted().prop_map(Call::TextKey),
        (wanted(), bytes()).prop_map(|(key, message)| Call::SignText { key, message }),
    ];
    prop_oneof![plain, keys, uses, leaving, owned]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (option::of(text()), option::of(bytes())).prop_map(|(label, id)| Wanted { label, id })
}

fn padded() -> impl Strategy<Value = Padded> {
    select(vec![Padded::Kwp, Padded::Pad, Padded::Vendor])
}

fn recipe() -> impl Strategy<Value = Recipe> {
    prop_oneof![Just(Recipe::Whole), padded().prop_map(Recipe::Composed)]
}

fn not_exported() -> impl Strategy<Value = NotExported> {
    let plain = vec![Step::Trial, Step::Kek, Step::Whole, Step::Between, Step::Oaep, Step::Destroy];
    let step = prop_oneof![select(plain), padded().prop_map(Step::Key)];
    prop_oneof![
        text().prop_map(|wanted| NotExported::NotFound { wanted }),
        (text(), text()).prop_map(|(wanted, ids)| NotExported::Several { wanted, ids }),
        select(vec![NotExported::NotExtractable, NotExported::TrustedOnly]),
        text().prop_map(|kind| NotExported::Kind { kind }),
        text().prop_map(|lacks| NotExported::Lacks { lacks }),
        (step, text()).prop_map(|(step, why)| NotExported::Step { step, why }),
    ]
}

fn description() -> impl Strategy<Value = Description> {
    let mechanism = (text(), any::<u64>(), any::<u64>(), vec(text(), 0..3))
        .prop_map(|(name, least, most, uses)| Mechanism { name, least, most, uses });
    let attack = (text(), select(vec![Outcome::Refused, Outcome::Succeeded]), text())
        .prop_map(|(name, outcome, detail)| Attack { name, outcome, detail });
    let names = proptest::array::uniform6(text());
    let found = (any::<u16>(), vec(mechanism, 0..4), vec(text(), 0..3), vec(attack, 0..3));
    let wrap = select(vec![WrapClass::Kwp, WrapClass::KwpZeroExtended, WrapClass::None]);
    let can = (
        vec(spec(), 0..11),
        vec((select(SignAlgorithm::ALL), native()), 0..14),
        vec((select(CipherAlgorithm::ALL), native()), 0..18),
    );
    (names, found, wrap, can).prop_map(|(names, found, wrap, (keys, signs, ciphers))| {
        let [label, serial, manufacturer, model, firmware, library] = names;
        let (sessions, mechanisms, quirks, attacks) = found;
        Description {
            label,
            serial,
            manufacturer,
            model,
            firmware,
            library,
            sessions,
            mechanisms,
            quirks,
            wrap,
            attacks,
            keys,
            signs,
            ciphers,
        }
    })
}

fn found() -> impl Strategy<Value = Box<Found>> {
    let wraps = proptest::array::uniform3(option::of(any::<u64>()));
    let codes = || vec(any::<u64>(), 0..4);
    let hardening = select(Hardening::candidates());
    (description(), wraps, hardening, codes(), codes(), option::of(codes())).prop_map(
        |(description, [wraps, wraps_bytes, wraps_bytes_padded], hardening, decrypt, unwrap, pkcs1)| {
            let found =
                Found { description, wraps, hardening, wraps_bytes, wraps_bytes_padded, decrypt, unwrap, pkcs1 };
            Box::new(found)
        },
    )
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        description().prop_map(|it| Reply::Description(Box::new(it))),
        Just(Reply::Done),
        any::<bool>().prop_map(Reply::Holds),
        (public(), any::<bool>()).prop_map(|(public, sha256)| Reply::Transfer { public, sha256 }),
        (public(), stored()).prop_map(|(public, stored)| Reply::Made { public, stored }),
        bytes().prop_map(Reply::Bytes),
        (bytes(), option::of(bytes()), option::of(bytes())).prop_map(|(value, iv, tag)| Reply::Encrypted {
            value,
            iv,
            tag
        }),
        secret().prop_map(Reply::Plain),
        vec(id(), 0..20).prop_map(Reply::Ids),
        (spec(), bytes(), vec(recipe(), 0..4)).prop_map(|(spec, id, recipes)| Reply::Located { spec, id, recipes }),
        (spec(), bytes(), public(), bytes()).prop_map(|(spec, wrapped, public, check)| Reply::WrappedOut {
            spec,
            wrapped,
            public,
            check
        }),
        public().prop_map(Reply::OwnedPublic),
        secret().prop_map(Reply::Block),
    ]
}

fn error() -> impl Strategy<Value = HsmError> {
    let plain = vec![
        HsmError::Busy,
        HsmError::Deadline,
        HsmError::NoWrappingKey,
        HsmError::NoSuchKey,
        HsmError::DecryptFailed,
        HsmError::Damaged,
        HsmError::BadKey,
        HsmError::Full,
        HsmError::PinRefused,
    ];
    prop_oneof![
        select(plain),
        text().prop_map(|why| HsmError::Down { why }),
        text().prop_map(|what| HsmError::NotSupported { what }),
        text().prop_map(|why| HsmError::Setting { why }),
        text().prop_map(|code| HsmError::Failed { code }),
        not_exported().prop_map(HsmError::NotExported),
        Just(HsmError::NotRsa),
    ]
}

fn to_worker() -> impl Strategy<Value = ToWorker> {
    let account = (any::<u32>(), any::<u32>(), vec(any::<u32>(), 0..4)).prop_map(|(uid, gid, groups)| Account {
        uid,
        gid,
        groups,
    });
    let which = prop_oneof![text().prop_map(Select::Label), text().prop_map(Select::Serial), Just(Select::Only)];
    prop_oneof![
        (any::<i32>(), any::<bool>(), option::of(account))
            .prop_map(|(server, network, account)| ToWorker::Confine(Confinement { server, network, account })),
        (text(), which, text(), option::of(any::<u16>()), any::<bool>(), option::of(found())).prop_map(
            |(module, select, pin, sessions, guest, found)| {
                ToWorker::Open(Settings { module: module.into(), select, pin: pin.into(), sessions, guest }, found)
            }
        ),
        (any::<u64>(), any::<u64>(), call()).prop_map(|(id, by, call)| ToWorker::Ask { id, by, call }),
    ]
}

fn from_worker() -> impl Strategy<Value = FromWorker> {
    let answer = prop_oneof![reply().prop_map(Ok), error().prop_map(Err)];
    prop_oneof![
        Just(()).prop_map(|()| FromWorker::Confined),
        (any::<u16>(), found()).prop_map(|(sessions, found)| FromWorker::Ready(sessions, found)),
        error().prop_map(FromWorker::Failed),
        (any::<u64>(), answer).prop_map(|(id, answer)| FromWorker::Answered { id, answer }),
    ]
}

/// What proptest prints: these carry secrets, and have no `Debug` outside tests.
macro_rules! mute {
    ($($name:ident),+) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        })+
    };
}

mute!(Stored, Held, Parts, Reply, Found, ToWorker, FromWorker);

fn feed(frames: &mut Frames, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let space = frames.space();
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        frames.filled(count);
        bytes = &bytes[count..];
    }
}

proptest! {
    #[test]
    fn every_call_survives(call in call(), id: u64, by: u64) {
        let mut frames = Frames::new();
        // Written by reference, read by value.
        feed(&mut frames, &frame(&ToWorker::Ask { id, by, call: &call }).unwrap());
        let Ok(Some(ToWorker::Ask { id: i, by: b, call: c })) = frames.next::<ToWorker>() else { panic!("not read") };
        prop_assert!(i == id && b == by && c == call);
    }

    #[test]
    fn every_answer_survives(
        answer in prop_oneof![reply().prop_map(Ok), error().prop_map(Err)],
        id: u64,
    ) {
        let mut frames = Frames::new();
        feed(&mut frames, &frame(&FromWorker::Answered { id, answer: answer.clone() }).unwrap());
        let Ok(Some(FromWorker::Answered { id: i, answer: a })) = frames.next() else { panic!("not read") };
        prop_assert!(i == id && a == answer);
    }

    #[test]
    fn messages_come_whole_and_in_order_however_they_are_cut(
        messages in vec(to_worker(), 1..6),
        piece in 1_usize..40,
    ) {
        let written: Vec<_> = messages.iter().map(|message| frame(&message).unwrap()).collect();
        let mut read = Vec::new();
        let mut frames = Frames::new();
        for bytes in written.iter().flat_map(|bytes| bytes.to_vec()).collect::<Vec<_>>().chunks(piece) {
            feed(&mut frames, bytes);
            while let Some(message) = frames.next::<ToWorker>().unwrap() {
                read.push(frame(&message).unwrap());
            }
        }
        prop_assert!(read == written);
    }

    #[test]
    fn a_changed_message_is_another_or_none_but_never_a_panic(
        one in to_worker(),
        other in from_worker(),
        at: proptest::sample::Index,
        to: u8,
    ) {
        for (mut bytes, target) in [
            (frame(&one).unwrap()[HEAD..].to_vec(), fuzz::to_worker as fn(&[u8])),
            (frame(&other).unwrap()[HEAD..].to_vec(), fuzz::from_worker),
        ] {
            let at = at.index(bytes.len());
            bytes[at] = to;
            target(&bytes);
            bytes.truncate(at);
            target(&bytes);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..400)) {
        fuzz::to_worker(&bytes);
        fuzz::from_worker(&bytes);
        fuzz::frames(&bytes);
        let mut framed = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        framed.push(VERSION);
        framed.extend(&bytes);
        fuzz::frames(&framed);
    }
}

#[test]
fn another_version_is_named_and_says_what_to_do() {
    let mut bytes = frame(&FromWorker::Confined).unwrap();
    bytes[4] = VERSION + 1;
    let mut frames = Frames::new();
    feed(&mut frames, &bytes);
    let refused = frames.next::<FromWorker>().err().unwrap();
    assert_eq!(refused, BadFrame::Version { found: VERSION + 1 });
    assert!(refused.to_string().contains("start the server again"));
}

#[test]
fn a_length_over_the_bound_is_refused_before_its_bytes_come() {
    for length in [u32::MAX, u32::try_from(MAX).unwrap() + 2] {
        let mut frames = Frames::new();
        feed(&mut frames, &[&length.to_be_bytes()[..], &[VERSION]].concat());
        assert_eq!(frames.next::<ToWorker>().err(), Some(BadFrame::TooLong));
    }
}

#[test]
fn the_longest_message_passes_and_one_byte_more_is_refused() {
    let random = |len| FromWorker::Answered { id: 0, answer: Ok(Reply::Bytes(vec![7; len])) };
    let head = frame(&random(1 << 19)).unwrap().len() - (1 << 19);
    let fits = MAX + HEAD - head;
    assert_eq!(frame(&random(fits + 1)).err(), Some(BadFrame::TooLong));
    let bytes = frame(&random(fits)).unwrap();
    assert_eq!(bytes.len(), MAX + HEAD);
    let mut frames = Frames::new();
    feed(&mut frames, &bytes);
    assert!(
        matches!(frames.next(), Ok(Some(FromWorker::Answered { answer: Ok(Reply::Bytes(b)), .. })) if b.len() == fits)
    );
    assert_eq!(frames.space().len(), ROOM, "a long message's room is given back");
}

#[test]
fn only_the_one_way_to_write_a_message_is_read() {
    let call = Call::Random { count: 3 };
    let good = frame(&ToWorker::Ask { id: 1, by: 1, call }).unwrap()[HEAD..].to_vec();
    assert!(message::<ToWorker>(&good).is_ok());
    let longer = [&good[..], &[0]].concat();
    let (number, before) = good.split_last().unwrap();
    let wide = [before, &[0x18, *number]].concat();
    let endless = [&[0x9f], &good[1..], &[0xff]].concat();
    for bad in [longer, wide, endless, Vec::new()] {
        assert_eq!(message::<ToWorker>(&bad).err(), Some(BadFrame::Damaged), "{bad:02x?}");
    }
}

#[test]
fn what_was_read_is_cleared() {
    let call = Call::Import {
        id: KeyId([1; 16]),
        spec: KeySpec::Oct256,
        parts: Parts::Oct(vec![0x5a; 32].into()),
        to: Destination::Resident(Owner([2; 16])),
    };
    let mut frames = Frames::new();
    feed(&mut frames, &frame(&ToWorker::Ask { id: 1, by: 1, call }).unwrap());
    assert!(frames.bytes.windows(32).any(|bytes| bytes == [0x5a; 32]));
    assert!(frames.next::<ToWorker>().unwrap().is_some());
    assert!(!frames.bytes.contains(&0x5a));
}
