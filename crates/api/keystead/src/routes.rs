//! The table at a vault's authority.

use crate::{errors, health, logs, ready, records};
use hyper::{Method, StatusCode};
use keystead_api_table::{Body, Context, OpenRoute, Pattern, Protocol, Route, route};
use keystead_engine::SealVault;

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
    fn only_what_names_and_details_need_a_caller() {
        let with_caller: Vec<_> =
            protocol().entries().filter(|r| r.access == Access::Caller).map(|r| (r.pattern, r.name)).collect();
        assert_eq!(
            with_caller,
            [("/keystead/v1/audit/records", "audit/read"), ("/keystead/v1/vault/seal", "vault/seal")]
        );
    }
}
