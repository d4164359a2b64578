//! Commands on the vault's security domain.

mod download;
mod read;
mod transfer;
mod upload;

pub use download::{Custodian, DownloadSecurityDomain};
pub use read::{DomainStatus, ReadDownload, ReadUpload};
pub use transfer::{GetTransferKey, TransferKeyView};
pub use upload::UploadSecurityDomain;
