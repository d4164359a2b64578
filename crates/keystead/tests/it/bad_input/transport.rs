//! Below the protocol: hosts, versions, methods, headers, bodies, and what is no HTTPS at all.

use super::desk::Desk;
use crate::support::{Http, Reply};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

const CREATE: &[u8] = br#"{"kty":"EC"}"#;

#[test]
fn an_unknown_host_is_not_found_and_not_challenged() {
    let desk = Desk::new();
    let (mut http, bearer, port) = (desk.another(), desk.bearer(), desk.place.port);
    for host in [
        "other.localhost:1",
        "localhost",
        "",
        "dev.localhost.:1",
        "[::2]:9",
        "a b",
        "localhost:0",
        "user@localhost",
        "x/y",
    ] {
        for headers in [vec![("host", host)], vec![("host", host), ("authorization", &bearer)]] {
            let reply = http.send("GET", "/keys?api-version=7.6", &headers, b"").unwrap();
            desk.clear(&reply, 404, "VaultNotFound", host);
        }
    }
    let absolute = format!("https://other.localhost:{port}/keys?api-version=7.6");
    desk.clear(&http.send("GET", &absolute, &[], b"").unwrap(), 404, "VaultNotFound", "absolute form");
    desk.clear(&http.raw(b"GET /keys HTTP/1.1\r\n\r\n").unwrap(), 404, "VaultNotFound", "no host at all");
    desk.unchanged();
}

#[test]
fn a_missing_or_odd_version_path_or_method_is_refused() {
    let desk = Desk::new();
    let (mut http, bearer) = (desk.another(), desk.bearer());
    let mut refused = |method: &str, target: &str, more: &[(&str, &str)], status: u16, code: &str| {
        let headers = [&[("authorization", bearer.as_str())], more].concat();
        let reply = http.send(method, target, &headers, b"").unwrap();
        desk.clear(&reply, status, code, &format!("{method} {target}"));
        reply
    };
    for version in
        ["", "?api-version=", "?api-version=latest", "?api-version=8.0", "?api-version=2025-13-01", "?API=7.6"]
    {
        refused("GET", &format!("/keys{version}"), &[], 400, "BadParameter");
        refused("DELETE", &format!("/keys/ec{version}"), &[], 400, "BadParameter");
    }
    for version in ["?api-version=%37.6%00", "?api-version=7.6-preview.9", "?api-version=+7.6", "?api-version=7.6%26"] {
        refused("GET", &format!("/keys{version}"), &[], 400, "BadParameter");
    }
    for method in ["PUT", "OPTIONS", "TRACE", "BREW"] {
        let reply = refused(method, "/keys?api-version=7.6", &[], 405, "MethodNotAllowed");
        assert!(reply.header("allow").unwrap().contains("GET"), "{method}");
    }
    // A method hidden in a header is not followed: what a proxy let through is what is done.
    for name in ["x-http-method", "x-http-method-override", "x-method-override"] {
        refused("POST", "/keys/ec?api-version=7.6", &[(name, "DELETE")], 405, "MethodNotAllowed");
    }
    for target in [
        "/",
        "//",
        "/secrets",
        "/certificates",
        "/rngs",
        "/..",
        "/.%2e/",
        "/keys%2Fec",
        "/%00",
        "/keystead/v1/operator/vaults",
    ] {
        refused("GET", &format!("{target}?api-version=7.6"), &[], 404, "NotFound");
    }
    for target in ["/keys/ec/x/y/z", "/keys/ec//dance", "/deletedkeys/ec/x/y"] {
        refused("POST", &format!("{target}?api-version=7.6"), &[], 400, "BadParameter");
    }
    // The answer to HEAD has no body, so that it has no code either.
    let head = format!(
        "HEAD /keys?api-version=7.6 HTTP/1.1\r\nhost: localhost:{}\r\nauthorization: {bearer}\r\n\
         connection: close\r\n\r\n",
        desk.place.port
    );
    let (text, _) = until_closed(&desk.another(), head.as_bytes());
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 405 ") && body.is_empty(), "{text}");
    assert!(head.lines().any(|line| line.starts_with("allow: ") && line.contains("GET")), "{text}");
    desk.tells_nothing(&text, "HEAD");
    desk.unchanged();
}

#[test]
fn a_path_cannot_leave_its_place() {
    let desk = Desk::new();
    let mut http = desk.another();
    let logs = http.get("/keystead/v1/audit/logs").unwrap().ok();
    let log = logs["logs"][0]["id"].as_str().unwrap().to_owned();
    for path in [
        "tile/../checkpoint",
        "tile/..%2fcheckpoint",
        "tile/%2e%2e/%2e%2e/%2e%2e/node.key",
        "tile/..%2f..%2f..%2f..%2fpath.key",
        "tile//etc/passwd",
        "tile/%2Fetc%2Fpasswd",
        "tile/0/000%00",
        "tile/0/000.p/999",
        "tile/0/000.p/1%2f..",
        "checkpoint/..",
    ] {
        let reply = http.get(&format!("/keystead/v1/audit/logs/{log}/{path}")).unwrap();
        // What is no route of its own needs a caller like everything else.
        assert!([401, 404].contains(&reply.status), "{path}: {reply:?}");
        desk.tells_nothing(&String::from_utf8_lossy(&reply.body), path);
    }
    for id in ["..", "%2e%2e", "0", &"0".repeat(32), &log.to_uppercase(), &format!("{log}%00")] {
        let reply = http.get(&format!("/keystead/v1/audit/logs/{id}/checkpoint")).unwrap();
        assert!([401, 404].contains(&reply.status), "{id}: {reply:?}");
    }
    desk.unchanged();
}

#[test]
fn nobody_unknown_makes_the_server_read_a_long_body() {
    let desk = Desk::new();
    let (port, bearer) = (desk.place.port, desk.bearer());
    // Only heads are sent: an answer says that no body is waited for.
    let head = |target: &str, more: &str| {
        let host = format!("host: localhost:{port}\r\n{more}content-length: 500000\r\n");
        format!("POST {target} HTTP/1.1\r\n{host}\r\n")
    };
    for more in ["", "authorization: Bearer a.b.c\r\n"] {
        let reply = desk.another().raw(head("/keys/restore?api-version=7.6", more).as_bytes()).unwrap();
        assert_eq!((reply.status, reply.code().as_str()), (401, "Unauthorized"), "{more}");
        assert!(reply.header("www-authenticate").is_some_and(|c| c.starts_with("Bearer ")), "{reply:?}");
    }
    let reply = desk.another().raw(head("/adfs/oauth2/v2.0/token", "").as_bytes()).unwrap();
    desk.clear(&reply, 413, "RequestEntityTooLarge", "a token is asked for in few words");
    let known = head("/keys/restore?api-version=7.6", &format!("authorization: {bearer}\r\n"));
    let whole = [known.as_bytes(), &b"x".repeat(500_000)].concat();
    desk.clear(&desk.another().raw(&whole).unwrap(), 400, "BadParameter", "a proven caller's is read");
    desk.unchanged();
}

#[test]
fn heads_and_bodies_over_their_bounds_are_refused_early() {
    let desk = Desk::new();
    let (port, bearer) = (desk.place.port, desk.bearer());
    let host = format!("host: localhost:{port}\r\n");
    let create = format!("POST /keys/new/create?api-version=7.6 HTTP/1.1\r\n{host}authorization: {bearer}\r\n");
    let long = "x".repeat(40 << 10);
    for head in [
        format!("GET /{long} HTTP/1.1\r\n{host}\r\n"),
        format!("GET /keys?api-version=7.6&x={long} HTTP/1.1\r\n{host}\r\n"),
        format!("GET /keys HTTP/1.1\r\n{host}x: {long}\r\n\r\n"),
        format!("GET /keys HTTP/1.1\r\n{host}{}\r\n", "x: y\r\n".repeat(101)),
    ] {
        let reply = desk.another().raw(head.as_bytes()).unwrap();
        assert!([414, 431].contains(&reply.status), "{reply:?}");
    }
    let token = format!("Bearer {}", "a".repeat(17_000));
    let reply = desk.another().send("GET", "/keys?api-version=7.6", &[("authorization", &token)], b"").unwrap();
    assert_eq!((reply.status, reply.code().as_str()), (401, "Unauthorized"));

    // Said to be too long: refused without one byte of it.
    let reply = desk.another().raw(format!("{create}content-length: {}\r\n\r\n", (1 << 20) + 1).as_bytes()).unwrap();
    desk.clear(&reply, 413, "RequestEntityTooLarge", "content-length");
    let chunks = format!("100000\r\n{}\r\n10\r\n{}\r\n0\r\n\r\n", "x".repeat(1 << 20), "x".repeat(16));
    let reply = desk.another().raw(format!("{create}transfer-encoding: chunked\r\n\r\n{chunks}").as_bytes()).unwrap();
    desk.clear(&reply, 413, "RequestEntityTooLarge", "chunked");
    for broken in ["zz\r\nab\r\n0\r\n\r\n", "-1\r\n\r\n", "ffffffffffffffffff\r\n", "2\r\nabcd\r\n0\r\n\r\n"] {
        let sent = format!("{create}transfer-encoding: chunked\r\n\r\n{broken}");
        let reply = desk.another().raw(sent.as_bytes()).unwrap();
        desk.clear(&reply, 400, "BadParameter", broken);
    }
    desk.unchanged();
}

/// A request that two servers in a row could read differently is refused by the first.
#[test]
fn a_body_of_two_lengths_is_refused() {
    let desk = Desk::new();
    let (port, bearer) = (desk.place.port, desk.bearer());
    let head = format!(
        "POST /keys/new/create?api-version=7.6 HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: {bearer}\r\n"
    );
    let body = String::from_utf8_lossy(CREATE);
    for lengths in [
        "content-length: 12\r\ncontent-length: 13\r\n",
        "content-length: -12\r\n",
        "content-length: +12\r\n",
        "content-length: 0x0c\r\n",
        "content-length: 12, 13\r\n",
        "content-length: 99999999999999999999999\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "content-length : 12\r\n",
        " content-length: 12\r\n",
    ] {
        let reply = desk.another().raw(format!("{head}{lengths}\r\n{body}").as_bytes());
        assert_eq!(reply.map(|r| r.status).unwrap_or(400), 400, "{lengths:?}");
    }
    desk.unchanged();
}

#[test]
fn a_slow_head_or_body_is_cut_off_and_a_broken_one_changes_nothing() {
    let desk = Desk::new();
    let (port, bearer) = (desk.place.port, desk.bearer());
    let create = format!(
        "POST /keys/new/create?api-version=7.6 HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: {bearer}\r\n"
    );
    let slow_body = format!("{create}content-length: 12\r\n\r\n{{\"kty\"");
    let slow_head = format!("{create}x-waiting: ");
    let (body, head) = std::thread::scope(|s| {
        let body = s.spawn(|| until_closed(&desk.another(), slow_body.as_bytes()));
        let head = s.spawn(|| until_closed(&desk.another(), slow_head.as_bytes()));
        (body.join().unwrap(), head.join().unwrap())
    });
    for (text, took) in [&body, &head] {
        // 10 s, and much less than this client would wait.
        assert!((8..100).contains(&took.as_secs()), "{took:?}: {text}");
    }
    assert!(body.0.starts_with("HTTP/1.1 408 "), "{}", body.0);
    desk.tells_nothing(&body.0, "a slow body");
    let mut broken = desk.another().connect().unwrap();
    broken.write_all(slow_body.as_bytes()).unwrap();
    broken.flush().unwrap();
    drop(broken);
    desk.unchanged();
}

#[test]
fn what_is_no_https_is_told_so_or_closed() {
    let desk = Desk::new();
    let port = desk.place.port;
    let plain = plainly(port, b"GET /keys HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(plain.starts_with("HTTP/1.1 400 ") && plain.contains("use https://"), "{plain}");
    for garbage in [b"\x16\x03\x01\xff\xff\xff".as_slice(), b"\x16", b"\x00\x01\x02", b"SSH-2.0-x\r\n", &[0x16; 4096]] {
        let text = plainly(port, garbage);
        assert!(!text.contains("HTTP/1.1 2") && text.len() < 400, "{garbage:?}: {text}");
    }
    for garbage in [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\nx y z\r\n\r\n",
    ] {
        let reply: io::Result<Reply> = desk.another().raw(garbage);
        assert!(reply.map(|r| r.status).unwrap_or(400) < 500, "{garbage:?}");
    }
    desk.unchanged();
}

/// Sends without TLS, then reads what comes until the end.
fn plainly(port: u16, bytes: &[u8]) -> String {
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    // The server may have closed by now.
    let _ = tcp.write_all(bytes).and_then(|()| tcp.shutdown(std::net::Shutdown::Write));
    let mut text = Vec::new();
    let _ = tcp.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Sends, and waits for the server to close; what it said, and how long it waited.
fn until_closed(http: &Http, bytes: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = http.connect().unwrap();
    stream.write_all(bytes).unwrap();
    stream.flush().unwrap();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    (String::from_utf8_lossy(&text).into_owned(), began.elapsed())
}
