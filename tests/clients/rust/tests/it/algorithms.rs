//! The key at work, with every algorithm that the SDK names and a software key can have.

use crate::openssl::{digest, encrypt_rsa, verifies_ecdsa, verifies_rsa};
use crate::support::{body, client, create, ec, name, oct, refusal, refused, rsa, version};
use azure_security_keyvault_keys::models::{
    CreateKeyParameters, CurveName, EncryptionAlgorithm as E, JsonWebKey, KeyClientDecryptOptions,
    KeyClientSignOptions, KeyOperation as Op, KeyOperationParameters, KeyOperationResult, SignParameters,
    SignatureAlgorithm as S, VerifyParameters,
};
use azure_security_keyvault_keys::{KeyClient, ResourceExt as _};

/// A key that was made, and the name and version by which it is used.
struct Made<'a> {
    client: &'a KeyClient,
    name: String,
    version: String,
    key: JsonWebKey,
}

impl<'a> Made<'a> {
    async fn new(client: &'a KeyClient, parameters: CreateKeyParameters) -> Self {
        let name = name("work");
        let made = create(client, &name, parameters).await;
        Self { client, name, version: version(&made), key: made.key.expect("a key") }
    }

    async fn sign(&self, algorithm: &S, digest: &[u8]) -> Vec<u8> {
        let ask = SignParameters { algorithm: Some(algorithm.clone()), value: Some(digest.to_vec()) };
        let options = KeyClientSignOptions { key_version: Some(self.version.clone()), ..Default::default() };
        let made = self.client.sign(&self.name, body(ask), Some(options)).await.expect("signed").into_model().unwrap();
        assert_eq!(made.kid, self.key.kid);
        made.result.expect("a signature")
    }

    async fn verifies(&self, algorithm: &S, digest: &[u8], signature: &[u8]) -> bool {
        let (digest, signature) = (Some(digest.to_vec()), Some(signature.to_vec()));
        let ask = VerifyParameters { algorithm: Some(algorithm.clone()), digest, signature };
        let said = self.client.verify(&self.name, &self.version, body(ask), None).await.expect("an answer");
        said.into_model().unwrap().value.expect("yes or no")
    }

    async fn encrypt(&self, ask: KeyOperationParameters) -> KeyOperationResult {
        self.client.encrypt(&self.name, body(ask), None).await.expect("encrypted").into_model().unwrap()
    }

    async fn decrypt(&self, ask: KeyOperationParameters) -> azure_core::Result<Vec<u8>> {
        let options = KeyClientDecryptOptions::default();
        let said = self.client.decrypt(&self.name, &self.version, body(ask), Some(options)).await?;
        Ok(said.into_model()?.result.expect("a plaintext"))
    }

    /// Wraps under the newest version, unwraps with the version that the result names.
    async fn wraps(&self, algorithm: &E, secret: &[u8]) -> Vec<u8> {
        let wrapped = self.client.wrap_key(&self.name, body(ask(algorithm, secret)), None).await.expect("wrapped");
        let wrapped = wrapped.into_model().unwrap();
        let version = wrapped.resource_id().unwrap().version.unwrap();
        assert_eq!(version, self.version);
        let back = ask(algorithm, wrapped.result.as_ref().unwrap());
        let back = self.client.unwrap_key(&self.name, &version, body(back), None).await.expect("unwrapped");
        assert_eq!(back.into_model().unwrap().result.unwrap(), secret, "{algorithm}");
        wrapped.result.unwrap()
    }
}

fn ask(algorithm: &E, value: &[u8]) -> KeyOperationParameters {
    KeyOperationParameters { algorithm: Some(algorithm.clone()), value: Some(value.to_vec()), ..Default::default() }
}

#[tokio::test]
async fn ecdsa_signatures_verify_elsewhere_and_here() {
    let client = client();
    for (algorithm, curve, bits) in [
        (S::Es256, CurveName::P256, "256"),
        (S::Es384, CurveName::P384, "384"),
        (S::Es512, CurveName::P521, "512"),
        (S::Es256K, CurveName::P256K, "256"),
    ] {
        let (key, digest) = (Made::new(&client, ec(curve)).await, digest(bits, b"to be signed"));
        let mut signature = key.sign(&algorithm, &digest).await;
        assert!(verifies_ecdsa(&key.key, &digest, &signature), "{algorithm}");
        assert!(key.verifies(&algorithm, &digest, &signature).await, "{algorithm}");
        signature[0] ^= 1;
        assert!(!key.verifies(&algorithm, &digest, &signature).await, "{algorithm}");
    }
}

#[tokio::test]
async fn rsa_signatures_verify_elsewhere_and_here() {
    let client = client();
    let key = Made::new(&client, rsa(2048)).await;
    for (algorithm, bits, pss) in [
        (S::Rs256, "256", false),
        (S::Rs384, "384", false),
        (S::Rs512, "512", false),
        (S::Ps256, "256", true),
        (S::Ps384, "384", true),
        (S::Ps512, "512", true),
    ] {
        let digest = digest(bits, b"to be signed");
        let mut signature = key.sign(&algorithm, &digest).await;
        assert!(verifies_rsa(&key.key, bits, pss, &digest, &signature), "{algorithm}");
        assert!(key.verifies(&algorithm, &digest, &signature).await, "{algorithm}");
        signature[0] ^= 1;
        assert!(!key.verifies(&algorithm, &digest, &signature).await, "{algorithm}");
    }
}

#[tokio::test]
async fn hmac_signs_and_verifies() {
    let client = client();
    let key = Made::new(&client, oct(256, &[Op::Sign, Op::Verify])).await;
    for (algorithm, bits) in [(S::Hs256, "256"), (S::Hs384, "384"), (S::Hs512, "512")] {
        let digest = digest(bits, b"to be signed");
        let mut signature = key.sign(&algorithm, &digest).await;
        assert!(key.verifies(&algorithm, &digest, &signature).await, "{algorithm}");
        signature[0] ^= 1;
        assert!(!key.verifies(&algorithm, &digest, &signature).await, "{algorithm}");
    }
}

#[tokio::test]
async fn rsa_decrypts_and_unwraps_what_it_or_another_made() {
    let client = client();
    let key = Made::new(&client, rsa(2048)).await;
    let oaep = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"];
    let [old, new] = [&oaep[..1], &oaep[..]];
    for (algorithm, padding) in [(E::Rsa1_5, &["rsa_padding_mode:pkcs1"][..]), (E::RsaOaep, old), (E::RsaOaep256, new)]
    {
        let made = key.encrypt(ask(&algorithm, b"plain")).await;
        assert_eq!(made.kid, key.key.kid);
        let elsewhere = encrypt_rsa(&key.key, b"plain", padding);
        for ciphertext in [made.result.unwrap(), elsewhere] {
            assert_eq!(key.decrypt(ask(&algorithm, &ciphertext)).await.unwrap(), b"plain", "{algorithm}");
        }
        key.wraps(&algorithm, &[7; 32]).await;
    }
}

#[tokio::test]
async fn aes_gcm_binds_what_stands_beside_it() {
    let client = client();
    for (algorithm, bits) in [(E::A128Gcm, 128), (E::A192Gcm, 192), (E::A256Gcm, 256)] {
        let key = Made::new(&client, oct(bits, &[Op::Encrypt, Op::Decrypt])).await;
        let aad = Some(b"bound".to_vec());
        let plain =
            KeyOperationParameters { additional_authenticated_data: aad.clone(), ..ask(&algorithm, &[5; 1000]) };
        let made = key.encrypt(plain).await;
        assert_eq!((made.iv.as_ref().unwrap().len(), made.authentication_tag.as_ref().unwrap().len()), (12, 16));
        let mut sealed = KeyOperationParameters {
            additional_authenticated_data: aad,
            authentication_tag: made.authentication_tag,
            iv: made.iv,
            ..ask(&algorithm, &made.result.unwrap())
        };
        assert_eq!(key.decrypt(sealed.clone()).await.unwrap(), [5; 1000], "{algorithm}");
        sealed.additional_authenticated_data = Some(b"other".to_vec());
        assert_eq!(refusal(key.decrypt(sealed).await), refused(400, "BadParameter", None), "{algorithm}");
    }
}

#[tokio::test]
async fn aes_cbc_encrypts_and_decrypts() {
    let client = client();
    for (bits, cbc, padded) in
        [(128, E::A128Cbc, E::A128Cbcpad), (192, E::A192Cbc, E::A192Cbcpad), (256, E::A256Cbc, E::A256Cbcpad)]
    {
        let key = Made::new(&client, oct(bits, &[Op::Encrypt, Op::Decrypt])).await;
        for (algorithm, plain) in [(cbc, &[5; 32][..]), (padded, &[5; 33][..])] {
            let iv = Some(vec![3; 16]);
            let made = key.encrypt(KeyOperationParameters { iv: iv.clone(), ..ask(&algorithm, plain) }).await;
            let sealed = KeyOperationParameters { iv, ..ask(&algorithm, &made.result.unwrap()) };
            assert_eq!(key.decrypt(sealed).await.unwrap(), plain, "{algorithm}");
        }
    }
}

#[tokio::test]
async fn aes_wraps_keys() {
    let client = client();
    for (bits, kw) in [(128, E::A128Kw), (192, E::A192Kw), (256, E::A256Kw)] {
        let key = Made::new(&client, oct(bits, &[Op::WrapKey, Op::UnwrapKey])).await;
        let wrapped = key.wraps(&kw, &[7; 32]).await;
        // RFC 3394 under another name: the same bytes.
        assert_eq!(key.wraps(&E::CkmAesKeyWrap, &[7; 32]).await, wrapped);
        key.wraps(&E::CkmAesKeyWrapPad, &[7; 21]).await;
    }
}
