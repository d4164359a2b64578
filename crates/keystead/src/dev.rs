//! `keystead dev`: a server of one's own, with a vault to try.

use crate::certificate::Pair;
use crate::config::{self, LimitsSection, LogSection};
use crate::exit::Failure;
use crate::hsm::settings::HsmSection;
use crate::hsm::softhsm;
use crate::new_client::NewClient;
use crate::node_key::write_private;
use crate::running::Running;
use crate::setup::{Setup, moment};
use crate::tls;
use crate::vault::policy::FirstPolicy;
use crate::watch::state::doubted;
use keystead_access::PolicyDocument;
use keystead_access::policy::AssignmentDocument;
use keystead_access::role::{AUDIT_READER, CRYPTO_OFFICER};
use keystead_engine::{HsmActivation, IssuerInfo, NewVault, State, resource};
use keystead_identity::{IssuerKey, Principal, TrustedIssuer};
use keystead_model::{Authority, VaultKind};
use keystead_server::Outgoing;
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead dev
  keystead dev --data /tmp/kms --listen 127.0.0.1:9443

The state stays in the directory over restarts. Custody is `file`: whoever reads DIR/path.key and the store opens the
vault, so this is for development. Stop it with Ctrl-C.")]
pub(crate) struct Args {
    /// Directory of all state
    #[arg(long, value_name = "DIR", default_value = "keystead-dev")]
    data: PathBuf,
    /// Address of the vault `dev`
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Address of the vault `dev-hsm`; default: the port after the vault's
    #[arg(long, value_name = "ADDRESS")]
    listen_hsm: Option<SocketAddr>,
    /// Make a SoftHSM2 token in the directory and put the vault `dev-hsm` before it
    #[arg(long, conflicts_with = "hsm")]
    softhsm: bool,
    /// A file with the section `[[hsm]]` of docs/keystead.example.toml: its tokens serve the vault `dev-hsm`
    #[arg(long, value_name = "FILE")]
    hsm: Option<PathBuf>,
    /// A file with the section `[limits]` of docs/keystead.example.toml
    #[arg(long, value_name = "FILE")]
    limits: Option<PathBuf>,
}

impl Args {
    /// Where the vault with HSM keys answers: at the next port, if nothing else was said.
    fn hsm_address(&self) -> Result<SocketAddr, Failure> {
        if let Some(address) = self.listen_hsm {
            return Ok(address);
        }
        let port = self.listen.port().checked_add(1);
        let port = port.ok_or_else(|| Failure::usage("no port after 65535: give --listen-hsm"))?;
        Ok(SocketAddr::new(self.listen.ip(), port))
    }
}

/// The file that a shell can source.
const ENV_FILE: &str = "dev.env";
/// The client's id and secret, a line each.
const CLIENT_FILE: &str = "dev.client";
const TENANT: &str = "adfs";

/// A development server asks any issuer for its keys, also one with a certificate of its own CA.
fn outgoing(ca: &str) -> Result<Outgoing, Failure> {
    let roots = tls::roots(ca.as_bytes()).map_err(|e| Failure::unavailable(format!("cannot read the CA: {e}")))?;
    Ok(Outgoing { hosts: vec!["*".to_owned()], roots, proxy: None })
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let hsm = args.hsm_address()?;
    let limits = args.limits.as_deref().map(config::read_limits).transpose()?;
    let setup = Setup::prepare(&args.data, LogSection::default(), None)?;
    let hsms = hsms(&args)?;
    let tokens: Vec<_> = hsms.iter().map(|hsm| hsm.name.clone()).collect();
    let file = args.data.join(ENV_FILE);
    // Its appearance says that the server is ready.
    let _ = std::fs::remove_file(&file);
    let tls_directory = args.data.join("tls");
    crate::setup::directory(&tls_directory)?;
    let certificate = tls::dev(&tls_directory, &[args.listen.ip(), hsm.ip()], moment(0).now)?;
    let pair = Pair {
        chain: certificate.chain.clone().into_bytes(),
        key: Zeroizing::new(certificate.key.as_bytes().to_vec()),
    };
    let setup = Setup {
        key_file: Some(args.data.join("path.key")),
        addresses: vec![args.listen, hsm],
        pair,
        bounds: limits.as_ref().map_or(setup.bounds, LimitsSection::bounds),
        limits: limits.as_ref().map_or_else(|| setup.limits.clone(), LimitsSection::server),
        outgoing: outgoing(&certificate.ca)?,
        // Backups stand beside the state, and at whatever object store they are sent to.
        backups: (Some(args.data.join("backups")), vec!["*".to_owned()]),
        hsms,
        ..setup
    };
    let running = setup.start().await?;
    let client = vaults(&running, &args.data, args.listen.port()).await?;
    hsm_vault(&running, &client.0, hsm.port(), tokens).await?;
    let bundle = bundle(&tls_directory, &certificate.ca)?;
    let environment = Environment { client: &client, port: args.listen.port(), hsm_port: hsm.port(), bundle: &bundle };
    let ca_file = std::path::absolute(tls_directory.join("ca.pem")).unwrap_or_else(|_| tls_directory.join("ca.pem"));
    write_private(&file, environment.text(&ca_file).as_bytes())?;
    banner(&running, &args, &file);
    running.serve().await
}

/// Makes the two vaults at the first start; later the client is the one in the environment file.
async fn vaults(running: &Running, data: &Path, port: u16) -> Result<(String, Zeroizing<String>), Failure> {
    let client = match running.instance.named("dev") {
        Some(vault) => kept_at(&vault.info().authorities, port).and_then(|()| kept(&data.join(CLIENT_FILE)))?,
        None => {
            // May do everything with keys, read the audit, and is the vault's administrator.
            let (new, mut policy) = (NewClient::generate("dev"), FirstPolicy::default());
            policy.add(&new, &[CRYPTO_OFFICER.id.to_owned(), AUDIT_READER.id.to_owned()]);
            // Written before the vault is made: the secret cannot be read back from the vault.
            let text = Zeroizing::new(format!("{}\n{}\n", new.id, *new.secret));
            write_private(&data.join(CLIENT_FILE), text.as_bytes())?;
            create(running, "dev", VaultKind::Vault, port, policy.document()?).await?;
            (new.id, new.secret)
        }
    };
    Ok(client)
}

/// Makes the second vault at the first start. It waits for an HSM, and is activated when there is one.
async fn hsm_vault(running: &Running, client: &str, port: u16, tokens: Vec<String>) -> Result<(), Failure> {
    let vault = match running.instance.named(HSM_VAULT) {
        Some(vault) => vault,
        None => {
            create(running, HSM_VAULT, VaultKind::Hsm, port, PolicyDocument::default()).await?;
            running.instance.named(HSM_VAULT).ok_or_else(|| Failure::unavailable("the vault dev-hsm was not made"))?
        }
    };
    kept_at(&vault.info().authorities, port)?;
    if tokens.is_empty() || !matches!(vault.state(), State::Inactive { .. }) {
        return Ok(());
    }
    let issuer = running.instance.named("dev").and_then(|dev| dev.issuer().ok());
    let issuer =
        issuer.ok_or_else(|| Failure::unavailable("the vault dev is not open, so dev-hsm can trust nobody"))?;
    let policy = trusting(issuer, client, &vault.info().authorities);
    let activation = HsmActivation { tokens, purge_protection: false, policy };
    let failed = |e| Failure::unavailable(format!("cannot activate dev-hsm: {e}"));
    running.instance.activate(HSM_VAULT, activation, moment(120)).await.map_err(failed)?;
    Ok(())
}

/// The vault's first policy: who signs in at `dev` may do everything with its keys, too.
fn trusting(issuer: IssuerInfo, client: &str, authorities: &[Authority]) -> PolicyDocument {
    let mut audiences = vec!["https://managedhsm.azure.net".to_owned()];
    audiences.extend(authorities.iter().flat_map(|a| [format!("https://{a}"), resource(a)]));
    audiences.sort();
    audiences.dedup();
    let principal = Principal::new(&issuer.iss, client);
    let assigned = |role: &str| AssignmentDocument {
        id: keystead_crypto::random(),
        scope: "/".to_owned(),
        principal: principal.clone().into(),
        role: role.to_owned(),
    };
    PolicyDocument {
        administrators: vec![principal.clone()],
        assignments: ["Managed HSM Crypto Officer", "Managed HSM Crypto User", AUDIT_READER.id].map(assigned).to_vec(),
        directory: Some(issuer.iss.clone()),
        issuers: vec![TrustedIssuer {
            iss: issuer.iss,
            audiences,
            tenant: Some(TENANT.to_owned()),
            // A client of the other vault is known here by its id.
            subject_claim: "appid".to_owned(),
            keys: vec![IssuerKey { kid: issuer.kid, x: issuer.x, y: issuer.y }],
            ..TrustedIssuer::default()
        }],
        ..PolicyDocument::default()
    }
}

const HSM_VAULT: &str = "dev-hsm";

/// The tokens that were asked for.
fn hsms(args: &Args) -> Result<Vec<HsmSection>, Failure> {
    match &args.hsm {
        Some(file) => config::read_hsm(file),
        None if args.softhsm => Ok(vec![softhsm::token(&args.data)?]),
        None => Ok(Vec::new()),
    }
}

async fn create(
    running: &Running,
    name: &str,
    kind: VaultKind,
    port: u16,
    policy: PolicyDocument,
) -> Result<(), Failure> {
    let hosts = [format!("{name}.localhost"), "localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    let authorities = hosts
        .iter()
        .map(|host| format!("{host}:{port}").parse::<Authority>())
        .collect::<Result<_, _>>()
        .map_err(|e| Failure::usage(e.to_string()))?;
    let (tenant, name) = (TENANT.to_owned(), name.to_owned());
    let (retention_days, purge_protection, tokens) = (7, false, Vec::new());
    let new =
        NewVault { name, kind, authorities, retention_days, purge_protection, tenant, tokens, policy, quorum: false };
    running.instance.create(new, moment(60)).await.map_err(|e| Failure::unavailable(e.to_string()))?;
    Ok(())
}

/// A vault answers where it was made to: another port would find nobody.
fn kept_at(authorities: &[Authority], port: u16) -> Result<(), Failure> {
    if authorities.iter().any(|a| a.port().unwrap_or(443) == port) {
        return Ok(());
    }
    let at = authorities.first().and_then(Authority::port).unwrap_or(443);
    Err(Failure::usage(format!("this directory's vault answers at port {at}: give that port, or another --data")))
}

/// The client's id and secret, as written at the first start.
fn kept(file: &Path) -> Result<(String, Zeroizing<String>), Failure> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        let lost = "the client's secret stands nowhere else; restore the file, or start over with an empty directory";
        Failure::usage(format!("cannot read {}: {e}: {lost}", file.display()))
    })?;
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (Some(id), Some(secret)) => Ok((id.to_owned(), Zeroizing::new(secret.to_owned()))),
        _ => Err(Failure::usage(format!("{} does not hold an id and a secret: restore it", file.display()))),
    }
}

/// System roots and ours, for clients that take one file. Made once: remove it to have it made again.
fn bundle(directory: &Path, ca: &str) -> Result<PathBuf, Failure> {
    use base64::Engine as _;
    let file = std::path::absolute(directory.join("bundle.pem")).unwrap_or_else(|_| directory.join("bundle.pem"));
    if std::fs::read_to_string(&file).is_ok_and(|old| old.starts_with(ca)) {
        return Ok(file);
    }
    let mut text = ca.to_owned();
    for certificate in rustls_native_certs::load_native_certs().certs {
        let body = base64::engine::general_purpose::STANDARD.encode(&certificate);
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in body.as_bytes().chunks(64) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    write_private(&file, text.as_bytes())?;
    Ok(file)
}

struct Environment<'a> {
    client: &'a (String, Zeroizing<String>),
    port: u16,
    hsm_port: u16,
    bundle: &'a Path,
}

impl Environment<'_> {
    /// `NAME=value` lines.
    fn text(&self, ca_file: &Path) -> Zeroizing<String> {
        let ((id, secret), port, hsm) = (self.client, self.port, self.hsm_port);
        let secret = secret.as_str();
        let (ca, bundle) = (quoted(ca_file), quoted(self.bundle));
        Zeroizing::new(format!(
            "AZURE_CLIENT_ID={id}\n\
             AZURE_CLIENT_SECRET={secret}\n\
             AZURE_TENANT_ID={TENANT}\n\
             AZURE_AUTHORITY_HOST=https://localhost:{port}\n\
             AZURE_IDENTITY_DISABLE_MULTITENANTAUTH=1\n\
             IDENTITY_ENDPOINT=https://localhost:{port}/keystead/v1/identity/token\n\
             IDENTITY_HEADER={id}.{secret}\n\
             KEYSTEAD_VAULT_URL=https://localhost:{port}\n\
             KEYSTEAD_HSM_URL=https://localhost:{hsm}\n\
             KEYSTEAD_CA_FILE={ca}\n\
             REQUESTS_CA_BUNDLE={bundle}\n\
             SSL_CERT_FILE={bundle}\n\
             NODE_EXTRA_CA_CERTS={bundle}\n"
        ))
    }
}

/// A path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// What to type for this program: its name if that leads to it, or else its path.
fn program() -> String {
    let name = "keystead".to_owned();
    let Ok(own) = std::env::current_exe() else { return name };
    if leads_to(&name, &own, std::env::var_os("PATH").as_deref()) { name } else { quoted(&own) }
}

/// Whether the shell finds this file by that name: the first of the directories that has one decides.
fn leads_to(name: &str, file: &Path, directories: Option<&OsStr>) -> bool {
    let found = directories.and_then(|all| std::env::split_paths(all).map(|d| d.join(name)).find(|f| f.is_file()));
    let real = |path: &Path| path.canonicalize().ok();
    found.is_some_and(|found| real(&found).is_some() && real(&found) == real(file))
}

fn banner(running: &Running, args: &Args, env: &Path) {
    let mut lines = vec![format!("Keystead is ready. State: {}", args.data.display()), String::new()];
    for vault in running.instance.list() {
        let authority = vault.info.authorities.first().map(ToString::to_string).unwrap_or_default();
        let why = match vault.state {
            "inactive" => "  (waits for an HSM, setting [[hsm]]: give --softhsm or --hsm FILE)",
            "sealed" => "  (its path key did not open it)",
            _ => "",
        };
        lines.push(format!("  {:8} {:9} https://{authority}{why}", vault.info.name, vault.state));
    }
    let (env, keystead) = (quoted(env), program());
    lines.extend([
        String::new(),
        "In another shell:".to_owned(),
        format!("  set -a; . {env}; set +a"),
        format!("  {keystead} key create payments --kty EC"),
        format!("  echo hello | {keystead} key sign payments --receipt"),
        String::new(),
        "Custody is `file`: for development only. Stop with Ctrl-C.".to_owned(),
    ]);
    if let Some(doubt) = running.instance.named("dev").and_then(|vault| vault.doubt()) {
        lines.extend([String::new(), format!("Note: {}.", doubted(&doubt))]);
    }
    let mut out = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_called_by_its_name_only_where_that_leads_to_it() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [own, other] = [&here, &there].map(|dir| dir.path().join("keystead"));
        std::fs::write(&own, "").unwrap();
        let leads = |path: &[&Path]| leads_to("keystead", &own, Some(&std::env::join_paths(path).unwrap()));
        assert!(leads(&[there.path(), here.path()]));
        assert!(!leads(&[there.path()]) && !leads_to("keystead", &own, None));
        std::os::unix::fs::symlink(&own, &other).unwrap();
        assert!(leads(&[there.path()]));
        std::fs::remove_file(&other).unwrap();
        std::fs::write(&other, "").unwrap();
        assert!(!leads(&[there.path(), here.path()]), "another one comes first");
    }
}
