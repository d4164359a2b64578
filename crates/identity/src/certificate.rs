//! Client certificates (RFC 5280). The TLS handshake has proven that the caller holds the private key; here it is
//! decided whether the certificate says who that is: a chain to a certificate in the policy, for client authentication,
//! at this time.

use crate::authenticate::{NotAuthenticated, Proven};
use crate::callers::Revoked;
use crate::principal::{Caller, Principal};
use keystead_model::Time;
use minicbor::{Decode, Encode};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::net::IpAddr;
use std::time::Duration;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage};

/// A certificate that vouches for clients: a CA's, or a client's own that it signed itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cbor(map)]
pub struct CertificateAuthority {
    /// X.509, DER.
    #[cbor(n(0), with = "minicbor::bytes")]
    #[serde(with = "base64_text")]
    pub certificate: Vec<u8>,
    /// Where a client's subject stands.
    #[n(1)]
    pub subject: SubjectName,
    /// If any are listed, only client certificates with one of these SHA-256 thumbprints.
    #[cbor(n(2), with = "crate::trust::digests")]
    #[serde(default, with = "crate::trust::digests")]
    pub only: Vec<[u8; 32]>,
}

/// The one part of a certificate that names its subject. No other stands in for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cbor(index_only)]
pub enum SubjectName {
    /// Its one DNS name among the subject alternative names.
    #[n(0)]
    Dns,
    /// Its one URI (SPIFFE) among the subject alternative names.
    #[n(1)]
    Uri,
    /// The SHA-256 of the certificate, in hex.
    #[n(2)]
    Thumbprint,
}

/// Most certificates of a chain, and most bytes of all.
const MAX_CHAIN: usize = 8;
const MAX_BYTES: usize = 32 * 1024;

/// How long a chain that was good is taken for good.
const REMEMBERED_MS: i64 = 60_000;

impl CertificateAuthority {
    /// `iss` of its clients: `x509:` and the certificate's SHA-256 in hex.
    pub fn issuer(&self) -> String {
        format!("x509:{}", self.thumbprint())
    }

    /// The certificate's SHA-256 in hex.
    pub fn thumbprint(&self) -> String {
        hex::encode(keystead_crypto::sha256(&[&self.certificate]))
    }

    /// Whether its bytes are a certificate that can vouch for others.
    pub fn is_usable(&self) -> bool {
        let der = CertificateDer::from(self.certificate.as_slice());
        webpki::anchor_from_trusted_cert(&der).is_ok()
    }
}

/// A chain that is within bounds and has the form of one.
pub(crate) struct Shown<'a> {
    leaf: &'a [u8],
    rest: Vec<CertificateDer<'a>>,
}

impl<'a> Shown<'a> {
    pub(crate) fn of(chain: &'a [Vec<u8>]) -> Result<Self, NotAuthenticated> {
        let (leaf, rest) = chain.split_first().ok_or(NotAuthenticated::Missing)?;
        if chain.len() > MAX_CHAIN || chain.iter().map(Vec::len).sum::<usize>() > MAX_BYTES {
            return Err(NotAuthenticated::TooLarge);
        }
        let rest = rest.iter().map(|c| CertificateDer::from(c.as_slice())).collect();
        EndEntityCert::try_from(&CertificateDer::from(leaf.as_slice())).map_err(|_| NotAuthenticated::Malformed)?;
        Ok(Self { leaf, rest })
    }
}

/// The authorities of a vault, ready for use.
#[derive(Default)]
pub(crate) struct Authorities(Vec<(CertificateAuthority, TrustAnchor<'static>)>);

impl Authorities {
    /// Those that are certificates; what is none vouches for nobody.
    pub(crate) fn new(list: &[CertificateAuthority]) -> Self {
        let ready = |a: &CertificateAuthority| {
            let der = CertificateDer::from(a.certificate.as_slice());
            Some((a.clone(), webpki::anchor_from_trusted_cert(&der).ok()?.to_owned()))
        };
        Self(list.iter().filter_map(ready).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn prove(
        &self,
        shown: &Shown<'_>,
        revoked: &Revoked,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Proven, NotAuthenticated> {
        let Shown { leaf, rest } = shown;
        let der = CertificateDer::from(*leaf);
        let certificate = EndEntityCert::try_from(&der).map_err(|_| NotAuthenticated::Malformed)?;
        let print = keystead_crypto::sha256(&[leaf]);
        let vouched = |(a, anchor): &&(CertificateAuthority, TrustAnchor<'static>)| {
            (a.only.is_empty() || a.only.contains(&print)) && verify(&certificate, anchor, rest, now).is_ok()
        };
        let (authority, anchor) = self.0.iter().find(vouched).ok_or(NotAuthenticated::UntrustedCertificate)?;
        let subject = subject(&certificate, authority.subject, &print).ok_or(NotAuthenticated::UntrustedCertificate)?;
        let principal = Principal::new(authority.issuer(), subject);
        if let Some(before) = revoked.before(principal.issuer(), principal.subject()) {
            // What was good just before that time was issued before it. Asked of the client's certificate alone: one
            // above it may be newer than that time, and says nothing of when this was issued.
            let then = verify(&certificate, anchor, &[], before.plus_millis(-1000));
            if !matches!(then, Err(webpki::Error::CertNotValidYet { .. })) {
                return Err(NotAuthenticated::Revoked);
            }
        }
        let caller = Caller::by_certificate(principal, address);
        Ok(Proven { caller, until: now.plus_millis(REMEMBERED_MS), once: None })
    }
}

fn verify(
    certificate: &EndEntityCert<'_>,
    anchor: &TrustAnchor<'_>,
    rest: &[CertificateDer<'_>],
    at: Time,
) -> Result<(), webpki::Error> {
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.secs()).unwrap_or(0)));
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let anchors = std::slice::from_ref(anchor);
    certificate.verify_for_usage(algorithms, anchors, rest, at, ForClients::default(), None, None).map(drop)
}

/// The client's own certificate must say that it is for client authentication; those above it must not say otherwise.
#[derive(Default)]
struct ForClients {
    own_seen: Cell<bool>,
}

/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2.
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

impl ExtendedKeyUsageValidator for ForClients {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        match self.own_seen.replace(true) {
            false => KeyUsage::required(CLIENT_AUTH).validate(purposes),
            true => KeyUsage::required_if_present(CLIENT_AUTH).validate(purposes),
        }
    }
}

fn subject(certificate: &EndEntityCert<'_>, name: SubjectName, print: &[u8; 32]) -> Option<String> {
    match name {
        SubjectName::Thumbprint => Some(hex::encode(print)),
        SubjectName::Dns => only(certificate.valid_dns_names()),
        SubjectName::Uri => only(certificate.valid_uri_names()),
    }
}

/// The one name; a choice between several would be somebody's guess.
fn only<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<String> {
    let first = names.next().filter(|name| !name.is_empty() && name.len() <= 1024 && !name.contains('*'))?;
    names.next().is_none().then(|| first.to_owned())
}

mod base64_text {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(d)?;
        STANDARD.decode(text).map_err(|_| D::Error::custom("a certificate is DER in base64"))
    }
}
