use super::*;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

fn today() -> Time {
    crate::setup::moment(0).now
}

fn days_later(days: u32) -> Time {
    today().plus_days(days)
}

fn dev(dir: &TempDir, now: Time) -> DevTls {
    super::dev(dir.path(), &[Ipv4Addr::LOCALHOST.into()], now).unwrap()
}

/// What `openssl verify` says of a certificate under this directory's CA, as a client that was told `host` or `ip`.
fn verify(dir: &TempDir, certificate: &Path, more: &[&str]) -> Result<(), String> {
    let mut command = Command::new("openssl");
    command.args(["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]).arg(dir.path().join("ca.pem"));
    let output = command.args(more).arg(certificate).output().expect("openssl is installed");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A certificate for these names that somebody made with the stolen key of the CA.
fn forged(dir: &TempDir, names: &[&str]) -> std::path::PathBuf {
    let ca_key = KeyPair::from_pem(&fs::read_to_string(dir.path().join("ca.key")).unwrap()).unwrap();
    let names = names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = name("somebody");
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf = params.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(ca_params().unwrap(), ca_key)).unwrap();
    let file = dir.path().join("forged.pem");
    fs::write(&file, leaf.pem()).unwrap();
    file
}

#[test]
fn the_certificate_is_accepted_for_every_name_of_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    dev(&dir, today());
    let leaf = dir.path().join("server.pem");
    for host in ["localhost", "dev.localhost", "dev-hsm.localhost"] {
        assert_eq!(verify(&dir, &leaf, &["-verify_hostname", host]), Ok(()), "{host}");
    }
    for ip in ["127.0.0.1", "::1"] {
        assert_eq!(verify(&dir, &leaf, &["-verify_ip", ip]), Ok(()), "{ip}");
    }
    assert!(verify(&dir, &leaf, &["-verify_hostname", "example.com"]).is_err());
    assert!(verify(&dir, &leaf, &["-purpose", "sslclient"]).is_err(), "it is a server's and nothing else");
}

#[test]
fn the_development_ca_cannot_sign_for_another_machine() {
    let dir = tempfile::tempdir().unwrap();
    dev(&dir, today());
    for own in ["localhost", "payments.localhost", "127.0.0.9", "::1"] {
        assert_eq!(verify(&dir, &forged(&dir, &[own]), &[]), Ok(()), "{own}");
    }
    for other in ["example.com", "localhost.example.com", "notlocalhost", "192.0.2.1", "128.0.0.1", "::2"] {
        for names in [&[other][..], &["localhost", other]] {
            let why = verify(&dir, &forged(&dir, names), &[]).unwrap_err();
            assert!(why.contains("permitted subtree violation"), "{names:?}: {why}");
        }
    }
}

#[test]
fn the_certificate_is_kept_and_renewed_when_less_than_a_third_of_its_time_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let first = dev(&dir, today());
    let later = dev(&dir, days_later(59));
    assert_eq!((&first.chain, &*first.key), (&later.chain, &*later.key));
    let renewed = dev(&dir, days_later(61));
    assert!(renewed.chain != first.chain && renewed.key != first.key);
    assert_eq!(renewed.ca, first.ca, "clients need nothing new");
    let at = |now: Time| now.secs().to_string();
    let leaf = dir.path().join("server.pem");
    assert_eq!(verify(&dir, &leaf, &["-attime", &at(days_later(61))]), Ok(()));
    assert_eq!(verify(&dir, &leaf, &["-attime", &at(days_later(61 + 88))]), Ok(()));
    assert!(verify(&dir, &leaf, &["-attime", &at(days_later(61 + 91))]).unwrap_err().contains("expired"));
}

#[test]
fn the_ca_is_made_anew_in_time_and_when_the_clock_was_set_back() {
    let dir = tempfile::tempdir().unwrap();
    let first = dev(&dir, today());
    let two_years = dev(&dir, days_later(729));
    assert_eq!(two_years.ca, first.ca);
    let next = dev(&dir, days_later(731));
    assert_ne!(next.ca, first.ca);
    assert_ne!(dev(&dir, today()).ca, next.ca, "it would not be good yet");
    assert_eq!(verify(&dir, &dir.path().join("server.pem"), &[]), Ok(()));
}

#[test]
fn an_address_that_is_listened_on_is_in_the_certificate_and_allowed_to_the_ca() {
    let dir = tempfile::tempdir().unwrap();
    let first = dev(&dir, today());
    let listen: Vec<IpAddr> = ["192.0.2.7", "0.0.0.0", "2001:db8::7"].map(|a| a.parse().unwrap()).into();
    let wider = super::dev(dir.path(), &listen, today()).unwrap();
    assert_ne!(wider.ca, first.ca);
    let leaf = dir.path().join("server.pem");
    for ip in ["192.0.2.7", "2001:db8::7", "127.0.0.1"] {
        assert_eq!(verify(&dir, &leaf, &["-verify_ip", ip]), Ok(()), "{ip}");
    }
    assert!(verify(&dir, &forged(&dir, &["192.0.2.8"]), &[]).is_err());
    assert_eq!(super::dev(dir.path(), &listen[..1], today()).unwrap().ca, wider.ca, "nothing new to cover");
}

#[test]
fn a_ca_of_before_or_files_that_do_not_fit_together_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = dev(&dir, today()).ca;
    let files = ["validity", "ca.key", "ca.pem", "server.key", "server.pem"];
    for file in files {
        fs::remove_file(dir.path().join(file)).unwrap();
        let next = dev(&dir, today()).ca;
        assert_ne!(next, last, "without {file}");
        last = next;
    }
    fs::write(dir.path().join("validity"), "1 9 9 x\n").unwrap();
    assert_ne!(dev(&dir, today()).ca, last);
}

#[test]
fn validity_reads_as_it_prints_and_only_so() {
    for text in ["1 5 -7 ", "1 5 7 192.0.2.1,2001:db8::1"] {
        assert_eq!(text.parse::<Validity>().unwrap().to_string(), text);
    }
    for text in ["", "1 5 7", "2 5 7 ", "1 05 7 ", "1 5 7 ::1,192.0.2.1", "1 5 7 a", "1 5 7 192.0.2.1,", "1 5 7  "] {
        assert!(text.parse::<Validity>().is_err(), "{text:?}");
    }
}
