//! Whom the client trusts.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::ClientError;

/// TLS 1.3 and 1.2 with the given CA and the system's.
pub(crate) fn client_config(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, ClientError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = ca_pem {
        add_own(&mut roots, pem)?;
    }
    if roots.is_empty() {
        return Err(ClientError::NoRoots);
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(ClientError::Library)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn add_own(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), ClientError> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|wrong| ClientError::BadCa(wrong.to_string()))?;
        roots.add(certificate).map_err(|wrong| ClientError::BadCa(wrong.to_string()))?;
        found = true;
    }
    if found { Ok(()) } else { Err(ClientError::BadCa("it holds no certificate".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_a_certificate_is_named() {
        for pem in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(client_config(Some(pem.as_bytes())), Err(ClientError::BadCa(_))), "{pem}");
        }
    }
}
