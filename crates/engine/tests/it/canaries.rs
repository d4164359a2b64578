//! What is on the disk gives no name, tag, secret, caller or half of a key away. The vault's own name, authority,
//! tenant and ids are in the clear by design.

use crate::support::*;
use keystead_engine::{
    CreateKey, Decrypt, DeleteKey, Encrypt, ImportKey, ImportedKey, Incoming, IssueToken, PurgeKey, RsaNumbers,
    RsaPrimes, SetRotationPolicy, Sign, UpdateKey,
};
use keystead_model::{CipherAlgorithm, Curve, KeySpec, ProtectionLevel, PublicKey, SignAlgorithm};
use std::fs;
use std::path::Path;
use zeroize::Zeroizing;

/// Every file below a directory, the key file apart.
fn files(dir: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if !path.ends_with("path.key")
            && let Ok(bytes) = fs::read(&path)
        {
            into.push((path.display().to_string(), bytes));
        }
    }
}

fn holds(hay: &[u8], needle: &[u8]) -> bool {
    // Comparing eight bytes first is much faster than windows of the whole.
    let (start, rest) = needle.split_at(needle.len().min(8));
    hay.windows(start.len()).enumerate().any(|(at, w)| w == start && hay[at + start.len()..].starts_with(rest))
}

/// Each secret as it is, in hex and in base64url.
fn forms(secret: &[u8]) -> [Vec<u8>; 3] {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret);
    [secret.to_vec(), hex::encode(secret).into_bytes(), text.into_bytes()]
}

fn search(dir: &Path, secrets: &[Vec<u8>]) -> usize {
    let mut all = Vec::new();
    files(dir, &mut all);
    for (path, bytes) in &all {
        for secret in secrets {
            for form in forms(secret) {
                assert!(!holds(bytes, &form), "{path} holds {}", String::from_utf8_lossy(secret));
            }
        }
    }
    all.iter().filter(|(_, bytes)| !bytes.is_empty()).count()
}

/// Keys whose secret numbers are known, and these numbers.
fn known() -> ([ImportedKey; 3], Vec<Vec<u8>>) {
    let oct: Vec<u8> = (0..32_u8).map(|i| i.wrapping_mul(91) ^ 0x5c).collect();
    // RFC 7515, appendix A.3.1.
    let [x, y, d] = [
        "7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445",
        "c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad",
        "8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2",
    ]
    .map(|part| hex::decode(part).unwrap());
    let numbers = rsa_numbers();
    let [_, _, rsa_d, p, q, dp, dq, qi] = numbers.clone().map(Zeroizing::new);
    let [n, e, ..] = numbers.clone();
    let rsa = RsaNumbers { n, e, d: rsa_d, primes: Some(RsaPrimes { p, q, dp, dq, qi }) };
    let ec = ImportedKey::Ec { curve: Curve::P256, x: x.clone(), y: y.clone(), d: d.clone().into() };
    let mut secret = vec![oct.clone(), x, y, d];
    // All but the public exponent.
    secret.extend(numbers.into_iter().filter(|number| number.len() > 8));
    ([ImportedKey::Oct(oct.into()), ec, ImportedKey::Rsa(Box::new(rsa))], secret)
}

/// The integers n to qi of a new key (RFC 8017, appendix A.1.2).
fn rsa_numbers() -> [Vec<u8>; 8] {
    let der =
        keystead_crypto::rsa::PrivateKey::generate(keystead_crypto::rsa::Size::Bits2048, 65_537).unwrap().to_pkcs8();
    let start = der.windows(5).position(|w| w == [2, 1, 0, 2, 0x82]).unwrap();
    let (mut rest, mut numbers) = (&der[start + 3..], Vec::new());
    while let [2, len, ..] = *rest {
        let (head, len) = match len {
            0x82 => (4, usize::from(rest[2]) << 8 | usize::from(rest[3])),
            0x81 => (3, usize::from(rest[2])),
            len => (2, usize::from(len)),
        };
        let number = &rest[head..head + len];
        numbers.push(number.strip_prefix(&[0]).unwrap_or(number).to_vec());
        rest = &rest[head + len..];
    }
    numbers.try_into().unwrap()
}

/// Uses a vault in every way, and gives what must not be found.
async fn workload(node: &Node) -> Vec<Vec<u8>> {
    let mut secrets: Vec<Vec<u8>> = [
        "canary-name",
        "canary-tag",
        "canary-value",
        "canary-plaintext",
        "canary-context",
        "canary-denied",
        "canary-gone",
    ]
    .iter()
    .map(|s| s.as_bytes().to_vec())
    .collect();
    for (id, secret) in [OFFICER, USER, NARROW, STRANGER] {
        secrets.push(id.as_bytes().to_vec());
        secrets.push(secret.as_bytes().to_vec());
        secrets.push(keystead_identity::secret_digest(secret).to_vec());
    }
    secrets.push(fs::read(node.dir.path().join("path.key")).unwrap());
    for spec in KeySpec::ALL {
        let named = format!("canary-name-{spec:?}");
        let ask = CreateKey { tags: tags(&[("canary-tag", "canary-value")]), ..create(&named, *spec) };
        match node.run(ask).await.unwrap().public {
            PublicKey::Ec { x, y, .. } => secrets.extend([x, y]),
            PublicKey::Rsa { n, .. } => secrets.push(n),
            PublicKey::Symmetric => {}
        }
    }
    let (keys, numbers) = known();
    secrets.extend(numbers);
    for (key, named) in keys.into_iter().zip(["canary-name-oct", "canary-name-ec", "canary-name-rsa"]) {
        let (ops, attributes, tags, release) = (None, Default::default(), Default::default(), None);
        let (key, level) = (Incoming::Clear(key), ProtectionLevel::Software);
        node.run(ImportKey { name: name(named), key, level, ops, attributes, tags, release }).await.unwrap();
    }
    let ec = || key("canary-name-EcP256");
    let signed =
        Sign { key: ec(), algorithm: SignAlgorithm::Es256, digest: b"canary-digest-of-exactly-32-byte".to_vec() };
    secrets.push(signed.digest.clone());
    secrets.push(node.run(signed).await.unwrap_or_else(|e| panic!("{e}")).value.to_vec());
    let denied = Sign { key: key("canary-denied"), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] };
    assert!(node.run_as(STRANGER, denied, T0).await.is_err());

    let (algorithm, aad) = (CipherAlgorithm::A256Gcm, b"canary-context".to_vec());
    let plaintext = Zeroizing::new(b"canary-plaintext".to_vec());
    let ask = Encrypt { key: key("canary-name-Oct256"), algorithm, plaintext, iv: None, aad: aad.clone() };
    let sealed = node.run(ask).await.unwrap_or_else(|e| panic!("{e}"));
    let (iv, tag) = (sealed.iv.clone(), sealed.tag.map(Into::into));
    let ask = Decrypt { key: key("canary-name-Oct256"), algorithm, ciphertext: sealed.value.to_vec(), iv, tag, aad };
    assert!(node.run(ask).await.is_ok());

    let attributes = Default::default();
    let update = UpdateKey {
        key: ec(),
        ops: None,
        attributes,
        tags: Some(tags(&[("canary-tag", "canary-value-2")])),
        release: None,
    };
    node.run(update).await.unwrap();
    let policy = Some(after_create(7, None));
    node.run(SetRotationPolicy { name: name("canary-name-EcP256"), policy }).await.unwrap();
    node.run(create("canary-gone", KeySpec::EcP256)).await.unwrap();
    node.run(DeleteKey { name: name("canary-gone") }).await.unwrap();
    node.run(PurgeKey { name: name("canary-gone") }).await.unwrap();
    let token = IssueToken { audience: "https://canary-audience".to_owned(), lifetime_secs: 60 };
    let token = node.run(token).await.unwrap_or_else(|e| panic!("{e}"));
    secrets.push(token.jwt.rsplit('.').next().unwrap().as_bytes().to_vec());
    secrets.push(b"canary-audience".to_vec());
    let issuer = node.vault().issuer().unwrap();
    secrets.extend([issuer.x.to_vec(), issuer.y.to_vec(), issuer.kid.into_bytes()]);
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_tag_secret_caller_or_key_is_found_in_database_wal_journal_or_tiles() {
    let node = Node::new().await;
    let mut found = Vec::new();
    files(node.dir.path(), &mut found);
    let clear = found.iter().any(|(_, bytes)| holds(bytes, b"dev.localhost"));
    assert!(clear, "the search finds what is there");
    let secrets = workload(&node).await;
    let (log, dir) = (node.vault().info().id, node.dir.path().to_owned());
    let tiles = dir.join(format!("audit/logs/{log}/tile"));
    until("tiles", async || tiles.exists()).await;
    // A removal has emptied the WAL.
    node.run(create("written-since", KeySpec::EcP256)).await.unwrap();
    assert!(dir.join("store/keystead.db-wal").metadata().unwrap().len() > 0, "the WAL is searched too");
    assert!(search(&dir, &secrets) >= 6);
    node.instance.seal("dev", at(T0)).await.unwrap();
    let dir = node.stop_and_verify().await;
    assert!(search(dir.path(), &secrets) >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_a_row_tells_a_name_or_tag_only_in_steps_of_256_bytes() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let long = CreateKey { tags: tags(&[("some", "tag")]), ..create(&"n".repeat(60), KeySpec::EcP256) };
    node.run(long).await.unwrap();
    let rows = node.store.page(node.vault().info().id, keystead_store::Kind::Key, None, 10).await.unwrap();
    let sizes: Vec<_> = rows.iter().map(|r| r.sealed.len()).collect();
    assert_eq!(sizes.len(), 2);
    assert_eq!(sizes[0], sizes[1]);
}
