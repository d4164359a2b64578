//! Promises of the sealed record.

use super::*;
use proptest::prelude::*;

const KEY: [u8; 32] = [0x11; 32];

fn sealer() -> Sealer {
    Sealer::new(&KEY, Usage::Records, 7)
}

prop_compose! {
    fn binding()(vault: [u8; 16], kind: u8, object: [u8; 16], version: [u8; 16], counter: u64) -> Binding {
        Binding { vault, kind, object, version, counter }
    }
}

proptest! {
    #[test]
    fn what_was_sealed_opens_where_it_was_sealed(
        b in binding(),
        extra in proptest::collection::vec(any::<u8>(), 0..64),
        plain in proptest::collection::vec(any::<u8>(), 0..1024),
    ) {
        let sealed = sealer().seal(&b, &extra, &plain);
        let opened = sealer().open(&b, &extra, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
        prop_assert_eq!(generation_of(&sealed), Some(7));
    }

    #[test]
    fn the_length_tells_only_the_step_of_256_bytes(b in binding(), length in 0usize..2000) {
        let sealed = sealer().seal(&b, b"", &vec![0; length]);
        prop_assert_eq!(sealed.len(), sealed_len(length));
        prop_assert_eq!((sealed.len() - HEADER - TAG) % 256, 0);
        prop_assert_eq!(sealed_len(length), sealed_len(length / 256 * 256));
        prop_assert!(sealed_len(length) - length <= 256 + HEADER + TAG);
    }

    #[test]
    fn it_opens_nowhere_else(b in binding(), extra: [u8; 8], at in 0usize..16, bit in 0u8..8) {
        let sealed = sealer().seal(&b, &extra, b"plain");
        let flip = 1 << bit;
        let changed = |bytes: [u8; 16]| {
            let mut bytes = bytes;
            bytes[at] ^= flip;
            bytes
        };
        for elsewhere in [
            Binding { vault: changed(b.vault), ..b },
            Binding { kind: b.kind ^ flip, ..b },
            Binding { object: changed(b.object), ..b },
            Binding { version: changed(b.version), ..b },
            Binding { counter: b.counter ^ u64::from(flip), ..b },
            Binding { counter: b.counter.wrapping_sub(1), ..b },
        ] {
            prop_assert_eq!(sealer().open(&elsewhere, &extra, &sealed).err(), Some(OpenFailed::Forged));
        }
        let mut other = extra;
        other[at % 8] ^= flip;
        prop_assert_eq!(sealer().open(&b, &other, &sealed).err(), Some(OpenFailed::Forged));
        prop_assert_eq!(sealer().open(&b, &extra[..7], &sealed).err(), Some(OpenFailed::Forged));
    }

    #[test]
    fn any_flipped_bit_is_seen(b in binding(), at in 0..sealed_len(100), bit in 0u8..8) {
        let mut sealed = sealer().seal(&b, b"extra", &[3; 100]);
        sealed[at] ^= 1 << bit;
        prop_assert!(sealer().open(&b, b"extra", &sealed).is_err());
    }

    #[test]
    fn any_other_length_is_seen(b in binding(), length in 0..sealed_len(100)) {
        let sealed = sealer().seal(&b, b"", &[3; 100]);
        prop_assert!(sealer().open(&b, b"", &sealed[..length]).is_err());
        prop_assert!(sealer().open(&b, b"", &[sealed.as_slice(), &vec![0; length + 1]].concat()).is_err());
    }
}

const PLACE: Binding = Binding { vault: [1; 16], kind: 8, object: [2; 16], version: [3; 16], counter: 4 };

#[test]
fn another_usage_key_or_generation_does_not_open_it() {
    let sealed = sealer().seal(&PLACE, b"", b"plain");
    for usage in [Usage::KeyMaterial, Usage::AuditDetail] {
        assert_eq!(Sealer::new(&KEY, usage, 7).open(&PLACE, b"", &sealed).err(), Some(OpenFailed::Forged));
    }
    assert_eq!(Sealer::new(&[0x12; 32], Usage::Records, 7).open(&PLACE, b"", &sealed).err(), Some(OpenFailed::Forged));
    let newer = Sealer::new(&KEY, Usage::Records, 8);
    assert_eq!(newer.open(&PLACE, b"", &sealed).err(), Some(OpenFailed::Generation { found: 7, held: 8 }));
    // Rewriting the generation's bytes does not help.
    let mut renamed = sealed.clone();
    renamed[4] = 8;
    assert_eq!(newer.open(&PLACE, b"", &renamed).err(), Some(OpenFailed::Forged));
}

#[test]
fn an_unknown_format_is_named_as_such() {
    let mut sealed = sealer().seal(&PLACE, b"", b"plain");
    sealed[0] = 2;
    assert_eq!(sealer().open(&PLACE, b"", &sealed).err(), Some(OpenFailed::Format));
    assert_eq!(generation_of(&sealed), None);
    assert_eq!(sealer().open(&PLACE, b"", b"").err(), Some(OpenFailed::Format));
}

#[test]
fn the_same_plaintext_is_sealed_differently_each_time() {
    assert_ne!(sealer().seal(&PLACE, b"", b"plain"), sealer().seal(&PLACE, b"", b"plain"));
}

#[test]
fn a_clone_opens_what_the_sealer_sealed_after_the_sealer_is_gone() {
    let sealer = sealer();
    let clone = sealer.clone();
    let sealed = sealer.seal(&PLACE, b"", b"plain");
    drop(sealer);
    assert!(clone.open(&PLACE, b"", &sealed).is_ok());
}

#[test]
fn the_layout_is_the_golden_one() {
    let golden = include_str!("../../tests/golden/sealed.hex");
    let sealed = Sealer::new(&KEY, Usage::KeyMaterial, 7).seal_with([5; 12], &PLACE, b"extra", b"golden");
    assert_eq!(hex::encode(sealed), golden.split_whitespace().collect::<String>());
}

#[test]
fn a_sealer_opens_what_earlier_generations_sealed_and_seals_under_its_own() {
    let place = Binding { vault: [1; 16], kind: 8, object: [2; 16], version: [0; 16], counter: 1 };
    let sealed: Vec<_> = [(1, 1), (2, 2), (3, 3), (4, 4)]
        .map(|(key, generation)| Sealer::new(&[key; 32], Usage::Records, generation).seal(&place, b"", b"plain"))
        .into();
    let first = Sealer::new(&[1; 32], Usage::Records, 1);
    let third = Sealer::after(Sealer::after(first, &[2; 32], 2), &[3; 32], 3);
    assert_eq!(generation_of(&third.seal(&place, b"", b"plain")), Some(3));
    for known in &sealed[..3] {
        assert_eq!(third.open(&place, b"", known).unwrap().as_slice(), b"plain");
    }
    assert_eq!(third.open(&place, b"", &sealed[3]).err(), Some(OpenFailed::Generation { found: 4, held: 3 }));
    let without = Sealer::after(Sealer::new(&[1; 32], Usage::Records, 1), &[3; 32], 3);
    assert_eq!(without.open(&place, b"", &sealed[1]).err(), Some(OpenFailed::Generation { found: 2, held: 3 }));
    // A forged name of a generation opens nothing.
    let mut renamed = sealed[0].clone();
    renamed[4] = 2;
    assert_eq!(third.open(&place, b"", &renamed).err(), Some(OpenFailed::Forged));
}
