//! What a configuration may say.

use super::*;

const EXAMPLE: &str = include_str!("../../../../docs/keystead.example.toml");

#[test]
fn the_commented_example_is_a_configuration() {
    parse(EXAMPLE).unwrap();
}

#[test]
fn unknown_settings_are_refused_with_their_line() {
    let text = EXAMPLE.replace("[limits]", "[limits]\nmax_conections = 5");
    let (at, what) = parse(&text).unwrap_err();
    assert_eq!(text.lines().nth(at - 1).unwrap(), "max_conections = 5");
    assert!(what.contains("max_conections"), "{what}");
}

#[test]
fn a_path_key_inside_the_store_is_refused_with_its_line() {
    let text = EXAMPLE.replace("/etc/keystead/path.key", "/var/lib/keystead/store/path.key");
    let (at, what) = parse(&text).unwrap_err();
    assert!(text.lines().nth(at - 1).unwrap().contains("key_file"), "{at}");
    assert!(what.contains("would open itself"), "{what}");
}

#[test]
fn backups_inside_the_store_or_the_journal_are_refused_with_their_line() {
    for inside in ["store/backups", "audit"] {
        let place = format!("directory = \"/var/lib/keystead/{inside}\"");
        let text = EXAMPLE.replace("# directory = \"/var/lib/keystead-backups\"", &place);
        let (at, what) = parse(&text).unwrap_err();
        assert_eq!(text.lines().nth(at - 1).unwrap(), place);
        assert!(what.contains("must stand elsewhere"), "{what}");
    }
}

/// Whether the file is refused as the store's, both paths as they are written.
fn is_inside(data: &str, key_file: &str) -> bool {
    let text = EXAMPLE.replace("/var/lib/keystead\"", &format!("{data}\""));
    let text = text.replace("/etc/keystead/path.key", key_file);
    assert!(text.contains(&format!("data = \"{data}\"")) && text.contains(&format!("key_file = \"{key_file}\"")));
    match parse(&text) {
        Ok(_) => false,
        Err((_, what)) => what.contains("would open itself") || panic!("{what}"),
    }
}

#[test]
fn a_path_key_is_inside_the_store_however_its_path_is_written_and_before_anything_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().to_str().unwrap();
    let data = format!("{base}/data");
    for existing in [false, true] {
        if existing {
            std::fs::create_dir_all(format!("{data}/store")).unwrap();
            std::fs::create_dir_all(format!("{base}/keys")).unwrap();
            std::fs::write(format!("{data}/store/path.key"), [0; 32]).unwrap();
        }
        for inside in ["data/store/path.key", "data/./store/deep/er/path.key", "keys/../data/audit/../store/k"] {
            assert!(is_inside(&data, &format!("{base}/{inside}")), "{inside}, {existing}");
            assert!(is_inside(&format!("{base}/keys/../data"), &format!("{base}/{inside}")), "{inside}, {existing}");
        }
        for outside in ["data/path.key", "keys/path.key", "data/store/../path.key", "data/store.key"] {
            assert!(!is_inside(&data, &format!("{base}/{outside}")), "{outside}, {existing}");
        }
    }
    assert!(is_inside("keystead-data", "./keystead-data/store/path.key"), "both from where it runs");
    let here = std::env::current_dir().unwrap();
    assert!(is_inside("keystead-data", &format!("{}/keystead-data/store/path.key", here.display())));
}

#[test]
fn a_path_key_is_inside_the_store_through_any_link() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().to_str().unwrap();
    let at = |path: &str| format!("{base}/{path}");
    // A link to the store before it is made, and one to the data directory under another name.
    symlink("data/store", at("keys")).unwrap();
    symlink(at("data"), at("other")).unwrap();
    symlink("turns", at("turns")).unwrap();
    for made in [false, true] {
        if made {
            std::fs::create_dir_all(at("data/store")).unwrap();
            symlink(at("data/store/path.key"), at("one.key")).unwrap();
            std::fs::write(at("data/store/path.key"), [0; 32]).unwrap();
            assert!(is_inside(&at("data"), &at("one.key")));
        }
        assert!(is_inside(&at("data"), &at("keys/path.key")), "{made}");
        assert!(is_inside(&at("data"), &at("other/store/path.key")), "{made}");
        assert!(is_inside(&at("other"), &at("data/store/path.key")), "{made}");
        assert!(is_inside(&at("other"), &at("keys/../store/path.key")), "{made}: `..` is of where the link leads");
        assert!(!is_inside(&at("data"), &at("keys/../path.key")), "{made}");
    }
    let (line, what) = parse(&EXAMPLE.replace("/etc/keystead/path.key", &at("turns/path.key"))).unwrap_err();
    assert!(line > 1 && what.contains("cannot tell where"), "{what}");
}

#[test]
fn the_example_shows_the_defaults() {
    let shown = EXAMPLE.split("[limits]").nth(1).unwrap().replace("\n# ", "\n");
    let lines = shown.lines().filter(|line| line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')));
    let text = format!("[limits]\n{}", lines.collect::<Vec<_>>().join("\n"));
    let LimitsFile { limits } = toml(&text).unwrap();
    assert_eq!((limits.bounds(), text.lines().count()), (Bounds::default(), 9), "{text}");
    let (shown, default) = (limits.server(), LimitsSection::default().server());
    assert_eq!(format!("{shown:?}"), format!("{default:?}"));
}

#[test]
fn bounds_that_cannot_be_are_refused_with_their_line() {
    for (set, part) in [
        ("caller_requests_per_second = 0", "nonzero"),
        ("caller_requests_per_second = 50000", "raise the vault's"),
        ("caller_requests_at_once = 500", "raise the vault's"),
        ("wrong_proofs_per_second = -1", "-1"),
        ("burst = 5", "burst"),
    ] {
        let text = EXAMPLE.replace("[limits]", &format!("[limits]\n{set}"));
        let (at, what) = parse(&text).unwrap_err();
        assert_eq!(text.lines().nth(at - 1).unwrap(), set);
        assert!(what.contains(part), "{what}");
    }
}

#[test]
fn metrics_leave_this_machine_only_through_something_else() {
    let with = |address: &str| EXAMPLE.replace("# listen = \"127.0.0.1:9464\"", &format!("listen = \"{address}\""));
    for good in ["127.0.0.1:9464", "[::1]:9464"] {
        assert_eq!(parse(&with(good)).unwrap().metrics.listen.unwrap().into_inner().to_string(), good);
    }
    for bad in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464"] {
        let (at, what) = parse(&with(bad)).unwrap_err();
        assert!(with(bad).lines().nth(at - 1).unwrap().contains(bad), "{what}");
    }
}

#[test]
fn any_text_is_a_configuration_or_an_error_with_a_line_of_it() {
    let mut seed = 1u32;
    for _ in 0..3000 {
        let mut text = EXAMPLE.as_bytes().to_vec();
        for _ in 0..3 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = seed as usize % text.len();
            text[at] = (seed >> 24) as u8 & 0x7f;
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        if let Err((at, _)) = parse(&text) {
            assert!(at >= 1 && at <= text.lines().count() + 1);
        }
    }
}
