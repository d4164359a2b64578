//! A SoftHSM2 token of one's own, for `keystead dev --softhsm`. It is an HSM in everything but hardness.

use super::settings::{HsmSection, PlacementSetting};
use crate::exit::Failure;
use crate::node_key::write_private;
use crate::setup::directory;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where distributions put the library.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

const NAME: &str = "softhsm";
const LABEL: &str = "keystead-dev";
const INSTALL: &str = "install SoftHSM2 (Debian: softhsm2)";

/// The token in this directory, made at the first start.
pub(crate) fn token(data: &Path) -> Result<HsmSection, Failure> {
    let module = MODULES.iter().map(PathBuf::from).find(|m| m.exists());
    let module = module.ok_or_else(|| Failure::usage(format!("--softhsm: no libsofthsm2.so was found: {INSTALL}")))?;
    let place = std::path::absolute(data.join(NAME)).unwrap_or_else(|_| data.join(NAME));
    let (tokens, conf, pin) = (place.join("tokens"), place.join("softhsm2.conf"), place.join("pin"));
    directory(&place)?;
    directory(&tokens)?;
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    write_private(&conf, text.as_bytes())?;
    let empty = std::fs::read_dir(&tokens).is_ok_and(|mut d| d.next().is_none());
    if empty {
        initialise(&conf, &pin)?;
    }
    Ok(HsmSection {
        name: NAME.to_owned(),
        module,
        label: Some(LABEL.to_owned()),
        serial: None,
        pin_file: Some(pin),
        pin_credential: None,
        placement: PlacementSetting::Wrapped,
        sessions: None,
        network: false,
        user: None,
        environment: BTreeMap::from([("SOFTHSM2_CONF".to_owned(), conf.display().to_string())]),
    })
}

fn initialise(conf: &Path, pin: &Path) -> Result<(), Failure> {
    let secret = || hex::encode(keystead_crypto::random::<16>());
    let (user, officer) = (secret(), secret());
    write_private(pin, user.as_bytes())?;
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", LABEL, "--so-pin", &officer, "--pin", &user])
        .env("SOFTHSM2_CONF", conf)
        .stdout(Stdio::null())
        .output()
        .map_err(|e| Failure::usage(format!("--softhsm: cannot run softhsm2-util: {e}: {INSTALL}")))?;
    if made.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&made.stderr).trim().to_owned();
    Err(Failure::unavailable(format!("--softhsm: softhsm2-util made no token: {why}")))
}
