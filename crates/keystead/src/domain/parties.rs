//! Who needs which files of a domain's directory, and what he does with them: whoever lost what `domain new` printed
//! sees it again.

use super::files::{DOMAIN, RECORD, TRANSFER};
use keystead_custody::activation::ActivationRecord;
use keystead_model::VaultKind;
use serde::Serialize;
use std::path::Path;

/// For programs.
#[derive(Serialize)]
pub(super) struct Parties {
    /// Each of them.
    custodian: Party,
    operator: Party,
    /// Files of these that are not in the directory.
    missing: Vec<&'static str>,
}

#[derive(Serialize)]
struct Party {
    files: Vec<&'static str>,
    commands: Vec<String>,
}

impl Parties {
    /// DIR in the commands is where they have the files.
    pub(super) fn of(record: &ActivationRecord, directory: &Path) -> Self {
        // What is told is typed into a shell.
        let plain = record.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let name = if plain { record.name.as_str() } else { "NAME" };
        // One that gets other custodians keeps its policy, so its record has none.
        let replaces = record.policy.as_object().is_some_and(serde_json::Map::is_empty);
        let token = if record.kind == VaultKind::Hsm { " --hsm TOKEN" } else { "" };
        let first = match replaces {
            true => vec![
                format!("keystead vault replace-custodians {name} --domain DIR --out CHALLENGE"),
                format!("keystead vault replace-custodians {name} --answer ANSWER"),
            ],
            false => vec![format!("keystead vault activate {name} --domain DIR{token}")],
        };
        let confirm = format!("keystead vault confirm {name} --confirmation CONFIRMATION");
        let custodian = Party {
            files: vec![DOMAIN, RECORD],
            commands: vec![
                "keystead custodian confirm --record DIR --domain DIR --key KEY.pem --out CONFIRMATION".to_owned(),
                "keystead custodian answer --challenge CHALLENGE --domain DIR --key KEY.pem --out ANSWER".to_owned(),
            ],
        };
        let operator = Party { files: vec![DOMAIN, RECORD, TRANSFER], commands: [first, vec![confirm]].concat() };
        let missing = operator.files.iter().copied().filter(|file| !directory.join(file).exists()).collect();
        Self { custodian, operator, missing }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let party = |who: &str, does: &str, party: &Party| {
            format!("{who}: {}\n{does}:\n    {}", party.files.join(", "), party.commands.join("\n    "))
        };
        let does = "He compares the words with the others and confirms; later he answers challenges";
        let custodian = party("Give each custodian", does, &self.custodian);
        let operator = party("Give the operator", "He gives the vault its domain, once", &self.operator);
        let missing = match self.missing.is_empty() {
            true => String::new(),
            false => format!(
                "\nNot in this directory: {}. What a vault is activated with must be the files that were made together.",
                self.missing.join(", ")
            ),
        };
        format!("{custodian}\n{operator}{missing}")
    }
}
