//! Vaults with an HSM: a real server, its worker process, and a real token behind that.

pub(crate) mod bed;
mod byok;
mod byok_token;
mod custody;
mod failover;
mod keys;
mod paths;
mod process;
mod resident;
mod security_domain;

use crate::support::{Place, Server, Vault};
use std::fs;

/// A server whose vault `dev-hsm` has a SoftHSM2 token of its own.
pub(super) fn start(place: &Place) -> Server {
    let (first, second) = (format!("127.0.0.1:{}", place.port), format!("127.0.0.1:{}", place.hsm_port));
    place.dev_at(&["--softhsm", "--listen", &first, "--listen-hsm", &second], &[]).unwrap()
}

/// The vault `dev-hsm`, as the client of dev.env.
pub(super) fn vault(place: &Place, server: &Server) -> Vault {
    let (id, secret) = (&server.env["AZURE_CLIENT_ID"], &server.env["AZURE_CLIENT_SECRET"]);
    Vault::log_in_for(server.http(), server.http_at(place.hsm_port), id, secret)
}

/// The token's PIN.
pub(super) fn pin(place: &Place) -> String {
    fs::read_to_string(place.data.join("softhsm/pin")).unwrap()
}

/// `pkcs11-tool` with the token's PIN; what it printed, and whether it succeeded.
pub(super) fn pkcs11_tool(place: &Place, words: &[&str]) -> (bool, String) {
    let module = "/usr/lib/softhsm/libsofthsm2.so";
    let done = std::process::Command::new("pkcs11-tool")
        .args(["--module", module, "--token-label", "keystead-dev", "--login", "--pin", &pin(place)])
        .args(words)
        .env("SOFTHSM2_CONF", place.data.join("softhsm/softhsm2.conf"))
        .output()
        .expect("pkcs11-tool: tests/run/install apt");
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (done.status.success(), text)
}
