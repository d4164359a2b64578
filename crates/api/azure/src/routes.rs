//! The table.

use crate::{errors, format, openid, parse, version};
use hyper::{Method, StatusCode};
use keystead_api_table::{Front, OpenRoute, Pattern, ProofRoute, Protocol, Route, route};

const OK: StatusCode = StatusCode::OK;

/// The Key Vault data plane, with the identity endpoints its clients need.
pub fn protocol() -> Protocol {
    Protocol {
        name: "azure",
        routes: routes(),
        open_routes: open_routes(),
        proof_routes: proof_routes(),
        version: version::check,
        refusal: errors::refusal,
        turned_away: errors::turned_away,
        bad_parameter: errors::bad_parameter,
    }
}

/// How a vault's authority answers before a route is known.
pub fn front() -> Front {
    Front { not_authenticated: errors::not_authenticated, turned_away: errors::turned_away, no_route: errors::no_route }
}

/// Literals stand before parameters: `versions` before `{version?}`.
fn routes() -> Vec<Route> {
    use format::{attestation, key, list, operation, rotation};
    use parse::{import as i, key as p, list as l, operation as o, rotation as r};
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    let (patch, delete) = (Method::PATCH, Method::DELETE);
    vec![
        route(post.clone(), "/keys/{name}/{version?}/sign", o::sign, OK, operation::result),
        route(post.clone(), "/keys/{name}/{version?}/verify", o::verify, OK, operation::verified),
        route(post.clone(), "/keys/{name}/{version?}/encrypt", o::encrypt, OK, operation::result),
        route(post.clone(), "/keys/{name}/{version?}/decrypt", o::decrypt, OK, operation::result),
        route(post.clone(), "/keys/{name}/{version?}/wrapkey", o::wrap, OK, operation::result),
        route(post.clone(), "/keys/{name}/{version?}/unwrapkey", o::unwrap, OK, operation::result),
        route(post.clone(), "/keys/{name}/create", p::create, OK, key::key),
        route(put.clone(), "/keys/{name}", i::import, OK, key::key),
        route(post.clone(), "/keys/{name}/rotate", r::rotate, OK, key::key),
        route(get.clone(), "/keys/{name}/rotationpolicy", r::get, OK, rotation::policy),
        route(put, "/keys/{name}/rotationpolicy", r::set, OK, rotation::policy),
        route(post.clone(), "/keys/{name}/backup", i::backup, OK, format::value),
        route(post.clone(), "/keys/restore", i::restore, OK, key::key),
        route(post.clone(), "/rng", i::random, OK, format::value),
        route(get.clone(), "/keys", l::keys, OK, list::keys),
        route(get.clone(), "/keys/{name}/versions", l::versions, OK, list::versions),
        route(get.clone(), "/keys/{name}/{version?}/attestation", p::attestation, OK, attestation::key),
        route(get.clone(), "/keys/{name}/{version?}", p::get, OK, key::key),
        route(patch, "/keys/{name}/{version?}", p::update, OK, key::key),
        route(delete.clone(), "/keys/{name}", p::delete, OK, key::deleted),
        route(get.clone(), "/deletedkeys", l::deleted, OK, list::deleted),
        route(get, "/deletedkeys/{name}", p::get_deleted, OK, key::deleted),
        route(delete, "/deletedkeys/{name}", p::purge, StatusCode::NO_CONTENT, format::nothing),
        route(post, "/deletedkeys/{name}/recover", p::recover, OK, key::key),
    ]
    .into_iter()
    .chain(backups())
    .chain(security_domain())
    .chain(roles())
    .collect()
}

/// Backups of the whole vault, in vaults of both kinds.
fn backups() -> Vec<Route> {
    use format::backup as f;
    use parse::backup as p;
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    const BEGUN: StatusCode = StatusCode::ACCEPTED;
    vec![
        route(post.clone(), "/backup", p::start, BEGUN, f::begun),
        route(post, "/prebackup", p::check, BEGUN, f::begun),
        route(get.clone(), "/backup/{job}/pending", p::read, OK, f::status),
        route(put.clone(), "/restore", p::restore, BEGUN, f::begun),
        route(put.clone(), "/prerestore", p::check_restore, BEGUN, f::begun),
        route(put, "/keys/{name}/restore", p::restore_key, BEGUN, f::begun),
        route(get, "/restore/{job}/pending", p::read_restore, OK, f::status),
    ]
}

/// The security domain, in vaults of both kinds.
fn security_domain() -> Vec<Route> {
    use format::security_domain as f;
    use parse::security_domain as p;
    let (get, post) = (Method::GET, Method::POST);
    const BEGUN: StatusCode = StatusCode::ACCEPTED;
    vec![
        route(post.clone(), "/securitydomain/download", p::download, BEGUN, f::downloaded),
        route(get.clone(), "/securitydomain/download/pending", p::read_download, OK, f::status),
        route(get.clone(), "/securitydomain/upload", p::transfer_key, OK, f::transfer_key),
        route(post, "/securitydomain/upload", p::upload, BEGUN, f::uploaded),
        route(get, "/securitydomain/upload/pending", p::read_upload, OK, f::status),
    ]
}

/// Definitions live at `/`, assignments at each scope. A key may be named `providers`: its paths are longer.
fn roles() -> Vec<Route> {
    use format::role as f;
    use parse::role as p;
    const DEFINITION: &str = "/providers/Microsoft.Authorization/roleDefinitions/{role}";
    let (get, put, delete) = (Method::GET, Method::PUT, Method::DELETE);
    let patch = Method::PATCH;
    let made = StatusCode::CREATED;
    let mut all = vec![
        route(get.clone(), "/settings", p::settings, OK, f::settings),
        route(get.clone(), "/settings/{setting}", p::setting, OK, f::setting),
        route(patch, "/settings/{setting}", p::set_setting, OK, f::setting),
        route(get.clone(), "/providers/Microsoft.Authorization/roleDefinitions", p::definitions, OK, f::definitions),
        route(get.clone(), DEFINITION, p::definition, OK, f::definition),
        route(put.clone(), DEFINITION, p::set_definition, made, f::definition),
        route(delete.clone(), DEFINITION, p::delete_definition, OK, f::definition),
    ];
    for (list, one) in ASSIGNMENTS {
        all.extend([
            route(get.clone(), list, p::assignments, OK, f::assignments),
            route(get.clone(), one, p::assignment, OK, f::assignment),
            route(put.clone(), one, p::assign, made, f::assignment),
            route(delete.clone(), one, p::unassign, OK, f::assignment),
        ]);
    }
    all
}

/// Role assignments at the three scopes: all of them, and one.
const ASSIGNMENTS: [(&str, &str); 3] = [
    (
        "/providers/Microsoft.Authorization/roleAssignments",
        "/providers/Microsoft.Authorization/roleAssignments/{assignment}",
    ),
    (
        "/keys/providers/Microsoft.Authorization/roleAssignments",
        "/keys/providers/Microsoft.Authorization/roleAssignments/{assignment}",
    ),
    (
        "/keys/{name}/providers/Microsoft.Authorization/roleAssignments",
        "/keys/{name}/providers/Microsoft.Authorization/roleAssignments/{assignment}",
    ),
];

fn open_routes() -> Vec<OpenRoute> {
    let open = |pattern, name, serve| OpenRoute {
        method: Method::GET,
        pattern: Pattern::new(pattern),
        name,
        always: false,
        serve,
    };
    vec![
        open("/{tenant}/.well-known/openid-configuration", "openid/discovery", openid::discovery),
        open("/{tenant}/v2.0/.well-known/openid-configuration", "openid/discovery", openid::discovery),
        open("/{tenant}/discovery/v2.0/keys", "openid/keys", openid::keys),
    ]
}

fn proof_routes() -> Vec<ProofRoute> {
    vec![
        ProofRoute {
            method: Method::POST,
            pattern: Pattern::new("/{tenant}/oauth2/v2.0/token"),
            name: "tokens/client-credentials",
            parse: parse::token::client_credentials,
            format: format::token::oauth,
            fault: format::token::fault,
        },
        ProofRoute {
            method: Method::GET,
            pattern: Pattern::new("/keystead/v1/identity/token"),
            name: "tokens/managed-identity",
            parse: parse::token::managed_identity,
            format: format::token::managed_identity,
            fault: format::token::fault,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_api_table::{Access, Segments};

    #[test]
    fn no_row_stands_twice() {
        let all: Vec<_> = protocol().entries().collect();
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| (&a.method, a.pattern) != (&b.method, b.pattern)), "{}", a.pattern);
        }
        assert_eq!(all.iter().filter(|r| r.access == Access::Caller).count(), 55);
    }

    /// The pattern that answers to a request, as the table looks it up.
    fn answering(method: &Method, path: &str) -> Option<&'static str> {
        let path = Segments::parse(path).unwrap();
        let rows = protocol();
        let found = rows.entries().find(|r| r.method == *method && Pattern::new(r.pattern).matches(&path));
        found.map(|r| r.pattern)
    }

    #[test]
    fn every_form_that_clients_send_reaches_its_row() {
        for (method, path, pattern) in [
            (Method::GET, "/keys/foo/", "/keys/{name}/{version?}"),
            (Method::GET, "/keys/foo/0123456789abcdef0123456789abcdef", "/keys/{name}/{version?}"),
            (Method::PATCH, "/keys/foo/", "/keys/{name}/{version?}"),
            (Method::POST, "/keys/foo//encrypt", "/keys/{name}/{version?}/encrypt"),
            (
                Method::POST,
                "//KEYS/foo/0123456789abcdef0123456789abcdef/unwrapKey/",
                "/keys/{name}/{version?}/unwrapkey",
            ),
            (Method::GET, "/keys/foo/versions", "/keys/{name}/versions"),
            (Method::GET, "/keys/", "/keys"),
            (Method::DELETE, "/deletedkeys/foo/", "/deletedkeys/{name}"),
            (Method::GET, "///providers/Microsoft.Authorization/roleAssignments", ASSIGNMENTS[0].0),
            (Method::GET, "/%2F/providers/microsoft.authorization/roleassignments", ASSIGNMENTS[0].0),
            (Method::PUT, "//providers/Microsoft.Authorization/roleAssignments/0", ASSIGNMENTS[0].1),
            (Method::GET, "/keys/providers/Microsoft.Authorization/roleAssignments", ASSIGNMENTS[1].0),
            (Method::GET, "//keys/providers/Microsoft.Authorization/roleAssignments/0", ASSIGNMENTS[1].1),
            (Method::GET, "/%2Fkeys%2Ffoo/providers/Microsoft.Authorization/roleAssignments", ASSIGNMENTS[2].0),
            (Method::DELETE, "/keys/providers/providers/Microsoft.Authorization/roleAssignments/0", ASSIGNMENTS[2].1),
            (Method::GET, "/keys/providers", "/keys/{name}/{version?}"),
            (Method::PUT, "/keys/foo", "/keys/{name}"),
            (Method::PUT, "/keys/restore", "/keys/{name}"),
            (Method::POST, "/keys/restore", "/keys/restore"),
            (Method::POST, "/keys/foo/rotate", "/keys/{name}/rotate"),
            (Method::POST, "/keys/restore/backup", "/keys/{name}/backup"),
            (Method::GET, "/keys/foo/rotationpolicy", "/keys/{name}/rotationpolicy"),
            (Method::PUT, "/keys/foo/rotationpolicy/", "/keys/{name}/rotationpolicy"),
            (Method::GET, "/keys/foo//attestation", "/keys/{name}/{version?}/attestation"),
            (Method::PUT, "/keys/restore/restore", "/keys/{name}/restore"),
            (Method::GET, "/backup/0123456789abcdef0123456789abcdef/pending", "/backup/{job}/pending"),
            (Method::POST, "/rng", "/rng"),
        ] {
            assert_eq!(answering(&method, path), Some(pattern), "{method} {path}");
        }
        assert_eq!(answering(&Method::POST, "/keys/foo/release"), None);
    }
}
