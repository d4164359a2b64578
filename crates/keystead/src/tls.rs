//! The development server's own CA and certificate, and whom TLS trusts on the way out.

use crate::exit::Failure;
use crate::node_key::write_private;
use keystead_server::Outgoing;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::path::Path;

/// Host names the certificate is good for.
const NAMES: &[&str] = &["localhost", "dev.localhost", "dev-hsm.localhost", "127.0.0.1", "::1"];

/// A certificate chain and its key, in PEM, and the CA's certificate.
pub(crate) struct DevTls {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) ca: String,
}

/// The CA is made once and kept; the server's certificate is made anew at each start.
pub(crate) fn dev(directory: &Path) -> Result<DevTls, Failure> {
    let failed = |e: rcgen::Error| Failure::unavailable(format!("cannot make the development certificate: {e}"));
    let (key_file, ca_file) = (directory.join("ca.key"), directory.join("ca.pem"));
    if !key_file.exists() {
        let key = KeyPair::generate().map_err(failed)?;
        let ca = ca_params().map_err(failed)?.self_signed(&key).map_err(failed)?;
        write_private(&ca_file, ca.pem().as_bytes())?;
        write_private(&key_file, key.serialize_pem().as_bytes())?;
    }
    let read = |file: &Path| {
        std::fs::read_to_string(file).map_err(|e| Failure::unavailable(format!("cannot read {}: {e}", file.display())))
    };
    let (ca_key, ca) = (KeyPair::from_pem(&read(&key_file)?).map_err(failed)?, read(&ca_file)?);
    let issuer = Issuer::new(ca_params().map_err(failed)?, ca_key);

    let key = KeyPair::generate().map_err(failed)?;
    let names = NAMES.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = name("localhost");
    params.use_authority_key_identifier_extension = true;
    let leaf = params.signed_by(&key, &issuer).map_err(failed)?;
    Ok(DevTls { chain: format!("{}{ca}", leaf.pem()), key: key.serialize_pem(), ca })
}

/// The CAs of this PEM text.
pub(crate) fn roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, rustls_pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}

/// The system's CAs as well.
pub(crate) fn with_systems(mut outgoing: Outgoing) -> Outgoing {
    outgoing.roots.extend(rustls_native_certs::load_native_certs().certs);
    outgoing
}

fn ca_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = name("Keystead development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}
