//! What each CKR code means: classed here, once.

use crate::error::HsmError;
use cryptoki::context::Function;
use cryptoki::error::{Error, Rv, RvError};

/// What is to be done about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// What was asked cannot be done so: another algorithm, key or length may.
    Caller,
    /// The data are wrong, or too long, or too short.
    Data,
    /// A handle that was good before is none now: look for the object again.
    Stale,
    /// It may work the next time.
    Transient,
    /// There is no room in the token.
    Full,
    /// The PIN is not the one, or is locked.
    Pin,
    /// The session, and whatever was made in it, is gone.
    SessionLost,
    /// The token is gone.
    TokenLost,
    /// Something is wrong with the library or the device, or the code does not say what.
    Fatal,
}

/// A call that did not succeed, before it is known what that means to the one who asked.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is known.
    Told(HsmError),
    /// A code of the library.
    Code(RvError, Function),
    /// `cryptoki` could not make the call, or could not read what came of it.
    Library(String),
}

pub(super) type Tried<T> = Result<T, Trouble>;

impl From<HsmError> for Trouble {
    fn from(error: HsmError) -> Self {
        Self::Told(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(code, function) => Self::Code(code, function),
            // A function that a library does not have, it does not support.
            Error::NullFunctionPointer | Error::NotSupported => {
                Self::Code(RvError::FunctionNotSupported, Function::GetFunctionList)
            }
            other => Self::Library(other.to_string()),
        }
    }
}

impl Trouble {
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Told(HsmError::Down { .. }) => Class::TokenLost,
            Self::Told(_) => Class::Caller,
            Self::Code(code, _) => class(*code),
            Self::Library(_) => Class::Fatal,
        }
    }

    /// Whether the worker is of no use any more.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.class(), Class::SessionLost | Class::TokenLost)
    }

    /// The code, if it is one.
    pub(super) const fn code(&self) -> Option<RvError> {
        match self {
            Self::Code(code, _) => Some(*code),
            Self::Told(_) | Self::Library(_) => None,
        }
    }

    /// Code and function, as they are named in the standard; or what else was found.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Told(error) => error.to_string(),
            Self::Code(code, function) => format!("{} in C_{function:?}", name(*code)),
            Self::Library(what) => what.clone(),
        }
    }

    /// What it is to the one who asked for `what`.
    pub(super) fn told(self, what: &str) -> HsmError {
        match (self.class(), self) {
            (_, Self::Told(error)) => error,
            (Class::Caller | Class::Data, trouble) => {
                HsmError::NotSupported { what: format!("{what} ({})", trouble.name()) }
            }
            (Class::Transient, _) => HsmError::Busy,
            (Class::Full, _) => HsmError::Full,
            (Class::Pin, _) => HsmError::PinRefused,
            (Class::SessionLost | Class::TokenLost, trouble) => HsmError::Down { why: trouble.name() },
            (Class::Stale | Class::Fatal, trouble) => HsmError::Failed { code: trouble.name() },
        }
    }
}

/// The number of a code. The library's wrapper knows only the other way.
pub(super) fn number(error: RvError) -> Option<u64> {
    match error {
        RvError::VendorDefined(number) | RvError::UnknownErrorCode(number) => Some(number),
        // The standard's own end here.
        known => (1..0x400).find(|number| code(*number) == Some(known)),
    }
}

/// The code of a number.
pub(super) fn code(number: u64) -> Option<RvError> {
    match Rv::from(number) {
        Rv::Ok => None,
        Rv::Error(error) => Some(error),
    }
}

/// Nothing, if it did not succeed but may be tried in another way; a worker that is of no use any more gives up.
pub(super) fn tolerated<T>(tried: Tried<T>) -> Tried<Option<T>> {
    match tried {
        Ok(value) => Ok(Some(value)),
        Err(trouble) if trouble.is_lost() => Err(trouble),
        Err(_) => Ok(None),
    }
}

/// `CKR_` and the code's name in the standard's spelling.
pub(super) fn name(code: RvError) -> String {
    if let RvError::VendorDefined(number) = code {
        return format!("CKR_VENDOR_DEFINED 0x{number:08X}");
    }
    let mut name = "CKR".to_owned();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Codes that are not named here say nothing that could be relied on.
fn class(code: RvError) -> Class {
    use RvError::*;
    match code {
        MechanismInvalid
        | MechanismParamInvalid
        | FunctionNotSupported
        | KeySizeRange
        | KeyTypeInconsistent
        | KeyFunctionNotPermitted
        | KeyNotWrappable
        | KeyUnextractable
        | KeyIndigestible
        | KeyNeeded
        | KeyNotNeeded
        | CurveNotSupported
        | DomainParamsInvalid
        | AttributeReadOnly
        | AttributeSensitive
        | AttributeTypeInvalid
        | AttributeValueInvalid
        | ActionProhibited
        | TemplateIncomplete
        | TemplateInconsistent
        | UnwrappingKeySizeRange
        | UnwrappingKeyTypeInconsistent
        | WrappingKeySizeRange
        | WrappingKeyTypeInconsistent
        | TokenWriteProtected
        | InformationSensitive
        | FunctionRejected => Class::Caller,
        DataInvalid
        | DataLenRange
        | EncryptedDataInvalid
        | EncryptedDataLenRange
        | SignatureInvalid
        | SignatureLenRange
        | WrappedKeyInvalid
        | WrappedKeyLenRange
        | PublicKeyInvalid => Class::Data,
        KeyHandleInvalid | ObjectHandleInvalid | UnwrappingKeyHandleInvalid | WrappingKeyHandleInvalid | KeyChanged => {
            Class::Stale
        }
        SessionCount | FunctionCanceled | Cancel => Class::Transient,
        DeviceMemory => Class::Full,
        PinIncorrect | PinInvalid | PinLenRange | PinExpired | PinLocked | UserPinNotInitialized => Class::Pin,
        SessionClosed
        | SessionHandleInvalid
        | SessionExists
        | SessionReadOnly
        | UserNotLoggedIn
        | UserAnotherAlreadyLoggedIn
        | UserTooManyTypes
        | OperationActive
        | OperationNotInitialized
        | CryptokiNotInitialized => Class::SessionLost,
        DeviceRemoved | TokenNotPresent | TokenNotRecognized | SlotIdInvalid => Class::TokenLost,
        _ => Class::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(code: RvError) -> Trouble {
        Trouble::Code(code, Function::Sign)
    }

    #[test]
    fn a_code_is_found_again_by_its_number() {
        use RvError::{EncryptedDataInvalid, GeneralError, UnknownErrorCode, VendorDefined, WrappedKeyInvalid};
        for known in
            [EncryptedDataInvalid, GeneralError, WrappedKeyInvalid, VendorDefined(1 << 31), UnknownErrorCode(4)]
        {
            assert_eq!(number(known).and_then(code), Some(known));
        }
        assert_eq!((number(EncryptedDataInvalid), number(GeneralError)), (Some(0x40), Some(5)));
    }

    #[test]
    fn a_lost_session_or_token_ends_the_worker_and_nothing_else_does() {
        for code in [RvError::SessionHandleInvalid, RvError::UserNotLoggedIn, RvError::DeviceRemoved] {
            assert!(trouble(code).is_lost());
            assert!(matches!(trouble(code).told("ES256"), HsmError::Down { .. }));
        }
        for code in [RvError::GeneralError, RvError::DataInvalid, RvError::KeyHandleInvalid, RvError::PinIncorrect] {
            assert!(!trouble(code).is_lost());
            assert!(!matches!(trouble(code).told("ES256"), HsmError::Down { .. }));
        }
    }

    #[test]
    fn what_a_token_cannot_do_is_refused_by_name() {
        let told = trouble(RvError::MechanismInvalid).told("RSA-OAEP-256");
        assert_eq!(told, HsmError::NotSupported { what: "RSA-OAEP-256 (CKR_MECHANISM_INVALID in C_Sign)".to_owned() });
        assert_eq!(trouble(RvError::DeviceMemory).told(""), HsmError::Full);
        assert_eq!(trouble(RvError::PinLocked).told(""), HsmError::PinRefused);
        let vendor = trouble(RvError::VendorDefined(0x8000_0042)).told("");
        assert_eq!(vendor, HsmError::Failed { code: "CKR_VENDOR_DEFINED 0x80000042 in C_Sign".to_owned() });
    }
}
