//! What an operator sees of a server that runs: metrics, readiness, the log, traces and the syslog copy. None of it
//! names a key, a caller or a secret.

mod receivers;

use crate::support::{Place, Server, Vault};
use receivers::{Collector, Syslog, free_port, plain_get, until};
use serde_json::{Value, json};
use std::os::unix::net::UnixStream;

/// A key's name that is found wherever it should not be.
const WORD: &str = "ZwergNaseXq";

/// A place where `dev` was once, with what its client needs.
struct Site {
    place: Place,
    id: String,
    secret: String,
}

impl Site {
    fn new() -> Self {
        let place = Place::new();
        let server = place.dev();
        let (id, secret) = (server.env["AZURE_CLIENT_ID"].clone(), server.env["AZURE_CLIENT_SECRET"].clone());
        // It takes signals once it answers.
        assert_eq!(server.http().get("/keystead/v1/health").unwrap().status, 200);
        assert!(server.stop().success());
        Self { place, id, secret }
    }

    /// `keystead serve` with lines of `[audit]` and more sections.
    fn serve(&self, audit: &str, sections: &str) -> (Server, Vault) {
        let server = self.place.serve(audit, sections).unwrap_or_else(|e| panic!("{}", e.text));
        let vault = Vault::log_in(server.http(), &self.id, &self.secret);
        (server, vault)
    }

    fn operator(&self, words: &[&str]) {
        let socket = self.place.data.join("operator.sock");
        let done = self.place.cli(&[&["vault", "--socket", socket.to_str().unwrap()], words].concat());
        assert!(done.status.success(), "{done:?}");
    }

    /// Fails if a name, a token or a credential stands in the text.
    #[track_caller]
    fn names_nothing(&self, text: &str, vault: &Vault) {
        let lower = text.to_ascii_lowercase();
        for (what, canary) in [
            ("a key's name", WORD),
            ("the client's id", &self.id),
            ("the client's secret", &self.secret),
            ("a token", &vault.token[..40]),
        ] {
            assert!(!lower.contains(&canary.to_ascii_lowercase()), "{what} in {text}");
        }
    }
}

/// Makes and uses a key, and is refused once.
fn work(vault: &mut Vault) {
    vault.create(WORD, "EC").unwrap().ok();
    vault.sign(WORD, &[7; 32]).unwrap().ok();
    assert_eq!(vault.get(&format!("{WORD}-nothing")).unwrap().status, 404);
    assert_eq!(vault.http.get("/keys?api-version=7.4").unwrap().status, 401);
}

#[test]
fn metrics_count_every_route_and_name_no_key_and_no_caller() {
    let (site, port) = (Site::new(), free_port());
    let (server, mut vault) = site.serve("", &format!("[metrics]\nlisten = \"127.0.0.1:{port}\""));
    work(&mut vault);
    let page = plain_get(port, "/metrics");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    let page = String::from_utf8(page.body).unwrap();
    for line in [
        r#"keystead_requests_total{protocol="azure",route="keys/sign",outcome="done"} 1"#,
        r#"keystead_requests_total{protocol="azure",route="keys/read",outcome="refused"} 1"#,
        r#"keystead_requests_total{protocol="none",route="none",outcome="unauthenticated"} 1"#,
        r#"keystead_request_duration_seconds_count{protocol="azure",route="keys/sign"} 1"#,
        r#"keystead_turned_away_total{reason="not_authenticated"} 1"#,
        r#"keystead_journal_state{state="ready"} 1"#,
        r#"keystead_vaults{state="open"} 1"#,
        "keystead_store_up 1",
        "keystead_cached_keys 1",
        "keystead_connections_open 1",
        "keystead_scheduler_held 0",
    ] {
        assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
    }
    for family in ["process_resident_memory_bytes ", "keystead_journal_room_bytes ", "keystead_log_records{vault_id="] {
        assert!(page.contains(&format!("\n{family}")), "{family}");
    }
    site.names_nothing(&page, &vault);
    let local = UnixStream::connect(site.place.data.join("operator.sock")).unwrap();
    let same = receivers::get(local, "localhost", "/keystead/v1/operator/metrics");
    assert!(same.status == 200 && String::from_utf8(same.body).unwrap().contains("keystead_requests_total"));
    assert_eq!(plain_get(port, "/keys").status, 404);
    assert!(server.stop().success());
}

#[test]
fn a_sealed_vault_is_not_ready_and_its_node_is() {
    let (site, port) = (Site::new(), free_port());
    let (server, _) = site.serve("", &format!("[metrics]\nlisten = \"127.0.0.1:{port}\""));
    let mut http = server.http();
    let ready = |http: &mut crate::support::Http| {
        let reply = http.get("/keystead/v1/ready").unwrap();
        (reply.status, reply.json())
    };
    assert_eq!(ready(&mut http), (200, json!({ "ready": true, "reasons": [] })));
    site.operator(&["seal", "dev"]);
    let (status, answer) = ready(&mut http);
    assert_eq!((status, &answer["ready"], &answer["reasons"][0]["code"]), (503, &json!(false), &json!("sealed")));
    assert_eq!(http.get("/keystead/v1/live").unwrap().status, 200);
    for (path, expected) in [("/ready", json!({ "ready": true, "reasons": [] })), ("/live", json!({ "live": true }))] {
        let reply = plain_get(port, path);
        assert_eq!((reply.status, reply.json()), (200, expected), "{path}");
    }
    let local = UnixStream::connect(site.place.data.join("operator.sock")).unwrap();
    let node = receivers::get(local, "localhost", "/keystead/v1/operator/ready").json();
    let vaults = node["vaults"].as_array().unwrap();
    assert!(vaults.contains(&json!({ "name": "dev", "status": "sealed" })), "{node}");
    assert!(server.stop().success());
}

#[test]
fn the_log_has_a_line_per_request_with_the_operation_of_its_record_and_no_names() {
    let site = Site::new();
    let (server, mut vault) = site.serve("", "[log]\nlevel = \"debug\"\nformat = \"json\"");
    work(&mut vault);
    let records = vault.records(0);
    let signed = records.iter().find(|r| r["action"] == "keys/sign").unwrap();
    let log = server.log();
    let lines: Vec<Value> =
        log.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect();
    let line = lines.iter().find(|l| l["operation"] == signed["operation"]).unwrap_or_else(|| panic!("{log}"));
    assert_eq!((&line["route"], &line["status"]), (&json!("keys/sign"), &json!(200)));
    assert_eq!((&line["level"], &line["message"]), (&json!("DEBUG"), &json!("answered")));
    let turned_away = lines.iter().find(|l| l["status"] == 401).unwrap();
    assert!(turned_away.get("operation").is_none(), "{turned_away}");
    site.names_nothing(&log, &vault);
    assert!(server.stop().success());
}

#[test]
fn a_trace_shows_the_walk_of_a_request_and_names_nothing() {
    let (site, collector) = (Site::new(), Collector::start());
    let traces = format!("[traces]\notlp = \"http://127.0.0.1:{}\"\nratio = 0.0", collector.port);
    let (server, mut vault) = site.serve("", &traces);
    work(&mut vault);
    let bearer = format!("Bearer {}", vault.token);
    let (trace, above) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let parent = format!("00-{trace}-{above}-01");
    let headers = [("authorization", bearer.as_str()), ("traceparent", parent.as_str())];
    let target = format!("/keys/{WORD}/create?api-version=7.4");
    vault.http.send("POST", &target, &headers, br#"{"kty":"EC"}"#).unwrap().ok();
    let records = vault.records(0);
    assert!(server.stop().success(), "what waits is sent before the end");

    let (spans, text) = collector.spans();
    let named = |name: &str| spans.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("{name}: {text}"));
    let root = named("request");
    assert_eq!((&root["traceId"], &root["parentSpanId"], &root["kind"]), (&json!(trace), &json!(above), &json!(2)));
    for name in ["identity", "parse", "decide", "work", "commit", "journal"] {
        assert_eq!((&named(name)["traceId"], &named(name)["parentSpanId"]), (&json!(trace), &root["spanId"]), "{name}");
    }
    assert_eq!(spans.len(), 7, "only the request that brought a trace: {text}");
    let attribute = |key: &str| {
        let all = root["attributes"].as_array().unwrap();
        all.iter().find(|a| a["key"] == key).unwrap_or_else(|| panic!("{key}: {root}"))["value"].clone()
    };
    let created = records.iter().rfind(|r| r["action"] == "keys/create").unwrap();
    assert_eq!(attribute("keystead.operation")["stringValue"], created["operation"]);
    assert_eq!(attribute("keystead.route")["stringValue"], "keys/create");
    assert_eq!(attribute("http.response.status_code")["intValue"], "200");
    site.names_nothing(&text, &vault);
}

#[test]
fn a_collector_that_is_away_costs_nothing_but_its_traces() {
    let (site, port) = (Site::new(), free_port());
    let sections =
        format!("[traces]\notlp = \"http://127.0.0.1:{}\"\n[metrics]\nlisten = \"127.0.0.1:{port}\"", free_port());
    let (server, mut vault) = site.serve("", &sections);
    work(&mut vault);
    until("the spans are counted as lost", || {
        let page = String::from_utf8(plain_get(port, "/metrics").body).unwrap();
        page.lines().any(|l| l.strip_prefix("keystead_spans_dropped_total ").is_some_and(|n| n != "0"))
    });
    assert!(server.log().contains("traces are lost"), "{}", server.log());
    work(&mut vault);
    assert!(server.stop().success());
}

#[test]
fn syslog_gets_every_record_once_in_order_and_goes_on_after_a_break() {
    let (site, syslog) = (Site::new(), Syslog::start(free_port()));
    let port = syslog.port;
    let target = format!("syslog = \"tcp://127.0.0.1:{port}\"");
    let (server, mut vault) = site.serve(&target, "");
    work(&mut vault);
    until("the records are there", || syslog.messages().iter().any(|m| m.contains("keys/sign")));
    let first = syslog.stop();

    for n in 0..5 {
        vault.create(&format!("{WORD}-{n}"), "EC").unwrap().ok();
    }
    let syslog = Syslog::start(port);
    let last = vault.records(0).last().unwrap()["operation"].as_str().unwrap().to_owned();
    until("the rest is there", || syslog.messages().iter().any(|m| m.contains(&last)));
    assert!(server.stop().success());
    let all = [first, syslog.stop()].concat();
    let mut frames = Vec::new();
    for message in &all {
        let (head, body) = message.split_once(" - {").unwrap_or_else(|| panic!("{message}"));
        let head: Vec<&str> = head.split(' ').collect();
        assert!(matches!(head[0], "<110>1" | "<109>1" | "<108>1"), "{message}");
        assert!(head[1].ends_with('Z') && head[1].len() == 24 && head[3..5] == ["keystead", "-"], "{message}");
        let body: Value = serde_json::from_str(&format!("{{{body}")).unwrap();
        assert!(body["entry"].as_str().unwrap().len() == 64 && body["action"] == head[5], "{message}");
        frames.push(body["frame"].as_u64().unwrap());
    }
    frames.dedup();
    let whole: Vec<u64> = (0..frames.len() as u64).collect();
    let mut sorted = frames.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, whole, "every record at least once: {frames:?}");
    site.names_nothing(&all.join("\n"), &vault);
}

#[test]
fn a_syslog_daemon_that_never_reads_blocks_nobody() {
    let site = Site::new();
    // Accepts by its backlog, and never reads.
    let deaf = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let target = format!("syslog = \"tcp://127.0.0.1:{}\"", deaf.local_addr().unwrap().port());
    let (server, mut vault) = site.serve(&target, "");
    vault.create(WORD, "EC").unwrap().ok();
    for _ in 0..200 {
        vault.get(WORD).unwrap().ok();
    }
    assert!(server.stop().success());
}
