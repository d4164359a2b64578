//! The system's `openssl`: an implementation that shares nothing with ours judges what the service made, and makes what
//! the service must accept.

use azure_security_keyvault_keys::models::{CurveName, JsonWebKey, KeyType};
use std::io::Write as _;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

/// What the command prints, if it ends well.
fn run(words: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("openssl")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl");
    // It may end before it has read all.
    let _ = child.stdin.take().expect("its input").write_all(input);
    let done = child.wait_with_output().expect("its end");
    done.status.success().then_some(done.stdout)
}

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().expect("a path in UTF-8")
}

/// SHA-256, -384 or -512.
pub fn digest(bits: &str, message: &[u8]) -> Vec<u8> {
    run(&["dgst", &format!("-sha{bits}"), "-binary"], message).expect("a digest")
}

pub fn hmac(bits: &str, key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = format!("hexkey:{}", hex(key));
    run(&["dgst", &format!("-sha{bits}"), "-mac", "HMAC", "-macopt", &key, "-binary"], message).expect("a code")
}

/// AES in CBC mode with PKCS #7 padding.
pub fn decrypt_cbc(key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let mode = format!("-aes-{}-cbc", key.len() * 8);
    run(&["enc", "-d", &mode, "-K", &hex(key), "-iv", &hex(iv)], ciphertext)
}

/// A raw ECDSA signature, `r` and `s` of one length.
pub fn verifies_ecdsa(key: &JsonWebKey, digest: &[u8], signature: &[u8]) -> bool {
    let (r, s) = signature.split_at(signature.len() / 2);
    let signature = der(0x30, &[integer(r), integer(s)].concat());
    verifies(key, digest, &signature, &[])
}

/// An RSA signature: PKCS #1 v1.5, or PSS with a salt as long as the digest.
pub fn verifies_rsa(key: &JsonWebKey, bits: &str, pss: bool, digest: &[u8], signature: &[u8]) -> bool {
    let hash = format!("digest:sha{bits}");
    let mut options = vec!["rsa_padding_mode:pkcs1", &*hash];
    if pss {
        options = vec!["rsa_padding_mode:pss", "rsa_pss_saltlen:digest", &*hash];
    }
    verifies(key, digest, signature, &options)
}

fn verifies(key: &JsonWebKey, digest: &[u8], signature: &[u8], options: &[&str]) -> bool {
    let (key, digest, signature) = (file(&public(key)), file(digest), file(signature));
    let (key, digest, signature) = (path(&key), path(&digest), path(&signature));
    let mut words = vec!["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key];
    words.extend(["-in", digest, "-sigfile", signature]);
    words.extend(options.iter().flat_map(|option| ["-pkeyopt", option]));
    run(&words, &[]).is_some()
}

/// Encrypts to an RSA key: `options` say the padding.
pub fn encrypt_rsa(key: &JsonWebKey, plain: &[u8], options: &[&str]) -> Vec<u8> {
    let key = file(&public(key));
    let mut words = vec!["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", path(&key)];
    words.extend(options.iter().flat_map(|option| ["-pkeyopt", option]));
    run(&words, plain).expect("a ciphertext")
}

/// A fresh P-256 key with its private part.
pub fn new_ec() -> JsonWebKey {
    let made = run(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-outform", "DER"], &[]).expect("a key");
    // RFC 5915 with a named curve: the private number stands after a fixed head, the point at the end.
    let point = &made[made.len() - 64..];
    let mut key = JsonWebKey { kty: Some(KeyType::Ec), crv: Some(CurveName::P256), ..Default::default() };
    (key.d, key.x, key.y) = (Some(made[7..39].to_vec()), Some(point[..32].to_vec()), Some(point[32..].to_vec()));
    key
}

/// A fresh RSA key with all its private numbers.
pub fn new_rsa() -> JsonWebKey {
    let made = run(&["genrsa", "-traditional", "2048"], &[]).expect("a key");
    let made = run(&["rsa", "-traditional", "-outform", "DER"], &made).expect("the same in DER");
    // RFC 8017, A.1.2: version, n, e, d, p, q, dp, dq, qi.
    let (_, mut rest, _) = split(&made);
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (_, number, more) = split(rest);
        numbers.push(Some(number.to_vec()));
        rest = more;
    }
    let [_, n, e, d, p, q, dp, dq, qi] = <[_; 9]>::try_from(numbers).expect("nine numbers");
    JsonWebKey { kty: Some(KeyType::Rsa), n, e, d, p, q, dp, dq, qi, ..Default::default() }
}

/// A public key as a SubjectPublicKeyInfo (RFC 5280).
fn public(key: &JsonWebKey) -> Vec<u8> {
    const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
    const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    let part = |part: &Option<Vec<u8>>| part.clone().expect("a public part");
    let (algorithm, parameters, bits) = match &key.crv {
        None => (RSA, der(5, &[]), der(0x30, &[integer(&part(&key.n)), integer(&part(&key.e))].concat())),
        Some(curve) => {
            let curve: &[u8] = match curve {
                CurveName::P256 => b"\x2a\x86\x48\xce\x3d\x03\x01\x07",
                CurveName::P384 => b"\x2b\x81\x04\x00\x22",
                CurveName::P521 => b"\x2b\x81\x04\x00\x23",
                CurveName::P256K => b"\x2b\x81\x04\x00\x0a",
                other => panic!("an unknown curve: {other}"),
            };
            (EC, der(6, curve), [vec![4], part(&key.x), part(&key.y)].concat())
        }
    };
    let algorithm = der(0x30, &[der(6, algorithm), parameters].concat());
    der(0x30, &[algorithm, der(3, &[vec![0], bits].concat())].concat())
}

/// An unsigned number, made positive.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    let mut number = bytes[zeros..].to_vec();
    if number.first().is_none_or(|b| *b >= 0x80) {
        number.insert(0, 0);
    }
    der(2, &number)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short value").to_be_bytes();
    let head = match length {
        [0, short @ ..=0x7f] => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [&head, content].concat()
}

/// Tag, content and what follows of the first value.
fn split(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (length, head) = match bytes[1] {
        short @ ..=0x7f => (usize::from(short), 2),
        0x81 => (usize::from(bytes[2]), 3),
        _ => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
    };
    (bytes[0], &bytes[head..head + length], &bytes[head + length..])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
