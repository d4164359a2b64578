//! Which vault, whom to trust, and as whom: from flags, from one environment or from one file, never mixed.

use super::env_file::{self, Settings};
use super::{profile, wait};
use crate::exit::Failure;
use crate::output::{self, OutputArgs};
use keystead_client::{Client, ClientError, Config, Credential, Proposing};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What `keystead dev` leaves in its directory.
const DEV_ENV: &str = "keystead-dev/dev.env";

/// The flags of every command that calls a vault.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConnectionArgs {
    /// The vault, https://HOST[:PORT]; else KEYSTEAD_VAULT_URL
    #[arg(long, global = true, help_heading = "Connection", value_name = "URL")]
    vault: Option<String>,
    /// CA certificates in PEM, trusted besides the system's; else KEYSTEAD_CA_FILE
    #[arg(long, global = true, help_heading = "Connection", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Read all settings from this file, as `keystead dev` writes it, instead of the environment
    #[arg(long, global = true, help_heading = "Connection", value_name = "FILE")]
    env: Option<PathBuf>,
    /// Read all settings from this profile in ~/.config/keystead/profiles.toml; else KEYSTEAD_PROFILE
    #[arg(long, global = true, help_heading = "Connection", value_name = "NAME", conflicts_with = "env")]
    profile: Option<String>,
    /// Wait until the vault can be used, for so many seconds (60 without a number)
    #[arg(
        long,
        global = true,
        help_heading = "Connection",
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "60",
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    wait: Option<u32>,
    #[command(flatten)]
    proposing: ProposeArgs,
}

/// The flags of what is only proposed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ProposeArgs {
    /// Do not do it, but propose it to the vault's approvers, for this reason
    #[arg(long, global = true, help_heading = "Approvals", value_name = "REASON")]
    propose: Option<String>,
    /// For how many hours it is proposed, at most 168; default: 24
    #[arg(long, global = true, help_heading = "Approvals", value_name = "N", requires = "propose",
        value_parser = clap::value_parser!(u16).range(1..=168))]
    propose_hours: Option<u16>,
}

impl ProposeArgs {
    pub(crate) fn get(&self) -> Option<Proposing> {
        self.propose.clone().map(|reason| Proposing { reason, hours: self.propose_hours })
    }
}

/// What was only proposed is shown as everything is.
pub(crate) fn proposed_or_failed(e: &ClientError, shown: OutputArgs) -> Failure {
    match e {
        ClientError::Proposed { proposal, .. } if shown.is_json() => Failure::proposed(format!("{proposal:#}")),
        e => failure(e),
    }
}

impl ConnectionArgs {
    /// A client that can log in.
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        let plan = self.plan()?;
        if plan.login.is_none() {
            return Err(Failure::usage(
                "no credential: set AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or name a file that does with --env",
            ));
        }
        self.ready(plan.connect(self.proposing.get())?).await
    }

    /// A client for routes that ask for no token. It logs in where it can, if a server asks for one nevertheless.
    pub(crate) async fn open_client(&self) -> Result<Client, Failure> {
        self.ready(self.plan()?.connect(self.proposing.get())?).await
    }

    async fn ready(&self, client: Client) -> Result<Client, Failure> {
        if let Some(seconds) = self.wait {
            wait::until_ready(&client, seconds).await?;
        }
        Ok(client)
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let environment = |name: &str| {
            let value = std::env::var_os(name)?.into_string().ok()?;
            (!value.is_empty()).then(|| Zeroizing::new(value))
        };
        if let Some(file) = &self.env {
            let settings = read(file)?;
            return self.plan_from(|name| settings.get(name).cloned());
        }
        if let Some(name) = self.profile.clone().or_else(|| environment("KEYSTEAD_PROFILE").map(|n| n.to_string())) {
            let settings = profile::read(&name)?;
            return self.plan_from(|name| settings.get(name).cloned());
        }
        if self.vault.is_none() && environment("KEYSTEAD_VAULT_URL").is_none() && Path::new(DEV_ENV).exists() {
            output::note(&format!("using {DEV_ENV} (no --vault, no --env and no KEYSTEAD_VAULT_URL given)"));
            let settings = read(Path::new(DEV_ENV))?;
            return self.plan_from(|name| settings.get(name).cloned());
        }
        self.plan_from(environment)
    }

    /// What the flags say, and where they say nothing what `setting` does.
    fn plan_from(&self, setting: impl Fn(&str) -> Option<Zeroizing<String>>) -> Result<Plan, Failure> {
        let setting = |name: &str| setting(name).filter(|value| !value.is_empty());
        let url = self.vault.clone().or_else(|| setting("KEYSTEAD_VAULT_URL").map(|url| url.to_string()));
        let url = url.ok_or_else(|| {
            Failure::usage(
                "no vault: give --vault https://HOST[:PORT], set KEYSTEAD_VAULT_URL, or name a file with --env",
            )
        })?;
        let ca = self.ca.clone().or_else(|| setting("KEYSTEAD_CA_FILE").map(|file| PathBuf::from(file.as_str())));
        let login = match (setting("AZURE_CLIENT_ID"), setting("AZURE_CLIENT_SECRET")) {
            (Some(id), Some(secret)) => Some(Login {
                id: id.to_string(),
                secret,
                authority: setting("AZURE_AUTHORITY_HOST").map(|a| with_scheme(&a)),
            }),
            (None, None) => None,
            (Some(_), None) => return Err(Failure::usage("AZURE_CLIENT_ID is set, but AZURE_CLIENT_SECRET is not")),
            (None, Some(_)) => return Err(Failure::usage("AZURE_CLIENT_SECRET is set, but AZURE_CLIENT_ID is not")),
        };
        Ok(Plan { url, ca, login })
    }
}

/// Where to go and as whom.
struct Plan {
    url: String,
    ca: Option<PathBuf>,
    login: Option<Login>,
}

struct Login {
    id: String,
    secret: Zeroizing<String>,
    authority: Option<String>,
}

impl Plan {
    fn connect(self, proposing: Option<Proposing>) -> Result<Client, Failure> {
        let ca_pem = match &self.ca {
            None => None,
            Some(file) => Some(
                std::fs::read(file)
                    .map_err(|e| Failure::usage(format!("cannot read the CA file {}: {e}", file.display())))?,
            ),
        };
        let credential = match self.login {
            None => Credential::Anonymous,
            Some(login) => Credential::ClientSecret {
                client_id: login.id,
                client_secret: login.secret,
                authority: login.authority,
            },
        };
        Client::new(Config { ca_pem, proposing, ..Config::new(&self.url, credential) }).map_err(|e| failure(&e))
    }
}

/// The exit code of a call's failure.
pub(crate) fn failure(e: &ClientError) -> Failure {
    use ClientError as E;
    let text = output::printable(&e.to_string());
    match e {
        E::Proposed { proposal, .. } => Failure::proposed(crate::approval::told(proposal)),
        E::Refused { status, code, inner, .. } => Failure::by_server(*status, code, inner.as_deref(), text),
        E::LoginFailed { .. } => Failure::refused(text),
        E::BadUrl { .. } | E::BadArgument(_) | E::BadCa(_) | E::NoRoots => Failure::usage(text),
        E::Connect { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => Failure::refused(text),
        _ => Failure::unavailable(text),
    }
}

fn read(file: &Path) -> Result<Settings, Failure> {
    let text = std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|e| Failure::usage(format!("cannot read {}: {e}", file.display())))?;
    env_file::parse(&text).map_err(|line| Failure::usage(format!("{}:{line}: this is not NAME=value", file.display())))
}

/// Azure's tools also take the host alone.
fn with_scheme(host: &str) -> String {
    if host.contains("://") { host.to_owned() } else { format!("https://{host}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    fn args(vault: Option<&str>) -> ConnectionArgs {
        let (vault, proposing) = (vault.map(str::to_owned), ProposeArgs::default());
        ConnectionArgs { vault, ca: None, env: None, profile: None, wait: None, proposing }
    }

    fn plan(vault: Option<&str>, settings: &[(&str, &str)]) -> Result<Plan, Failure> {
        let find = |name: &str| settings.iter().find(|(n, _)| *n == name).map(|(_, v)| Zeroizing::new((*v).to_owned()));
        args(vault).plan_from(find)
    }

    #[test]
    fn a_flag_goes_before_the_environment() {
        let settings = [("KEYSTEAD_VAULT_URL", "https://a"), ("KEYSTEAD_CA_FILE", "/ca.pem")];
        assert_eq!(plan(None, &settings).ok().unwrap().url, "https://a");
        let given = plan(Some("https://b"), &settings).ok().unwrap();
        assert_eq!((given.url.as_str(), given.ca), ("https://b", Some(PathBuf::from("/ca.pem"))));
    }

    #[test]
    fn half_a_credential_and_no_vault_are_refused() {
        assert!(plan(None, &[]).is_err());
        assert!(plan(Some("https://a"), &[("AZURE_CLIENT_ID", "1")]).is_err());
        assert!(plan(Some("https://a"), &[("AZURE_CLIENT_SECRET", "1")]).is_err());
        assert!(plan(Some("https://a"), &[("AZURE_CLIENT_ID", "")]).ok().unwrap().login.is_none());
    }

    #[test]
    fn a_vault_that_cannot_be_used_now_is_unavailable_and_no_denial() {
        for (word, expected) in
            [("VaultSealed", exit::UNAVAILABLE), ("VaultNotActivated", exit::UNAVAILABLE), ("Forbidden", exit::REFUSED)]
        {
            let (code, message) = (word.to_owned(), String::new());
            let refused = ClientError::Refused { status: 403, code, inner: None, message, receipt: None };
            assert_eq!(failure(&refused).code(), expected, "{word}");
        }
    }

    #[test]
    fn the_authority_may_be_a_host_alone() {
        let all = [("AZURE_CLIENT_ID", "1"), ("AZURE_CLIENT_SECRET", "2"), ("AZURE_AUTHORITY_HOST", "localhost:8443")];
        let login = plan(Some("https://a"), &all).ok().unwrap().login.unwrap();
        assert_eq!(login.authority.as_deref(), Some("https://localhost:8443"));
        assert_eq!((login.id.as_str(), login.secret.as_str()), ("1", "2"));
    }
}
