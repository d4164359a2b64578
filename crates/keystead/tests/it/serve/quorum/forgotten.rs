//! What a server had in its memory while a vault was open is not there once the vault is sealed.

use super::super::recovery::create;
use super::{Customer, SIGN, Site, good, private, stop};
use crate::hsm::bed::{Maker, Token};
use crate::support::{Http, ec_key, rsa_key, unb64};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use keystead_crypto::hkdf::Extracted;
use keystead_crypto::rsa::{PrivateKey, Scheme};
use keystead_custody::{open_domain, open_share};
use keystead_formats::security_domain::SecurityDomain;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a domain with an HSM has beside.
const WRAPPING: &str = "wrapping key of the HSM";

/// Connections that use keys at once and stay open.
const CONNECTIONS: usize = 64;

/// A secret, as it may lie in memory.
struct Secret {
    what: &'static str,
    bytes: Vec<u8>,
}

/// A number lies in memory with its lowest byte first, where arithmetic is done, or as it is written.
fn number(what: &'static str, jwk: &Value, part: &str) -> [Secret; 2] {
    let bytes = unb64(jwk[part].as_str().unwrap());
    let reversed = bytes.iter().rev().copied().collect();
    [Secret { what, bytes }, Secret { what, bytes: reversed }]
}

impl Customer {
    /// The root, out of the path's wrap, by the layout that `keystead_custody::path` documents.
    fn root(&self, path_key: &[u8]) -> Vec<u8> {
        let store = rusqlite::Connection::open(self.site.place.data.join("store/keystead.db")).unwrap();
        let sql = "SELECT vault, sealed FROM item WHERE kind = ?1";
        let kind = keystead_store::Kind::WrappedRoot.code();
        let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?));
        let (vault, wrapped): (Vec<u8>, Vec<u8>) = store.query_row(sql, [kind], row).unwrap();
        let key = Extracted::new(b"keystead path wrap 1", path_key).key(&[&[2], &vault]);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice()).unwrap());
        let aad = [&[1, 2], vault.as_slice(), &wrapped[1..5]].concat();
        let (nonce, mut sealed) = (&wrapped[5..17], wrapped[17..].to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        key.open_in_place(nonce, Aad::from(aad), &mut sealed).unwrap().to_vec()
    }

    /// What two custodians give to the server, and what they open with it.
    fn of_custodians(&self) -> Vec<Secret> {
        let directory = self.site.place.beside("domain");
        let file = SecurityDomain::parse(&fs::read(directory.join("security-domain.json")).unwrap()).unwrap();
        let mut shares = self.record("domain").gathering().unwrap();
        let mut secrets = Vec::new();
        for (name, sealed) in ["alice", "bob"].into_iter().zip(&file.shares) {
            let pem = PrivatePkcs8KeyDer::from_pem_file(self.file(&format!("{name}.key.pem"))).unwrap();
            let key = PrivateKey::from_pkcs8(pem.secret_pkcs8_der()).unwrap();
            let share = open_share(sealed, |cipher| key.decrypt(Scheme::OaepSha256, cipher).ok()).unwrap();
            let bytes = share.to_bytes().to_vec();
            let values = bytes.chunks(2).flat_map(|word| [word[0], word[1] & 1]).collect();
            secrets.extend([Secret { what: "share", bytes }, Secret { what: "values of a share", bytes: values }]);
            shares.add(share).unwrap();
        }
        secrets.push(Secret { what: "master key", bytes: shares.combine().unwrap().to_vec() });
        let domain = open_domain(&file, &shares).unwrap().to_bytes();
        // In it, each key is a CBOR byte string of 32.
        let keys: Vec<&[u8]> = domain.windows(34).filter(|w| w[..2] == [0x58, 32]).map(|w| &w[2..]).collect();
        assert!(keys.len() >= 2, "{} keys", keys.len());
        let names = ["private key of the domain", "key of backups", WRAPPING];
        secrets.extend(names.into_iter().zip(keys).map(|(what, key)| Secret { what, bytes: key.to_vec() }));
        secrets
    }

    /// Signs with both keys over each connection.
    fn use_keys(&self, connections: &mut [Http], token: &str) {
        let (host, bearer) = (format!("pay.localhost:{}", self.site.place.port), format!("Bearer {token}"));
        let headers = [("host", host.as_str()), ("authorization", &bearer)];
        let rs256 = SIGN.replace("ES256", "RS256");
        std::thread::scope(|scope| {
            for connection in connections {
                scope.spawn(|| {
                    for (key, body) in [("ec", SIGN), ("rsa", &rs256)] {
                        let target = format!("/keys/{key}/sign?api-version=7.6");
                        connection.send("POST", &target, &headers, body.as_bytes()).unwrap().ok();
                    }
                });
            }
        });
    }
}

impl Customer {
    /// Seals while each connection goes on signing. Each is served before, and told in the end that the vault is sealed.
    fn sealed_in_use(&self, connections: &mut [Http], token: &str) {
        let (host, bearer) = (format!("pay.localhost:{}", self.site.place.port), format!("Bearer {token}"));
        let headers = [("host", host.as_str()), ("authorization", &bearer)];
        let rs256 = SIGN.replace("ES256", "RS256");
        let (number, served, until) =
            (connections.len(), AtomicUsize::new(0), Instant::now() + Duration::from_secs(60));
        std::thread::scope(|scope| {
            for connection in connections {
                scope.spawn(|| {
                    for turn in 0.. {
                        let (key, body) = [("ec", SIGN), ("rsa", rs256.as_str())][turn % 2];
                        let target = format!("/keys/{key}/sign?api-version=7.6");
                        let answer = connection.send("POST", &target, &headers, body.as_bytes()).unwrap();
                        match answer.status {
                            200 if turn == 0 => drop(served.fetch_add(1, Ordering::SeqCst)),
                            200 | 429 => {}
                            _ => return assert_eq!(answer.code(), "VaultSealed"),
                        }
                        assert!(Instant::now() < until, "it is not sealed");
                    }
                });
            }
            while served.load(Ordering::SeqCst) < number {
                assert!(Instant::now() < until, "not all are served");
                sleep(Duration::from_millis(1));
            }
            good(self.site.vault(&["seal", "pay"]));
        });
    }
}

/// Whether there can be anything of the server's in it: all that can be read but the code in files.
fn of_interest(map: &str) -> bool {
    let mut words = map.split_ascii_whitespace().skip(1);
    let (access, file) = (words.next().unwrap(), words.nth(3).is_some_and(|name| name.starts_with('/')));
    access.starts_with('r') && !(file && access.contains('x'))
}

/// Which of the secrets lie in the memory of a process: heap, stacks and all.
fn found_in(process: u32, secrets: &[Secret]) -> Vec<&'static str> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found = Vec::new();
    for map in maps.lines().filter(|map| of_interest(map)) {
        let (from, to) = map.split(' ').next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
        search(&memory, from, to, secrets, &mut found);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Pages that were never touched are not there to be read.
fn search(memory: &File, from: u64, to: u64, secrets: &[Secret], found: &mut Vec<&'static str>) {
    const STEP: u64 = 1 << 20;
    let mut at = from;
    while at < to {
        // The next part begins in this one, so that no secret is cut.
        let mut part = vec![0; usize::try_from((to - at).min(STEP + 64)).unwrap()];
        if memory.read_exact_at(&mut part, at).is_ok() {
            let there = |secret: &&Secret| part.windows(secret.bytes.len()).any(|window| window == secret.bytes);
            found.extend(secrets.iter().filter(there).map(|secret| secret.what));
        }
        at += STEP;
    }
}

/// Only root may look into a server, which hides its memory from its own user.
#[test]
fn a_sealed_vault_leaves_no_root_share_domain_key_or_private_key_in_memory() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let customer = Customer::new();
    let site = &customer.site;
    let running = site.start();
    let process = running.0.id();
    good(customer.create());
    customer.make_domain_with("domain", &["--allow-path", "file:file"]);
    good(site.vault(&["activate", "pay", "--domain", "domain", "--path", "file"]));
    let token = site.token(&customer.client);
    let (ec, rsa) = (ec_key(), rsa_key());
    for (name, key) in [("ec", &ec), ("rsa", &rsa)] {
        let body = json!({ "key": key }).to_string();
        site.call("pay", &token, "PUT", &format!("/keys/{name}"), &body).ok();
    }
    let mut connections: Vec<Http> = (0..CONNECTIONS).map(|_| site.http()).collect();
    customer.use_keys(&mut connections, &token);

    let path_key = fs::read(&site.key_file).unwrap();
    let root = Secret { what: "root", bytes: customer.root(&path_key) };
    let open = found_in(process, std::slice::from_ref(&root));
    assert_eq!(open, ["root"], "the search finds what is there");
    let mut secrets = customer.of_custodians();
    secrets.extend([root, Secret { what: "path key", bytes: path_key }]);
    secrets.extend([number("EC key", &ec, "d"), number("RSA prime", &rsa, "p")].into_iter().flatten());
    let open = found_in(process, &secrets);
    assert!(open.contains(&"EC key") && open.contains(&"RSA prime"), "opened keys are kept open: {open:?}");
    assert!(!open.contains(&"path key"), "{open:?}");

    customer.sealed_in_use(&mut connections, &token);
    nothing_in(process, &secrets);
    // The same after its custodians have opened it.
    good(customer.unseal(&["--out", "first"]));
    let answers = ["alice", "bob"].map(|name| customer.answer(name, "first"));
    good(customer.unseal(&["--answer", &answers[0], "--answer", &answers[1]]));
    customer.sealed_in_use(&mut connections, &token);
    nothing_in(process, &secrets);
    stop(running);
}

/// The process of a server's only token.
fn worker_of(server: u32) -> u32 {
    let threads = fs::read_dir(format!("/proc/{server}/task")).unwrap();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let all: Vec<u32> =
        children.flat_map(|c| c.split_whitespace().map(|p| p.parse().unwrap()).collect::<Vec<_>>()).collect();
    let named = |id: &u32| fs::read(format!("/proc/{id}/cmdline")).unwrap().windows(10).any(|w| w == b"hsm-worker");
    all.into_iter().find(named).unwrap()
}

/// A token in software has the wrapping key in the memory of its worker, as a device has it in its own; it has nothing
/// else of the custodians'.
#[test]
fn a_sealed_vault_of_an_hsm_leaves_no_wrapping_key_in_the_server_and_nothing_else_in_the_worker() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let site = Site::new();
    let one = Token::new(Maker::SoftHsm2, &site.place.beside("tokens"), "one");
    private(&site.config, &format!("{}\n{}", site.text(), one.section("wrapped")));
    let customer = Customer::of(site);
    let site = &customer.site;
    let running = site.start();
    create(site, "pay", "hsm");
    customer.make_domain_with("domain", &["--hsm", "--allow-path", "file:file"]);
    good(site.vault(&["activate", "pay", "--domain", "domain", "--hsm", "one", "--path", "file"]));
    let token = site.token(&customer.client);
    site.call("pay", &token, "POST", "/keys/k/create", r#"{"kty":"EC-HSM"}"#).ok();
    let path_key = fs::read(&site.key_file).unwrap();
    let root = Secret { what: "root", bytes: customer.root(&path_key) };
    let (server, worker) = (running.0.id(), worker_of(running.0.id()));
    assert_eq!(found_in(server, std::slice::from_ref(&root)), ["root"], "the search finds what is there");
    let module = Secret { what: "module", bytes: b"libsofthsm2".to_vec() };
    assert_eq!(found_in(worker, &[module]), ["module"], "here, too");
    let mut secrets = customer.of_custodians();
    assert!(secrets.iter().any(|secret| secret.what == WRAPPING));
    secrets.extend([root, Secret { what: "path key", bytes: path_key }]);
    good(site.vault(&["seal", "pay"]));
    for round in ["first", "second"] {
        nothing_in(server, &secrets);
        let elsewhere: Vec<&str> = found_in(worker, &secrets).into_iter().filter(|what| *what != WRAPPING).collect();
        assert!(elsewhere.is_empty(), "in the worker: {elsewhere:?}");
        // The same after its custodians have opened it.
        good(customer.unseal(&["--out", round]));
        let answers = ["alice", "bob"].map(|name| customer.answer(name, round));
        good(customer.unseal(&["--answer", &answers[0], "--answer", &answers[1]]));
        site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
        good(site.vault(&["seal", "pay"]));
    }
    stop(running);
}

/// Whoever still has a key in his hands lets go of it when his call ends.
fn nothing_in(process: u32, secrets: &[Secret]) {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let found = found_in(process, secrets);
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "a sealed vault left in memory: {found:?}");
        sleep(Duration::from_millis(200));
    }
}
