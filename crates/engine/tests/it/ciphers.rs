//! Keys at work, and when they may not.

use crate::support::*;
use keystead_engine::{
    CreateKey, Decrypt, DeleteKey, Encrypt, GetKey, KeyResult, KeyView, Refusal, RotateKey, SetAttributes, Sign,
    UnwrapKey, UpdateKey, Verify, WrapKey,
};
use keystead_model::{
    CipherAlgorithm, CipherMode, KeyOperation, KeyRef, KeySpec, PublicExponent, PublicKey, SignAlgorithm, Time,
};
use keystead_protection::Protection;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// As long as a block, so that every algorithm takes it.
const PLAIN: &[u8; 16] = b"sixteen are fine";

/// A key that may do all that its kind can.
fn able(named: &str, spec: KeySpec) -> CreateKey {
    // What brings keys in does nothing else, and only what is exportable can be exported.
    let plain = |op: &KeyOperation| !matches!(op, KeyOperation::Import | KeyOperation::Export);
    let ops: Vec<_> = spec.possible().iter().copied().filter(plain).collect();
    create_for(named, spec, &ops)
}

fn sign(key: KeyRef, algorithm: SignAlgorithm) -> Sign {
    Sign { key, algorithm, digest: vec![7; algorithm.digest_len()] }
}

fn verify(key: KeyRef, algorithm: SignAlgorithm, signature: &[u8]) -> Verify {
    Verify { key, algorithm, digest: vec![7; algorithm.digest_len()], signature: signature.to_vec() }
}

fn encrypt(key: KeyRef, algorithm: CipherAlgorithm) -> Encrypt {
    let iv = matches!(algorithm.mode(), CipherMode::Cbc | CipherMode::CbcPad).then(|| vec![5; 16]);
    Encrypt { key, algorithm, plaintext: Zeroizing::new(PLAIN.to_vec()), iv, aad: Vec::new() }
}

fn decrypt(key: KeyRef, algorithm: CipherAlgorithm, sealed: &KeyResult) -> Decrypt {
    let KeyResult { value, iv, tag, aad, .. } = sealed;
    Decrypt {
        key,
        algorithm,
        ciphertext: value.to_vec(),
        iv: iv.clone(),
        tag: tag.map(Into::into),
        aad: aad.clone().unwrap_or_default(),
    }
}

fn wrap(key: KeyRef, algorithm: CipherAlgorithm) -> WrapKey {
    let Encrypt { key, algorithm, plaintext, iv, aad } = encrypt(key, algorithm);
    WrapKey { key, algorithm, plaintext, iv, aad }
}

fn unwrap_key(key: KeyRef, algorithm: CipherAlgorithm, sealed: &KeyResult) -> UnwrapKey {
    let Decrypt { key, algorithm, ciphertext, iv, tag, aad } = decrypt(key, algorithm, sealed);
    UnwrapKey { key, algorithm, ciphertext, iv, tag, aad }
}

fn refused<T>(result: Result<T, Refusal>) -> Refusal {
    result.err().expect("this is refused")
}

/// Checked with the public half alone; symmetric keys have none, and are asked themselves.
async fn verifies(node: &Node, key: &KeyView, algorithm: SignAlgorithm, signature: &[u8]) -> bool {
    if key.public == PublicKey::Symmetric {
        return node.run(verify(version(key.name.as_str(), key.version), algorithm, signature)).await.unwrap();
    }
    let (digest, by) = (vec![7; algorithm.digest_len()], Instant::now() + Duration::from_secs(60));
    Protection::software(1).verify(&key.public, algorithm, &digest, signature, by).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_verifies_under_the_public_half_and_comes_from_the_version_that_was_named() {
    let node = Node::new().await;
    for algorithm in SignAlgorithm::ALL {
        let (named, spec) = (algorithm.wire(), algorithm.specs()[0]);
        let old = node.run(able(named, spec)).await.unwrap();
        let new = node.run(able(named, spec)).await.unwrap();
        for (key, by) in [(key(named), &new), (version(named, old.version), &old), (version(named, new.version), &new)]
        {
            let made = node.run_as(USER, sign(key, *algorithm), T0).await.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(made.version, by.version);
            assert!(verifies(&node, by, *algorithm, &made.value).await, "{named}");
            let other = if by.version == old.version { &new } else { &old };
            assert!(!verifies(&node, other, *algorithm, &made.value).await, "{named}");
        }
    }
    let node = node.restart().await;
    for algorithm in SignAlgorithm::ALL {
        let after = node.run(GetKey { key: key(algorithm.wire()) }).await.unwrap();
        let made = node.run(sign(key(algorithm.wire()), *algorithm)).await.unwrap_or_else(|e| panic!("{e}"));
        assert!(verifies(&node, &after, *algorithm, &made.value).await, "a key is the same after a restart");
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_encrypted_or_wrapped_is_given_back_also_by_an_old_version_and_after_a_restart() {
    let mut node = Node::new().await;
    let mut sealed = Vec::new();
    for algorithm in CipherAlgorithm::ALL {
        let (named, spec) = (algorithm.wire().replace('_', "-"), algorithm.specs()[0]);
        let at = || key(&named);
        node.run(create(&named, spec)).await.unwrap();
        let data = match algorithm.serves(KeyOperation::Encrypt) {
            true => Some(node.run_as(USER, encrypt(at(), *algorithm), T0).await.unwrap_or_else(|e| panic!("{e}"))),
            false => None,
        };
        let wrapped = match algorithm.serves(KeyOperation::WrapKey) {
            true => Some(node.run_as(USER, wrap(at(), *algorithm), T0).await.unwrap_or_else(|e| panic!("{e}"))),
            false => None,
        };
        for result in data.iter().chain(&wrapped) {
            assert_eq!(result.tag.is_some(), algorithm.mode() == CipherMode::Gcm);
            assert_ne!(*result.value, PLAIN.to_vec());
        }
        node.run(create(&named, spec)).await.unwrap();
        sealed.push((*algorithm, named, data, wrapped));
    }
    for restarted in [false, true] {
        if restarted {
            node = node.restart().await;
        }
        for (algorithm, named, data, wrapped) in &sealed {
            if let Some(data) = data {
                let old = version(named, data.version);
                let plain = node.run(decrypt(old, *algorithm, data)).await.unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(plain.value.as_slice(), PLAIN);
                match node.run(decrypt(key(named), *algorithm, data)).await {
                    Ok(other) => {
                        // Nothing in these tells one key's work from another's.
                        assert!(matches!(algorithm.mode(), CipherMode::Pkcs1 | CipherMode::Cbc | CipherMode::CbcPad));
                        assert_ne!(other.value.as_slice(), PLAIN);
                    }
                    Err(refusal) => assert!(matches!(refusal, Refusal::DecryptFailed), "{refusal}"),
                }
            }
            if let Some(wrapped) = wrapped {
                let old = version(named, wrapped.version);
                let plain = node.run(unwrap_key(old, *algorithm, wrapped)).await.unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(plain.value.as_slice(), PLAIN);
            }
        }
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rsa_key_keeps_its_public_exponent_when_it_is_rotated() {
    let node = Node::new().await;
    let exponent = PublicExponent::new(17).unwrap();
    let made = node.run(CreateKey { exponent, ..create("k", KeySpec::Rsa2048) }).await.unwrap();
    let rotated = node.run(RotateKey { name: name("k") }).await.unwrap();
    for key in [&made, &rotated] {
        assert!(matches!(&key.public, PublicKey::Rsa { e, .. } if *e == [17]));
    }
    assert_ne!(made.public, rotated.public);
    assert_eq!(
        node.run(create("usual", KeySpec::Rsa2048)).await.map(|k| k.public).ok().map(|p| match p {
            PublicKey::Rsa { e, .. } => e,
            other => panic!("{other:?}"),
        }),
        Some(vec![1, 0, 1])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn gcm_binds_the_additional_data_and_echoes_it() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let gcm = CipherAlgorithm::A256Gcm;
    let ask = Encrypt { aad: b"context".to_vec(), ..encrypt(key("k"), gcm) };
    let sealed = node.run(ask).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(sealed.aad.as_deref(), Some(&b"context"[..]));
    assert_eq!(node.run(decrypt(key("k"), gcm, &sealed)).await.map(|r| r.value.to_vec()).ok(), Some(PLAIN.to_vec()));
    let good = || decrypt(key("k"), gcm, &sealed);
    let flipped = |bytes: Option<Vec<u8>>| bytes.map(|b| b.iter().map(|b| b ^ 1).collect::<Vec<u8>>());
    for wrong in [
        Decrypt { aad: b"other".to_vec(), ..good() },
        Decrypt { aad: Vec::new(), ..good() },
        Decrypt { iv: flipped(good().iv), ..good() },
        Decrypt { tag: flipped(good().tag), ..good() },
        Decrypt { ciphertext: b"plane".to_vec(), ..good() },
    ] {
        let refusal = refused(node.run(wrong).await);
        assert!(matches!(refusal, Refusal::DecryptFailed), "one answer, whatever was wrong: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_algorithm_works_with_its_own_kind_of_key_only() {
    let node = Node::new().await;
    for spec in KeySpec::ALL.iter().copied() {
        let named = format!("{spec:?}");
        let at = || key(&named);
        node.run(able(&named, spec)).await.unwrap();
        let all = |possible: bool, refusal: Option<Refusal>| match refusal {
            Some(Refusal::WrongAlgorithm { spec: of, .. }) => assert!(possible && of == spec),
            Some(Refusal::OperationNotPermitted { .. }) => assert!(!possible),
            other => panic!("{other:?}"),
        };
        for algorithm in SignAlgorithm::ALL.iter().filter(|a| !a.fits(spec)) {
            all(true, node.run(sign(at(), *algorithm)).await.err());
            all(true, node.run(verify(at(), *algorithm, &[0; 64])).await.err());
        }
        let possible = spec.possible().contains(&KeyOperation::Encrypt);
        for algorithm in CipherAlgorithm::ALL.iter() {
            let nothing = KeyResult {
                name: name("n"),
                version: keystead_model::Version::from_bytes([0; 16]),
                value: Zeroizing::new(vec![1; 16]),
                iv: None,
                tag: None,
                aad: None,
            };
            if !algorithm.fits(spec) || !algorithm.serves(KeyOperation::Encrypt) {
                all(possible, node.run(encrypt(at(), *algorithm)).await.err());
                all(possible, node.run(decrypt(at(), *algorithm, &nothing)).await.err());
            }
            if !algorithm.fits(spec) || !algorithm.serves(KeyOperation::WrapKey) {
                all(possible, node.run(wrap(at(), *algorithm)).await.err());
                all(possible, node.run(unwrap_key(at(), *algorithm, &nothing)).await.err());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_an_algorithm_cannot_take_are_refused_by_name() {
    let node = Node::new().await;
    for spec in KeySpec::ALL.iter().filter(|spec| !matches!(spec, KeySpec::Rsa3072 | KeySpec::Rsa4096)) {
        let named = if spec.kty() == "RSA" { "RSA".to_owned() } else { format!("{spec:?}") };
        node.run(able(&named, *spec)).await.unwrap();
    }
    let named = |refusal: Refusal| match refusal {
        Refusal::BadLength { what, .. } => what,
        other => panic!("{other:?}"),
    };
    for algorithm in SignAlgorithm::ALL {
        let spec = algorithm.specs()[0];
        let at = || if spec.kty() == "RSA" { key("RSA") } else { key(&format!("{spec:?}")) };
        for length in [0, 31, 33, 47, 63, 65, 128] {
            let ask = Sign { digest: vec![1; length], ..sign(at(), *algorithm) };
            assert_eq!(named(refused(node.run(ask).await)), "value");
            let ask = Verify { digest: vec![1; length], ..verify(at(), *algorithm, &[0; 64]) };
            assert_eq!(named(refused(node.run(ask).await)), "digest");
        }
    }
    let rsa = CipherAlgorithm::RsaOaep256;
    let long = Encrypt { plaintext: Zeroizing::new(vec![1; 191]), ..encrypt(key("RSA"), rsa) };
    assert_eq!(named(refused(node.run(long).await)), "plaintext");
    let most = Encrypt { plaintext: Zeroizing::new(vec![1; 190]), ..encrypt(key("RSA"), rsa) };
    let with_aad = Encrypt { aad: vec![1], ..encrypt(key("RSA"), rsa) };
    assert!(node.run(most).await.is_ok());
    assert_eq!(named(refused(node.run(with_aad).await)), "associated data");
    let (cbc, kw) = (CipherAlgorithm::A256Cbc, CipherAlgorithm::A256Kw);
    let good = || encrypt(key("Oct256"), cbc);
    for (ask, what) in [
        (Encrypt { iv: None, ..good() }, "initialisation vector"),
        (Encrypt { iv: Some(vec![5; 12]), ..good() }, "initialisation vector"),
        (Encrypt { iv: Some(vec![5; 12]), ..encrypt(key("Oct256"), CipherAlgorithm::A256Gcm) }, "nonce"),
    ] {
        assert_eq!(named(refused(node.run(ask).await)), what);
    }
    for length in [0, 8, 15, 17, (64 << 10) + 8] {
        let ask = WrapKey { plaintext: Zeroizing::new(vec![1; length]), ..wrap(key("Oct256"), kw) };
        assert_eq!(named(refused(node.run(ask).await)), "plaintext");
    }
    let gcm = CipherAlgorithm::A256Gcm;
    let sealed = node.run(encrypt(key("Oct256"), gcm)).await.unwrap_or_else(|e| panic!("{e}"));
    let good = || decrypt(key("Oct256"), gcm, &sealed);
    for (ask, what) in [
        (Decrypt { iv: None, ..good() }, "nonce"),
        (Decrypt { iv: Some(vec![0; 13]), ..good() }, "nonce"),
        (Decrypt { tag: None, ..good() }, "tag"),
        (Decrypt { tag: Some(vec![0; 15]), ..good() }, "tag"),
    ] {
        assert_eq!(named(refused(node.run(ask).await)), what);
    }
}

/// Everything a key of the version can be asked: sign or encrypt or wrap, and what reads old data.
async fn outcomes(node: &Node, named: &str, now: Time, sealed: &KeyResult) -> [u16; 4] {
    let gcm = CipherAlgorithm::A256Gcm;
    let code = |refusal: Option<Refusal>| refusal.map_or(0, |r| r.outcome().0);
    [
        code(node.run_as(USER, encrypt(key(named), gcm), now).await.err()),
        code(node.run_as(USER, wrap(key(named), gcm), now).await.err()),
        code(node.run_as(USER, decrypt(key(named), gcm, sealed), now).await.err()),
        code(node.run_as(USER, unwrap_key(key(named), gcm, sealed), now).await.err()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_its_dates_a_key_only_reads_old_data_and_disabled_it_does_nothing() {
    let [disabled, expired, early, not_permitted] = [6, 7, 8, 9];
    let node = Node::new().await;
    let (from, to) = (Time(T0.0 + 1_000), Time(T0.0 + 2_000));
    let attributes = SetAttributes { enabled: None, not_before: Some(from), expires: Some(to), exportable: None };
    node.run(CreateKey { attributes: attributes.clone(), ..create("k", KeySpec::Oct256) }).await.unwrap();
    node.run(CreateKey { attributes, ..create("s", KeySpec::EcP256) }).await.unwrap();
    let within = encrypt(key("k"), CipherAlgorithm::A256Gcm);
    let sealed = node.run_as(USER, within, from).await.unwrap_or_else(|e| panic!("{e}"));
    for (now, expected) in [(from.0 - 1, early), (from.0, 0), (to.0 - 1, 0), (to.0, expired), (i64::MAX, expired)] {
        assert_eq!(outcomes(&node, "k", Time(now), &sealed).await, [expected, expected, 0, 0], "{now}");
        let signed = node.run_as(USER, sign(key("s"), SignAlgorithm::Es256), Time(now)).await;
        assert_eq!(signed.err().map_or(0, |r| r.outcome().0), expected);
    }
    let update = |ops, enabled| UpdateKey {
        key: key("k"),
        ops,
        attributes: SetAttributes { enabled: Some(enabled), ..SetAttributes::default() },
        tags: None,
        release: None,
    };
    node.run(update(None, false)).await.unwrap();
    assert_eq!(outcomes(&node, "k", from, &sealed).await, [disabled; 4], "at once, although the key was in use");
    node.run(update(Some(vec![KeyOperation::Decrypt, KeyOperation::WrapKey]), true)).await.unwrap();
    assert_eq!(outcomes(&node, "k", from, &sealed).await, [not_permitted, 0, 0, not_permitted]);
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    assert_eq!(outcomes(&node, "k", from, &sealed).await, [2; 4], "a deleted key does nothing");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_told_from_what_is_none() {
    let node = Node::new().await;
    for algorithm in SignAlgorithm::ALL {
        let named = algorithm.wire();
        node.run(able(named, algorithm.specs()[0])).await.unwrap();
        let signed = node.run(sign(key(named), *algorithm)).await.unwrap();
        assert!(node.run(verify(key(named), *algorithm, &signed.value)).await.unwrap(), "{named}");
        let mut altered = signed.value.to_vec();
        altered[7] ^= 1;
        for none in [altered.as_slice(), &signed.value[..31], &[]] {
            assert!(!node.run(verify(key(named), *algorithm, none)).await.unwrap(), "{named}");
        }
        let other = Verify { digest: vec![8; algorithm.digest_len()], ..verify(key(named), *algorithm, &signed.value) };
        assert!(!node.run(other).await.unwrap(), "{named}");
        let short = Verify { digest: vec![7; 31], ..verify(key(named), *algorithm, &signed.value) };
        assert!(matches!(refused(node.run(short).await), Refusal::BadLength { what: "digest", .. }), "{named}");
    }
    let misfit = node.run(verify(key("ES256"), SignAlgorithm::Rs256, &[0; 256])).await;
    assert!(matches!(refused(misfit), Refusal::WrongAlgorithm { .. }));
    node.stop_and_verify().await;
}
