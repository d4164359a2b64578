//! `[[path]]`: the ways to vaults' roots that the configuration names, besides `custody.key_file`, which is the path
//! `file`. Which vault is behind which path stands in the vault.

use crate::config::{outside, same};
use crate::exit::Failure;
use crate::hsm::settings::HsmSection;
use keystead_engine::Hsms;
use keystead_unseal::{Credential, HsmKey, KeyFile, UnsealPath};
use serde::Deserialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;

/// One path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathSection {
    /// What vaults and commands call it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Of kind file: 32 random bytes.
    pub(crate) key_file: Option<PathBuf>,
    /// Of kind credential: the credential's name.
    pub(crate) credential: Option<String>,
    /// Of kind hsm: a token, by its name in `[[hsm]]`.
    pub(crate) token: Option<String>,
}

/// `kind`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    File,
    Credential,
    Hsm,
}

/// Names that mean something else.
const TAKEN: [&str; 2] = ["file", "quorum"];

/// What contradicts itself, another path, or opens itself.
pub(crate) fn check(
    sections: &[Spanned<PathSection>],
    tokens: &[Spanned<HsmSection>],
    store: &Path,
    custody: Option<&Path>,
) -> Result<(), (usize, String)> {
    let mut names = HashSet::new();
    let mut files: Vec<&Path> = custody.into_iter().collect();
    for section in sections {
        let (at, path) = (section.span().start, section.get_ref());
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=24).contains(&path.name.len()) || !path.name.bytes().all(good) {
            return path.bad(at, "path.name has 1 to 24 characters of a-z, 0-9 and -");
        }
        if TAKEN.contains(&path.name.as_str()) || !names.insert(&path.name) {
            return path
                .bad(at, "path.name must be a name that no other [[path]] has, and neither `file` nor `quorum`");
        }
        check_kind((at, path), tokens, store, &mut files)?;
    }
    Ok(())
}

/// What contradicts its kind. A key file joins `files`.
fn check_kind<'a>(
    (at, path): (usize, &'a PathSection),
    tokens: &[Spanned<HsmSection>],
    store: &Path,
    files: &mut Vec<&'a Path>,
) -> Result<(), (usize, String)> {
    match (path.kind, &path.key_file, &path.credential, &path.token) {
        (Kind::File, Some(file), None, None) => {
            let what = format!(
                "path '{}': its key_file lies in the store's directory: a copy of the store would open itself",
                path.name
            );
            outside(file, store, at, &what)?;
            // Removing one path would destroy the key of the other.
            for other in &*files {
                if same(file, other, at)? {
                    return path.bad(at, "its key_file is that of another path: each path needs a key of its own");
                }
            }
            files.push(file);
            Ok(())
        }
        (Kind::Credential, None, Some(name), None) => {
            match name.is_empty() || name.contains('/') || name.starts_with('.') {
                true => path.bad(at, "path.credential is the name of a credential, not a path"),
                false => Ok(()),
            }
        }
        (Kind::Hsm, None, None, Some(token)) => {
            match tokens.iter().map(Spanned::get_ref).find(|hsm| hsm.name == *token) {
                Some(hsm) => no_loop(path, hsm, store, at),
                None => path.bad(at, "path.token must be the name of an [[hsm]]"),
            }
        }
        (Kind::File, ..) => path.bad(at, "kind file needs key_file and nothing else"),
        (Kind::Credential, ..) => path.bad(at, "kind credential needs credential and nothing else"),
        (Kind::Hsm, ..) => path.bad(at, "kind hsm needs token and nothing else"),
    }
}

/// A token whose PIN lies behind the root that it is to open would never open it.
fn no_loop(path: &PathSection, hsm: &HsmSection, store: &Path, at: usize) -> Result<(), (usize, String)> {
    let Some(file) = &hsm.pin_file else { return Ok(()) };
    let what = format!(
        "path '{path}' is a loop: the root opens the store, the store holds the PIN of token '{token}' ({file}), the \
         token opens the root. Keep the PIN outside the store's directory",
        path = path.name,
        token = hsm.name,
        file = file.display()
    );
    outside(file, store, at, &what)
}

impl PathSection {
    fn bad(&self, at: usize, what: &str) -> Result<(), (usize, String)> {
        Err((at, format!("path '{}': {what}", self.name)))
    }

    /// The path itself. Nothing is read yet.
    pub(crate) fn open(&self, hsms: &Hsms) -> Result<Arc<dyn UnsealPath>, Failure> {
        let incomplete = || Failure::usage(format!("path '{}' is incomplete", self.name));
        match self.kind {
            Kind::File => {
                let file = self.key_file.as_ref().ok_or_else(incomplete)?;
                Ok(Arc::new(KeyFile::at(file).named(&self.name)))
            }
            Kind::Credential => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
                let credential = self.credential.as_ref().ok_or_else(incomplete)?;
                Ok(Arc::new(Credential::new(&self.name, credential, directory)))
            }
            Kind::Hsm => {
                let wanted = self.token.as_ref().ok_or_else(incomplete)?;
                let token = hsms.each().find(|token| token.name() == wanted).ok_or_else(incomplete)?;
                Ok(Arc::new(HsmKey::new(&self.name, token.clone())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;
    use std::path::Path;

    const EXAMPLE: &str = include_str!("../../../docs/keystead.example.toml");
    const HSM: &str = "[[hsm]]\nname = \"luna\"\nmodule = \"/m.so\"\nlabel = \"l\"\npin_file = \"/etc/pin\"\n";

    fn with(paths: &str) -> Result<usize, String> {
        let text = format!("{EXAMPLE}\n{HSM}\n{paths}");
        parse(&text).map(|config| config.path.len()).map_err(|(_, what)| what)
    }

    #[test]
    fn paths_of_each_kind_are_taken() {
        let paths = "[[path]]\nname = \"spare\"\nkind = \"file\"\nkey_file = \"/etc/keystead/spare.key\"\n\
                     [[path]]\nname = \"boot\"\nkind = \"credential\"\ncredential = \"root\"\n\
                     [[path]]\nname = \"card\"\nkind = \"hsm\"\ntoken = \"luna\"\n";
        assert_eq!(with(paths), Ok(3));
    }

    #[test]
    fn a_path_that_opens_itself_is_refused_with_its_loop() {
        let inside = HSM.replace("/etc/pin", "/var/lib/keystead/store/pin");
        let path = "[[path]]\nname = \"card\"\nkind = \"hsm\"\ntoken = \"luna\"\n";
        let text = format!("{EXAMPLE}\n{inside}\n{path}");
        let (line, what) = parse(&text).unwrap_err();
        assert_eq!(text.lines().nth(line - 1), Some("[[path]]"));
        for part in ["is a loop", "token 'luna'", "the token opens the root", "/var/lib/keystead/store/pin"] {
            assert!(what.contains(part), "{what}");
        }
        let file = "[[path]]\nname = \"spare\"\nkind = \"file\"\nkey_file = \"/var/lib/keystead/store/k\"\n";
        assert!(with(file).unwrap_err().contains("would open itself"));
    }

    #[test]
    fn two_paths_with_one_key_file_are_refused_whatever_names_and_links_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let (file, linked) = (dir.path().join("one.key"), dir.path().join("linked.key"));
        std::fs::write(&file, [1; 32]).unwrap();
        std::os::unix::fs::symlink(&file, dir.path().join("soft.key")).unwrap();
        std::fs::hard_link(&file, &linked).unwrap();
        let path = |name: &str, file: &Path| {
            format!("[[path]]\nname = \"{name}\"\nkind = \"file\"\nkey_file = \"{}\"\n", file.display())
        };
        for other in ["one.key", "./soft.key", "linked.key"] {
            let paths = path("one", &file) + &path("two", &dir.path().join(other));
            assert!(with(&paths).unwrap_err().contains("path 'two': its key_file is that of another path"), "{other}");
        }
        assert_eq!(with(&(path("one", &file) + &path("two", &dir.path().join("other.key")))), Ok(2));
        let custody = crate::config::parse(EXAMPLE).unwrap().custody.unwrap();
        assert!(with(&path("one", custody.key_file.get_ref())).unwrap_err().contains("of another path"));
    }

    #[test]
    fn a_path_that_contradicts_itself_is_refused() {
        let path = |rest: &str| format!("[[path]]\nname = \"one\"\n{rest}");
        let twice = path("kind = \"credential\"\ncredential = \"root\"\n").repeat(2);
        for (paths, part) in [
            (twice, "no other [[path]]"),
            ("[[path]]\nname = \"file\"\nkind = \"credential\"\ncredential = \"root\"\n".to_owned(), "neither"),
            ("[[path]]\nname = \"A\"\nkind = \"credential\"\ncredential = \"root\"\n".to_owned(), "a-z"),
            (path("kind = \"file\"\n"), "needs key_file"),
            (path("kind = \"credential\"\n"), "needs credential"),
            (path("kind = \"credential\"\ncredential = \"../root\"\n"), "not a path"),
            (path("kind = \"hsm\"\n"), "needs token"),
            (path("kind = \"hsm\"\ntoken = \"other\"\n"), "the name of an [[hsm]]"),
            (path("kind = \"hsm\"\ntoken = \"luna\"\nkey_file = \"/k\"\n"), "nothing else"),
            (path("kind = \"tpm\"\n"), "tpm"),
        ] {
            let what = with(&paths).unwrap_err();
            assert!(what.contains(part), "{paths}: {what}");
        }
    }
}
