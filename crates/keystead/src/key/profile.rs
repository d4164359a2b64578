//! Named vaults: `profiles.toml` in `$XDG_CONFIG_HOME/keystead` or `~/.config/keystead`. A profile says everything, or
//! it is an error: nothing of the environment is mixed in, but for the variable that it names itself.

use super::env_file::Settings;
use crate::exit::Failure;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Most bytes of a file of profiles or of one secret.
const MAX: u64 = 1 << 20;

/// One of the tables in the file; its name is the profile's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    /// `https://HOST[:PORT]`
    vault: String,
    /// CA certificates in PEM.
    ca: Option<PathBuf>,
    client_id: Option<String>,
    /// The secret itself: then the file is for its owner alone.
    client_secret: Option<String>,
    /// A file that holds the secret, for its owner alone.
    client_secret_file: Option<PathBuf>,
    /// An environment variable that holds it.
    client_secret_env: Option<String>,
    /// Who gives out tokens, if not the vault.
    authority: Option<String>,
}

/// The settings of the profile of this name, as the environment would call them.
pub(super) fn read(name: &str) -> Result<Settings, Failure> {
    let file = place().ok_or_else(|| Failure::usage("no place for profiles: set HOME or XDG_CONFIG_HOME"))?;
    let environment = |name: &str| std::env::var_os(name).and_then(|v| v.into_string().ok()).map(Zeroizing::new);
    from(&file, name, environment)
}

fn place() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("keystead").join("profiles.toml"))
}

fn from(file: &Path, name: &str, environment: impl Fn(&str) -> Option<Zeroizing<String>>) -> Result<Settings, Failure> {
    let (text, private) = read_file(file)?;
    let mut profiles =
        parse(&text).map_err(|(line, what)| Failure::usage(format!("{}:{line}: {what}", file.display())))?;
    if !private && profiles.values().any(|p| p.client_secret.is_some()) {
        return Err(open_to_others(file));
    }
    let known: Vec<&String> = profiles.keys().collect();
    let unknown = format!("there is no profile '{name}' in {}; there are: {known:?}", file.display());
    let profile = profiles.remove(name).ok_or_else(|| Failure::usage(unknown))?;
    settings(profile, name, environment)
}

/// The profiles by name, or a line and what is wrong with it.
fn parse(text: &str) -> Result<BTreeMap<String, Profile>, (usize, String)> {
    toml::from_str(text).map_err(|e| {
        let line = e.span().and_then(|s| text.get(..s.start)).map_or(1, |t| t.matches('\n').count().saturating_add(1));
        // Other messages may repeat a value, which may be the secret.
        let plain = e.message().trim();
        let known = ["unknown field", "missing field"].iter().any(|start| plain.starts_with(start));
        (line, if known { plain } else { "this is not a profile" }.to_owned())
    })
}

/// For fuzzing: any text, and a secret that no message may repeat.
#[cfg(test)]
pub(crate) fn fuzz(text: &str, secret: &str) {
    match parse(text) {
        Ok(profiles) => profiles.into_iter().for_each(|(name, profile)| {
            // Files are not for fuzzing.
            let profile = Profile { client_secret_file: None, ..profile };
            drop(settings(profile, &name, |_| None));
        }),
        Err((line, what)) => {
            assert!(line >= 1 && line <= text.matches('\n').count() + 1);
            assert!(!what.is_empty() && !what.contains(secret), "{what}");
        }
    }
}

fn settings(
    profile: Profile,
    name: &str,
    environment: impl Fn(&str) -> Option<Zeroizing<String>>,
) -> Result<Settings, Failure> {
    let several = || Failure::usage(format!("profile '{name}' names more than one source of its secret: keep one"));
    let secret = match (profile.client_secret, profile.client_secret_file, profile.client_secret_env) {
        (None, None, None) => None,
        (Some(secret), None, None) => Some(Zeroizing::new(secret)),
        (None, Some(file), None) => Some(secret_in(&file)?),
        (None, None, Some(variable)) => Some(environment(&variable).ok_or_else(|| {
            Failure::usage(format!("profile '{name}' takes its secret from {variable}, which is not set"))
        })?),
        _ => return Err(several()),
    };
    let path = |p: PathBuf| p.into_os_string().into_string().ok().map(Zeroizing::new);
    let found = [
        ("KEYSTEAD_VAULT_URL", Some(Zeroizing::new(profile.vault))),
        ("KEYSTEAD_CA_FILE", profile.ca.and_then(path)),
        ("AZURE_CLIENT_ID", profile.client_id.map(Zeroizing::new)),
        ("AZURE_CLIENT_SECRET", secret),
        ("AZURE_AUTHORITY_HOST", profile.authority.map(Zeroizing::new)),
    ];
    Ok(found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn secret_in(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let (text, private) = read_file(file)?;
    if private { Ok(Zeroizing::new(text.trim_end().to_owned())) } else { Err(open_to_others(file)) }
}

/// Its text, and whether it is its owner's alone, of the very file that was read.
fn read_file(path: &Path) -> Result<(Zeroizing<String>, bool), Failure> {
    let failed = |e: std::io::Error| Failure::usage(format!("cannot read {}: {e}", path.display()));
    let file = std::fs::File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let owner = [0, rustix::process::geteuid().as_raw()].contains(&meta.uid());
    let mut text = Zeroizing::new(String::new());
    file.take(MAX).read_to_string(&mut text).map_err(failed)?;
    Ok((text, owner && meta.mode() & 0o077 == 0))
}

fn open_to_others(file: &Path) -> Failure {
    let file = file.display();
    Failure::usage(format!("{file} holds a secret and is not for its owner alone: run `chmod 600` on it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    struct Dir(tempfile::TempDir);

    impl Dir {
        fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        }
    }

    fn of(file: &Path, name: &str) -> Result<Vec<(String, String)>, String> {
        let found = from(file, name, |v| (v == "SECRET").then(|| Zeroizing::new("from env".to_owned())));
        found.map(|s| s.iter().map(|(n, v)| (n.clone(), v.to_string())).collect()).map_err(|e| format!("{e:?}"))
    }

    fn secret(file: &Path, name: &str) -> Result<String, String> {
        of(file, name).map(|s| s.into_iter().find(|(n, _)| n == "AZURE_CLIENT_SECRET").unwrap().1)
    }

    #[test]
    fn a_profile_says_where_and_as_whom() {
        let dir = Dir(tempfile::tempdir().unwrap());
        let kept = dir.file("secret", "kept\n", 0o600);
        let text = format!(
            "[a]\nvault = \"https://a\"\nca = \"/ca.pem\"\nclient_id = \"1\"\nclient_secret_file = {kept:?}\n\
             [b]\nvault = \"https://b\"\nclient_id = \"1\"\nclient_secret_env = \"SECRET\"\n\
             [c]\nvault = \"https://c\"\nclient_secret_env = \"MISSING\"\n\
             [d]\nvault = \"https://d\"\nclient_secret_env = \"SECRET\"\nclient_secret_file = {kept:?}\n"
        );
        let file = dir.file("profiles.toml", &text, 0o644);
        let a = of(&file, "a").unwrap();
        assert!(a.contains(&("KEYSTEAD_VAULT_URL".to_owned(), "https://a".to_owned())), "{a:?}");
        assert!(a.contains(&("KEYSTEAD_CA_FILE".to_owned(), "/ca.pem".to_owned())), "{a:?}");
        assert_eq!(secret(&file, "a").as_deref(), Ok("kept"));
        assert_eq!(secret(&file, "b").as_deref(), Ok("from env"));
        assert!(of(&file, "c").unwrap_err().contains("MISSING, which is not set"));
        assert!(of(&file, "d").unwrap_err().contains("more than one source"));
        assert!(of(&file, "e").unwrap_err().contains("no profile 'e'"));
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let dir = Dir(tempfile::tempdir().unwrap());
        let text = "[a]\nvault = \"https://a\"\nclient_id = \"1\"\nclient_secret = \"inside\"\n";
        assert_eq!(secret(&dir.file("p", text, 0o600), "a").as_deref(), Ok("inside"));
        for mode in [0o640, 0o604, 0o644, 0o660] {
            assert!(of(&dir.file("p", text, mode), "a").unwrap_err().contains("chmod 600"), "{mode:o}");
            let kept = dir.file("kept", "kept", mode);
            let by_file = format!("[a]\nvault = \"https://a\"\nclient_secret_file = {kept:?}\n");
            assert!(of(&dir.file("p", &by_file, 0o600), "a").unwrap_err().contains("chmod 600"), "{mode:o}");
        }
    }

    #[test]
    fn a_misspelt_setting_is_named_with_its_line_and_without_the_secret() {
        let dir = Dir(tempfile::tempdir().unwrap());
        let text = "[a]\nvault = \"https://a\"\nclient_secrets = \"inside\"\n";
        let failed = of(&dir.file("p", text, 0o600), "a").unwrap_err();
        assert!(
            failed.contains("p:3: ") && failed.contains("client_secrets") && !failed.contains("inside"),
            "{failed}"
        );
    }
}
