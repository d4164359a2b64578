//! The built-in roles. The GUIDs and meanings of the first three are those of Azure RBAC for Key Vault.

use keystead_model::Action;

/// A named set of actions.
#[derive(Debug, PartialEq, Eq)]
pub struct Role {
    /// GUID in role assignments.
    pub id: &'static str,
    /// Name people read.
    pub name: &'static str,
    /// What it allows, at the scope of the assignment and below.
    pub actions: &'static [Action],
}

use Action::*;

/// Everything on keys, cryptographic use included.
pub static CRYPTO_OFFICER: Role = Role {
    id: "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
    name: "Key Vault Crypto Officer",
    actions: &[
        ListKeys,
        GetKey,
        CreateKey,
        UpdateKey,
        DeleteKey,
        ReadDeletedKeys,
        RecoverKey,
        PurgeKey,
        Encrypt,
        Decrypt,
        WrapKey,
        UnwrapKey,
        Sign,
        Verify,
        RotateKey,
        SetRotationPolicy,
        GetRotationPolicy,
        ImportKey,
        BackupKey,
        RestoreKey,
        RandomBytes,
    ],
};

/// Use of keys, no change of which keys there are.
pub static CRYPTO_USER: Role = Role {
    id: "12338af0-0e69-4776-bea7-57ae8d297424",
    name: "Key Vault Crypto User",
    actions: &[
        ListKeys,
        GetKey,
        GetRotationPolicy,
        UpdateKey,
        BackupKey,
        Encrypt,
        Decrypt,
        WrapKey,
        UnwrapKey,
        Sign,
        Verify,
        RandomBytes,
    ],
};

/// What a service needs that encrypts its data under a key of the customer.
pub static CRYPTO_SERVICE_ENCRYPTION_USER: Role = Role {
    id: "e147488a-f6f5-4113-8e2d-b22465e65bf6",
    name: "Key Vault Crypto Service Encryption User",
    actions: &[ListKeys, GetKey, GetRotationPolicy, WrapKey, UnwrapKey],
};

/// Reading the names and details in the audit log.
pub static AUDIT_READER: Role =
    Role { id: "5d4a1b1e-6a0f-4d2c-9a55-7b1f0c7e8a01", name: "Keystead Audit Reader", actions: &[ReadAudit] };

/// All of them.
pub static BUILT_IN: &[&Role] = &[&CRYPTO_OFFICER, &CRYPTO_USER, &CRYPTO_SERVICE_ENCRYPTION_USER, &AUDIT_READER];

impl Role {
    /// The built-in role with this GUID or name.
    pub fn built_in(id_or_name: &str) -> Option<&'static Self> {
        BUILT_IN.iter().copied().find(|r| r.id.eq_ignore_ascii_case(id_or_name) || r.name == id_or_name)
    }
}
