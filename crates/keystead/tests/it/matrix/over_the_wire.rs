//! The same rules over TLS, for the wiring of the binary: from the authority to the vault, and what becomes of headers.

use super::path;
use super::rules::{OPEN_ROUTES, rows, rules};
use crate::support::{Http, Place, Reply, Server};
use keystead_api_table::{Access, RouteInfo};

struct Wire {
    http: Http,
    host: String,
    log: String,
}

impl Wire {
    fn new(server: &Server, port: u16) -> Self {
        let mut http = server.http_at(port);
        let logs = http.get("/keystead/v1/audit/logs").unwrap().ok();
        let log = logs["logs"][0]["id"].as_str().unwrap().to_owned();
        // The first checkpoint comes at most a second behind.
        while http.get(&format!("/keystead/v1/audit/logs/{log}/checkpoint")).unwrap().status == 404 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Self { http, host: format!("localhost:{port}"), log }
    }

    fn send(&mut self, row: &RouteInfo, token: Option<&str>) -> Reply {
        let target = format!("{}?api-version=7.6&iss=none", path(row, "a", &self.log));
        let bearer = token.map(|t| format!("Bearer {t}"));
        let mut headers = vec![("host", self.host.as_str())];
        headers.extend(bearer.as_deref().map(|b| ("authorization", b)));
        self.http.send(row.method.as_str(), &target, &headers, b"").unwrap()
    }
}

#[test]
fn the_binary_keeps_the_rules_on_every_route() {
    let place = Place::new();
    let server = place.dev();
    let token = server.vault().token;
    let mut open = Wire::new(&server, place.port);
    for row in rows() {
        for bad in [None, Some("a.b.c"), Some("eyJhbGciOiJub25lIn0.e30.")] {
            let reply = open.send(&row, bad);
            let challenge = reply.header("www-authenticate");
            let about = format!("{} {}: {reply:?}", row.method, row.pattern);
            assert_eq!(reply.receipt(), None, "{about}");
            match row.access {
                Access::Caller => {
                    let host = format!("localhost:{}", place.port);
                    let expected = format!(r#"Bearer authorization="https://{host}/adfs", resource="https://{host}""#);
                    assert_eq!((reply.status, challenge), (401, Some(expected.as_str())), "{about}");
                }
                Access::Proof => assert!(challenge.is_none() && (400..402).contains(&reply.status), "{about}"),
                Access::Anybody => {
                    let (_, ok, _) = OPEN_ROUTES.iter().find(|r| r.0 == row.pattern).unwrap();
                    assert_eq!((reply.status, challenge), (*ok, None), "{about}");
                }
            }
        }
    }
    let sealing = |pattern: &str| pattern.ends_with("/seal");
    for row in rows().iter().filter(|r| r.access == Access::Caller && !sealing(r.pattern)) {
        let reply = open.send(row, Some(&token));
        let empty = rules().iter().any(|r| (&r.method, r.pattern) == (&row.method, row.pattern) && r.body.is_empty());
        // No key is there, and where a body is needed none was sent.
        let expected: &[u16] = if empty { &[200, 404] } else { &[400] };
        assert!(expected.contains(&reply.status), "{} {}: {reply:?}", row.method, row.pattern);
        assert_eq!(reply.receipt().is_some(), reply.status != 400, "{} {}", row.method, row.pattern);
    }
    closed(&mut Wire::new(&server, place.hsm_port), &token, "VaultNotActivated");
    assert!(
        place
            .cli(&["vault", "seal", "dev", "--socket", place.data.join("operator.sock").to_str().unwrap()])
            .status
            .success()
    );
    closed(&mut open, &token, "VaultSealed");
}

/// A vault that lets nobody in says so on every route that needs it open, whatever the token, and challenges nobody.
fn closed(wire: &mut Wire, token: &str, code: &str) {
    for row in rows() {
        let always = OPEN_ROUTES.iter().any(|r| r.0 == row.pattern && r.2);
        for token in [None, Some("a.b.c"), Some(token)] {
            let reply = wire.send(&row, token);
            let about = format!("{} {}: {reply:?}", row.method, row.pattern);
            assert!(reply.header("www-authenticate").is_none() && reply.receipt().is_none(), "{about}");
            match row.access {
                _ if always => assert!([200, 404, 503].contains(&reply.status), "{about}"),
                Access::Proof => assert_eq!(reply.status, 403, "{about}"),
                _ => assert_eq!((reply.status, reply.code().as_str()), (403, code), "{about}"),
            }
        }
    }
}
