//! What came of a rehearsal, for people and for programs.

use super::compare::{Difference, Outcome};
use super::inventory::About;
use crate::exit::Failure;
use crate::output::{self, OutputArgs, or_dash, time};
use keystead_custody::DomainId;
use keystead_custody::shares::Quorum;
use keystead_formats::backup::Said;
use keystead_model::{ObjectId, VaultId};
use serde::Serialize;

/// The report.
#[derive(Serialize)]
pub(super) struct Report {
    /// Whether all is there, the same, and works.
    equal: bool,
    required: u8,
    custodians: u8,
    domain: String,
    backup: Backup,
    #[serde(skip_serializing_if = "Option::is_none")]
    inventory: Option<Compared>,
    /// How the one stands to the other in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<String>,
    keys: usize,
    versions: usize,
    worked: usize,
    differences: Vec<Difference>,
    difference_count: usize,
    /// Versions that no backup can have.
    token_only: Vec<Difference>,
    not_compared: Vec<&'static str>,
}

#[derive(Serialize)]
struct Backup {
    id: String,
    vault: String,
    revision: u64,
    taken: i64,
}

#[derive(Serialize)]
struct Compared {
    vault: String,
    revision: u64,
    taken: i64,
    node_words: String,
    node_known: bool,
    /// Whether the vault was changed while it was taken.
    changed_meanwhile: bool,
}

const NEVER: [&str; 2] = [
    "the audit log but for its head, as a backup has nothing else of it",
    "the setting AllowKeyManagementOperationsThroughARM, which a backup does not have",
];
const UNTOLD: &str = "the policy and the vault's settings: the release that took the inventory did not say them";
const UNPROVEN: &str =
    "whether the log went on from the backup's head: the inventory was not taken with it (`backup inventory --backup`)";
const WITHOUT: [&str; 3] = [
    "the policy, the vault's settings and the head of the log: there is no inventory",
    "which keys and versions there were: there is no inventory",
    "attributes, tags, rotation policies and public keys: there is no inventory",
];

impl Report {
    pub(super) fn new(
        (quorum, domain): (Quorum, DomainId),
        said: &Said,
        about: Option<About>,
        outcome: Outcome,
    ) -> Self {
        let backup = Backup {
            id: ObjectId::from_bytes(*said.id).to_string(),
            vault: VaultId::from_bytes(*said.vault).to_string(),
            revision: said.revision,
            taken: said.taken,
        };
        let missing = match &about {
            None => WITHOUT.to_vec(),
            Some(about) => {
                let untold = about.told.is_none().then_some(UNTOLD);
                let unproven = (!super::log::proven(said, about)).then_some(UNPROVEN);
                untold.into_iter().chain(unproven).collect()
            }
        };
        let inventory = about.map(|about| Compared {
            vault: about.vault,
            revision: about.revision.0,
            taken: about.taken,
            node_words: about.node_words,
            node_known: about.node_known,
            changed_meanwhile: about.revision.0 != about.revision.1,
        });
        Self {
            equal: outcome.count == 0,
            required: quorum.required(),
            custodians: quorum.custodians(),
            domain: domain.to_string(),
            age: inventory.as_ref().filter(|_| outcome.count > 0).and_then(|inventory| age(&backup, inventory)),
            backup,
            inventory,
            keys: outcome.keys,
            versions: outcome.versions,
            worked: outcome.versions.saturating_sub(outcome.failed),
            differences: outcome.differences,
            difference_count: outcome.count,
            token_only: outcome.token_only,
            not_compared: missing.into_iter().chain(NEVER).collect(),
        }
    }

    pub(super) fn print(&self, shown: OutputArgs) -> Result<(), Failure> {
        if shown.is_json() {
            return output::json(self);
        }
        output::fields(self.lines())?;
        if self.differences.is_empty() && self.token_only.is_empty() {
            return Ok(());
        }
        output::text("")?;
        let row = |d: &Difference| {
            let version = or_dash(d.version.as_ref());
            vec![d.what.words().to_owned(), output::printable(&d.key), version, output::printable(&d.why)]
        };
        output::table(&["what", "key", "version", "why"], self.differences.iter().chain(&self.token_only).map(row))
    }

    /// How the command ends.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if self.equal {
            return Ok(());
        }
        let older = self.age.as_ref().map(|age| format!("; {age}")).unwrap_or_default();
        Err(Failure::check(format!("the rehearsal found {} differences{older}", self.difference_count)))
    }

    fn result(&self) -> &'static str {
        match (self.equal, self.token_only.is_empty()) {
            (true, true) => "everything that was compared is there and works",
            (true, false) => "everything that a backup can have is there and works; the rest is lost with its token",
            (false, _) => "not the same",
        }
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let Backup { id, revision, taken, .. } = &self.backup;
        let mut lines = vec![
            ("result", self.result().to_owned()),
            ("custodians", format!("{} of {} opened the domain {}", self.required, self.custodians, self.domain)),
            ("backup", format!("{id}, revision {revision}, {}", time::millis(*taken))),
        ];
        if let Some(inventory) = &self.inventory {
            let changed = if inventory.changed_meanwhile { "; the vault was changed while it was taken" } else { "" };
            let text = format!("revision {}, {}{changed}", inventory.revision, time::millis(inventory.taken));
            lines.push(("inventory", text));
            let known = if inventory.node_known { "named by the record" } else { "its words were compared" };
            lines.push(("signed by", format!("{} ({known})", inventory.node_words)));
        }
        lines.extend(self.age.clone().map(|age| ("age", age)));
        lines.push(("restored", format!("{} keys, {} versions", self.keys, self.versions)));
        lines.push((
            "used",
            format!("{} of {} versions signed or encrypted, and were proven", self.worked, self.versions),
        ));
        lines.push(("differences", self.difference_count.to_string()));
        if !self.token_only.is_empty() {
            lines.push(("in the token only", format!("{} versions, not in the backup", self.token_only.len())));
        }
        lines.extend(self.not_compared.iter().map(|what| ("not compared", (*what).to_owned())));
        lines
    }
}

fn age(backup: &Backup, inventory: &Compared) -> Option<String> {
    if backup.vault != inventory.vault {
        return Some("backup and inventory are of two vaults of the domain".to_owned());
    }
    let (of, than) = (backup.revision, inventory.revision);
    match of.cmp(&than) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Less => Some(format!(
            "the backup is older than the inventory (revision {of}, and {than}): changes between them show as differences"
        )),
        std::cmp::Ordering::Greater => {
            Some(format!("the backup is newer than the inventory (revision {of}, and {than}): take another inventory"))
        }
    }
}
