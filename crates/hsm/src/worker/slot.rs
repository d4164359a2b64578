//! From settings to the one slot that they name.

use super::rv::Trouble;
use super::settings::{Select, Settings};
use crate::error::HsmError;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::slot::{Slot, TokenInfo};

/// Loads the library and has it ready for several threads.
pub(super) fn load(settings: &Settings) -> Result<Pkcs11, HsmError> {
    let named = |error: Error| {
        let name = settings.module.display();
        HsmError::Setting { why: format!("its library {name} does not load: {}", Trouble::from(error).name()) }
    };
    let context = Pkcs11::new(&settings.module).map_err(named)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(error) => Err(named(error)),
    }
}

/// The one slot whose token has the label or the serial number.
pub(super) fn find(context: &Pkcs11, settings: &Settings) -> Result<(Slot, TokenInfo), HsmError> {
    let listed = context.get_slots_with_initialized_token().map_err(|error| HsmError::Down {
        why: format!("its library lists no slots: {}", Trouble::from(error).name()),
    })?;
    // A token that goes away between the two questions is not there.
    let tokens = listed.into_iter().filter_map(|slot| context.get_token_info(slot).ok().map(|info| (slot, info)));
    let tokens: Vec<_> = tokens.collect();
    let wanted = |info: &TokenInfo| match &settings.select {
        Select::Label(label) => info.label() == label,
        Select::Serial(serial) => info.serial_number() == serial,
        Select::Only => true,
    };
    let (found, others): (Vec<_>, Vec<_>) = tokens.into_iter().partition(|(_, info)| wanted(info));
    match <[_; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(none) if none.is_empty() && settings.select == Select::Only => {
            Err(HsmError::Setting { why: "its library has no token".to_owned() })
        }
        Err(several) if settings.select == Select::Only => Err(HsmError::Setting {
            why: format!("its library has several: {}; name one by its label or serial", names(&several)),
        }),
        Err(none) if none.is_empty() => Err(HsmError::Setting {
            why: format!("no token has the {}; its library has {}", settings.select, names(&others)),
        }),
        Err(several) => Err(HsmError::Setting {
            why: format!("several tokens have the {}: {}; name one by its serial", settings.select, names(&several)),
        }),
    }
}

fn names(tokens: &[(Slot, TokenInfo)]) -> String {
    if tokens.is_empty() {
        return "no token".to_owned();
    }
    let name = |(slot, info): &(Slot, TokenInfo)| {
        format!("label \"{}\" serial \"{}\" in slot {}", info.label(), info.serial_number(), slot.id())
    };
    tokens.iter().map(name).collect::<Vec<_>>().join(", ")
}
