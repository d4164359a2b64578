//! Keys that were made elsewhere.

use crate::support::*;
use keystead_engine::{
    BadKey, Decrypt, DeleteKey, Encrypt, GetKey, ImportKey, ImportedKey, Incoming, KeyView, Refusal, SetAttributes,
    Sign, Verify,
};
use keystead_model::{CipherAlgorithm, Curve, KeyOperation, KeySpec, ProtectionLevel, PublicKey, SignAlgorithm};
use zeroize::Zeroizing;

fn import(named: &str, key: ImportedKey) -> ImportKey {
    let attributes = SetAttributes::default();
    let (key, level) = (Incoming::Clear(key), ProtectionLevel::Software);
    ImportKey {
        name: name(named),
        key,
        level,
        ops: None,
        attributes,
        tags: tags(&[("from", "elsewhere")]),
        release: None,
    }
}

/// RFC 7515, appendix A.3.1.
fn ec() -> ImportedKey {
    let part = |text: &str| hex::decode(text).unwrap();
    ImportedKey::Ec {
        curve: Curve::P256,
        d: part("8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2").into(),
        x: part("7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445"),
        y: part("c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad"),
    }
}

fn elsewhere() -> PublicKey {
    let ImportedKey::Ec { curve, x, y, .. } = ec() else { panic!() };
    PublicKey::Ec { curve, x, y }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_key_works_as_the_key_it_is() {
    let node = Node::new().await;
    let made = node.run(import("signing", ec())).await.unwrap();
    assert_eq!((made.spec, made.ops.as_slice()), (KeySpec::EcP256, KeySpec::EcP256.usual()));
    let node = node.restart().await;
    let ask = Sign { key: key("signing"), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] };
    let signed = node.run(ask).await.unwrap();
    let (digest, signature) = (vec![7; 32], signed.value.to_vec());
    let ask = Verify { key: key("signing"), algorithm: SignAlgorithm::Es256, digest, signature };
    assert!(node.run(ask).await.unwrap());
    assert_eq!(made.public, elsewhere());

    node.run(import("sealing", ImportedKey::Oct(vec![9; 32].into()))).await.unwrap();
    let (algorithm, plaintext) = (CipherAlgorithm::A256Gcm, Zeroizing::new(b"plain".to_vec()));
    let done =
        node.run(Encrypt { key: key("sealing"), algorithm, plaintext, iv: None, aad: Vec::new() }).await.unwrap();
    node.run(import("sealing-too", ImportedKey::Oct(vec![9; 32].into()))).await.unwrap();
    let (key, ciphertext) = (key("sealing-too"), done.value.to_vec());
    let (iv, tag, aad) = (done.iv, done.tag.map(|tag| tag.to_vec()), Vec::new());
    let opened = node.run(Decrypt { key, algorithm, ciphertext, iv, tag, aad }).await.unwrap();
    assert_eq!(opened.value.as_slice(), b"plain");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_under_a_name_that_exists_is_a_new_version() {
    let node = Node::new().await;
    let first = node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let second: KeyView = node.run(import("K", ec())).await.unwrap();
    assert!(second.version != first.version && second.name == name("k"));
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), second);
    assert_eq!(node.run(GetKey { key: version("k", first.version) }).await.unwrap(), first);
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    assert!(matches!(node.run(import("k", ec())).await, Err(Refusal::NameReserved { .. })));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_one_sound_key_is_refused_and_nothing_is_made() {
    let node = Node::new().await;
    let ImportedKey::Ec { curve, d, x, y } = ec() else { panic!() };
    let bad = |result: Result<KeyView, Refusal>, why| {
        assert!(matches!(&result, Err(Refusal::BadImport(found)) if *found == why), "{result:?}");
    };
    let swapped = ImportedKey::Ec { curve, d: d.clone(), x: y.clone(), y: x.clone() };
    bad(node.run(import("k", swapped)).await, BadKey::OffCurve);
    let zero = ImportedKey::Ec { curve, d: vec![0; 32].into(), x, y };
    bad(node.run(import("k", zero)).await, BadKey::Mismatch);
    bad(node.run(import("k", ImportedKey::Oct(vec![1; 31].into()))).await, BadKey::SecretSize);
    let ops = Some(vec![KeyOperation::Encrypt]);
    let asked = node.run(ImportKey { ops, ..import("k", ec()) }).await;
    assert!(matches!(asked, Err(Refusal::BadOperations { .. })));
    assert!(matches!(node.run(GetKey { key: key("k") }).await, Err(Refusal::KeyNotFound { .. })));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_needs_its_own_permission() {
    let node = Node::new().await;
    for who in [USER, NARROW, STRANGER] {
        assert!(matches!(node.run_as(who, import("narrow", ec()), T0).await, Err(Refusal::Denied(_))));
    }
}
