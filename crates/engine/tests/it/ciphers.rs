//! Keys at work, and when they may not.

use crate::support::*;
use keystead_crypto::rsa::Padding;
use keystead_crypto::{p256, rsa};
use keystead_engine::{
    CreateKey, Decrypt, DeleteKey, Encrypt, KeyResult, KeyView, Refusal, SetAttributes, Sign, UnwrapKey, UpdateKey,
    Verify, WrapKey,
};
use keystead_model::{CipherAlgorithm, KeyOperation, KeyRef, KeySpec, PublicKey, SignAlgorithm, Time};
use zeroize::Zeroizing;

fn sign(key: KeyRef, algorithm: SignAlgorithm) -> Sign {
    Sign { key, algorithm, digest: vec![7; 32] }
}

fn verify(key: KeyRef, algorithm: SignAlgorithm, signature: &[u8]) -> Verify {
    Verify { key, algorithm, digest: vec![7; 32], signature: signature.to_vec() }
}

fn encrypt(key: KeyRef, algorithm: CipherAlgorithm) -> Encrypt {
    Encrypt { key, algorithm, plaintext: Zeroizing::new(b"plain".to_vec()), aad: Vec::new() }
}

fn decrypt(key: KeyRef, algorithm: CipherAlgorithm, sealed: &KeyResult) -> Decrypt {
    let KeyResult { value, iv, tag, aad, .. } = sealed;
    Decrypt {
        key,
        algorithm,
        ciphertext: value.to_vec(),
        iv: iv.map(Into::into),
        tag: tag.map(Into::into),
        aad: aad.clone().unwrap_or_default(),
    }
}

fn wrap(key: KeyRef, algorithm: CipherAlgorithm) -> WrapKey {
    let Encrypt { key, algorithm, plaintext, aad } = encrypt(key, algorithm);
    WrapKey { key, algorithm, plaintext, aad }
}

fn unwrap_key(key: KeyRef, algorithm: CipherAlgorithm, sealed: &KeyResult) -> UnwrapKey {
    let Decrypt { key, algorithm, ciphertext, iv, tag, aad } = decrypt(key, algorithm, sealed);
    UnwrapKey { key, algorithm, ciphertext, iv, tag, aad }
}

fn refused<T>(result: Result<T, Refusal>) -> Refusal {
    result.err().expect("this is refused")
}

fn verifies(key: &KeyView, algorithm: SignAlgorithm, signature: &[u8]) -> bool {
    match (&key.public, algorithm) {
        (PublicKey::EcP256 { x, y }, _) => p256::verify_digest(x, y, &[7; 32], signature),
        (PublicKey::Rsa { n, e }, SignAlgorithm::Ps256) => rsa::verify_digest(n, e, Padding::Pss, &[7; 32], signature),
        (PublicKey::Rsa { n, e }, _) => rsa::verify_digest(n, e, Padding::Pkcs1, &[7; 32], signature),
        (PublicKey::Symmetric, _) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_verifies_under_the_public_half_and_comes_from_the_version_that_was_named() {
    let node = Node::new().await;
    for algorithm in SignAlgorithm::ALL {
        let named = algorithm.wire();
        let old = node.run(create(named, algorithm.spec())).await.unwrap();
        let new = node.run(create(named, algorithm.spec())).await.unwrap();
        for (key, by) in [(key(named), &new), (version(named, old.version), &old), (version(named, new.version), &new)]
        {
            let made = node.run_as(USER, sign(key, *algorithm), T0).await.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(made.version, by.version);
            assert!(verifies(by, *algorithm, &made.value), "{named}");
        }
    }
    let node = node.restart().await;
    let after = node.run(keystead_engine::GetKey { key: key("ES256") }).await.unwrap();
    let made = node.run(sign(key("ES256"), SignAlgorithm::Es256)).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(verifies(&after, SignAlgorithm::Es256, &made.value), "a key is the same after a restart");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_encrypted_or_wrapped_is_given_back_also_by_an_old_version_and_after_a_restart() {
    let mut node = Node::new().await;
    let mut sealed = Vec::new();
    for algorithm in CipherAlgorithm::ALL {
        let named = algorithm.wire();
        node.run(create(named, algorithm.spec())).await.unwrap();
        let encrypted = node.run_as(USER, encrypt(key(named), *algorithm), T0).await.unwrap_or_else(|e| panic!("{e}"));
        let wrapped = node.run_as(USER, wrap(key(named), *algorithm), T0).await.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(encrypted.iv.is_some(), *algorithm == CipherAlgorithm::A256Gcm);
        assert_ne!(*encrypted.value, b"plain".to_vec());
        node.run(create(named, algorithm.spec())).await.unwrap();
        sealed.push((algorithm, encrypted, wrapped));
    }
    for restarted in [false, true] {
        if restarted {
            node = node.restart().await;
        }
        for (algorithm, encrypted, wrapped) in &sealed {
            let old = version(algorithm.wire(), encrypted.version);
            let plain = node.run(decrypt(old.clone(), **algorithm, encrypted)).await.unwrap_or_else(|e| panic!("{e}"));
            let key_again = node.run(unwrap_key(old, **algorithm, wrapped)).await.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!((plain.value.as_slice(), key_again.value.as_slice()), (&b"plain"[..], &b"plain"[..]));
            let newest = refused(node.run(decrypt(key(algorithm.wire()), **algorithm, encrypted)).await);
            assert!(matches!(newest, Refusal::DecryptFailed), "{newest}");
        }
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gcm_binds_the_additional_data_and_echoes_it() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let gcm = CipherAlgorithm::A256Gcm;
    let ask = Encrypt { aad: b"context".to_vec(), ..encrypt(key("k"), gcm) };
    let sealed = node.run(ask).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(sealed.aad.as_deref(), Some(&b"context"[..]));
    assert_eq!(node.run(decrypt(key("k"), gcm, &sealed)).await.map(|r| r.value.to_vec()).ok(), Some(b"plain".to_vec()));
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
    for spec in KeySpec::ALL {
        node.run(create(spec.kty(), *spec)).await.unwrap();
        let all = |possible: bool, refusal: Option<Refusal>| match refusal {
            Some(Refusal::WrongAlgorithm { spec: of, .. }) => assert!(possible && of == *spec),
            Some(Refusal::OperationNotPermitted { .. }) => assert!(!possible),
            other => panic!("{other:?}"),
        };
        for algorithm in SignAlgorithm::ALL.iter().filter(|a| a.spec() != *spec) {
            let possible = spec.possible().contains(&KeyOperation::Sign);
            all(possible, node.run(sign(key(spec.kty()), *algorithm)).await.err());
        }
        for algorithm in CipherAlgorithm::ALL.iter().filter(|a| a.spec() != *spec) {
            let possible = spec.possible().contains(&KeyOperation::Encrypt);
            all(possible, node.run(encrypt(key(spec.kty()), *algorithm)).await.err());
            all(possible, node.run(wrap(key(spec.kty()), *algorithm)).await.err());
            let nothing = KeyResult {
                name: name("n"),
                version: keystead_model::Version::from_bytes([0; 16]),
                value: Zeroizing::new(vec![1; 16]),
                iv: None,
                tag: None,
                aad: None,
            };
            all(possible, node.run(decrypt(key(spec.kty()), *algorithm, &nothing)).await.err());
            all(possible, node.run(unwrap_key(key(spec.kty()), *algorithm, &nothing)).await.err());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_an_algorithm_cannot_take_are_refused_by_name() {
    let node = Node::new().await;
    for spec in KeySpec::ALL {
        node.run(create(spec.kty(), *spec)).await.unwrap();
    }
    let named = |refusal: Refusal| match refusal {
        Refusal::BadLength { what, .. } => what,
        other => panic!("{other:?}"),
    };
    for length in [0, 31, 33, 64] {
        for algorithm in SignAlgorithm::ALL {
            let digest = vec![1; length];
            let ask = Sign { digest, ..sign(key(algorithm.spec().kty()), *algorithm) };
            assert_eq!(named(refused(node.run(ask).await)), "value");
        }
    }
    let rsa = CipherAlgorithm::RsaOaep256;
    let long = Encrypt { plaintext: Zeroizing::new(vec![1; 191]), ..encrypt(key("RSA"), rsa) };
    assert_eq!(named(refused(node.run(long).await)), "plaintext");
    let most = Encrypt { plaintext: Zeroizing::new(vec![1; 190]), ..encrypt(key("RSA"), rsa) };
    let with_aad = Encrypt { aad: vec![1], ..encrypt(key("RSA"), rsa) };
    assert!(node.run(most).await.is_ok());
    assert_eq!(named(refused(node.run(with_aad).await)), "associated data");
    let gcm = CipherAlgorithm::A256Gcm;
    let sealed = node.run(encrypt(key("oct"), gcm)).await.unwrap_or_else(|e| panic!("{e}"));
    let good = || decrypt(key("oct"), gcm, &sealed);
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
        node.run(create(named, algorithm.spec())).await.unwrap();
        let signed = node.run(sign(key(named), *algorithm)).await.unwrap();
        assert!(node.run(verify(key(named), *algorithm, &signed.value)).await.unwrap(), "{named}");
        let mut altered = signed.value.to_vec();
        altered[7] ^= 1;
        for none in [altered.as_slice(), &signed.value[..63], &[]] {
            assert!(!node.run(verify(key(named), *algorithm, none)).await.unwrap(), "{named}");
        }
        let other = Verify { digest: vec![8; 32], ..verify(key(named), *algorithm, &signed.value) };
        assert!(!node.run(other).await.unwrap(), "{named}");
        let short = Verify { digest: vec![7; 31], ..verify(key(named), *algorithm, &signed.value) };
        assert!(matches!(refused(node.run(short).await), Refusal::BadLength { what: "digest", .. }), "{named}");
    }
    let misfit = node.run(verify(key("ES256"), SignAlgorithm::Rs256, &[0; 256])).await;
    assert!(matches!(refused(misfit), Refusal::WrongAlgorithm { .. }));
    node.stop_and_verify().await;
}
