//! Read and change the vault's settings.

use crate::birth::singleton;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::records::{self, SettingsRecord};
use crate::room::{Place, Room, row_binding};
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::Target;
use keystead_store::{Changes, Kind, Row, RowKey};

/// A setting of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name, compared without regard to case.
    pub name: &'static str,
    /// Its value.
    pub value: bool,
}

/// The one there is. It is kept as it was set and decides nothing: there is no resource manager beside the vault that
/// could manage keys.
const THROUGH_ARM: &str = "AllowKeyManagementOperationsThroughARM";

/// Longest name, in bytes, that a refusal repeats.
const MAX_NAME: usize = 128;

const PLACE: RowKey = singleton(Kind::Settings);

/// Lists the settings.
pub struct ListSettings;
ask!(ListSettings, ReadSettings, |c| Target::Vault);

impl Execute for ListSettings {
    type Output = Vec<Setting>;
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Vec<Setting>>, Refusal> {
        let (record, _) = stored(room).await?;
        Ok(Effect::read(vec![through_arm(&record)]))
    }
}

/// Reads one setting.
pub struct GetSetting {
    /// Which.
    pub name: String,
}
ask!(GetSetting, ReadSettings, |c| Target::Vault);

impl Execute for GetSetting {
    type Output = Setting;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Setting>, Refusal> {
        known(&permit.ask().name)?;
        let (record, _) = stored(room).await?;
        Ok(Effect::read(through_arm(&record)))
    }
}

/// Changes one setting.
pub struct UpdateSetting {
    /// Which.
    pub name: String,
    /// What it is from now on.
    pub value: bool,
}
ask!(UpdateSetting, WriteSettings, |c| Target::Vault);

impl Execute for UpdateSetting {
    type Output = Setting;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Setting>, Refusal> {
        let ask = permit.ask();
        known(&ask.name)?;
        let (mut record, row) = stored(room).await?;
        record.keys_through_arm = Some(ask.value);
        let next = room.row(Place::behind(PLACE, row.as_ref()), &record)?;
        let changes = Changes { puts: vec![next], ..Changes::default() };
        Ok(Effect::change(through_arm(&record), changes))
    }
}

/// There is a setting of this name.
fn known(name: &str) -> Result<(), Refusal> {
    match THROUGH_ARM.eq_ignore_ascii_case(name) {
        true => Ok(()),
        false => Err(Refusal::SettingNotFound { name: name.chars().take(MAX_NAME).collect() }),
    }
}

fn through_arm(record: &SettingsRecord) -> Setting {
    Setting { name: THROUGH_ARM, value: record.keys_through_arm.unwrap_or(false) }
}

/// The settings as they are stored; a vault without the row has none that was ever changed.
async fn stored(room: &Room<'_>) -> Result<(SettingsRecord, Option<Row>), Refusal> {
    let Some(row) = room.row_at(PLACE).await? else { return Ok((SettingsRecord::default(), None)) };
    let plain = room.records().open(&row_binding(room.vault(), &row), &[], &row.sealed)?;
    Ok((records::decode(&plain)?, Some(row)))
}
