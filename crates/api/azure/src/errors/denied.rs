//! What a denied caller is told: who he was taken for, and what he asked. It is his own request, so nothing in it is
//! news to him but the fact of the denial.

use keystead_access::{Denial, Who};
use keystead_api_table::Context;
use keystead_model::{Action, DataAction, VaultKind};

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
        data_action(denial.action, context.kind),
        denial.target,
        context.vault,
    )
}

/// The data action that a role would need to have; an action that no role gives has a name of our own.
fn data_action(action: Action, kind: VaultKind) -> &'static str {
    match (DataAction::of(action, kind), action) {
        (Some(found), _) => found.name(),
        (None, Action::IssueToken) => "Keystead/tokens/issue/action",
        (None, _) => "(given by no role)",
    }
}
