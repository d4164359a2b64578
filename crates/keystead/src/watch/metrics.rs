//! What is counted per route: how often with which outcome, and how long it took. Every cell is made at the start from
//! the route tables, so counting is one look-up and a few atomic additions, and no request can make a new label.

use super::page::{Kind, Page};
use hyper::StatusCode;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds in microseconds.
const BOUNDS: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 10_000_000];

/// What came of a request, as far as its status tells.
const OUTCOMES: [&str; 6] = ["done", "unauthenticated", "denied", "refused", "throttled", "failed"];

/// A route as it is labelled: protocol and name.
type Route = (&'static str, &'static str);

/// Requests by route.
pub(crate) struct Metrics {
    routes: HashMap<Route, Cells>,
    /// What no route answered.
    none: Cells,
}

#[derive(Default)]
struct Cells {
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// Each for itself; the last is above every bound.
    times: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Metrics {
    /// A cell for each of these routes; rows of one name share theirs.
    pub(crate) fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        Self { routes: routes.into_iter().map(|r| (r, Cells::default())).collect(), none: Cells::default() }
    }

    /// Counts one answer.
    pub(crate) fn count(&self, route: Option<Route>, status: StatusCode, took: Duration) {
        let cells = route.and_then(|r| self.routes.get(&r)).unwrap_or(&self.none);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        for cell in [cells.outcomes.get(outcome(status)), cells.times.get(bucket)].into_iter().flatten() {
            cell.fetch_add(1, Relaxed);
        }
        cells.micros.fetch_add(micros, Relaxed);
    }

    /// Writes what was counted. Routes that nobody used are left out.
    pub(super) fn write(&self, page: &mut Page) {
        let mut used: Vec<(Route, &Cells)> = self.routes.iter().map(|(r, c)| (*r, c)).collect();
        used.push((("none", "none"), &self.none));
        used.retain(|(_, cells)| cells.total() > 0);
        used.sort_unstable_by_key(|(route, _)| *route);
        page.family("keystead_requests_total", Kind::Counter, "Answered requests by route and outcome.");
        for ((protocol, route), cells) in &used {
            for (outcome, n) in OUTCOMES.iter().zip(&cells.outcomes).map(|(o, n)| (o, n.load(Relaxed))) {
                if n > 0 {
                    page.number(&[("protocol", protocol), ("route", route), ("outcome", outcome)], n);
                }
            }
        }
        let help = "Time from a request's head to its answer, by route.";
        page.family("keystead_request_duration_seconds", Kind::Histogram, help);
        for ((protocol, route), cells) in &used {
            cells.histogram(page, protocol, route);
        }
    }
}

impl Cells {
    fn total(&self) -> u64 {
        self.times.iter().fold(0, |sum, n| sum.saturating_add(n.load(Relaxed)))
    }

    fn histogram(&self, page: &mut Page, protocol: &str, route: &str) {
        let mut sum = 0_u64;
        for (at, n) in self.times.iter().enumerate() {
            sum = sum.saturating_add(n.load(Relaxed));
            let le = BOUNDS.get(at).map_or_else(|| "+Inf".to_owned(), |b| super::page::seconds(*b));
            page.part("_bucket", &[("protocol", protocol), ("route", route), ("le", &le)], &sum.to_string());
        }
        let labels = [("protocol", protocol), ("route", route)];
        page.part("_sum", &labels, &super::page::seconds(self.micros.load(Relaxed)));
        page.part("_count", &labels, &sum.to_string());
    }
}

/// Its place in [`OUTCOMES`].
fn outcome(status: StatusCode) -> usize {
    match status.as_u16() {
        401 => 1,
        403 => 2,
        429 => 4,
        refused if (400..500).contains(&refused) => 3,
        failed if failed >= 500 => 5,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn page(metrics: &Metrics) -> String {
        let mut page = Page::default();
        metrics.write(&mut page);
        page.into_text()
    }

    #[test]
    fn each_answer_is_counted_once_under_its_route_and_outcome() {
        let metrics = Metrics::new([("azure", "keys/sign"), ("azure", "keys/sign"), ("azure", "keys/get")]);
        let sign = Some(("azure", "keys/sign"));
        metrics.count(sign, StatusCode::OK, Duration::from_micros(100));
        metrics.count(sign, StatusCode::OK, Duration::from_micros(101));
        metrics.count(sign, StatusCode::FORBIDDEN, Duration::from_secs(20));
        metrics.count(Some(("azure", "made up")), StatusCode::NOT_FOUND, Duration::ZERO);
        let text = page(&metrics);
        for line in [
            r#"keystead_requests_total{protocol="azure",route="keys/sign",outcome="done"} 2"#,
            r#"keystead_requests_total{protocol="azure",route="keys/sign",outcome="denied"} 1"#,
            r#"keystead_requests_total{protocol="none",route="none",outcome="refused"} 1"#,
            r#"keystead_request_duration_seconds_bucket{protocol="azure",route="keys/sign",le="0.0001"} 1"#,
            r#"keystead_request_duration_seconds_bucket{protocol="azure",route="keys/sign",le="10"} 2"#,
            r#"keystead_request_duration_seconds_bucket{protocol="azure",route="keys/sign",le="+Inf"} 3"#,
            r#"keystead_request_duration_seconds_sum{protocol="azure",route="keys/sign"} 20.000201"#,
            r#"keystead_request_duration_seconds_count{protocol="azure",route="keys/sign"} 3"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("keys/get") && !text.contains("made up"), "{text}");
    }

    #[test]
    fn every_status_has_an_outcome() {
        for (status, word) in [
            (200, "done"),
            (304, "done"),
            (401, "unauthenticated"),
            (404, "refused"),
            (429, "throttled"),
            (503, "failed"),
        ] {
            assert_eq!(OUTCOMES[outcome(StatusCode::from_u16(status).unwrap())], word, "{status}");
        }
    }

    #[test]
    fn counting_is_cheap_beside_a_request() {
        let metrics = Metrics::new((0..60).map(|_| ("azure", "keys/sign")));
        let (rounds, start) = (100_000, Instant::now());
        for n in 0..rounds {
            metrics.count(Some(("azure", "keys/sign")), StatusCode::OK, Duration::from_micros(n));
        }
        // About 50 ns; a request takes some 100 us. The bound only finds a lock or an allocation gone wild.
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        println!("{:?} each", start.elapsed() / u32::try_from(rounds).unwrap());
    }
}
