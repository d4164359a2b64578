//! Get the key to which a security domain is encrypted that the vault is to adopt.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::notes;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::security_domain::is_here;
use keystead_access::Permit;
use keystead_model::Target;

/// Gives the vault's transfer key: the same one for an hour after it was last asked for, and no longer than the vault
/// is open.
pub struct GetTransferKey;
ask!(GetTransferKey, TransferKey, |c| Target::Vault);

/// A transfer key, RSA of 3072 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferKeyView {
    /// Its certificate, X.509 in DER, signed by itself.
    pub certificate: Vec<u8>,
    /// The certificate's SHA-256.
    pub thumbprint: [u8; 32],
    /// Modulus, big-endian.
    pub n: Vec<u8>,
    /// Exponent, big-endian.
    pub e: Vec<u8>,
}

impl Execute for GetTransferKey {
    type Output = TransferKeyView;
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<TransferKeyView>, Refusal> {
        is_here(room)?;
        let transfer = room.open().transfer.give(room.at.now).await?;
        let (certificate, (n, e)) = (&transfer.certificate, transfer.certificate.public());
        let thumbprint = certificate.thumbprint();
        let view =
            TransferKeyView { certificate: certificate.der().to_vec(), thumbprint, n: n.to_vec(), e: e.to_vec() };
        Ok(Effect::read(view).note(notes::transfer_key(thumbprint)))
    }
}
