//! `[[hsm]]`: a PKCS#11 token as the configuration names it.

use crate::exit::Failure;
use crate::secret_file;
use keystead_hsm::worker::{Select, Settings};
use keystead_hsm::{Account, Client, Config};
use keystead_model::Placement;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use toml::Spanned;
use zeroize::Zeroizing;

/// One token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HsmSection {
    /// What vaults call it.
    pub(crate) name: String,
    /// The vendor's PKCS#11 library.
    pub(crate) module: PathBuf,
    /// The token's label: the one token that has it.
    pub(crate) label: Option<String>,
    /// Or its serial number.
    pub(crate) serial: Option<String>,
    /// The user PIN, in a file for the owner alone.
    pub(crate) pin_file: Option<PathBuf>,
    /// Or the name of a systemd credential that holds it.
    pub(crate) pin_credential: Option<String>,
    /// Where new keys go.
    #[serde(default)]
    pub(crate) placement: PlacementSetting,
    /// Sessions to work with; absent: as many as the token has, up to sixteen.
    pub(crate) sessions: Option<u16>,
    /// Whether the library reaches its token over the network.
    #[serde(default)]
    pub(crate) network: bool,
    /// The user that the worker becomes, if the server is root.
    pub(crate) user: Option<String>,
    /// Environment variables that the library needs.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
}

/// `placement`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PlacementSetting {
    #[default]
    Wrapped,
    Resident,
}

/// What contradicts itself or another token.
pub(crate) fn check(sections: &[Spanned<HsmSection>]) -> Result<(), (usize, String)> {
    let mut names = HashSet::new();
    for section in sections {
        let bad = |what: &str| Err((section.span().start, what.to_owned()));
        let hsm = section.get_ref();
        if !names.insert(&hsm.name) || hsm.name.is_empty() {
            return bad("hsm.name must be a name that no other [[hsm]] has");
        }
        if hsm.label.is_some() == hsm.serial.is_some() {
            return bad("an [[hsm]] needs either label or serial, to find its token by");
        }
        if hsm.pin_file.is_some() == hsm.pin_credential.is_some() {
            return bad("an [[hsm]] needs either pin_file or pin_credential");
        }
    }
    Ok(())
}

impl HsmSection {
    /// Starts the token's worker.
    pub(crate) fn start(&self) -> Result<(Client, Placement), Failure> {
        let placement = match self.placement {
            PlacementSetting::Wrapped => Placement::Wrapped,
            PlacementSetting::Resident => Placement::Resident,
        };
        Ok((self.client(false)?, placement))
    }

    /// The same for a token that is not ours: nothing stays in it.
    pub(crate) fn visit(&self) -> Result<Client, Failure> {
        self.client(true)
    }

    fn client(&self, guest: bool) -> Result<Client, Failure> {
        let select = match (&self.label, &self.serial) {
            (Some(label), _) => Select::Label(label.clone()),
            (None, Some(serial)) => Select::Serial(serial.clone()),
            // Not in a configuration, where one of the two must be.
            (None, None) => Select::Only,
        };
        let (module, sessions) = (self.module.clone(), self.sessions);
        let settings = Settings { module, select, pin: self.pin()?, sessions, guest };
        let mut config = Config::new(&self.name, "/proc/self/exe", settings);
        config.arguments = vec![super::WORKER.into()];
        config.env = self.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        config.network = self.network;
        if let Some(user) = &self.user {
            let account = Account::named(user).map_err(|e| Failure::usage(format!("hsm {}: user: {e}", self.name)))?;
            config.account = Some(account);
        }
        Ok(Client::new(config))
    }

    fn pin(&self) -> Result<Zeroizing<String>, Failure> {
        let file = match (&self.pin_file, &self.pin_credential) {
            (Some(file), _) => file.clone(),
            (None, name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    Failure::usage(format!(
                        "hsm {}: pin_credential is set, and systemd gave no credentials: add LoadCredential= to the \
                         unit, or use pin_file",
                        self.name
                    ))
                })?;
                PathBuf::from(directory).join(name.as_deref().unwrap_or_default())
            }
        };
        let bytes = secret_file::read(&file)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Failure::usage(format!("hsm {}: {} is not text", self.name, file.display())))?;
        Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::read_hsm;

    const WHOLE: &str = "[[hsm]]\nname = \"a\"\nmodule = \"/m.so\"\nlabel = \"l\"\npin_file = \"/p\"\n";

    #[test]
    fn a_token_that_cannot_be_told_from_another_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hsm.toml");
        for (text, line, word) in [
            (WHOLE.repeat(2), 6, "no other"),
            (WHOLE.replace("label = \"l\"\n", ""), 1, "either label or serial"),
            (format!("{WHOLE}serial = \"1\"\n"), 1, "either label or serial"),
            (format!("{WHOLE}pin_credential = \"p\"\n"), 1, "either pin_file"),
            (format!("{WHOLE}pin = \"1234\"\n"), 6, "pin"),
            (format!("{WHOLE}placement = \"outside\"\n"), 6, "outside"),
        ] {
            std::fs::write(&file, text).unwrap();
            let why = format!("{:?}", read_hsm(&file).unwrap_err());
            assert!(why.contains(&format!("hsm.toml:{line}:")) && why.contains(word), "{why}");
        }
        std::fs::write(&file, WHOLE).unwrap();
        assert_eq!(read_hsm(&file).unwrap().len(), 1);
    }
}
