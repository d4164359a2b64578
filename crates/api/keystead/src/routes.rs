//! The table at a vault's authority.

use crate::{backups, clock, errors, health, inventory, logs, ready, records};
use hyper::{Method, StatusCode};
use keystead_api_table::{Body, Context, OpenRoute, Pattern, Protocol, Route, route};
use keystead_engine::{ListBackups, ListProposals, SealVault};

/// Our own REST, beside the protocols of others. It has its version in its paths.
pub fn protocol() -> Protocol {
    Protocol {
        name: "keystead",
        routes: routes(),
        open_routes: open_routes(),
        proof_routes: Vec::new(),
        version: |_| Ok(()),
        refusal: errors::refusal,
        turned_away: errors::turned_away,
        bad_parameter: errors::bad_parameter,
    }
}

fn routes() -> Vec<Route> {
    vec![
        route(Method::GET, "/keystead/v1/audit/records", records::parse, StatusCode::OK, records::format),
        route(Method::POST, "/keystead/v1/vault/seal", |_| Ok(SealVault), StatusCode::NO_CONTENT, nothing),
        route(Method::GET, "/keystead/v1/backups", |_| Ok(ListBackups), StatusCode::OK, backups::list),
        route(Method::GET, "/keystead/v1/inventory", inventory::parse, StatusCode::OK, inventory::format),
        route(Method::GET, "/keystead/v1/clock", clock::read, StatusCode::OK, clock::shown),
        route(Method::POST, "/keystead/v1/clock/confirm", clock::confirm, StatusCode::OK, clock::shown),
    ]
    .into_iter()
    .chain(policy_routes())
    .chain(approval_routes())
    .collect()
}

/// What was proposed to the approvers.
fn approval_routes() -> Vec<Route> {
    use crate::approvals as a;
    const OK: StatusCode = StatusCode::OK;
    vec![
        route(Method::GET, "/keystead/v1/approvals", |_| Ok(ListProposals), OK, a::list),
        route(Method::GET, "/keystead/v1/approvals/{id}", a::read, OK, a::one),
        route(Method::POST, "/keystead/v1/approvals/{id}/votes", a::vote, OK, a::one),
    ]
}

/// Who is believed, and since when.
fn policy_routes() -> Vec<Route> {
    use crate::policy as p;
    const OK: StatusCode = StatusCode::OK;
    const GONE: StatusCode = StatusCode::NO_CONTENT;
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    vec![
        route(get.clone(), "/keystead/v1/policy", p::read, OK, p::whole),
        route(get.clone(), "/keystead/v1/policy/issuers", p::read, OK, p::issuers),
        route(post.clone(), "/keystead/v1/policy/issuers", p::add_issuer, OK, p::issuer),
        route(delete.clone(), "/keystead/v1/policy/issuers", p::remove_issuer, GONE, nothing),
        route(get.clone(), "/keystead/v1/policy/clients", p::read, OK, p::clients),
        route(post.clone(), "/keystead/v1/policy/clients", p::create_client, OK, p::client),
        route(delete.clone(), "/keystead/v1/policy/clients/{id}", p::remove_client, GONE, nothing),
        route(post.clone(), "/keystead/v1/policy/clients/{id}/credentials", p::add_credential, OK, p::client),
        route(
            delete.clone(),
            "/keystead/v1/policy/clients/{id}/credentials/{credential}",
            p::remove_credential,
            GONE,
            nothing,
        ),
        route(get, "/keystead/v1/policy/certificates", p::read, OK, p::certificates),
        route(post.clone(), "/keystead/v1/policy/certificates", p::add_authority, OK, p::authority),
        route(delete, "/keystead/v1/policy/certificates/{thumbprint}", p::remove_authority, GONE, nothing),
        route(post, "/keystead/v1/policy/not-before", p::revoke, OK, p::revoked),
        route(Method::PUT, "/keystead/v1/policy/approvals", crate::approvals::write, OK, crate::approvals::written),
    ]
}

/// None of them needs the root, so they also answer while the vault is sealed.
fn open_routes() -> Vec<OpenRoute> {
    let open = |pattern, name, serve| OpenRoute {
        method: Method::GET,
        pattern: Pattern::new(pattern),
        name,
        always: true,
        serve,
    };
    vec![
        open("/keystead/v1/health", "health", health::serve),
        open("/keystead/v1/live", "live", ready::live),
        open("/keystead/v1/ready", "ready", ready::serve),
        open("/keystead/v1/audit/logs", "audit/logs", logs::list),
        open("/keystead/v1/audit/logs/{id}/checkpoint", "audit/checkpoint", logs::checkpoint),
        open("/keystead/v1/audit/logs/{id}/tile/{path*}", "audit/tile", logs::tile),
    ]
}

fn nothing((): (), _: &Context<'_>) -> Body {
    Body::empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_api_table::Access;

    #[test]
    fn only_details_the_seal_backups_the_clock_approvals_and_the_policy_need_a_caller() {
        let with_caller: Vec<_> =
            protocol().entries().filter(|r| r.access == Access::Caller).map(|r| (r.pattern, r.name)).collect();
        let (policy, rest): (Vec<_>, Vec<_>) =
            with_caller.into_iter().partition(|(pattern, _)| pattern.starts_with("/keystead/v1/policy"));
        let expected = [
            ("/keystead/v1/audit/records", "audit/read"),
            ("/keystead/v1/vault/seal", "vault/seal"),
            ("/keystead/v1/backups", "backup/read"),
            ("/keystead/v1/inventory", "backup/inventory"),
            ("/keystead/v1/clock", "clock/read"),
            ("/keystead/v1/clock/confirm", "clock/confirm"),
            ("/keystead/v1/approvals", "approvals/read"),
            ("/keystead/v1/approvals/{id}", "approvals/read"),
            ("/keystead/v1/approvals/{id}/votes", "approvals/vote"),
        ];
        assert_eq!(rest, expected);
        assert!(policy.len() == 14 && policy.iter().all(|(_, name)| name.starts_with("policy/")), "{policy:?}");
    }
}
