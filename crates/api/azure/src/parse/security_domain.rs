//! Requests about the security domain.

use super::{Text, bounded, json, required};
use keystead_api_table::{BadParameter, Parts};
use keystead_engine::{
    Custodian, DownloadSecurityDomain, GetTransferKey, ReadDownload, ReadUpload, UploadSecurityDomain,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Download<'a> {
    #[serde(borrow)]
    certificates: Option<Vec<Jwk<'a>>>,
    required: Option<usize>,
}

/// Of a custodian's key. Its thumbprints are worked out anew from the certificate.
#[derive(Deserialize)]
struct Jwk<'a> {
    #[serde(borrow)]
    n: Option<Text<'a>>,
    #[serde(borrow)]
    e: Option<Text<'a>>,
    /// The certificate first, and those of who vouch for it, which are not looked at.
    #[serde(borrow)]
    x5c: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
struct Upload<'a> {
    #[serde(borrow)]
    value: Option<Text<'a>>,
}

/// Longest certificate, in bytes.
const MAX_CERTIFICATE: usize = 16 << 10;
/// Longest modulus and exponent, in bytes.
const MAX_NUMBER: usize = 1024;

/// `POST /securitydomain/download`
pub fn download(parts: &Parts<'_>) -> Result<DownloadSecurityDomain, BadParameter> {
    let body: Download<'_> = json(parts)?;
    let custodians = required(body.certificates, "certificates")?.iter().map(custodian).collect::<Result<_, _>>()?;
    Ok(DownloadSecurityDomain { custodians, required: required(body.required, "required")? })
}

fn custodian(jwk: &Jwk<'_>) -> Result<Custodian, BadParameter> {
    let certificate = jwk.x5c.as_ref().and_then(|chain| chain.first());
    let certificate = bounded(required(certificate, "x5c")?, "x5c", MAX_CERTIFICATE)?;
    let number = |text: &Option<Text<'_>>, what| match text {
        Some(text) => bounded(text, what, MAX_NUMBER).map(Some),
        None => Ok(None),
    };
    let public = number(&jwk.n, "n")?.zip(number(&jwk.e, "e")?);
    Ok(Custodian { certificate, public })
}

/// `GET /securitydomain/download/pending`
pub fn read_download(_: &Parts<'_>) -> Result<ReadDownload, BadParameter> {
    Ok(ReadDownload)
}

/// `GET /securitydomain/upload`
pub fn transfer_key(_: &Parts<'_>) -> Result<GetTransferKey, BadParameter> {
    Ok(GetTransferKey)
}

/// `POST /securitydomain/upload`
pub fn upload(parts: &Parts<'_>) -> Result<UploadSecurityDomain, BadParameter> {
    let body: Upload<'_> = json(parts)?;
    Ok(UploadSecurityDomain { blob: required(body.value, "value")?.0.into_owned().into_bytes() })
}

/// `GET /securitydomain/upload/pending`
pub fn read_upload(_: &Parts<'_>) -> Result<ReadUpload, BadParameter> {
    Ok(ReadUpload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    fn downloaded(body: &str) -> Result<DownloadSecurityDomain, BadParameter> {
        parts("/securitydomain/download", "/securitydomain/download", body, download)
    }

    #[test]
    fn the_bodies_of_the_sdk_are_read() {
        let body = r#"{"certificates":[{"kid":"a","kty":"RSA","key_ops":["verify","encrypt","wrapKey"],"n":"AQI","e":"AQAB",
            "x5c":["MIIB+/8="],"use":"enc","x5t":"a","x5t#S256":"b","alg":"RSA-OAEP-256"},{"x5c":["AAA=", "x"]}],"required":2}"#;
        let ask = downloaded(body).unwrap();
        assert_eq!((ask.custodians.len(), ask.required), (2, 2));
        assert_eq!(ask.custodians[0].certificate, [0x30, 0x82, 1, 0xfb, 0xff]);
        assert_eq!(ask.custodians[0].public, Some((vec![1, 2], vec![1, 0, 1])));
        assert_eq!(ask.custodians[1].public, None);
        let blob = parts("/securitydomain/upload", "/securitydomain/upload", r#"{"value":"{\"a\":1}"}"#, upload);
        assert_eq!(blob.unwrap().blob, br#"{"a":1}"#);
    }

    #[test]
    fn what_is_missing_or_of_another_form_is_named() {
        for (body, what) in [
            ("{}", "certificates"),
            (r#"{"certificates":[]}"#, "required"),
            (r#"{"certificates":[{}],"required":2}"#, "x5c"),
            (r#"{"certificates":[{"x5c":[]}],"required":2}"#, "x5c"),
        ] {
            assert_eq!(downloaded(body).err(), Some(BadParameter::Missing { what }), "{body}");
        }
        let not = downloaded(r#"{"certificates":[{"x5c":["*"]}],"required":2}"#).err();
        assert_eq!(not, Some(BadParameter::NotBase64 { what: "x5c" }));
        for required in ["-1", "2.5", "\"2\"", "1e99"] {
            let body = format!(r#"{{"certificates":[],"required":{required}}}"#);
            assert!(matches!(downloaded(&body).err(), Some(BadParameter::WrongType { .. })), "{required}");
        }
        let missing = parts("/securitydomain/upload", "/securitydomain/upload", "{}", upload).err();
        assert_eq!(missing, Some(BadParameter::Missing { what: "value" }));
    }
}
