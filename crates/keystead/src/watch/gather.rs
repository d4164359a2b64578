//! All numbers of a node on one page: the requests', the server's, the journal's, the store's, the process's.

use super::metrics::Metrics;
use super::page::{Kind, Page};
use super::traces::Fate;
use keystead_audit::Pump;
use keystead_audit::journal::JournalState;
use keystead_engine::{Figures, Instance, TokenHealth};
use keystead_server::Counters;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Logs with a number of their own on the page.
const LOGS: usize = 256;

/// Where the numbers come from.
pub(crate) struct Sources {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) pumps: Arc<Vec<Pump>>,
    pub(crate) held: Arc<Held>,
    pub(crate) traces: Option<Arc<Fate>>,
}

/// Purges that wait for the clock to be confirmed.
#[derive(Default)]
pub(crate) struct Held(AtomicU64);

impl Held {
    pub(crate) fn set(&self, n: usize) {
        self.0.store(u64::try_from(n).unwrap_or(u64::MAX), Relaxed);
    }
}

impl Sources {
    /// The page.
    pub(crate) async fn page(&self) -> String {
        let store = self.instance.store_answers().await;
        let mut page = Page::default();
        page.family("keystead_build_info", Kind::Gauge, "Which release runs.");
        page.number(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.metrics.write(&mut page);
        self.server(&mut page);
        self.journal(&mut page);
        self.node(&mut page, store);
        tokens(&mut page, &self.instance.tokens());
        if let Some((sent, dropped)) = self.traces.as_ref().map(|t| t.read()) {
            page.one("keystead_spans_sent_total", Kind::Counter, "Spans that the collector took.", sent);
            page.one("keystead_spans_dropped_total", Kind::Counter, "Spans that were lost.", dropped);
        }
        process(&mut page);
        page.into_text()
    }

    fn server(&self, page: &mut Page) {
        let c = self.counters.read();
        let gauge = Kind::Gauge;
        page.one("keystead_requests_in_flight", gauge, "Requests under way.", c.requests_in_flight);
        page.one("keystead_connections_open", gauge, "Connections open now.", c.connections_open);
        page.one("keystead_connections_total", Kind::Counter, "Connections accepted.", c.connections);
        page.family(
            "keystead_connections_refused_total",
            Kind::Counter,
            "Connections that came to nothing, by reason.",
        );
        for (reason, n) in [
            ("limit", c.connections_turned_away),
            ("stranger", c.strangers_turned_away),
            ("handshake", c.handshakes_failed),
            ("plain_http", c.plain_http),
            ("timed_out", c.connections_timed_out),
        ] {
            page.number(&[("reason", reason)], n);
        }
        page.family("keystead_faults_total", Kind::Counter, "Requests that the server answered itself, by reason.");
        for (reason, n) in [
            ("busy", c.requests_busy),
            ("body_too_large", c.bodies_too_large),
            ("body_unfinished", c.bodies_unfinished),
            ("deadline", c.deadlines_missed),
            ("panic", c.panics),
        ] {
            page.number(&[("reason", reason)], n);
        }
        page.family("keystead_turned_away_total", Kind::Counter, "Requests turned away before a decision, by reason.");
        for (reason, n) in self.instance.journal().turned_away_so_far() {
            page.number(&[("reason", &reason.name().replace(' ', "_"))], n);
        }
    }

    fn journal(&self, page: &mut Page) {
        let j = self.instance.journal().health();
        let gauge = Kind::Gauge;
        page.family("keystead_journal_state", gauge, "1 for the state the audit journal is in.");
        let states = ["ready", "low", "full", "failed", "closed"];
        let now = state(&j.state);
        for word in states {
            page.number(&[("state", word)], u64::from(word == now));
        }
        page.one("keystead_journal_records_total", Kind::Counter, "Durable records of all logs.", j.frames);
        page.one("keystead_journal_segments", gauge, "Segments of the journal.", number(j.segments));
        page.one("keystead_journal_used_bytes", gauge, "Bytes of the journal's files.", j.used_bytes);
        if j.max_bytes != u64::MAX {
            page.one("keystead_journal_max_bytes", gauge, "Most bytes they may have.", j.max_bytes);
        }
        page.one("keystead_journal_disk_free_bytes", gauge, "Bytes left on the journal's disk.", j.disk_free_bytes);
        page.one("keystead_journal_room_bytes", gauge, "Bytes that can be reserved at once.", j.room_bytes);
        let help = "Durable records under no checkpoint yet.";
        page.one("keystead_journal_unpublished_records", gauge, help, j.unpublished);
        let help = "1 if tiles and checkpoints cannot be published.";
        page.one("keystead_journal_publish_failing", gauge, help, u64::from(j.publish_error.is_some()));
        page.family("keystead_log_records", gauge, "Records of each log, by its vault's id; 0...0 is the node's own.");
        for (log, size) in self.instance.log_sizes().into_iter().take(LOGS) {
            page.number(&[("vault_id", &log.to_string())], size);
        }
        let sinks: Vec<_> = self.pumps.iter().map(Pump::health).collect();
        page.family("keystead_sink_behind_records", gauge, "Durable records that a sink does not have yet.");
        for (at, sink) in sinks.iter().enumerate() {
            page.number(&[("sink", &at.to_string())], sink.behind);
        }
        page.family("keystead_sink_failing", gauge, "1 if a sink is not getting on.");
        for (at, sink) in sinks.iter().enumerate() {
            page.number(&[("sink", &at.to_string())], u64::from(sink.error.is_some()));
        }
    }

    fn node(&self, page: &mut Page, store: bool) {
        let g = self.instance.gauges();
        let gauge = Kind::Gauge;
        page.one("keystead_store_up", gauge, "1 if the store answers.", u64::from(store));
        page.family("keystead_vaults", gauge, "Vaults by state.");
        for (state, n) in [("open", g.open), ("sealed", g.sealed), ("inactive", g.inactive), ("deleted", g.deleted)] {
            page.number(&[("state", state)], number(n));
        }
        page.one("keystead_cached_keys", gauge, "Opened keys in memory, over all vaults.", number(g.keys));
        page.one("keystead_cached_tokens", gauge, "Verified tokens in memory, over all vaults.", number(g.tokens));
        page.one("keystead_cipher_queue_jobs", gauge, "Jobs that wait for the cipher pool.", number(g.waiting));
        let help = "Open vaults in which the clock is doubted until an administrator confirms it.";
        page.one("keystead_clock_doubted_vaults", gauge, help, number(g.doubted));
        let help = "Purges that are due and wait because the clock is doubted.";
        page.one("keystead_scheduler_held", gauge, help, self.held.0.load(Relaxed));
    }
}

/// The HSM's tokens, by their names in the configuration.
fn tokens(page: &mut Page, tokens: &[TokenHealth]) {
    if tokens.is_empty() {
        return;
    }
    page.family("keystead_token_state", Kind::Gauge, "1 for the state a token of an HSM is in.");
    for token in tokens {
        for word in TokenHealth::STATES {
            page.number(&[("token", &token.name), ("state", word)], u64::from(word == token.state));
        }
    }
    page.family("keystead_token_failed_calls_total", Kind::Counter, "Calls of a token without an answer, by reason.");
    for TokenHealth { name, figures, .. } in tokens {
        for (reason, n) in [("busy", figures.busy), ("down", figures.down), ("late", figures.late)] {
            page.number(&[("token", name), ("reason", reason)], n);
        }
    }
    type Number = (&'static str, Kind, &'static str, fn(&Figures) -> u64);
    let numbers: [Number; 6] = [
        ("keystead_token_calls_total", Kind::Counter, "Calls made of a token.", |f| f.calls),
        ("keystead_token_retried_total", Kind::Counter, "Calls made once more with a new worker.", |f| f.retried),
        ("keystead_token_restarts_total", Kind::Counter, "Workers started after the first.", |f| f.restarts),
        ("keystead_token_kills_total", Kind::Counter, "Workers killed because they held a call.", |f| f.kills),
        ("keystead_token_waiting_calls", Kind::Gauge, "Calls that wait for a session.", |f| f.waiting),
        ("keystead_token_active_calls", Kind::Gauge, "Calls that a token works on.", |f| f.under_way),
    ];
    for (family, kind, help, read) in numbers {
        page.family(family, kind, help);
        for token in tokens {
            page.number(&[("token", &token.name)], read(&token.figures));
        }
    }
}

/// What the kernel tells of this process; what it does not tell is left out.
fn process(page: &mut Page) {
    let resident = || {
        let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
        pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
    };
    if let Some(bytes) = resident() {
        page.one("process_resident_memory_bytes", Kind::Gauge, "Resident memory size in bytes.", bytes);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        page.one("process_open_fds", Kind::Gauge, "Number of open file descriptors.", number(open.count()));
    }
}

const fn state(state: &JournalState) -> &'static str {
    match state {
        JournalState::Ready => "ready",
        JournalState::Low => "low",
        JournalState::Full => "full",
        JournalState::Failed(_) => "failed",
        JournalState::Closed => "closed",
    }
}

fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
