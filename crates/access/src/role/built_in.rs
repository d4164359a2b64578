//! The built-in roles. GUIDs, names and data actions of Key Vault's and Managed HSM's are Azure's. All of them can be
//! assigned in vaults of either kind: what counts is the actions that the data actions stand for.

use super::Role;
use keystead_model::DataAction::{self, *};

/// Everything on keys, cryptographic use included.
pub static CRYPTO_OFFICER: Role = Role {
    id: "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
    name: "Key Vault Crypto Officer",
    description: "Performs any action on keys. Does not manage roles.",
    data_actions: &[
        KeysRead,
        KeysUpdate,
        KeysCreate,
        KeysImport,
        KeysDelete,
        KeysRecover,
        KeysRestore,
        KeysBackup,
        KeysPurge,
        KeysEncrypt,
        KeysDecrypt,
        KeysWrap,
        KeysUnwrap,
        KeysSign,
        KeysVerify,
        KeysRelease,
        KeysRotate,
        RotationPolicyRead,
        RotationPolicyWrite,
        Random,
    ],
};

/// Key Vault's `Microsoft.KeyVault/vaults/*`, of which this release has the keys.
static ADMINISTRATOR: Role = Role {
    id: "00482a5a-887f-4fb3-b363-3b7fe8e74483",
    name: "Key Vault Administrator",
    description: "Performs any action on what the vault holds. Does not manage roles.",
    data_actions: CRYPTO_OFFICER.data_actions,
};

/// Key Vault's `Microsoft.KeyVault/vaults/*/read`, of which this release has the keys.
static READER: Role = Role {
    id: "21090545-7ca7-4776-b22c-e363652d74d2",
    name: "Key Vault Reader",
    description: "Reads what the vault tells about what it holds. Uses no key.",
    data_actions: &[KeysRead, RotationPolicyRead],
};

static CRYPTO_SERVICE_RELEASE_USER: Role = Role {
    id: "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
    name: "Key Vault Crypto Service Release User",
    description: "Releases keys to a trusted execution environment.",
    data_actions: &[KeysRelease],
};

/// Use of keys, no change of which keys there are.
pub static CRYPTO_USER: Role = Role {
    id: "12338af0-0e69-4776-bea7-57ae8d297424",
    name: "Key Vault Crypto User",
    description: "Uses keys; does not create, delete or rotate them.",
    data_actions: &[
        KeysRead,
        KeysUpdate,
        KeysBackup,
        KeysEncrypt,
        KeysDecrypt,
        KeysWrap,
        KeysUnwrap,
        KeysSign,
        KeysVerify,
        Random,
    ],
};

/// What a service needs that encrypts its data under a key of the customer.
pub static CRYPTO_SERVICE_ENCRYPTION_USER: Role = Role {
    id: "e147488a-f6f5-4113-8e2d-b22465e65bf6",
    name: "Key Vault Crypto Service Encryption User",
    description: "Reads keys, wraps and unwraps with them.",
    data_actions: &[KeysRead, KeysWrap, KeysUnwrap],
};

/// Reading the names and details in the audit log.
pub static AUDIT_READER: Role = Role {
    id: "5d4a1b1e-6a0f-4d2c-9a55-7b1f0c7e8a01",
    name: "Keystead Audit Reader",
    description: "Reads the names and details in the audit log.",
    data_actions: &[AuditRead],
};

/// Bringing approvers' signatures. Whose they are, the keys say.
pub static APPROVALS_USER: Role = Role {
    id: "5d4a1b1e-6a0f-4d2c-9a55-7b1f0c7e8a03",
    name: "Keystead Approvals User",
    description: "Reads what was proposed to the approvers, and brings their signatures.",
    data_actions: &[ApprovalsRead, ApprovalsVote],
};

/// The administrators of the vault itself, as role assignments show them. Only they give this role and take it away.
pub static VAULT_ADMINISTRATOR: Role = Role {
    id: "5d4a1b1e-6a0f-4d2c-9a55-7b1f0c7e8a02",
    name: "Keystead Vault Administrator",
    description: "Administers the vault and its roles, and has no key by that. Only an administrator assigns it, at /.",
    data_actions: &[
        VaultSeal,
        ClockRead,
        ClockConfirm,
        SettingsWrite,
        PolicyRead,
        IssuersWrite,
        IssuersDelete,
        ClientsWrite,
        ClientsDelete,
        CredentialsWrite,
        CredentialsDelete,
        CertificatesWrite,
        CertificatesDelete,
        NotBeforeWrite,
        ApprovalsRead,
        ApprovalsVote,
        ApprovalsWrite,
        DomainDownload,
        DomainDownloadRead,
        DomainUpload,
        DomainUploadRead,
        DomainTransferKeyRead,
        BackupStart,
        BackupStatus,
        RestoreStart,
        RestoreStatus,
        AssignmentsRead,
        AssignmentsWrite,
        AssignmentsDelete,
        DefinitionsRead,
        DefinitionsWrite,
        DefinitionsDelete,
    ],
};

static HSM_ADMINISTRATOR: Role = Role {
    id: "a290e904-7015-4bba-90c8-60543313cdb4",
    name: "Managed HSM Administrator",
    description: "Manages roles, the security domain, full backup and restore. Performs no action on keys.",
    data_actions: &[
        AssignmentsRead,
        AssignmentsWrite,
        AssignmentsDelete,
        DefinitionsRead,
        DefinitionsWrite,
        DefinitionsDelete,
        DomainDownload,
        DomainDownloadRead,
        DomainUpload,
        DomainUploadRead,
        DomainTransferKeyRead,
        BackupStart,
        BackupStatus,
        RestoreStart,
        RestoreStatus,
    ],
};

static HSM_CRYPTO_OFFICER: Role = Role {
    id: "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
    name: "Managed HSM Crypto Officer",
    description: "Manages roles; purges, recovers and exports keys. Does not use them.",
    data_actions: &[
        AssignmentsRead,
        AssignmentsWrite,
        AssignmentsDelete,
        DefinitionsRead,
        DefinitionsWrite,
        DefinitionsDelete,
        HsmDeletedRead,
        HsmDeletedPurge,
        HsmDeletedRecover,
        HsmKeysExport,
    ],
};

static HSM_CRYPTO_USER: Role = Role {
    id: "21dbd100-6940-42c2-9190-5d6cb909625b",
    name: "Managed HSM Crypto User",
    description: "Creates, uses, rotates and deletes keys. Does not purge them and does not manage roles.",
    data_actions: &[
        DefinitionsRead,
        AssignmentsRead,
        HsmKeysRead,
        HsmKeysWrite,
        HsmKeysCreate,
        HsmKeysDelete,
        HsmKeysImport,
        HsmKeysRelease,
        HsmKeysBackup,
        HsmKeysRestore,
        HsmKeysEncrypt,
        HsmKeysDecrypt,
        HsmKeysWrap,
        HsmKeysUnwrap,
        HsmKeysSign,
        HsmKeysVerify,
        HsmKeysRotate,
        HsmRandom,
    ],
};

static HSM_POLICY_ADMINISTRATOR: Role = Role {
    id: "4bd23610-cdcf-4971-bdee-bdc562cc28e4",
    name: "Managed HSM Policy Administrator",
    description: "Manages roles, and has no key by that.",
    data_actions: &[
        AssignmentsRead,
        AssignmentsWrite,
        AssignmentsDelete,
        DefinitionsRead,
        DefinitionsWrite,
        DefinitionsDelete,
    ],
};

static HSM_CRYPTO_AUDITOR: Role = Role {
    id: "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3",
    name: "Managed HSM Crypto Auditor",
    description: "Reads keys, deleted keys and roles. Uses no key.",
    data_actions: &[AssignmentsRead, DefinitionsRead, HsmKeysRead, HsmDeletedRead],
};

static HSM_SERVICE_ENCRYPTION_USER: Role = Role {
    id: "33413926-3206-4cdd-b39a-83574fe37a17",
    name: "Managed HSM Crypto Service Encryption User",
    description: "Reads keys, wraps and unwraps with them.",
    data_actions: &[HsmKeysRead, HsmKeysWrap, HsmKeysUnwrap],
};

static HSM_SERVICE_RELEASE_USER: Role = Role {
    id: "21dbd100-6940-42c2-9190-5d6cb909625c",
    name: "Managed HSM Crypto Service Release User",
    description: "Releases keys to a trusted execution environment.",
    data_actions: &[HsmKeysRelease],
};

static HSM_BACKUP_USER: Role = Role {
    id: "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8",
    name: "Managed HSM Backup User",
    description: "Makes backups, of the whole or of single keys.",
    data_actions: &[BackupStart, BackupStatus, HsmKeysBackup],
};

static HSM_RESTORE_USER: Role = Role {
    id: "6efe6056-5259-49d2-8b3d-d3d73544b20b",
    name: "Managed HSM Restore User",
    description: "Restores backups, of the whole or of single keys.",
    data_actions: &[RestoreStart, RestoreStatus, HsmKeysRestore],
};

/// All of them.
pub static BUILT_IN: &[&Role] = &[
    &ADMINISTRATOR,
    &READER,
    &CRYPTO_OFFICER,
    &CRYPTO_USER,
    &CRYPTO_SERVICE_ENCRYPTION_USER,
    &CRYPTO_SERVICE_RELEASE_USER,
    &HSM_ADMINISTRATOR,
    &HSM_CRYPTO_OFFICER,
    &HSM_CRYPTO_USER,
    &HSM_POLICY_ADMINISTRATOR,
    &HSM_CRYPTO_AUDITOR,
    &HSM_SERVICE_ENCRYPTION_USER,
    &HSM_SERVICE_RELEASE_USER,
    &HSM_BACKUP_USER,
    &HSM_RESTORE_USER,
    &AUDIT_READER,
    &APPROVALS_USER,
    &VAULT_ADMINISTRATOR,
];

/// What administrators of the vault may do, whether or not they have any role.
pub(crate) fn of_administrators(action: keystead_model::Action) -> bool {
    VAULT_ADMINISTRATOR.data_actions.iter().any(|d: &DataAction| d.actions().contains(&action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_model::Guid;

    #[test]
    fn guids_and_names_are_guids_and_unique() {
        for (i, role) in BUILT_IN.iter().enumerate() {
            assert!(role.id.parse::<Guid>().is_ok_and(|id| id.to_string() == role.id), "{}", role.name);
            assert!(BUILT_IN[i + 1..].iter().all(|r| r.id != role.id && r.name != role.name), "{}", role.name);
        }
    }
}
