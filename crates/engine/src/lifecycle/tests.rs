use super::*;
use keystead_model::PublicKey;
use proptest::prelude::*;

fn version(enabled: bool, not_before: Option<i64>, expires: Option<i64>, ops: &[KeyOperation]) -> VersionRecord {
    VersionRecord {
        spec: KeySpec::Oct256,
        ops: ops.to_vec(),
        enabled,
        not_before,
        expires,
        created: 0,
        updated: 0,
        tags: BTreeMap::new(),
        public: PublicKey::Symmetric,
        material: Vec::new(),
        uses_reserved: 0,
        exportable: None,
        release: None,
        level: None,
    }
}

fn operation() -> impl Strategy<Value = KeyOperation> {
    prop::sample::select(KeyOperation::ALL)
}

proptest! {
    #[test]
    fn a_version_is_usable_only_enabled_permitted_and_for_new_data_within_its_dates(
        enabled: bool,
        not_before in prop::option::of(0_i64..10),
        expires in prop::option::of(0_i64..10),
        ops in prop::collection::vec(operation(), 0..6),
        op in operation(),
        now in 0_i64..10,
    ) {
        use KeyOperation::*;
        let reads_old_data = matches!(op, Decrypt | UnwrapKey | Verify);
        let within = not_before.is_none_or(|t| t <= now) && expires.is_none_or(|t| now < t);
        let wanted = enabled && ops.contains(&op) && (within || reads_old_data);
        let found = usable(&version(enabled, not_before, expires, &ops), op, Time(now));
        prop_assert_eq!(found.is_ok(), wanted, "{:?}", found);
    }

    #[test]
    fn operations_are_those_asked_for_once_each_if_the_kind_can_have_them(
        spec in prop::sample::select(KeySpec::ALL), asked in prop::collection::vec(operation(), 0..8),
    ) {
        match operations(spec, Some(&asked)) {
            Ok(ops) => {
                prop_assert!(asked.iter().all(|o| ops.contains(o)) && ops.iter().all(|o| asked.contains(o)));
                prop_assert!((1..ops.len()).all(|i| !ops[..i].contains(&ops[i])));
                prop_assert!(ops.iter().all(|o| spec.possible().contains(o)));
            }
            Err(Refusal::ImportAlone) => {
                prop_assert!(asked.contains(&KeyOperation::Import) && asked.iter().any(|o| *o != KeyOperation::Import));
            }
            Err(e) => {
                prop_assert!(matches!(e, Refusal::BadOperations { spec: of } if of == spec), "another refusal");
                prop_assert!(asked.iter().any(|o| !spec.possible().contains(o)));
            }
        }
    }

    #[test]
    fn attributes_are_merged_one_by_one_and_never_end_before_they_begin(
        had in (any::<bool>(), prop::option::of(0_i64..9), prop::option::of(0_i64..9)),
        set in (prop::option::of(any::<bool>()), prop::option::of(0_i64..9), prop::option::of(0_i64..9)),
    ) {
        let mut v = version(had.0, had.1, had.2, &[]);
        let asked = SetAttributes { enabled: set.0, not_before: set.1.map(Time), expires: set.2.map(Time), exportable: None };
        let result = set_attributes(&mut v, &asked);
        let (from, to) = (set.1.or(had.1), set.2.or(had.2));
        prop_assert_eq!(result.is_ok(), !matches!((from, to), (Some(from), Some(to)) if to <= from));
        prop_assert_eq!((v.enabled, v.not_before, v.expires), (set.0.unwrap_or(had.0), from, to));
    }
}

#[test]
fn where_nothing_is_said_a_key_gets_what_its_kind_is_usually_for() {
    for spec in KeySpec::ALL {
        assert_eq!(operations(*spec, None).unwrap(), spec.usual());
        assert_eq!(operations(*spec, Some(&[])).unwrap(), []);
    }
}

#[test]
fn a_disabled_version_says_so_before_anything_else() {
    let v = version(false, Some(5), Some(5), &[]);
    assert!(matches!(usable(&v, KeyOperation::Sign, Time(0)), Err(Refusal::KeyDisabled { op: "sign" })));
}

#[test]
fn tags_are_bounded_in_number_and_characters() {
    let tag = |n: usize, text: &str| (format!("{n}"), text.to_owned());
    let many = |n| (0..n).map(|n| tag(n, "")).collect::<BTreeMap<_, _>>();
    assert!(check_tags(&many(MAX_TAGS)).is_ok());
    assert!(check_tags(&many(MAX_TAGS + 1)).is_err());
    let (fits, long) = ("é".repeat(MAX_TAG_CHARS), "é".repeat(MAX_TAG_CHARS + 1));
    assert!(check_tags(&[(fits.clone(), fits)].into()).is_ok());
    assert!(check_tags(&[tag(1, &long)].into()).is_err());
    assert!(check_tags(&[(long, String::new())].into()).is_err());
}
