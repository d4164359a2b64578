//! Requests that were good once, changed at random by a fixed seed: never a fault, never a wait, the server stays as it
//! was.

use super::desk::Desk;
use crate::support::{Http, b64};
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const REQUESTS: usize = 2_000;

/// A request that would succeed.
struct Good {
    method: &'static str,
    target: String,
    body: Vec<u8>,
}

#[test]
fn mutated_requests_never_fault_hang_or_swell_the_server() {
    let mut desk = Desk::new();
    let good = good(&mut desk);
    let bearer = desk.bearer();
    let mut dice = Dice(0x5eed_0001);
    let before = resident_kib(desk.server.pid());
    let (mut http, mut slow) = (desk.another(), 0);
    let mut seen = [0_usize; 6];
    for n in 0..REQUESTS {
        let from = &good[dice.below(good.len())];
        let asked = Instant::now();
        let (status, text) = match n % 4 {
            0 => head_mutated(&mut dice, &desk, from, &bearer),
            _ => body_mutated(&mut dice, &mut http, from, &bearer),
        };
        seen[usize::from(status / 100)] += 1;
        assert!(status < 500, "request {n}: {status}: {text}");
        slow += usize::from(asked.elapsed() > Duration::from_secs(8));
        if status >= 400 {
            desk.tells_nothing(&text, "a refusal");
        }
    }
    // 0 stands for a connection closed without an answer; most are understood well enough to be refused.
    assert!(seen[4] > REQUESTS / 4 && seen[2] > 0, "{seen:?}");
    let after = resident_kib(desk.server.pid());
    assert!(after < before + (48 << 10), "resident memory went from {before} to {after} KiB");
    // The server's own limits are 10 s. A busy machine has a slow moment now and then, an input that waits for a limit
    // comes many times in so many.
    assert!(slow <= REQUESTS / 100, "{slow} requests took longer than 8 s");
    let mut vault = desk.server.vault();
    vault.create("still-alive", "EC").unwrap().ok();
    let log = desk.server.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(desk.server.stop().success());
}

fn good(desk: &mut Desk) -> Vec<Good> {
    let sealed =
        desk.call("POST", "/keys/oct//encrypt", &serde_json::json!({ "alg": "A256GCM", "value": "AAAA" })).ok();
    let open =
        format!(r#"{{"alg":"A256GCM","value":{},"iv":{},"tag":{}}}"#, sealed["value"], sealed["iv"], sealed["tag"]);
    let digest = b64(&[7; 32]);
    let one = |method, path: &str, body: &str| {
        let target = if path.contains('?') { path.to_owned() } else { format!("{path}?api-version=7.6") };
        Good { method, target, body: body.as_bytes().to_vec() }
    };
    vec![
        one(
            "POST",
            "/keys/fuzz/create",
            r#"{"kty":"EC","crv":"P-256","tags":{"a":"b"},"attributes":{"exp":4000000000}}"#,
        ),
        one("POST", "/keys/ec//sign", &format!(r#"{{"alg":"ES256","value":"{digest}"}}"#)),
        one("POST", "/keys/oct//encrypt", r#"{"alg":"A256GCM","value":"AAAA","aad":"AA"}"#),
        one("POST", "/keys/oct//decrypt", &open),
        one("PATCH", "/keys/ec/", r#"{"tags":{"c":"d"},"attributes":{"enabled":true},"key_ops":["sign","verify"]}"#),
        one("GET", "/keys/ec/versions?api-version=7.6&maxresults=1&$skiptoken=AAAAAAAAAAAAAAAAAAAAAA", ""),
        one("GET", "/keys?api-version=2025-07-01", ""),
        one("GET", "/keystead/v1/audit/records?n=3&from=0", ""),
        one("POST", "/keystead/v1/clock/confirm", &format!(r#"{{"time":{}}}"#, crate::inside::now().0)),
        one(
            "POST",
            "/adfs/oauth2/v2.0/token",
            "grant_type=client_credentials&client_id=a&client_secret=b&scope=https%3A%2F%2Fa%2F.default",
        ),
        one("GET", "/keystead/v1/audit/logs/00000000000000000000000000000000/tile/0/x001/067", ""),
        one("GET", "/adfs/v2.0/.well-known/openid-configuration", ""),
    ]
}

/// Target and body are changed; the head is a proper one. Over one connection.
fn body_mutated(dice: &mut Dice, http: &mut Http, from: &Good, bearer: &str) -> (u16, String) {
    let mut body = from.body.clone();
    dice.mutate(&mut body);
    let mut target = from.target.clone().into_bytes();
    if dice.below(2) == 0 {
        dice.mutate(&mut target);
    }
    // What may not stand in a request line is for the other kind.
    let target: String = target.iter().map(|b| if b.is_ascii_graphic() { *b as char } else { '%' }).collect();
    match http.send(from.method, &format!("/{}", target.trim_start_matches('/')), &[("authorization", bearer)], &body) {
        Ok(reply) => (reply.status, String::from_utf8_lossy(&reply.body).into_owned()),
        Err(_) => (0, String::new()),
    }
}

/// Any byte of the head is changed. Then the client says that it has ended, so that no length makes the server wait.
fn head_mutated(dice: &mut Dice, desk: &Desk, from: &Good, bearer: &str) -> (u16, String) {
    let Good { method, target, body } = from;
    let mut bytes = format!(
        "{method} {target} HTTP/1.1\r\nhost: localhost:{}\r\nauthorization: {bearer}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        desk.place.port,
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    dice.mutate(&mut bytes);
    let mut stream = desk.another().connect().unwrap();
    let _ = stream.write_all(&bytes);
    let text = rest(&mut stream);
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|t| t.get(..3)?.parse().ok()).unwrap_or(0);
    (status, text)
}

fn rest(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> String {
    stream.conn.send_close_notify();
    let _ = stream.flush();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn resident_kib(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Numbers from a seed (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap()
    }

    fn below(&mut self, n: usize) -> usize {
        self.next() % n.max(1)
    }

    /// One to four changes: a byte, a gap, a repetition, a piece of something odd.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const ODD: &[&[u8]] = &[
            b"\0",
            b"\"",
            b"\\",
            b"\\u0000",
            b"\xff\xfe",
            b"\r\n",
            b"%",
            b"%00",
            b"/../",
            b"{",
            b"[[[[",
            b"null",
            b"-1",
            b"99999999999999999999",
            b"1e999",
            b"&&",
            b"=",
            b"?",
            b" ",
            b"transfer-encoding: chunked\r\n",
        ];
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(8)).min(bytes.len());
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let piece = bytes[at..end].repeat(1 + self.below(200));
                    drop(bytes.splice(at..at, piece));
                }
                3 => bytes.truncate(at),
                _ => drop(bytes.splice(at..at, ODD[self.below(ODD.len())].iter().copied())),
            }
        }
    }
}
