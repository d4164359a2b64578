//! What can be asked for, and what it falls on.

use crate::Name;
use std::fmt;
use std::str::FromStr;

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)+) => {
        /// Everything a permit can be asked for. The code stands in audit records and never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Action {
            $($(#[$doc])* $variant = $code,)+
        }

        impl Action {
            /// All of them, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The number that stands in records.
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The number's action, if this release knows it.
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The name people read: in `audit tail`, denials and role definitions.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

actions! {
    /// List keys and their versions.
    ListKeys = 1, "keys/list";
    /// Read a key's public part and attributes.
    GetKey = 2, "keys/read";
    /// Create a key or a new version of one.
    CreateKey = 3, "keys/create";
    /// Change attributes, tags and permitted operations.
    UpdateKey = 4, "keys/update";
    /// Delete, recoverably.
    DeleteKey = 5, "keys/delete";
    /// List and read deleted keys.
    ReadDeletedKeys = 6, "keys/deleted/read";
    /// Undo a deletion.
    RecoverKey = 7, "keys/recover";
    /// Remove a deleted key for good.
    PurgeKey = 8, "keys/purge";
    /// Encrypt.
    Encrypt = 9, "keys/encrypt";
    /// Decrypt.
    Decrypt = 10, "keys/decrypt";
    /// Wrap another key.
    WrapKey = 11, "keys/wrap";
    /// Unwrap another key.
    UnwrapKey = 12, "keys/unwrap";
    /// Sign a digest.
    Sign = 13, "keys/sign";
    /// Make a new version by the stored policy or on demand.
    RotateKey = 14, "keys/rotate";
    /// Store a rotation policy.
    SetRotationPolicy = 15, "keys/rotationpolicy/write";
    /// Check a signature.
    Verify = 16, "keys/verify";
    /// Read a rotation policy.
    GetRotationPolicy = 17, "keys/rotationpolicy/read";
    /// Bring in a key that was made elsewhere.
    ImportKey = 18, "keys/import";
    /// Take a sealed copy of a key with all its versions.
    BackupKey = 19, "keys/backup";
    /// Bring a key back from such a copy.
    RestoreKey = 20, "keys/restore";
    /// Tell that a key is about to expire, as its rotation policy says.
    NotifyExpiry = 21, "keys/near-expiry";
    /// Random bytes.
    RandomBytes = 22, "random/generate";
    /// Read what is stated about where a key was made and is kept.
    GetKeyAttestation = 23, "keys/attestation/read";
    /// A token for a proven client.
    IssueToken = 40, "tokens/issue";
    /// Read the audit's names and details.
    ReadAudit = 41, "audit/read";
    /// Seal the vault from inside.
    SealVault = 42, "vault/seal";
    /// Read what the node's clock says, and whether it is doubted.
    ReadClock = 43, "clock/read";
    /// Confirm a clock that is doubted.
    ConfirmClock = 44, "clock/confirm";
    /// Take the security domain, shared among custodians.
    DownloadSecurityDomain = 45, "security-domain/download";
    /// Read what came of downloads and uploads of it.
    ReadSecurityDomain = 46, "security-domain/read";
    /// Get the key to which a security domain is encrypted that the vault is to adopt.
    TransferKey = 47, "security-domain/transfer-key";
    /// Adopt the security domain of another vault.
    UploadSecurityDomain = 48, "security-domain/upload";
    /// Begin a backup of the whole vault, or look whether one could be made.
    StartBackup = 50, "backup/start";
    /// Read what came of backups.
    ReadBackup = 51, "backup/read";
    /// Begin to restore the whole vault, or look whether a backup could be restored.
    StartRestore = 52, "restore/start";
    /// Read what came of restores.
    ReadRestore = 53, "restore/read";
    /// Bring one key back from a backup of the whole vault.
    RestoreKeyFromBackup = 54, "keys/restore-from-backup";
    /// The next part of a backup that was begun.
    ContinueBackup = 55, "backup/continue";
    /// The next part of a restore that was begun.
    ContinueRestore = 56, "restore/continue";
    /// List all that a vault holds, signed, for a rehearsal of its recovery.
    ReadInventory = 58, "backup/inventory";
    /// List and read role assignments.
    ReadRoleAssignments = 60, "role-assignments/read";
    /// Give a principal a role.
    WriteRoleAssignment = 61, "role-assignments/write";
    /// Take a role from a principal.
    DeleteRoleAssignment = 62, "role-assignments/delete";
    /// List and read role definitions.
    ReadRoleDefinitions = 63, "role-definitions/read";
    /// Create or change a custom role.
    WriteRoleDefinition = 64, "role-definitions/write";
    /// Remove a custom role.
    DeleteRoleDefinition = 65, "role-definitions/delete";
    /// Read the vault's settings.
    ReadSettings = 66, "settings/read";
    /// Read the policy: administrators, issuers, clients, certificates.
    ReadPolicy = 67, "policy/read";
    /// Believe an issuer's tokens.
    AddIssuer = 68, "policy/issuers/write";
    /// Believe them no more.
    RemoveIssuer = 69, "policy/issuers/delete";
    /// Create a built-in client.
    CreateClient = 70, "policy/clients/write";
    /// Remove one, with its tokens.
    RemoveClient = 71, "policy/clients/delete";
    /// Give a built-in client another credential.
    AddCredential = 72, "policy/clients/credentials/write";
    /// Take one away, with the client's tokens.
    RemoveCredential = 73, "policy/clients/credentials/delete";
    /// Believe the certificates that somebody vouches for.
    AddAuthority = 74, "policy/certificates/write";
    /// Believe them no more.
    RemoveAuthority = 75, "policy/certificates/delete";
    /// Refuse tokens that were issued before a time.
    RevokeTokens = 76, "policy/not-before/write";
    /// Change one of the vault's settings.
    WriteSettings = 77, "settings/write";
    /// Propose an operation that needs approvals.
    ProposeOperation = 80, "approvals/propose";
    /// Read proposals and their votes.
    ReadProposals = 81, "approvals/read";
    /// Bring an approver's signature.
    VoteOnProposal = 82, "approvals/vote";
    /// Forget a proposal whose time has passed.
    RemoveProposal = 83, "approvals/remove";
    /// Say who approves, and what needs approvals.
    WriteApprovals = 84, "policy/approvals/write";
    /// A vault was created (node's log, and the vault's first record).
    VaultCreated = 1000, "vault/created";
    /// A vault was unsealed.
    VaultUnsealed = 1001, "vault/unsealed";
    /// A vault was sealed by the operator.
    VaultSealed = 1002, "vault/sealed";
    /// A node enrolled its checkpoint key.
    NodeEnrolled = 1003, "node/enrolled";
    /// How many requests were turned away before a decision.
    TurnedAway = 1004, "node/turned-away";
    /// A vault of kind hsm got its HSM and its policy.
    VaultActivated = 1005, "vault/activated";
    /// A token got a vault's wrapping key.
    TokenEnrolled = 1006, "vault/token-enrolled";
    /// Resident keys that no row names were destroyed in a token (node's log): the clear body has their ids.
    OrphansDestroyed = 1007, "vault/orphans-destroyed";
    /// A node's clock was not where it was expected.
    ClockDoubted = 1008, "node/clock-doubted";
    /// Every row of a vault and every wrap of its root were destroyed.
    VaultErased = 1009, "vault/erased";
    /// A new root generation was made, wrapped and written; rows are resealed under it from here on.
    RootRotationBegun = 1010, "vault/root/rotation-begun";
    /// Rows were resealed under the newest root generation.
    RowsResealed = 1011, "vault/root/rows-resealed";
    /// Every wrap of the generation before was destroyed.
    RootDestroyed = 1012, "vault/root/destroyed";
    /// A rotation of the root ended.
    RootRotated = 1013, "vault/root/rotated";
    /// A vault got another unseal path.
    PathAdded = 1014, "vault/path/added";
    /// An unseal path of a vault was removed.
    PathRemoved = 1015, "vault/path/removed";
    /// Each wrap of an unseal path was opened and is the vault's root (node's log).
    PathProven = 1016, "vault/path/proven";
    /// An unseal path was tried as an unseal would use it (node's log).
    PathTested = 1017, "vault/path/tested";
    /// A transfer key was made for a vault that waits (node's log).
    TransferKeyMade = 1020, "vault/transfer-key-made";
    /// Custodians are asked for their shares (node's log).
    QuorumAsked = 1021, "vault/quorum/asked";
    /// A custodian's share was taken: the clear body has its number (node's log).
    ShareTaken = 1022, "vault/quorum/share-taken";
    /// An answer was refused (node's log).
    ShareRefused = 1023, "vault/quorum/share-refused";
    /// Custodians confirmed the activation record: the clear body has their numbers.
    DomainConfirmed = 1024, "vault/domain-confirmed";
    /// The vault's custodians agreed on others, and it has their domain: the clear body has the numbers of those who
    /// agreed.
    CustodiansReplaced = 1025, "vault/custodians/replaced";
    /// Custodians are asked whether others replace them (node's log).
    ReplacementAsked = 1026, "vault/custodians/replacement-asked";
    /// Custodians are asked whether somebody administers the vault (node's log).
    AppointmentAsked = 1027, "vault/administrator/appointment-asked";
    /// Custodians made somebody an administrator: the clear body has their numbers.
    AdministratorAppointed = 1028, "vault/administrator/appointed";
    /// The operator proposed to remove an unseal path: the clear body has the path and the proposal's id.
    PathRemovalProposed = 1040, "vault/path/removal-proposed";
    /// The operator proposed to erase a vault.
    ErasureProposed = 1041, "vault/erasure-proposed";
    /// The operator proposed to add an unseal path: the clear body has the path and the proposal's id.
    PathAdditionProposed = 1042, "vault/path/addition-proposed";
    /// Custodians are asked whether a token gets the vault's wrapping key (node's log).
    EnrolmentAsked = 1043, "vault/token-enrolment-asked";
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an action falls on: the scopes of role assignments, from wide to narrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The vault itself: `/`.
    Vault,
    /// All its keys: `/keys`.
    Keys,
    /// One key: `/keys/{name}`.
    Key(Name),
}

impl Target {
    /// Whether what is granted at `self` reaches `inner`.
    pub fn covers(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Vault, _) | (Self::Keys, Self::Keys | Self::Key(_)) => true,
            (Self::Key(a), Self::Key(b)) => a == b,
            _ => false,
        }
    }
}

/// Text that is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadScope;

impl fmt::Display for BadScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope is /, /keys or /keys/{name}")
    }
}

impl std::error::Error for BadScope {}

impl FromStr for Target {
    type Err = BadScope;

    fn from_str(text: &str) -> Result<Self, BadScope> {
        match text {
            "/" => Ok(Self::Vault),
            "/keys" => Ok(Self::Keys),
            _ => {
                let name = text.strip_prefix("/keys/").ok_or(BadScope)?;
                Name::parse(name).map(Self::Key).map_err(|_| BadScope)
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault => f.write_str("/"),
            Self::Keys => f.write_str("/keys"),
            Self::Key(name) => write!(f, "/keys/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_lead_back() {
        for (i, a) in Action::ALL.iter().enumerate() {
            assert_eq!(Action::from_code(a.code()), Some(*a));
            assert!(Action::ALL[i + 1..].iter().all(|b| b.name() != a.name() && b.code() > a.code()));
        }
    }

    #[test]
    fn a_wide_scope_covers_a_narrow_one_and_never_the_reverse() {
        let key = |n| Target::Key(Name::parse(n).unwrap());
        let chain = [Target::Vault, Target::Keys, key("a")];
        for (i, wide) in chain.iter().enumerate() {
            assert_eq!(wide.to_string().parse(), Ok(wide.clone()));
            for (j, narrow) in chain.iter().enumerate() {
                assert_eq!(wide.covers(narrow), i <= j, "{wide} {narrow}");
            }
        }
        assert!(key("A").covers(&key("a")));
        assert!(!key("a").covers(&key("b")));
    }
}
