//! A backup of a key while the vault's root is rotated: whichever generation sealed what it read, it comes back.

use crate::support::*;
use keystead_engine::{
    BackupKey, Decrypt, DeleteKey, Encrypt, KeyResult, ListVersions, PurgeKey, RestoreKey, Sign, Verify,
};
use keystead_model::{CipherAlgorithm, Generation, KeySpec, SignAlgorithm};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use zeroize::Zeroizing;

/// When the rotation begins, of which the backup sees the end.
#[derive(Debug, Clone, Copy)]
enum Begins {
    /// Before it.
    Before,
    /// At a wait in it.
    Within,
}

/// What the versions of the key `k` made: a ciphertext and signatures.
struct Made {
    sealed: KeyResult,
    signed: [(SignAlgorithm, KeyResult); 3],
}

const DIGEST: [u8; 32] = [7; 32];

async fn made(node: &Node) -> Made {
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let (algorithm, plaintext) = (CipherAlgorithm::A256Gcm, Zeroizing::new(b"plain".to_vec()));
    let sealed = node.run(Encrypt { key: key("k"), algorithm, plaintext, iv: None, aad: Vec::new() }).await.unwrap();
    // RSA keys are opened on the pool, which is waited for.
    let signed = async |spec, algorithm| {
        node.run(create("k", spec)).await.unwrap();
        (algorithm, node.run(Sign { key: key("k"), algorithm, digest: DIGEST.to_vec() }).await.unwrap())
    };
    let pkcs1 = signed(KeySpec::Rsa2048, SignAlgorithm::Rs256).await;
    let pss = signed(KeySpec::Rsa2048, SignAlgorithm::Ps256).await;
    let ec = signed(KeySpec::EcP256, SignAlgorithm::Es256).await;
    Made { sealed, signed: [pkcs1, pss, ec] }
}

/// All of it is the key's, by the versions that made it.
async fn is_its(node: &Node, made: &Made) {
    let Made { sealed, signed } = made;
    let ask = Decrypt {
        key: version("k", sealed.version),
        algorithm: CipherAlgorithm::A256Gcm,
        ciphertext: sealed.value.to_vec(),
        iv: sealed.iv.clone(),
        tag: sealed.tag.map(|tag| tag.to_vec()),
        aad: Vec::new(),
    };
    assert_eq!(node.run(ask).await.unwrap().value.to_vec(), b"plain");
    for (algorithm, signature) in signed {
        let (key, algorithm) = (version("k", signature.version), *algorithm);
        let ask = Verify { key: key.clone(), algorithm, digest: DIGEST.to_vec(), signature: signature.value.to_vec() };
        assert!(node.run(ask).await.unwrap(), "{algorithm:?}");
        node.run(Sign { key, algorithm, digest: DIGEST.to_vec() }).await.unwrap();
    }
    let all = node.run(ListVersions { name: name("k"), after: None, limit: 25 }).await.unwrap();
    assert_eq!(all.items.len(), 4);
}

/// The backup, between two of whose waits the root is rotated; none if it had no wait of this number.
async fn across(node: &Node, begins: Begins, nth: usize) -> Option<Vec<u8>> {
    if matches!(begins, Begins::Before) {
        node.instance.rotate_root("dev", false, at(T0)).await.unwrap();
    }
    let (mut work, mut waits) = (pin!(node.run(BackupKey { name: name("k") })), 0);
    let ended = poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Pending if waits < nth => {
            waits += 1;
            Poll::Pending
        }
        Poll::Pending => Poll::Ready(None),
        Poll::Ready(done) => Poll::Ready(Some(done)),
    })
    .await;
    if matches!(begins, Begins::Within) {
        node.instance.rotate_root("dev", false, at(T0)).await.unwrap();
    }
    node.turned().await;
    match ended {
        Some(done) => {
            done.unwrap();
            None
        }
        None => Some(work.await.unwrap()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_key_over_the_end_of_a_rotation_of_the_root_restores_whenever_it_was_begun() {
    for begins in [Begins::Before, Begins::Within] {
        let node = Node::new().await;
        let made = made(&node).await;
        let (mut root, mut across_one) = (1, 0);
        for nth in 0.. {
            let backup = across(&node, begins, nth).await;
            root += 1;
            assert_eq!(node.instance.list()[0].root, Some(Generation(root)));
            let Some(backup) = backup else { break };
            across_one += 1;
            node.run(DeleteKey { name: name("k") }).await.unwrap();
            node.run(PurgeKey { name: name("k") }).await.unwrap();
            node.run(RestoreKey { backup }).await.unwrap_or_else(|e| panic!("{begins:?} at wait {nth}: {e}"));
            is_its(&node, &made).await;
        }
        assert!(across_one > 1, "{begins:?}: {across_one}");
        node.stop_and_verify().await;
    }
}
