//! `keystead key sign`.

use super::files::{InputArgs, OutArgs};
use super::{Session, der, words};
use crate::exit::Failure;
use crate::output;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_crypto::Hash;
use keystead_model::{KeyRef, SignAlgorithm};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  echo hello | keystead key sign payments --receipt
  keystead key sign payments --in letter.pdf --format der --out letter.sig
  keystead key show payments --pem > payments.pem
  openssl dgst -sha256 -verify payments.pem -signature letter.sig letter.pdf
  keystead key sign payments --digest $(sha256sum < letter.pdf | cut -c1-64)

What is read, however long, is hashed here with the algorithm's hash; only the
digest goes to the server. The algorithm is that of the curve for EC keys (ES256,
ES384, ES512, ES256K), RS256 for RSA keys and HS256 for oct keys; others are had
with --alg, with which the key is not looked up first.")]
pub(crate) struct Sign {
    /// NAME, NAME/VERSION or the whole kid
    #[arg(value_name = "KEY", value_parser = words::key_ref)]
    key: KeyRef,
    /// Sign this digest, as long as the algorithm's hash, instead of hashing anything
    #[arg(long, value_name = "HEX|BASE64", value_parser = digest, conflicts_with = "input")]
    digest: Option<Digest>,
    /// ES256, ES384, ES512, ES256K; RS256, PS256 and the like with 384 and 512; HS256, HS384, HS512
    #[arg(long, value_name = "ALG", value_parser = words::sign_algorithm)]
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
    /// The bytes as the API gives them; r and s side by side for EC keys
    Raw,
    /// Those bytes in base64url, as in a JWT
    Base64url,
    /// Those bytes in hexadecimal digits
    Hex,
    /// As OpenSSL reads it: DER for EC keys, the bytes for others
    Der,
}

/// A digest that was computed elsewhere.
#[derive(Debug, Clone)]
struct Digest(Vec<u8>);

fn digest(text: &str) -> Result<Digest, String> {
    words::digest(text).map(Digest)
}

impl Sign {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let alg = match self.alg {
            Some(alg) => alg,
            None => default_algorithm(session, &self.key).await?,
        };
        let digest = match &self.digest {
            Some(Digest(digest)) => digest.clone(),
            None => self.input.digest(hash_of(alg))?,
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
        match (self, alg.specs().iter().find_map(|spec| spec.curve())) {
            (Self::Der, Some(curve)) => der::ecdsa(raw, curve.field_len()).ok_or_else(|| {
                Failure::unavailable(format!("the server's signature has {} bytes, which none has", raw.len()))
            }),
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
    let spec = done.value.spec();
    // The first of its kind: ES256, RS256, HS256.
    let alg = SignAlgorithm::ALL.iter().copied().find(|alg| spec.is_some_and(|spec| alg.fits(spec)));
    alg.ok_or_else(|| Failure::usage(format!("{} is of type {}: it cannot sign", key.name, done.value.key.kty)))
}

/// The hash whose digests an algorithm signs.
const fn hash_of(alg: SignAlgorithm) -> Hash {
    match alg.digest_len() {
        48 => Hash::Sha384,
        64 => Hash::Sha512,
        _ => Hash::Sha256,
    }
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
        assert!(Form::Der.bytes(SignAlgorithm::Es384, &raw).is_err());
        assert_eq!(Form::Der.bytes(SignAlgorithm::Hs256, &raw[..32]).ok().unwrap(), raw[..32]);
    }
}
