//! What a denied caller is told: who he was taken for, and what he asked. It is his own request, so nothing in it is
//! news to him but the fact of the denial.

use keystead_access::{Denial, Who};
use keystead_api_table::Context;
use keystead_model::Action;

/// The service's own words, with the data action that a role must have.
pub(super) fn text(denial: &Denial, context: &Context<'_>) -> String {
    let (application, subject, issuer) = match &denial.who {
        Who::Caller(caller) => {
            let principal = caller.principal();
            (caller.application().unwrap_or_default(), principal.subject(), principal.issuer())
        }
        Who::Mandate(mandate) => ("", mandate.set_by.as_str(), ""),
    };
    format!(
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
         definitions were changed recently, please observe propagation time.\r\nCaller: \
         appid={application};oid={subject};iss={issuer}\r\nAction: '{}'\r\nResource: '{}'\r\nAssignment: (not \
         found)\r\nDecisionReason: 'DeniedWithNoValidRBAC'\r\nVault: {};location=keystead\r\n",
        data_action(denial.action),
        denial.target,
        context.vault,
    )
}

/// The data action of Azure RBAC that stands for an action, or our own where Azure has none.
fn data_action(action: Action) -> &'static str {
    match action {
        Action::ListKeys | Action::GetKey | Action::ReadDeletedKeys => "Microsoft.KeyVault/vaults/keys/read",
        Action::CreateKey => "Microsoft.KeyVault/vaults/keys/create/action",
        Action::UpdateKey => "Microsoft.KeyVault/vaults/keys/update/action",
        Action::DeleteKey => "Microsoft.KeyVault/vaults/keys/delete",
        Action::RecoverKey => "Microsoft.KeyVault/vaults/keys/recover/action",
        Action::PurgeKey => "Microsoft.KeyVault/vaults/keys/purge/action",
        Action::Encrypt => "Microsoft.KeyVault/vaults/keys/encrypt/action",
        Action::Decrypt => "Microsoft.KeyVault/vaults/keys/decrypt/action",
        Action::WrapKey => "Microsoft.KeyVault/vaults/keys/wrap/action",
        Action::UnwrapKey => "Microsoft.KeyVault/vaults/keys/unwrap/action",
        Action::Sign => "Microsoft.KeyVault/vaults/keys/sign/action",
        Action::Verify => "Microsoft.KeyVault/vaults/keys/verify/action",
        Action::RotateKey => "Microsoft.KeyVault/vaults/keys/rotate/action",
        Action::GetRotationPolicy => "Microsoft.KeyVault/vaults/keyrotationpolicies/read",
        Action::ImportKey => "Microsoft.KeyVault/vaults/keys/import/action",
        Action::BackupKey => "Microsoft.KeyVault/vaults/keys/backup/action",
        Action::RestoreKey => "Microsoft.KeyVault/vaults/keys/restore/action",
        Action::RandomBytes => "Microsoft.KeyVault/managedHsm/rng/action",
        Action::SetRotationPolicy => "Microsoft.KeyVault/vaults/keyrotationpolicies/write",
        Action::IssueToken => "Keystead/tokens/issue/action",
        Action::ReadAudit => "Keystead/audit/read/action",
        Action::SealVault => "Keystead/vault/seal/action",
        Action::NotifyExpiry
        | Action::VaultCreated
        | Action::VaultUnsealed
        | Action::VaultSealed
        | Action::NodeEnrolled
        | Action::TurnedAway => "(not asked for by callers)",
    }
}
