//! `keystead byok wrap --pkcs11`: keys straight out of a token into a software vault.

use super::bed::{Maker, Token};
use crate::support::{Place, Vault, b64, unb64};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

const MESSAGE: &[u8] = b"signed by a key that was born elsewhere";

/// A token of somebody's with his keys, and a public key to wrap them for.
struct Bench {
    place: Place,
    token: Token,
    kek: String,
    kid: String,
}

impl Bench {
    /// With a key exchange key that is nobody's.
    fn new(maker: Maker) -> Self {
        let place = Place::new();
        let token = Token::new(maker, &place.beside("tokens"), "his");
        let at = |name: &str| place.beside(name).to_str().unwrap().to_owned();
        let kek = at("kek.pem");
        super::byok::openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &at("k")]);
        super::byok::openssl(&["pkey", "-in", &at("k"), "-pubout", "-out", &kek]);
        let kid = format!("https://pay.vault.example/keys/kek/{}", "0a".repeat(16));
        Self { place, token, kek, kid }
    }

    fn key(&self, how: &str, kind: &str, label: &str, id: &str, more: &[&str]) {
        let words = [how, "--key-type", kind, "--label", label, "--id", id, "--sensitive"];
        self.token.with_pin(&[&words, more].concat());
    }

    /// Without a module, a token or a PIN.
    fn bare(&self, words: &[&str]) -> Output {
        self.place.cli(&[&["byok", "wrap", "--kek", &self.kek, "--kid", &self.kid], words].concat())
    }

    fn wrap(&self, words: &[&str]) -> Output {
        let (module, pin, environment) = (self.token.module(), self.token.pin(), self.token.environment());
        let [module, pin] = [&module, &pin].map(|path| path.to_str().unwrap());
        let common = ["--pkcs11", module, "--pin-file", pin, "--environment", &environment];
        self.bare(&[&common, words].concat())
    }

    /// With the module that lists other mechanisms than the token's.
    fn listing(&self, mechanisms: &str, words: &[&str]) -> Output {
        let shim = std::env::current_exe().unwrap().with_file_name("libkeystead_p11fault.so");
        let (pin, module) = (self.token.pin(), self.token.module());
        let variables = [
            self.token.environment(),
            format!("KEYSTEAD_P11FAULT_MODULE={}", module.display()),
            format!("KEYSTEAD_P11FAULT_MECHANISMS={mechanisms}"),
        ];
        let mut common = vec!["--pkcs11", shim.to_str().unwrap(), "--pin-file", pin.to_str().unwrap()];
        common.extend(variables.iter().flat_map(|variable| ["--environment", variable]));
        self.bare(&[&common, words].concat())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn good(done: Output) -> (String, String) {
    assert!(done.status.success(), "{}", text(&done.stderr));
    (text(&done.stdout), text(&done.stderr))
}

/// Exit code and what was said.
fn refused(done: Output) -> (i32, String) {
    assert!(done.stdout.is_empty(), "nothing is given out");
    (done.status.code().unwrap(), text(&done.stderr))
}

fn import(vault: &mut Vault, name: &str, kty: &str, crv: Option<&str>, blob: &[u8]) {
    let mut key = json!({"kty": kty, "key_hsm": b64(blob)});
    if let Some(crv) = crv {
        key["crv"] = crv.into();
    }
    vault.call("PUT", &format!("/keys/{name}"), Some(&json!({ "key": key }))).unwrap().ok();
}

/// That the vault signs as the key does that the token has the public half of.
fn signs(vault: &mut Vault, name: &str, alg: &str, how: &'static dyn VerificationAlgorithm, public: &Path) {
    let digest = digest(&SHA256, MESSAGE);
    let body = json!({"alg": alg, "value": b64(digest.as_ref())});
    let signed = vault.call("POST", &format!("/keys/{name}/sign"), Some(&body)).unwrap().ok();
    let signature = unb64(signed["value"].as_str().unwrap());
    UnparsedPublicKey::new(how, fs::read(public).unwrap()).verify(MESSAGE, &signature).unwrap();
}

/// RSA, EC and AES keys of the token answer in the vault as they do there, and nothing stays in the token.
fn come_in(maker: Maker) {
    let mut bench = Bench::new(maker);
    let server = bench.place.dev();
    let mut vault = server.vault();
    let body = json!({"kty": "RSA", "key_size": 3072, "key_ops": ["import"]});
    bench.kid =
        vault.call("POST", "/keys/kek/create", Some(&body)).unwrap().ok()["key"]["kid"].as_str().unwrap().to_owned();
    fs::write(&bench.kek, bench.place.cli(&["key", "show", "kek", "--pem"]).stdout).unwrap();
    bench.key("--keypairgen", "rsa:2048", "rsa", "01", &["--extractable"]);
    bench.key("--keypairgen", "EC:prime256v1", "ec", "02", &["--extractable"]);
    bench.key("--keygen", "AES:32", "oct", "03", &["--extractable"]);
    let before = bench.token.labels();
    let at = |name: &str| bench.place.beside(name).to_str().unwrap().to_owned();
    for (label, id, kty, crv) in [("rsa", "01", "RSA", None), ("ec", "02", "EC", Some("P-256"))] {
        let (public, out) = (at(label), at("out.byok"));
        bench.token.with_pin(&["--read-object", "--type", "pubkey", "--id", id, "-o", &public]);
        let (shown, note) = good(bench.wrap(&["--label", label, "--out", &out]));
        assert!(shown.contains("token \"his\"") && shown.contains(&bench.kid), "{shown}");
        assert_eq!(note.contains("zero bytes"), maker == Maker::SoftHsm2, "{note}");
        import(&mut vault, label, kty, crv, &fs::read(&out).unwrap());
        let how: (&str, &'static dyn VerificationAlgorithm) = match label {
            "rsa" => ("RS256", &RSA_PKCS1_2048_8192_SHA256),
            _ => ("ES256", &ECDSA_P256_SHA256_FIXED),
        };
        signs(&mut vault, label, how.0, how.1, Path::new(&public));
    }
    let (zeros, cipher) = (at("zeros"), at("cipher"));
    fs::write(&zeros, [0; 32]).unwrap();
    let iv = "0".repeat(32);
    bench.token.with_pin(&["--encrypt", "-m", "AES-CBC", "--iv", &iv, "--id", "03", "-i", &zeros, "-o", &cipher]);
    let (json, _) = good(bench.wrap(&["--label", "oct", "--output", "json"]));
    let shown: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&shown["key"], &shown["kek"], &shown["proven"]), (&json!("oct 256"), &json!("RSA 3072"), &json!(true)));
    assert_eq!((&shown["from"]["id"], &shown["form"]), (&json!("03"), &json!("exact")));
    assert_eq!(shown["blob"]["header"]["kid"], *bench.kid);
    import(&mut vault, "oct", "oct", None, shown["blob"].to_string().as_bytes());
    let body = json!({"alg": "A256CBC", "value": b64(&[0; 32]), "iv": b64(&[0; 16])});
    let same = vault.call("POST", "/keys/oct/encrypt", Some(&body)).unwrap().ok();
    assert_eq!(unb64(same["value"].as_str().unwrap()), fs::read(&cipher).unwrap());
    assert_eq!(bench.token.labels(), before, "nothing of ours stays in the token");
}

#[test]
fn keys_come_straight_out_of_a_softhsm2_token_into_a_vault() {
    come_in(Maker::SoftHsm2);
}

#[test]
fn keys_come_straight_out_of_a_kryoptic_token_into_a_vault() {
    come_in(Maker::Kryoptic);
}

#[test]
fn a_key_that_may_not_leave_or_is_not_one_is_refused_and_says_why() {
    let bench = Bench::new(Maker::SoftHsm2);
    bench.key("--keygen", "AES:32", "stays", "01", &[]);
    bench.key("--keygen", "AES:16", "twice", "02", &["--extractable"]);
    bench.key("--keygen", "AES:32", "twice", "03", &["--extractable"]);
    bench.key("--keypairgen", "rsa:1024", "small", "04", &["--extractable"]);
    for (words, code, said) in [
        (vec!["--label", "stays"], 3, "CKA_EXTRACTABLE"),
        (vec!["--label", "nobody"], 3, "no private or secret key with the label \"nobody\""),
        (vec!["--label", "twice", "--id", "04"], 3, "the label \"twice\" and the id 04"),
        (vec!["--label", "twice"], 2, "name one with --id"),
        (vec!["--label", "small"], 2, "RSA of 1024 bits"),
        (vec!["--label", "stays", "--token", "another"], 2, "no token has the label \"another\""),
        (vec!["--label", "stays", "--serial", "0000"], 2, "no token has the serial"),
        (vec!["--label", "stays", "--in", "key.pem"], 2, "--in"),
        (vec!["--label", "stays", "--raw"], 2, "--raw"),
        (vec!["--id", "0"], 2, "hexadecimal"),
        (vec![], 2, "--label"),
        (vec!["--label", "stays", "--environment", "KEYSTEAD_NOT_SET"], 2, "KEYSTEAD_NOT_SET"),
    ] {
        let (found, text) = refused(bench.wrap(&words));
        assert!(found == code && text.contains(said), "{words:?}: {found}: {text}");
    }
    let (shown, _) = good(bench.wrap(&["--label", "twice", "--id", "02", "--output", "json"]));
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["key"], "oct 128");
    good(bench.wrap(&["--id", "03", "--token", "his"]));
    let (code, text) = refused(bench.bare(&["--pkcs11", "/usr/lib/softhsm/libsofthsm2.so", "--label", "twice"]));
    assert!(code == 2 && text.contains("--pin-file"), "{text}");
    let pin = bench.token.pin();
    let missing = ["--pkcs11", "/not/there.so", "--label", "twice", "--pin-file", pin.to_str().unwrap()];
    let (code, text) = refused(bench.bare(&missing));
    assert!(code == 2 && text.contains("/not/there.so does not load"), "{text}");
}

#[test]
fn a_pin_that_is_wrong_or_open_to_others_and_one_of_several_tokens_are_refused() {
    let bench = Bench::new(Maker::SoftHsm2);
    bench.key("--keygen", "AES:32", "oct", "01", &["--extractable"]);
    let pin = bench.token.pin();
    let right = fs::read(&pin).unwrap();
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, text) = refused(bench.wrap(&["--label", "oct"]));
    assert!(code == 2 && text.contains("chmod 600"), "{text}");
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&pin, "0000-wrong").unwrap();
    let (code, text) = refused(bench.wrap(&["--label", "oct"]));
    assert!(code == 3 && text.contains("refused the PIN"), "{text}");
    fs::write(&pin, right).unwrap();
    bench.token.beside("hers");
    let (code, text) = refused(bench.wrap(&["--label", "oct"]));
    assert!(code == 2 && text.contains("\"his\"") && text.contains("\"hers\"") && text.contains("serial"), "{text}");
    good(bench.wrap(&["--label", "oct", "--token", "his"]));
}

#[test]
fn the_recipe_is_what_the_token_has_and_is_proven_first() {
    let bench = Bench::new(Maker::SoftHsm2);
    bench.key("--keypairgen", "EC:prime256v1", "ec", "01", &["--extractable"]);
    bench.key("--keygen", "AES:32", "oct", "02", &["--extractable"]);
    let recipe = |done: Output| {
        let shown: Value = serde_json::from_str(&good(done).0).unwrap();
        shown["recipe"].as_str().unwrap().to_owned()
    };
    let json = |label| ["--label", label, "--output", "json"];
    assert_eq!(recipe(bench.listing("rsa-aes", &json("ec"))), "CKM_RSA_AES_KEY_WRAP in the token");
    assert_eq!(recipe(bench.listing("rsa-aes", &json("oct"))), "CKM_RSA_AES_KEY_WRAP in the token");
    // One that wraps in another way is found out, and passed over.
    let composed = "CKM_RSA_PKCS_OAEP and CKM_AES_KEY_WRAP_PAD in the token";
    assert_eq!(recipe(bench.listing("rsa-aes-wrong", &json("oct"))), composed);
    let before = bench.token.labels();
    for (mechanisms, said) in [
        ("rsa-aes-wrong -0x210a", &["not touched", "does not come out as itself"][..]),
        ("-0x9", &["CKM_RSA_AES_KEY_WRAP, nor with CKM_RSA_PKCS_OAEP", "no weaker way"]),
        ("-0x210a", &["AES key wrap with padding (RFC 5649)"]),
    ] {
        let (code, text) = refused(bench.listing(mechanisms, &["--label", "oct"]));
        assert!(code == 1 && said.iter().all(|said| text.contains(said)), "{mechanisms}: {code}: {text}");
    }
    assert_eq!(bench.token.labels(), before, "nothing stays, also where a step fails");
}

#[test]
fn an_oaep_of_another_hash_alone_is_refused_with_the_step_that_failed() {
    let bench = Bench::new(Maker::SoftHsm2);
    bench.key("--keygen", "AES:32", "oct", "02", &["--extractable"]);
    let (code, text) = refused(bench.listing("no-sha1", &["--label", "oct"]));
    assert!(code == 1 && text.contains("CKM_RSA_PKCS_OAEP, SHA-1"), "{code}: {text}");
    assert!(text.contains("CKR_MECHANISM_PARAM_INVALID") && text.contains("not touched"), "{text}");
}
