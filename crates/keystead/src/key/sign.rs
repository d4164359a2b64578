//! `keystead key sign`.

use super::files::{InputArgs, OutArgs};
use super::{Session, der, words};
use crate::exit::Failure;
use crate::output;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_model::{KeyRef, KeySpec, SignAlgorithm};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  echo hello | keystead key sign payments --receipt
  keystead key sign payments --in letter.pdf --format der --out letter.sig
  keystead key show payments --pem > payments.pem
  openssl dgst -sha256 -verify payments.pem -signature letter.sig letter.pdf
  keystead key sign payments --digest $(sha256sum < letter.pdf | cut -c1-64)

What is read, up to 1 GiB, is hashed with SHA-256 here; only the digest goes
to the server. The algorithm is ES256 for EC keys and RS256 for RSA keys;
PS256 is had with --alg. With --alg the key is not looked up first.")]
pub(crate) struct Sign {
    /// NAME, NAME/VERSION or the whole kid
    #[arg(value_name = "KEY", value_parser = words::key_ref)]
    key: KeyRef,
    /// Sign this SHA-256 digest instead of hashing anything
    #[arg(long, value_name = "HEX|BASE64", value_parser = words::digest, conflicts_with = "input")]
    digest: Option<[u8; 32]>,
    /// ES256, RS256 or PS256
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    alg: Option<SignAlgorithm>,
    /// How the signature is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Form::Base64url)]
    format: Form,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    out: OutArgs,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// The bytes as the API gives them; r and s side by side for ES256
    Raw,
    /// Those bytes in base64url, as in a JWT
    Base64url,
    /// Those bytes in hexadecimal digits
    Hex,
    /// As OpenSSL reads it: DER for ES256, the bytes for RSA
    Der,
}

fn algorithm(text: &str) -> Result<SignAlgorithm, String> {
    SignAlgorithm::from_wire(text).ok_or_else(|| "the algorithms are ES256, RS256 and PS256".to_owned())
}

impl Sign {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let digest = match self.digest {
            Some(digest) => digest,
            None => self.input.sha256()?,
        };
        let alg = match self.alg {
            Some(alg) => alg,
            None => default_algorithm(session, &self.key).await?,
        };
        let done = session.client.sign(&self.key, alg, &digest).await.map_err(|e| session.shown.failure(&e))?;
        let raw = &done.value.value;
        if session.shown.is_json() {
            return self.out.write(&output::json_bytes(&serde_json::json!({
                "kid": done.value.kid, "alg": alg.wire(), "digest": hex::encode(digest),
                "signature": self.format.text(alg, raw)?, "receipt": done.receipt,
            }))?);
        }
        let signature = match self.format {
            Form::Raw | Form::Der => self.format.bytes(alg, raw)?,
            Form::Base64url | Form::Hex => format!("{}\n", self.format.text(alg, raw)?).into_bytes(),
        };
        self.out.write(&signature)?;
        session.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

impl Form {
    fn bytes(self, alg: SignAlgorithm, raw: &[u8]) -> Result<Vec<u8>, Failure> {
        match (self, alg.spec()) {
            (Self::Der, KeySpec::EcP256) => der::ecdsa(raw)
                .ok_or_else(|| Failure::unavailable(format!("the server's signature has {} bytes, not 64", raw.len()))),
            _ => Ok(raw.to_vec()),
        }
    }

    /// As text: hexadecimal digits, or else base64url.
    fn text(self, alg: SignAlgorithm, raw: &[u8]) -> Result<String, Failure> {
        let bytes = self.bytes(alg, raw)?;
        Ok(if self == Self::Hex { hex::encode(bytes) } else { URL_SAFE_NO_PAD.encode(bytes) })
    }
}

async fn default_algorithm(session: &Session, key: &KeyRef) -> Result<SignAlgorithm, Failure> {
    let done = session.client.get_key(key).await.map_err(|e| session.shown.failure(&e))?;
    let kty = &done.value.key.kty;
    let spec = words::spec_of(kty);
    // The first of its kind: ES256, RS256.
    let alg = SignAlgorithm::ALL.iter().copied().find(|alg| Some(alg.spec()) == spec);
    alg.ok_or_else(|| Failure::usage(format!("{} is of type {kty}: it cannot sign", key.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_written_as_it_says() {
        let mut raw = [0u8; 64];
        (raw[31], raw[63]) = (1, 2);
        let bytes = |form: Form, alg| form.bytes(alg, &raw).ok().unwrap();
        assert_eq!(bytes(Form::Raw, SignAlgorithm::Es256), raw);
        assert_eq!(bytes(Form::Der, SignAlgorithm::Es256), [0x30, 6, 2, 1, 1, 2, 1, 2]);
        assert_eq!(bytes(Form::Der, SignAlgorithm::Ps256), raw);
        assert_eq!(Form::Hex.text(SignAlgorithm::Es256, &raw).ok(), Some(hex::encode(raw)));
        assert_eq!(Form::Base64url.text(SignAlgorithm::Es256, &raw).ok(), Some(URL_SAFE_NO_PAD.encode(raw)));
        assert!(Form::Der.bytes(SignAlgorithm::Es256, &raw[..63]).is_err());
    }
}
