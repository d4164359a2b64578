//! A configuration that cannot be is refused before anything is made: exit code 2, file and line, what to mend.

use super::{Site, private, said};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

/// The refusal of this configuration, with exit code 2.
#[track_caller]
fn refused(site: &Site, text: &str) -> String {
    fs::write(&site.config, text).unwrap();
    let output = site.command().output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}\n{}", said(&output));
    said(&output)
}

/// The same, which names the file and the line that starts with `line`.
#[track_caller]
fn refused_at(site: &Site, text: &str, line: &str, part: &str) {
    let number = text.lines().position(|l| l.starts_with(line)).unwrap_or_else(|| panic!("{line} in {text}")) + 1;
    let said = refused(site, text);
    let place = format!("keystead.toml:{number}: ");
    assert!(said.contains(&place) && said.contains(part), "{place} ... {part}: {said}");
}

#[test]
fn what_is_misspelt_or_contradicts_itself_is_named_with_file_and_line() {
    let site = Site::new();
    let good = site.text();
    let data = site.place.data_str();
    let path_key = format!("key_file = \"{}\"", site.key_file.display());
    for (from, to, line, part) in [
        ("tls = [", "tsl = [", "tsl", "tsl"),
        ("[custody]", "[costody]", "[costody]", "costody"),
        ("tls = [\"127.0.0.1", "tls = [\"localhost", "tls", "socket address"),
        ("[listen]", "[listen]\noperator_socket = 5", "operator_socket", "invalid type"),
        ("[custody]", "[limits]\nmax_connections = \"many\"\n[custody]", "max_connections", "invalid type"),
        ("[custody]", "[limits]\nmax_body_bytes = -1\n[custody]", "max_body_bytes", "-1"),
        ("[custody]", "[limits\n[custody]", "[limits", ""),
        (&path_key, &format!("key_file = \"{data}/store/path.key\""), "key_file", "would open itself"),
        ("[custody]", &format!("[audit]\nsink_file = \"{data}/audit/copy\"\n[custody]"), "sink_file", "elsewhere"),
        (&format!("tls = [\"127.0.0.1:{}\"]", site.place.port), "tls = []", "tls", "answer nowhere"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        refused_at(&site, &text, line, part);
    }
    let without = good.lines().filter(|l| !l.starts_with("certificate")).collect::<Vec<_>>().join("\n");
    assert!(refused(&site, &without).contains("certificate"));
    assert!(!site.place.data.exists() && !site.key_file.exists(), "nothing was made");
}

#[test]
fn a_path_key_that_leads_into_the_store_is_refused_before_either_is_made() {
    let site = Site::new();
    let good = site.text();
    let written = site.key_file.display().to_string();
    symlink(site.place.data.join("store"), site.place.beside("innocent")).unwrap();
    let link = site.place.beside("innocent/path.key").display().to_string();
    for path in [format!("{}/../data/store/path.key", site.place.data_str()), link, "data/store/path.key".to_owned()] {
        // Commands of this place run beside the data directory.
        refused_at(&site, &good.replace(&written, &path), "key_file", "would open itself");
    }
    assert!(!site.place.data.exists(), "nothing was made");
}

#[test]
fn a_file_that_is_missing_or_does_not_fit_is_named() {
    let site = Site::new();
    let good = site.text();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    private(&site.place.beside("other.pem"), &other.signing_key.serialize_pem());
    private(&site.place.beside("empty.pem"), "");
    for (from, to, part) in [
        ("chain.pem", "nowhere.pem", "nowhere.pem"),
        ("/key.pem", "/nowhere.pem", "nowhere.pem"),
        ("chain.pem", "empty.pem", "certificate"),
        ("/key.pem", "/empty.pem", "private key"),
        ("/key.pem", "/other.pem", "does not belong"),
    ] {
        let said = refused(&site, &good.replacen(from, to, 1));
        assert!(said.contains(part), "{part}: {said}");
    }
    fs::set_permissions(site.place.beside("key.pem"), fs::Permissions::from_mode(0o640)).unwrap();
    let said_open = refused(&site, &good);
    assert!(said_open.contains("key.pem") && said_open.contains("chmod 600"), "{said_open}");
    let missing = site.place.command(&["serve", "--config", "/nowhere.toml"]).output().unwrap();
    assert!(missing.status.code() == Some(2) && said(&missing).contains("/nowhere.toml"), "{missing:?}");
    let none = site.place.command(&["serve"]).output().unwrap();
    assert!(none.status.code() == Some(2) && said(&none).contains("--config"), "{none:?}");
}
