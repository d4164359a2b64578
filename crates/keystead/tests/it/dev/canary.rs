//! What a customer writes or keeps is nowhere readable on the disk, neither while the server runs nor afterwards.

use super::operator;
use crate::support::{Place, Vault, b64, ec_key, rsa_key, unb64};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A word of letters in mixed case, so that a search without regard to case proves something.
const WORD: &str = "ZwergNaseXq";

/// Something to look for, and what it is.
struct Canary {
    what: String,
    bytes: Vec<u8>,
    any_case: bool,
}

/// A text in the forms it could take: as it is, in UTF-16 of either order, in hex and in base64.
fn text(what: &str, text: &str) -> Vec<Canary> {
    let utf16: Vec<u16> = text.encode_utf16().collect();
    let of = |form: &str, bytes: Vec<u8>, any_case| Canary { what: format!("{what}, {form}"), bytes, any_case };
    vec![
        of("plain", text.as_bytes().to_vec(), true),
        of("UTF-16LE", utf16.iter().flat_map(|c| c.to_le_bytes()).collect(), true),
        of("UTF-16BE", utf16.iter().flat_map(|c| c.to_be_bytes()).collect(), true),
        of("hex", hex::encode(text).into_bytes(), true),
        // The end depends on what follows.
        of("base64url", b64(text.as_bytes()).as_bytes()[..text.len() * 4 / 3 - 1].to_vec(), false),
    ]
}

fn raw(what: &str, bytes: Vec<u8>) -> Vec<Canary> {
    let of = |form: &str, bytes: Vec<u8>, any_case| Canary { what: format!("{what}, {form}"), bytes, any_case };
    vec![
        of("base64url", b64(&bytes).into_bytes(), false),
        of("hex", hex::encode(&bytes).into_bytes(), true),
        of("raw", bytes, false),
    ]
}

/// Keys that were made elsewhere, so that their secret numbers are known, in use; all that must not be found of them.
fn imported(vault: &mut Vault) -> Vec<Canary> {
    let oct: Vec<u8> = (0..32_u8).map(|i| i.wrapping_mul(91) ^ 0x5c).collect();
    let k = json!({ "kty": "oct", "k": b64(&oct) });
    let mut canaries = Vec::new();
    for (jwk, parts) in
        [(k, &["k"][..]), (ec_key(), &["x", "y", "d"]), (rsa_key(), &["n", "d", "p", "q", "dp", "dq", "qi"])]
    {
        let kty = jwk["kty"].as_str().unwrap().to_owned();
        let name = format!("{WORD}-imported-{kty}");
        vault.call("PUT", &format!("/keys/{name}"), Some(&json!({ "key": jwk }))).unwrap().ok();
        match kty.as_str() {
            "oct" => vault.encrypt(&name, b"-"),
            "EC" => vault.sign(&name, &[7; 32]),
            _ => vault.sign_by("RS256", &name, &[7; 32]),
        }
        .unwrap()
        .ok();
        let part = |part: &&str| raw(&format!("{part} of the imported {kty}"), unb64(jwk[*part].as_str().unwrap()));
        canaries.extend(parts.iter().flat_map(part));
    }
    canaries
}

#[test]
fn no_name_tag_secret_plaintext_or_key_stands_readable_in_the_directory() {
    let place = Place::new();
    let server = place.dev_with(&[("KEYSTEAD_LOG", "debug")]).unwrap();
    let mut vault = server.vault();
    let mut canaries = imported(&mut vault);
    for kty in ["EC", "RSA", "oct"] {
        let name = format!("{WORD}-{kty}");
        let body = json!({ "kty": kty, "tags": { format!("{WORD}-tag"): format!("{WORD}-value") } });
        let made = vault.call("POST", &format!("/keys/{name}/create"), Some(&body)).unwrap().ok();
        // A private key is kept with its public half: where the one stood, the other would be found.
        for part in ["x", "y", "n"] {
            if let Some(value) = made["key"][part].as_str() {
                canaries.extend(raw(&format!("{part} of {kty}"), unb64(value)));
            }
        }
        vault.update(&name, &json!({ "tags": { "a": format!("{WORD}-changed") } })).unwrap().ok();
    }
    let digest: [u8; 32] = std::array::from_fn(|i| 0xa5 ^ (i as u8).wrapping_mul(7));
    let signed = vault.sign(&format!("{WORD}-EC"), &digest).unwrap().ok();
    let plain = format!("{WORD} is the plaintext");
    let sealed = vault.encrypt(&format!("{WORD}-oct"), plain.as_bytes()).unwrap().ok();
    vault.decrypt(&format!("{WORD}-oct"), &sealed).unwrap().ok();
    vault.delete(&format!("{WORD}-RSA")).unwrap().ok();
    vault.get(&format!("{WORD}-nothing")).unwrap();
    operator(&place, &["seal", "dev"]);
    operator(&place, &["unseal", "dev"]);

    canaries.extend(text("the word of all names, tags and values", WORD));
    canaries.extend(text("the client's secret", &server.env["AZURE_CLIENT_SECRET"]));
    canaries.extend(text("the client's id", &server.env["AZURE_CLIENT_ID"]));
    canaries.extend(text("a token", &vault.token[..40]));
    canaries.extend(raw("a digest", digest.to_vec()));
    canaries.extend(raw("a signature", unb64(signed["value"].as_str().unwrap())));
    canaries.extend(raw("a ciphertext", unb64(sealed["value"].as_str().unwrap())));
    let path_key = fs::read(place.data.join("path.key")).unwrap();
    canaries.extend(raw("the path key", path_key));
    // PKCS#8 of a P-256 and of an RSA key (RFC 5958), up to the key.
    let ec = hex::decode("020100301306072a8648ce3d020106082a8648ce3d030107").unwrap();
    let rsa = hex::decode("020100300d06092a864886f70d0101010500").unwrap();
    canaries.extend([("PKCS#8, P-256", ec), ("PKCS#8, RSA", rsa)].into_iter().flat_map(|(w, b)| raw(w, b)));

    let seen = search(&place.data, &canaries);
    assert!(seen > 5, "{seen} files while it runs");
    let log = server.log();
    assert!(log.lines().count() > 20, "a line per request: {log}");
    assert_eq!(found_in(log.as_bytes(), &canaries), Vec::<&str>::new(), "{log}");
    assert!(server.stop().success());
    search(&place.data, &canaries);
    // The search finds what is there.
    let planted = place.data.join("store/planted");
    for canary in &canaries {
        let upper = if canary.any_case { canary.bytes.to_ascii_uppercase() } else { canary.bytes.clone() };
        fs::write(&planted, [b"..", upper.as_slice(), b".."].concat()).unwrap();
        assert!(found(&planted, &canaries).contains(&canary.what.as_str()), "{}", canary.what);
    }
}

/// Searches every file but those that hold the client's secret, the path key or the keys of TLS on purpose; how many
/// there were.
fn search(directory: &Path, canaries: &[Canary]) -> usize {
    let but = ["dev.env", "dev.client", "path.key", "operator.sock", "ca.key", "server.key"];
    let files: Vec<PathBuf> = files(directory).into_iter().filter(|f| !but.contains(&name(f))).collect();
    for file in &files {
        let found = found(file, canaries);
        assert!(found.is_empty(), "{} holds {found:?}", file.display());
    }
    assert!(files.iter().any(|f| name(f) == "keystead.db"));
    files.len()
}

fn found<'a>(file: &Path, canaries: &'a [Canary]) -> Vec<&'a str> {
    found_in(&fs::read(file).unwrap(), canaries)
}

fn found_in<'a>(bytes: &[u8], canaries: &'a [Canary]) -> Vec<&'a str> {
    let lower = bytes.to_ascii_lowercase();
    let there = |c: &&Canary| {
        if c.any_case { holds(&lower, &c.bytes.to_ascii_lowercase()) } else { holds(bytes, &c.bytes) }
    };
    canaries.iter().filter(there).map(|c| c.what.as_str()).collect()
}

/// Looking for the first byte alone is much faster than windows of the whole.
fn holds(mut hay: &[u8], needle: &[u8]) -> bool {
    while let Some(at) = hay.iter().position(|byte| *byte == needle[0]) {
        hay = &hay[at..];
        if hay.starts_with(needle) {
            return true;
        }
        hay = &hay[1..];
    }
    false
}

fn name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(&entry.path()));
        } else {
            all.push(entry.path());
        }
    }
    all
}
