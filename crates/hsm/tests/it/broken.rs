//! Tokens that say of good data that it is wrong.

use crate::soft::*;
use crate::software::{oaep, pkcs1};
use keystead_hsm::call::Destination;
use keystead_hsm::{Call, Client, Held, HsmError, KeyId, Reply, Stored};
use keystead_model::{CipherAlgorithm, KeySpec, PublicExponent, PublicKey};

const PLAIN: &[u8] = b"a key to be unwrapped";

async fn decrypted(client: &Client, algorithm: CipherAlgorithm, data: Vec<u8>) -> Result<Vec<u8>, HsmError> {
    let key = Held { id: KeyId([1; 16]), spec: KeySpec::Rsa2048, stored: Stored::Resident };
    let (iv, tag, aad) = Default::default();
    match client.call(Call::Decrypt { key, algorithm, data, iv, tag, aad }, within(SOON)).await? {
        Reply::Plain(plain) => Ok(plain.to_vec()),
        _ => panic!("not a plaintext"),
    }
}

/// SoftHSM2 has one code for wrong data and for itself in trouble.
#[tokio::test]
async fn a_token_that_decrypts_no_more_is_not_taken_to_speak_of_the_ciphertext() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    let (id, exponent) = (KeyId([1; 16]), PublicExponent::default());
    let call = Call::Generate {
        id,
        spec: KeySpec::Rsa2048,
        exponent,
        to: Destination::Resident(keystead_hsm::Owner([1; 16])),
    };
    let Ok(Reply::Made { public, .. }) = client.call(call, within(SOON)).await else { panic!("no key") };
    for (algorithm, cipher) in
        [(CipherAlgorithm::RsaOaep, oaep(&public, false, PLAIN)), (CipherAlgorithm::Rsa15, pkcs1(&public, PLAIN))]
    {
        // Once, then for good, then again not.
        assert_eq!(decrypted(&client, algorithm, cipher.clone()).await.as_deref(), Ok(PLAIN));
        for rules in ["C_Decrypt 1 once rv CKR_GENERAL_ERROR", "C_Decrypt 1.. rv CKR_GENERAL_ERROR"] {
            soft.rules(rules);
            match decrypted(&client, algorithm, cipher.clone()).await {
                Ok(plain) => assert_eq!(plain, PLAIN),
                Err(HsmError::Down { .. } | HsmError::Failed { .. } | HsmError::NotSupported { .. }) => {}
                Err(error) => panic!("{}, {rules}: {error}", algorithm.wire()),
            }
        }
        soft.rules("");
        // A worker that was tested in that moment believes that its token cannot decrypt.
        client.worker().into_iter().for_each(kill);
        recovered(&client).await;
        assert_eq!(decrypted(&client, algorithm, cipher).await.as_deref(), Ok(PLAIN));
    }
    assert!(matches!(public, PublicKey::Rsa { .. }));
}
