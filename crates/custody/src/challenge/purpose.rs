//! For what custodians are asked.

/// For what custodians give their shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Opens the sealed vault.
    Unseal,
    /// Gives the vault another domain, with the custodians of another record.
    Replace {
        /// SHA-256 of that activation record.
        activation: [u8; 32],
    },
    /// Makes somebody an administrator of the vault.
    Appoint(Appointee),
    /// Opens the domain on a machine of the customer's: for a recovery, or to try one.
    Recover,
    /// Gives a token the vault's wrapping key.
    Enrol {
        /// What the vault's server calls it.
        token: String,
    },
}

/// Who is to administer a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointee {
    /// Whose subject he is.
    pub issuer: String,
    /// What the issuer calls him.
    pub subject: String,
    /// SHA-256 of his secret, if he is a new client of the vault's own issuer: its id is his subject.
    pub secret: Option<[u8; 32]>,
}

impl Appointee {
    /// Longest issuer, and longest subject, in bytes.
    pub const MAX: usize = 512;

    pub(super) fn is_bounded(&self) -> bool {
        is_name(&self.issuer) && is_name(&self.subject)
    }
}

/// What can be shown to a custodian: 1 to [`Appointee::MAX`] bytes without control characters.
pub fn is_name(text: &str) -> bool {
    (1..=Appointee::MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}
