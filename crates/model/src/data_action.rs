//! The data actions of role definitions: the names that Azure RBAC has, and which of our actions each allows. This is
//! the one table that leads from a role to what it permits, and from a denial to the name it shows.

use crate::{Action, VaultKind};
use std::fmt;

macro_rules! data_actions {
    ($($variant:ident = $code:literal, $name:literal => [$($action:ident),*];)+) => {
        /// What a role definition may name. The code stands in stored definitions and never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        #[allow(missing_docs, reason = "each is its name on the wire")]
        pub enum DataAction {
            $($variant = $code,)+
        }

        impl DataAction {
            /// All of them, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The number that stands in stored definitions.
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The number's data action, if this release knows it.
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What it allows. Empty: nothing that this release has.
            pub const fn actions(self) -> &'static [Action] {
                match self {
                    $(Self::$variant => &[$(Action::$action),*],)+
                }
            }
        }
    };
}

data_actions! {
    // Managed HSM, local RBAC.
    HsmKeysRead = 1, "Microsoft.KeyVault/managedHsm/keys/read/action" =>
        [ListKeys, GetKey, GetKeyAttestation, GetRotationPolicy];
    HsmKeysWrite = 2, "Microsoft.KeyVault/managedHsm/keys/write/action" => [UpdateKey, SetRotationPolicy];
    HsmKeysCreate = 3, "Microsoft.KeyVault/managedHsm/keys/create" => [CreateKey];
    HsmKeysDelete = 4, "Microsoft.KeyVault/managedHsm/keys/delete" => [DeleteKey];
    HsmKeysImport = 5, "Microsoft.KeyVault/managedHsm/keys/import/action" => [ImportKey];
    HsmKeysExport = 6, "Microsoft.KeyVault/managedHsm/keys/export/action" => [];
    HsmKeysRelease = 7, "Microsoft.KeyVault/managedHsm/keys/release/action" => [];
    HsmKeysRotate = 8, "Microsoft.KeyVault/managedHsm/keys/rotate/action" => [RotateKey];
    HsmKeysBackup = 9, "Microsoft.KeyVault/managedHsm/keys/backup/action" => [BackupKey];
    HsmKeysRestore = 10, "Microsoft.KeyVault/managedHsm/keys/restore/action" => [RestoreKey];
    HsmKeysEncrypt = 11, "Microsoft.KeyVault/managedHsm/keys/encrypt/action" => [Encrypt];
    HsmKeysDecrypt = 12, "Microsoft.KeyVault/managedHsm/keys/decrypt/action" => [Decrypt];
    HsmKeysWrap = 13, "Microsoft.KeyVault/managedHsm/keys/wrap/action" => [WrapKey];
    HsmKeysUnwrap = 14, "Microsoft.KeyVault/managedHsm/keys/unwrap/action" => [UnwrapKey];
    HsmKeysSign = 15, "Microsoft.KeyVault/managedHsm/keys/sign/action" => [Sign];
    HsmKeysVerify = 16, "Microsoft.KeyVault/managedHsm/keys/verify/action" => [Verify];
    HsmDeletedRead = 17, "Microsoft.KeyVault/managedHsm/keys/deletedKeys/read/action" => [ReadDeletedKeys];
    HsmDeletedRecover = 18, "Microsoft.KeyVault/managedHsm/keys/deletedKeys/recover/action" => [RecoverKey];
    HsmDeletedPurge = 19, "Microsoft.KeyVault/managedHsm/keys/deletedKeys/delete" => [PurgeKey];
    HsmRandom = 20, "Microsoft.KeyVault/managedHsm/rng/action" => [RandomBytes];
    AssignmentsRead = 21, "Microsoft.KeyVault/managedHsm/roleAssignments/read/action" => [ReadRoleAssignments];
    AssignmentsWrite = 22, "Microsoft.KeyVault/managedHsm/roleAssignments/write/action" => [WriteRoleAssignment];
    AssignmentsDelete = 23, "Microsoft.KeyVault/managedHsm/roleAssignments/delete/action" => [DeleteRoleAssignment];
    // Reading settings has no data action of its own: they say nothing that who reads the roles may not know.
    DefinitionsRead = 24, "Microsoft.KeyVault/managedHsm/roleDefinitions/read/action" =>
        [ReadRoleDefinitions, ReadSettings];
    DefinitionsWrite = 25, "Microsoft.KeyVault/managedHsm/roleDefinitions/write/action" => [WriteRoleDefinition];
    DefinitionsDelete = 26, "Microsoft.KeyVault/managedHsm/roleDefinitions/delete/action" => [DeleteRoleDefinition];
    DomainDownload = 27, "Microsoft.KeyVault/managedHsm/securitydomain/download/action" =>
        [DownloadSecurityDomain];
    DomainDownloadRead = 28, "Microsoft.KeyVault/managedHsm/securitydomain/download/read" =>
        [ReadSecurityDomain];
    DomainUpload = 29, "Microsoft.KeyVault/managedHsm/securitydomain/upload/action" =>
        [UploadSecurityDomain];
    DomainUploadRead = 30, "Microsoft.KeyVault/managedHsm/securitydomain/upload/read" => [ReadSecurityDomain];
    DomainTransferKeyRead = 31, "Microsoft.KeyVault/managedHsm/securitydomain/transferkey/read" =>
        [TransferKey];
    BackupStart = 32, "Microsoft.KeyVault/managedHsm/backup/start/action" => [StartBackup, ReadInventory];
    BackupStatus = 33, "Microsoft.KeyVault/managedHsm/backup/status/action" => [ReadBackup];
    RestoreStart = 34, "Microsoft.KeyVault/managedHsm/restore/start/action" =>
        [StartRestore, RestoreKeyFromBackup];
    RestoreStatus = 35, "Microsoft.KeyVault/managedHsm/restore/status/action" => [ReadRestore];
    // Key Vault, Azure RBAC. It has no name for reading deleted keys: who may recover them may see them.
    KeysRead = 60, "Microsoft.KeyVault/vaults/keys/read" =>
        [ListKeys, GetKey, GetKeyAttestation, GetRotationPolicy];
    KeysUpdate = 61, "Microsoft.KeyVault/vaults/keys/update/action" => [UpdateKey];
    KeysCreate = 62, "Microsoft.KeyVault/vaults/keys/create/action" => [CreateKey];
    KeysImport = 63, "Microsoft.KeyVault/vaults/keys/import/action" => [ImportKey];
    KeysDelete = 64, "Microsoft.KeyVault/vaults/keys/delete" => [DeleteKey];
    KeysRecover = 65, "Microsoft.KeyVault/vaults/keys/recover/action" => [RecoverKey, ReadDeletedKeys];
    KeysRestore = 66, "Microsoft.KeyVault/vaults/keys/restore/action" => [RestoreKey];
    KeysBackup = 67, "Microsoft.KeyVault/vaults/keys/backup/action" => [BackupKey];
    KeysPurge = 68, "Microsoft.KeyVault/vaults/keys/purge/action" => [PurgeKey];
    KeysEncrypt = 69, "Microsoft.KeyVault/vaults/keys/encrypt/action" => [Encrypt];
    KeysDecrypt = 70, "Microsoft.KeyVault/vaults/keys/decrypt/action" => [Decrypt];
    KeysWrap = 71, "Microsoft.KeyVault/vaults/keys/wrap/action" => [WrapKey];
    KeysUnwrap = 72, "Microsoft.KeyVault/vaults/keys/unwrap/action" => [UnwrapKey];
    KeysSign = 73, "Microsoft.KeyVault/vaults/keys/sign/action" => [Sign];
    KeysVerify = 74, "Microsoft.KeyVault/vaults/keys/verify/action" => [Verify];
    KeysRelease = 75, "Microsoft.KeyVault/vaults/keys/release/action" => [];
    KeysRotate = 76, "Microsoft.KeyVault/vaults/keys/rotate/action" => [RotateKey];
    RotationPolicyRead = 77, "Microsoft.KeyVault/vaults/keyrotationpolicies/read" => [GetRotationPolicy];
    RotationPolicyWrite = 78, "Microsoft.KeyVault/vaults/keyrotationpolicies/write" => [SetRotationPolicy];
    // Our own.
    AuditRead = 100, "Keystead/audit/read/action" => [ReadAudit];
    VaultSeal = 101, "Keystead/vault/seal/action" => [SealVault];
    PolicyRead = 102, "Keystead/policy/read" => [ReadPolicy];
    IssuersWrite = 103, "Keystead/policy/issuers/write" => [AddIssuer];
    IssuersDelete = 104, "Keystead/policy/issuers/delete" => [RemoveIssuer];
    ClientsWrite = 105, "Keystead/policy/clients/write" => [CreateClient];
    ClientsDelete = 106, "Keystead/policy/clients/delete" => [RemoveClient];
    CredentialsWrite = 107, "Keystead/policy/clients/credentials/write" => [AddCredential];
    CredentialsDelete = 108, "Keystead/policy/clients/credentials/delete" => [RemoveCredential];
    CertificatesWrite = 109, "Keystead/policy/certificates/write" => [AddAuthority];
    CertificatesDelete = 110, "Keystead/policy/certificates/delete" => [RemoveAuthority];
    NotBeforeWrite = 111, "Keystead/policy/not-before/write" => [RevokeTokens];
    // Key Vault has no name for it; Managed HSM has.
    Random = 112, "Keystead/rng/action" => [RandomBytes];
    ClockRead = 113, "Keystead/clock/read" => [ReadClock];
    ClockConfirm = 114, "Keystead/clock/confirm/action" => [ConfirmClock];
    SettingsWrite = 115, "Keystead/settings/write" => [WriteSettings];
    ApprovalsRead = 120, "Keystead/approvals/read/action" => [ReadProposals];
    ApprovalsVote = 121, "Keystead/approvals/vote/action" => [VoteOnProposal];
    ApprovalsWrite = 122, "Keystead/policy/approvals/write" => [WriteApprovals];
}

impl DataAction {
    /// The data action of this name, whose case does not matter.
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|d| d.name().eq_ignore_ascii_case(text))
    }

    /// What to call an action in a vault of this kind. `None`: no role can give it.
    pub fn of(action: Action, kind: VaultKind) -> Option<Self> {
        let prefix = match kind {
            VaultKind::Vault => "Microsoft.KeyVault/vaults/",
            VaultKind::Hsm => "Microsoft.KeyVault/managedHsm/",
        };
        let allows = |d: &Self| d.actions().contains(&action);
        let all = || Self::ALL.iter().copied().filter(allows);
        all().find(|d| d.name().starts_with(prefix)).or_else(|| all().next())
    }

    /// Whether a custom definition may hold it: what belongs to the administrators of the vault it may not.
    pub fn in_custom_roles(self) -> bool {
        let of_vault = [
            Self::VaultSeal..=Self::NotBeforeWrite,
            Self::ClockRead..=Self::SettingsWrite,
            Self::ApprovalsWrite..=Self::ApprovalsWrite,
        ];
        !of_vault.iter().any(|range| range.contains(&self))
    }
}

impl fmt::Display for DataAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_lead_back() {
        for (i, d) in DataAction::ALL.iter().enumerate() {
            assert_eq!(DataAction::from_code(d.code()), Some(*d));
            assert_eq!(DataAction::from_name(&d.name().to_uppercase()), Some(*d));
            assert!(DataAction::ALL[i + 1..].iter().all(|o| o.name() != d.name() && o.code() > d.code()));
        }
        assert_eq!(DataAction::from_name("Microsoft.KeyVault/managedHsm/keys/*"), None);
    }

    /// What a caller can ask for has a name, or is given by no role at all.
    #[test]
    fn every_action_of_a_caller_stands_in_the_table() {
        use Action as A;
        for action in A::ALL {
            let by_no_role = matches!(
                action,
                A::NotifyExpiry
                    | A::IssueToken
                    | A::ContinueBackup
                    | A::ContinueRestore
                    | A::VaultCreated
                    | A::VaultUnsealed
                    | A::VaultSealed
                    | A::NodeEnrolled
                    | A::TurnedAway
                    | A::VaultActivated
                    | A::TokenEnrolled
                    | A::OrphansDestroyed
                    | A::ClockDoubted
                    | A::VaultErased
                    | A::RootRotationBegun
                    | A::RowsResealed
                    | A::RootDestroyed
                    | A::RootRotated
                    | A::PathAdded
                    | A::PathRemoved
                    | A::PathProven
                    | A::PathTested
                    | A::TransferKeyMade
                    | A::QuorumAsked
                    | A::ShareTaken
                    | A::ShareRefused
                    | A::DomainConfirmed
                    | A::ProposeOperation
                    | A::RemoveProposal
                    | A::PathRemovalProposed
                    | A::ErasureProposed
                    | A::CustodiansReplaced
                    | A::ReplacementAsked
                    | A::AppointmentAsked
                    | A::AdministratorAppointed
                    | A::PathAdditionProposed
                    | A::EnrolmentAsked
            );
            for kind in [VaultKind::Vault, VaultKind::Hsm] {
                assert_eq!(DataAction::of(*action, kind).is_none(), by_no_role, "{action}: give it a data action");
            }
        }
    }

    #[test]
    fn an_action_has_the_name_of_the_vaults_kind() {
        let of = |kind| DataAction::of(Action::Sign, kind).map(DataAction::name);
        assert_eq!(of(VaultKind::Vault), Some("Microsoft.KeyVault/vaults/keys/sign/action"));
        assert_eq!(of(VaultKind::Hsm), Some("Microsoft.KeyVault/managedHsm/keys/sign/action"));
        let own = DataAction::of(Action::ReadAudit, VaultKind::Hsm).map(DataAction::name);
        assert_eq!(own, Some("Keystead/audit/read/action"));
    }
}
