//! `keystead key public`: the public half of a key, for whoever verifies or encrypts without us.

use super::files::OutArgs;
use super::{Session, pem, words};
use crate::exit::Failure;
use crate::output;
use keystead_client::Jwk;
use keystead_model::KeyRef;
use serde_json::{Map, Value};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key public payments > payments.pem
  keystead key public payments --format der --out payments.der
  keystead key public payments/0123456789abcdef0123456789abcdef --format jwk")]
pub(crate) struct Public {
    /// NAME, NAME/VERSION or the whole kid
    #[arg(value_name = "KEY", value_parser = words::key_ref)]
    key: KeyRef,
    /// How it is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "pem")]
    format: Format,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// SubjectPublicKeyInfo in PEM, as OpenSSL reads it
    Pem,
    /// SubjectPublicKeyInfo, the bytes
    Der,
    /// JSON Web Key (RFC 7517)
    Jwk,
}

impl Public {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let done = session.client.get_key(&self.key).await.map_err(|e| session.shown.failure(&e))?;
        let jwk = &done.value.key;
        let bytes = written(jwk, self.format)?.ok_or_else(|| {
            let kind = output::printable(&jwk.kty);
            Failure::usage(format!("{} is of type {kind}: it has no public half to export", self.key.name))
        })?;
        self.out.write(&bytes)?;
        session.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

/// The bytes; none for a symmetric key.
fn written(jwk: &Jwk, format: Format) -> Result<Option<Vec<u8>>, Failure> {
    let Some(public) = jwk.public() else { return Ok(None) };
    Ok(match format {
        Format::Pem => pem::public(&public).map(|text| format!("{text}\n").into_bytes()),
        Format::Der => pem::der(&public),
        Format::Jwk => pem::der(&public).map(|_| output::json_bytes(&members(jwk))).transpose()?,
    })
}

/// What RFC 7517 and 7518 know of it: a kind that says where the private half is (`EC-HSM`) is not one of theirs.
fn members(jwk: &Jwk) -> Map<String, Value> {
    let kty = jwk.kty.strip_suffix("-HSM").unwrap_or(&jwk.kty).to_owned();
    let text = |name: &str, value: &Option<String>| value.clone().map(|v| (name.to_owned(), Value::String(v)));
    let numbers = [("crv", &jwk.crv), ("x", &jwk.x), ("y", &jwk.y), ("n", &jwk.n), ("e", &jwk.e)];
    let numbers = numbers.into_iter().filter_map(|(name, value)| text(name, value));
    let names = [("kid".to_owned(), Value::String(jwk.kid.clone())), ("kty".to_owned(), Value::String(kty))];
    names.into_iter().chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwk(kty: &str) -> Jwk {
        let text = format!(
            r#"{{"kid":"https://v/keys/k/1","kty":"{kty}","crv":"P-256","key_ops":["sign"],
                "x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_jwk_has_the_standards_members_and_no_others() {
        let bytes = written(&jwk("EC-HSM"), Format::Jwk).ok().unwrap().unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["kty"], "EC");
        let names: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(names, ["crv", "kid", "kty", "x", "y"]);
    }

    #[test]
    fn pem_and_der_are_one_and_the_same_and_a_symmetric_key_has_none() {
        let of = |kty, format| written(&jwk(kty), format).ok().unwrap();
        let (pem, der) = (of("EC", Format::Pem).unwrap(), of("EC", Format::Der).unwrap());
        assert_eq!((der.len(), der[0]), (91, 0x30));
        assert!(pem.starts_with(b"-----BEGIN PUBLIC KEY-----\n") && pem.ends_with(b"-----END PUBLIC KEY-----\n"));
        for format in [Format::Pem, Format::Der, Format::Jwk] {
            assert!(of("oct", format).is_none());
        }
    }
}
