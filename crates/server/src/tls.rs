//! The TLS identity and settings of a listener.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, Ticketer, kx_group};
use rustls::{InconsistentKeys, ServerConfig, version};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::client_auth::AskForCertificate;

/// What is wrong with a certificate chain or its key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain's PEM is damaged.
    #[error(
        "the certificate file is not proper PEM ({0}); it must hold the certificates in PEM, the server's own first"
    )]
    CertificatePem(pem::Error),
    /// No certificate stands there.
    #[error("the certificate file holds no certificate; it must hold the chain in PEM, the server's own first")]
    NoCertificate,
    /// The first certificate cannot be read.
    #[error("the first certificate of the file cannot be used ({0}); it must be the server's own X.509 certificate")]
    Certificate(rustls::Error),
    /// The key's PEM is damaged.
    #[error("the key file is not proper PEM ({0}); it must hold one unencrypted private key in PEM")]
    KeyPem(pem::Error),
    /// No private key stands there.
    #[error("the key file holds no private key; it must hold one unencrypted private key in PEM")]
    NoKey,
    /// More than one private key stands there.
    #[error("the key file holds several private keys; it must hold exactly the one of the first certificate")]
    SeveralKeys,
    /// The key is of no kind that TLS can use.
    #[error("the private key cannot be used ({0}); use an ECDSA (P-256, P-384, P-521), Ed25519 or RSA key")]
    Key(rustls::Error),
    /// Certificate and key are not of one pair.
    #[error("the private key does not belong to the first certificate; check the order of the chain and the key file")]
    Mismatch,
    /// The cryptographic library refused to start.
    #[error("TLS cannot be set up: {0}")]
    Library(rustls::Error),
}

/// Who a TLS listener is, which may change while it listens. Clones are the same one.
#[derive(Clone)]
pub struct TlsIdentity(Arc<RwLock<Arc<ServerConfig>>>);

impl TlsIdentity {
    /// From now on new connections are greeted with this; those that are open stay as they are, and none of their
    /// session tickets is taken any more.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Arc<ServerConfig>> for TlsIdentity {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }
}

/// Settings for a TLS listener: TLS 1.3 and 1.2, X25519MLKEM768 preferred, stateless session tickets, HTTP/1.1 only.
/// Clients may show a certificate ([`Peer::certificates`](crate::Peer::certificates)).
/// `chain_pem` has the server's certificate first, then its issuers; `key_pem` has its one private key.
pub fn tls_config(chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = read_chain(chain_pem)?;
    let key = read_key(key_pem)?;
    let provider = Arc::new(provider());
    let clients = AskForCertificate::new(provider.signature_verification_algorithms);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(TlsError::Library)?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(|refused| match refused {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch,
            rustls::Error::InvalidCertificate(_) => TlsError::Certificate(refused),
            _ => TlsError::Key(refused),
        })?;
    config.ticketer = Ticketer::new().map_err(TlsError::Library)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The groups are named here so that no other crate's feature can change their order.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..aws_lc_rs::default_provider()
    }
}

fn read_chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(TlsError::CertificatePem)?;
    if chain.is_empty() { Err(TlsError::NoCertificate) } else { Ok(chain) }
}

fn read_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let mut keys = PrivateKeyDer::pem_slice_iter(text);
    let key = keys.next().ok_or(TlsError::NoKey)?.map_err(TlsError::KeyPem)?;
    match keys.next() {
        None => Ok(key),
        Some(_) => Err(TlsError::SeveralKeys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["a.localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn refusal(chain: &str, key: &str) -> TlsError {
        tls_config(chain.as_bytes(), key.as_bytes()).unwrap_err()
    }

    #[test]
    fn each_thing_wrong_with_an_identity_has_its_own_name() {
        let (chain, key) = identity();
        let (other_chain, other_key) = identity();
        assert!(tls_config(chain.as_bytes(), key.as_bytes()).is_ok());
        assert!(matches!(refusal("", &key), TlsError::NoCertificate));
        assert!(matches!(refusal(&key, &key), TlsError::NoCertificate));
        assert!(matches!(refusal(&chain, ""), TlsError::NoKey));
        assert!(matches!(refusal(&chain, &chain), TlsError::NoKey));
        assert!(matches!(refusal(&chain, &other_key), TlsError::Mismatch));
        assert!(matches!(refusal(&format!("{other_chain}{chain}"), &key), TlsError::Mismatch));
        assert!(matches!(refusal(&chain, &format!("{key}{other_key}")), TlsError::SeveralKeys));
        assert!(matches!(refusal(chain.trim_end().trim_end_matches('-'), &key), TlsError::CertificatePem(_)));
        assert!(matches!(refusal(&chain, key.trim_end().trim_end_matches('-')), TlsError::KeyPem(_)));
        let nothing = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refusal(nothing, &key), TlsError::Certificate(_)));
        let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(refusal(&chain, no_key), TlsError::Key(_)));
    }

    #[test]
    fn damaged_identities_never_panic() {
        let (chain, key) = identity();
        let whole = format!("{chain}{key}").into_bytes();
        let mut seed = 0x9e37_79b9_u64;
        for _ in 0..2000 {
            let mut bad = whole.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = usize::try_from(seed >> 33).unwrap() % bad.len();
                bad[at] = u8::try_from(seed >> 24 & 0xff).unwrap();
            }
            crate::fuzz::tls_identity(&bad);
            crate::fuzz::tls_identity(&bad[..usize::try_from(seed >> 40).unwrap() % bad.len()]);
        }
    }
}
