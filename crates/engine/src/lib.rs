//! The engine: one way in, [`Vault::run`], and one order for everything that is done in a vault: let in within bounds,
//! decide, reserve room in the journal, work, decide again if the policy moved or the vault was sealed, commit,
//! journal, answer.
//!
//! - [`run`]: that order; [`admission`]: who may come in now
//! - [`room`]: what a command may touch; [`approvals`]: what it needs the approvers' signatures for
//! - [`commands`]: every command, one file each: what it asks, what it does
//! - [`vault`]: a vault on this node, and what exists only while it is open
//! - [`info`]: what a vault is; [`node`]: which vaults there are, and what the operator may do to them;
//!   [`operate`]: why that was not done
//! - [`schedule`]: stored decisions of the customer, carried out by mandate
//! - [`view`]: what commands take and give; [`records`]: what stands in the sealed rows
//! - [`backup`]: backups of a whole vault, and restores
//! - [`hsms`]: the tokens of the node; [`enrol`]: how a wrapping key enters one; [`sweep`]: what leaves them
//! - [`security_domain`]: how it is given out and adopted
//! - [`rotate`]: another generation of a vault's root; `seals`: what seals rows; `wraps`: where roots are wrapped
//! - [`clock`]: whether the node's clock is believed
//! - [`gauges`]: how full the node is
//! - [`issuers`]: the keys of other issuers, fetched within bounds
//! - [`lifecycle`]: what a key may be used for; [`log`]: the vault's log as anyone may see it

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

// The unit tests share the integration tests' node.
#[cfg(test)]
extern crate self as keystead_engine;
#[cfg(test)]
#[allow(dead_code, reason = "the unit tests use a part of what the integration tests do")]
#[path = "../tests/it/support.rs"]
mod support;

pub mod admission;
pub mod approvals;
pub(crate) mod backoff;
pub mod backup;
pub(crate) mod believed;
pub(crate) mod birth;
pub(crate) mod cache;
pub(crate) mod clear_row;
pub mod clock;
pub mod commands;
pub(crate) mod enrol;
pub mod error;
pub mod gauges;
pub mod hsms;
pub mod info;
pub(crate) mod issuer;
pub mod issuers;
pub mod lifecycle;
pub mod log;
pub mod node;
mod notes;
pub(crate) mod opening;
pub mod operate;
pub(crate) mod policy_row;
#[doc(hidden)]
pub mod records;
pub mod room;
pub mod rotate;
pub mod run;
pub mod schedule;
pub(crate) mod seals;
pub mod security_domain;
pub(crate) mod sweep;
pub(crate) mod to_end;
pub(crate) mod uses;
pub mod vault;
pub mod view;
pub(crate) mod wraps;
pub(crate) mod written_roots;

pub use admission::{Bound, Bounds, Rate, Share};
pub use approvals::{ApprovalError, ProposalState, ProposalView};
pub use backup::{BackupError, BackupPlace, JobKind, JobState, JobView, NotTold, ObjectCall, Objects, Storage, Told};
pub use birth::BUILT_IN;
pub use clock::note::{BadNote, ClockNote};
pub use clock::{Clock, Doubt, Why, last_recorded};
pub use commands::approval::{ListProposals, Propose, ReadProposal, VoteOnProposal, WriteApprovals};
pub use commands::audit::{AuditEntry, ReadAudit};
pub use commands::backup::{
    BadPlace, InventoryPage, InventoryPlace, ListBackups, ReadBackup, ReadInventory, StartBackup,
};
pub use commands::client::{AddCredential, CreateClient, CreatedClient, NewCredential, RemoveClient, RemoveCredential};
pub use commands::clock::{ClockView, ConfirmClock, ReadClock};
pub use commands::issuer::{AddIssuer, RemoveIssuer};
pub use commands::key::{
    AttestedKey, BackupKey, CreateKey, Decrypt, DeleteKey, Encrypt, GetDeletedKey, GetKey, GetKeyAttestation,
    GetRotationPolicy, ImportKey, Incoming, ListDeletedKeys, ListKeys, ListVersions, NotifyExpiry, PurgeKey,
    RecoverKey, RestoreKey, RotateKey, RotateWhen, RotationPolicy, RotationPolicyView, SetRotationPolicy, Sign,
    UnwrapKey, UpdateKey, Verify, WrapKey,
};
pub use commands::policy::{AddAuthority, PolicyView, ReadPolicy, RemoveAuthority, RevokeTokens};
pub use commands::random::RandomBytes;
pub use commands::restore::{ReadRestore, RestoreKeyFromBackup, StartRestore};
pub use commands::role::{
    AssignmentPage, AssignmentsOf, CreateRoleAssignment, DeleteRoleAssignment, DeleteRoleDefinition, GetRoleAssignment,
    GetRoleDefinition, ListRoleAssignments, ListRoleDefinitions, SetRoleDefinition,
};
pub use commands::security_domain::{
    Custodian, DomainStatus, DownloadSecurityDomain, GetTransferKey, ReadDownload, ReadUpload, TransferKeyView,
    UploadSecurityDomain,
};
pub use commands::token::{IssueToken, IssuedToken};
pub use commands::vault::{GetSetting, ListSettings, SealVault, Setting, UpdateSetting};
pub use error::{BadRelease, Refusal, TurnedAway};
pub use gauges::{Gauges, TokenHealth};
pub use hsms::Hsms;
pub use info::{IssuerInfo, VaultInfo};
pub use issuer::resource;
pub use issuers::{Fetch, Issuers};
pub use keystead_access::approval::check_reason;
pub use keystead_audit::{Answer, TurnedAwayReason};
pub use keystead_custody::challenge::{Appointee, BadChallenge, is_name};
pub use keystead_protection::{
    Assurance, BadKey, Description, Figures, ImportedKey, RsaNumbers, RsaPrimes, Standing, Token,
};
pub use keystead_store::StoreState;
pub use log::LogInfo;
pub use node::{
    ActKind, Answered, Approvable, Asked, DomainActivation, DomainFiles, Erased, Finding, Health, HsmActivation,
    Instance, NODE_LOG, NewVault, NotActivated, Offered, OldCopy, Parts, PathReport, PathView, PolicyReader,
    QuorumView, Reason, SharesView, StoreSays, Unfinished, VaultSummary, Verdict,
};
pub use operate::OperateError;
pub use records::key_backup::BadBackup;
pub use rotate::RotationView;
pub use run::Command;
pub use schedule::Beat;
pub use security_domain::SecurityDomainError;
pub use vault::{NotLetIn, State, Vault};
pub use view::{
    BadPageToken, DeletedKeyView, KeyResult, KeyView, Page, PageToken, Recovery, ReleasePolicy, SetAttributes,
};
