//! `keystead key encrypt|decrypt|wrap|unwrap`.

use super::envelope::{self, Contents, Envelope};
use super::files::{InputArgs, MAX_VALUE, OutArgs};
use super::{Session, words};
use crate::exit::Failure;
use crate::output;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_client::{Ciphertext, Done, Plaintext, Sealed};
use keystead_model::{CipherAlgorithm, CipherMode, KeyOperation, KeyRef};
use zeroize::Zeroizing;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key encrypt archive --in secret.txt --out secret.json
  keystead key decrypt --in secret.json
  keystead key encrypt archive --aad customer-17 < secret.txt > secret.json

The file written is JSON: kid, alg, iv, tag, aad and value, in base64url. The
algorithm is AES-GCM for oct keys and RSA-OAEP-256 for RSA keys, whose values are
short: at most 190 bytes with 2048 bits. With --alg the key is not looked up first.
With AES-CBC, which protects no integrity, a random iv is made here.")]
pub(crate) struct Encrypt {
    #[command(flatten)]
    with: With,
    /// Text that is authenticated beside the value, and stands readable in the file (AES-GCM only)
    #[arg(long, value_name = "TEXT")]
    aad: Option<String>,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  head -c 32 /dev/urandom | keystead key wrap backup --out data-key.json
  keystead key unwrap --in data-key.json --out data-key

The file is as that of encrypt. The server records it as wrapping, and the key
needs the operation wrapKey.")]
pub(crate) struct Wrap {
    #[command(flatten)]
    with: With,
}

/// What sealing needs.
#[derive(clap::Args)]
struct With {
    /// NAME, NAME/VERSION or the whole kid
    #[arg(value_name = "KEY", value_parser = words::key_ref)]
    key: KeyRef,
    /// RSA-OAEP-256, RSA-OAEP, RSA1_5; A128GCM, A128CBC, A128CBCPAD, A128KW and the like with 192
    /// and 256; CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD
    #[arg(long, value_name = "ALG", value_parser = words::cipher_algorithm)]
    alg: Option<CipherAlgorithm>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key decrypt --in secret.json
  keystead key decrypt archive < secret.json > secret.txt

Key and version are those in the file. A key that is named must be the file's.")]
pub(crate) struct Decrypt {
    #[command(flatten)]
    with: From,
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead key unwrap --in data-key.json --out data-key")]
pub(crate) struct Unwrap {
    #[command(flatten)]
    with: From,
}

/// What opening needs.
#[derive(clap::Args)]
struct From {
    /// The key expected: NAME, NAME/VERSION or the whole kid
    #[arg(value_name = "KEY", value_parser = words::key_ref)]
    key: Option<KeyRef>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    out: OutArgs,
}

impl Encrypt {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (with, aad) = (self.with, self.aad.map(String::into_bytes));
        let plain = with.input.read(MAX_VALUE)?;
        let alg = with.algorithm(session, KeyOperation::Encrypt).await?;
        if aad.is_some() && alg.mode() != CipherMode::Gcm {
            return Err(Failure::usage(format!(
                "{} authenticates nothing beside the value: leave out --aad",
                alg.wire()
            )));
        }
        let cbc = matches!(alg.mode(), CipherMode::Cbc | CipherMode::CbcPad);
        let iv = cbc.then(keystead_crypto::random::<16>);
        let input = Sealed { value: &plain, iv: iv.as_ref().map(<[u8; 16]>::as_slice), tag: None, aad: aad.as_deref() };
        let done = session.client.encrypt(&with.key, alg, &input).await;
        with.finish(session, alg, aad.as_deref(), done.map_err(|e| session.shown.failure(&e))?)
    }
}

impl Wrap {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let with = self.with;
        let plain = with.input.read(MAX_VALUE)?;
        let alg = with.algorithm(session, KeyOperation::WrapKey).await?;
        let done = session.client.wrap(&with.key, alg, &plain).await;
        with.finish(session, alg, None, done.map_err(|e| session.shown.failure(&e))?)
    }
}

impl With {
    /// As given, or by the key's type.
    async fn algorithm(&self, session: &Session, op: KeyOperation) -> Result<CipherAlgorithm, Failure> {
        if let Some(alg) = self.alg {
            return Ok(alg);
        }
        let done = session.client.get_key(&self.key).await.map_err(|e| session.shown.failure(&e))?;
        let (kty, spec) = (&done.value.key.kty, done.value.spec());
        // The first of its kind: RSA-OAEP-256, AES-GCM.
        let fits = |alg: &CipherAlgorithm| alg.serves(op) && spec.is_some_and(|spec| alg.fits(spec));
        let alg = CipherAlgorithm::ALL.iter().copied().find(fits);
        alg.ok_or_else(|| Failure::usage(format!("{} is of type {kty}: it cannot encrypt or wrap", self.key.name)))
    }

    fn finish(
        &self,
        session: &Session,
        alg: CipherAlgorithm,
        aad: Option<&[u8]>,
        done: Done<Ciphertext>,
    ) -> Result<(), Failure> {
        let receipt = done.receipt.clone().filter(|_| session.shown.is_json());
        let file = Envelope::new(&done.value, alg, aad, receipt);
        self.out.write(&output::json_bytes(&file)?)?;
        session.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

impl Decrypt {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let file = self.with.contents()?;
        let done = session.client.decrypt(&file.key, file.alg, &file.sealed()).await;
        self.with.finish(session, file.alg, &done.map_err(|e| session.shown.failure(&e))?)
    }
}

impl Unwrap {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let file = self.with.contents()?;
        let done = session.client.unwrap(&file.key, file.alg, &file.sealed()).await;
        self.with.finish(session, file.alg, &done.map_err(|e| session.shown.failure(&e))?)
    }
}

impl From {
    fn contents(&self) -> Result<Contents, Failure> {
        // The file is larger than the value in it by base64 and its other members.
        let file = envelope::parse(&self.input.read(MAX_VALUE.saturating_mul(2))?)?;
        match &self.key {
            Some(expected) if !same(expected, &file.key) => Err(Failure::usage(format!(
                "the file was made with the key {}{}, not with the one named",
                file.key.name,
                file.key.version.map(|v| format!("/{v}")).unwrap_or_default()
            ))),
            _ => Ok(file),
        }
    }

    fn finish(&self, session: &Session, alg: CipherAlgorithm, done: &Done<Plaintext>) -> Result<(), Failure> {
        if session.shown.is_json() {
            let value = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*done.value.value));
            let json = Zeroizing::new(output::json_bytes(&serde_json::json!({
                "kid": done.value.kid, "alg": alg.wire(), "value": *value, "receipt": done.receipt,
            }))?);
            return self.out.write(&json);
        }
        self.out.write(&done.value.value)?;
        session.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

impl Contents {
    fn sealed(&self) -> Sealed<'_> {
        Sealed { value: &self.value, iv: self.iv.as_deref(), tag: self.tag.as_deref(), aad: self.aad.as_deref() }
    }
}

/// Whether the key named is the file's; no version named is any.
fn same(expected: &KeyRef, file: &KeyRef) -> bool {
    expected.name == file.name && (expected.version.is_none() || expected.version == file.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_named_must_be_the_files() {
        let key = |text: &str| words::key_ref(text).unwrap();
        let (one, two) = (format!("a/{}", "01".repeat(16)), format!("a/{}", "02".repeat(16)));
        assert!(same(&key("A"), &key(&one)) && same(&key(&one), &key(&one)));
        assert!(!same(&key("b"), &key(&one)) && !same(&key(&two), &key(&one)));
    }
}
