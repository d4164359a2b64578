//! Read the vault's settings.

use crate::commands::ask;
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::Target;

/// A setting of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name, compared without regard to case.
    pub name: &'static str,
    /// Its value.
    pub value: bool,
}

/// All of them. Keys are managed through the vault alone: there is no resource manager beside it that could.
const SETTINGS: &[Setting] = &[Setting { name: "AllowKeyManagementOperationsThroughARM", value: false }];

/// Longest name, in bytes, that a refusal repeats.
const MAX_NAME: usize = 128;

/// Lists the settings.
pub struct ListSettings;
ask!(ListSettings, ReadSettings, |c| Target::Vault);

impl Execute for ListSettings {
    type Output = Vec<Setting>;

    async fn execute(_: &Permit<Self>, _: &Room<'_>) -> Result<Effect<Vec<Setting>>, Refusal> {
        Ok(Effect::read(SETTINGS.to_vec()))
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

    async fn execute(permit: &Permit<Self>, _: &Room<'_>) -> Result<Effect<Setting>, Refusal> {
        let name = &permit.ask().name;
        let found = SETTINGS.iter().find(|s| s.name.eq_ignore_ascii_case(name)).copied();
        let shown = || name.chars().take(MAX_NAME).collect();
        found.map(Effect::read).ok_or_else(|| Refusal::SettingNotFound { name: shown() })
    }
}
