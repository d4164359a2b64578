//! The development server's own CA and certificate: `ca.key`, `ca.pem`, `server.key`, `server.pem`, and in `validity`
//! until when and for which addresses they are good.
//!
//! The CA can sign for this machine only (RFC 5280, section 4.2.1.10): `localhost` and names under it, loopback, and
//! the addresses the server listens on. Whoever trusts it trusts its key file with nothing else.
//!
//! Also whom TLS trusts on the way out.

use crate::exit::Failure;
use crate::node_key::write_private;
use crate::output::time::date;
use keystead_model::Time;
use keystead_server::Outgoing;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Host names the certificate is good for, besides the addresses that are listened on.
const NAMES: &[&str] = &["localhost", "dev.localhost", "dev-hsm.localhost", "127.0.0.1", "::1"];
/// How long the CA is good for.
const CA_DAYS: u32 = 3 * 365;
/// How long the server's certificate is good for.
const LEAF_DAYS: u32 = 90;
/// Good from so long ago, for clients whose clock is behind.
const SLACK_DAYS: i64 = 1;
const DAY: i64 = 86_400_000;

/// A certificate chain and its key, in PEM, and the CA's certificate.
pub(crate) struct DevTls {
    pub(crate) chain: String,
    pub(crate) key: Zeroizing<String>,
    pub(crate) ca: String,
}

/// What is kept in the directory. Each part is made at the first start, and again at a start that finds less than a
/// third of its time left. The CA is also made anew, with another key, for an address it may not sign for.
pub(crate) fn dev(directory: &Path, listen: &[IpAddr], now: Time) -> Result<DevTls, Failure> {
    let addresses: BTreeSet<IpAddr> = listen.iter().filter(|a| !a.is_unspecified()).copied().collect();
    let files = Files { directory };
    let kept = files.validity().filter(|v| addresses.is_subset(&v.addresses) && fresh(v.ca_until, CA_DAYS, now));
    let leaf_until = now.plus_days(LEAF_DAYS);
    match kept {
        Some(validity) if fresh(validity.leaf_until, LEAF_DAYS, now) => {}
        Some(validity) => files.make_leaf(&Validity { leaf_until, ..validity }, now)?,
        None => {
            let validity = Validity { ca_until: now.plus_days(CA_DAYS), leaf_until, addresses };
            files.make_ca(&validity, now)?;
            files.make_leaf(&validity, now)?;
        }
    }
    let (ca, leaf) = (files.read("ca.pem")?, files.read("server.pem")?);
    Ok(DevTls { chain: format!("{}{}", *leaf, *ca), key: files.read("server.key")?, ca: ca.to_string() })
}

/// At least a third of its time is left, and no more than all of it: a clock that was set back is noticed.
fn fresh(until: Time, days: u32, now: Time) -> bool {
    let whole = i64::from(days).saturating_mul(DAY);
    let left = until.0.saturating_sub(now.0);
    left >= whole.div_euclid(3) && left <= whole.saturating_add(DAY)
}

/// Until when, and for which addresses beyond [`NAMES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Validity {
    ca_until: Time,
    leaf_until: Time,
    addresses: BTreeSet<IpAddr>,
}

impl std::fmt::Display for Validity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addresses: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
        write!(f, "1 {} {} {}", self.ca_until.0, self.leaf_until.0, addresses.join(","))
    }
}

impl FromStr for Validity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let [version, ca, leaf, addresses] = text.split(' ').collect::<Vec<_>>().try_into().map_err(|_| ())?;
        let time = |text: &str| text.parse().map(Time).map_err(|_| ());
        let addresses = addresses.split(',').filter(|a| !a.is_empty());
        let addresses = addresses.map(|a| a.parse().map_err(|_| ())).collect::<Result<_, ()>>()?;
        let validity = Self { ca_until: time(ca)?, leaf_until: time(leaf)?, addresses };
        (version == "1" && validity.to_string() == text).then_some(validity).ok_or(())
    }
}

/// The files. `validity` goes before anything is made and comes back after all of it: what it speaks of fits together.
struct Files<'a> {
    directory: &'a Path,
}

impl Files<'_> {
    fn validity(&self) -> Option<Validity> {
        let there = |name: &&str| self.directory.join(name).exists();
        let all = ["ca.key", "ca.pem", "server.key", "server.pem"].iter().all(there);
        let text = std::fs::read_to_string(self.directory.join("validity")).ok()?;
        text.strip_suffix('\n')?.parse().ok().filter(|_| all)
    }

    fn make_ca(&self, validity: &Validity, now: Time) -> Result<(), Failure> {
        if self.directory.join("ca.pem").exists() {
            tracing::warn!("the development CA is made anew: clients must read ca.pem again");
        }
        self.forget_validity()?;
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = ca_params()?;
        valid(&mut params, now, validity.ca_until)?;
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: subtrees(&validity.addresses), excluded_subtrees: Vec::new() });
        let ca = params.self_signed(&key).map_err(failed)?;
        write_private(&self.directory.join("ca.pem"), ca.pem().as_bytes())?;
        write_private(&self.directory.join("ca.key"), Zeroizing::new(key.serialize_pem()).as_bytes())
    }

    fn make_leaf(&self, validity: &Validity, now: Time) -> Result<(), Failure> {
        self.forget_validity()?;
        let ca_key = KeyPair::from_pem(&self.read("ca.key")?).map_err(failed)?;
        let key = KeyPair::generate().map_err(failed)?;
        let names: BTreeSet<String> =
            NAMES.iter().map(|n| (*n).to_owned()).chain(validity.addresses.iter().map(IpAddr::to_string)).collect();
        let mut params = CertificateParams::new(names.into_iter().collect::<Vec<_>>()).map_err(failed)?;
        params.distinguished_name = name("localhost");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        valid(&mut params, now, validity.leaf_until)?;
        let leaf = params.signed_by(&key, &Issuer::new(ca_params()?, ca_key)).map_err(failed)?;
        write_private(&self.directory.join("server.pem"), leaf.pem().as_bytes())?;
        write_private(&self.directory.join("server.key"), Zeroizing::new(key.serialize_pem()).as_bytes())?;
        write_private(&self.directory.join("validity"), format!("{validity}\n").as_bytes())
    }

    fn forget_validity(&self) -> Result<(), Failure> {
        let file = self.directory.join("validity");
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::unavailable(format!("cannot remove {}: {e}", file.display())))
            }
            _ => Ok(()),
        }
    }

    fn read(&self, name: &str) -> Result<Zeroizing<String>, Failure> {
        let file = self.directory.join(name);
        let text = std::fs::read_to_string(&file);
        text.map(Zeroizing::new).map_err(|e| Failure::unavailable(format!("cannot read {}: {e}", file.display())))
    }
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

fn ca_params() -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.distinguished_name = name("Keystead development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// What the CA may sign for.
fn subtrees(addresses: &BTreeSet<IpAddr>) -> Vec<GeneralSubtree> {
    let single = |a: &IpAddr| CidrSubnet::from_addr_prefix(*a, if a.is_ipv4() { 32 } else { 128 });
    let loopback = [
        CidrSubnet::from_addr_prefix(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
        CidrSubnet::from_addr_prefix(Ipv6Addr::LOCALHOST.into(), 128),
    ];
    let further = addresses.iter().filter(|a| !a.is_loopback()).map(single);
    let addresses = loopback.into_iter().chain(further).map(GeneralSubtree::IpAddress);
    std::iter::once(GeneralSubtree::DnsName("localhost".to_owned())).chain(addresses).collect()
}

/// By whole days.
fn valid(params: &mut CertificateParams, now: Time, until: Time) -> Result<(), Failure> {
    let from = now.plus_millis(SLACK_DAYS.saturating_mul(DAY).saturating_neg());
    for (field, at) in [(&mut params.not_before, from), (&mut params.not_after, until)] {
        let (y, m, d) =
            date(at).ok_or_else(|| Failure::unavailable("the clock shows no year of four digits: set it"))?;
        *field = date_time_ymd(y, m, d);
    }
    Ok(())
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn failed(e: rcgen::Error) -> Failure {
    Failure::unavailable(format!("cannot make the development certificate: {e}"))
}

#[cfg(test)]
mod tests;
