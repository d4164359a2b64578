//! What a file of a backup says in the clear. Nothing of it is proven: `verify` does that.

use crate::exit::Failure;
use crate::key::Shown;
use crate::output::{self, time};
use keystead_formats::backup::{Header, MAX_START, Said};
use keystead_model::{ObjectId, VaultId};
use std::io::Read as _;
use std::path::Path;

/// What its header says, unproven.
pub(super) fn said(file: &Path) -> Result<Said, Failure> {
    let failed = |e| Failure::usage(format!("cannot read {}: {e}", file.display()));
    let (mut start, most) = (Vec::new(), u64::try_from(MAX_START).unwrap_or(u64::MAX));
    std::fs::File::open(file).map_err(failed)?.take(most).read_to_end(&mut start).map_err(failed)?;
    let (header, _) = Header::parse(&start).map_err(|e| Failure::check(format!("{}: {e}", file.display())))?;
    header.said().ok_or_else(|| Failure::check(format!("{}: its header is damaged", file.display())))
}

pub(super) fn show(file: &Path, shown: Shown) -> Result<(), Failure> {
    let said = said(file)?;
    let (id, domain) = (ObjectId::from_bytes(*said.id), said.domain_name());
    let vault = VaultId::from_bytes(*said.vault);
    if shown.is_json() {
        return output::json(&serde_json::json!({
            "id": id.to_string(),
            "domain": domain,
            "vault": vault.to_string(),
            "revision": said.revision,
            "taken": said.taken,
            "checkpoint": said.checkpoint,
        }));
    }
    output::fields([
        ("backup", id.to_string()),
        ("security domain", domain),
        ("vault", vault.to_string()),
        ("revision", said.revision.to_string()),
        ("taken", time::millis(said.taken)),
        ("checkpoint", said.checkpoint.lines().take(3).collect::<Vec<_>>().join(" ")),
    ])
}
