//! Collects the spans of the walk as they end. A span without a root that is being recorded is nothing to it.

use super::Fate;
use super::context::{Parent, begins};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Span, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// The target of the spans that are collected.
pub(super) const WALK: &str = "keystead::walk";
/// The root's name.
const ROOT: &str = "request";

/// A span that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) name: &'static str,
    pub(super) trace: u128,
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    /// Nanoseconds since the epoch.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) texts: Vec<(&'static str, String)>,
    pub(super) numbers: Vec<(&'static str, u64)>,
}

/// The root of a request's spans; none if it is not recorded.
pub(crate) fn root(ratio: f64, traceparent: Option<&str>) -> Span {
    let parent = traceparent.and_then(Parent::parse);
    let [a, b, c, d, trace @ ..] = keystead_crypto::random::<20>();
    let recorded = parent.map_or_else(|| begins(ratio, u32::from_be_bytes([a, b, c, d])), |p| p.sampled);
    if !recorded {
        return Span::none();
    }
    tracing::trace_span!(
        target: "keystead::walk",
        parent: None,
        "request",
        trace = parent.map_or(u128::from_be_bytes(trace), |p| p.trace),
        above = parent.map_or(0, |p| p.span),
        protocol = tracing::field::Empty,
        route = tracing::field::Empty,
        operation = tracing::field::Empty,
        status = tracing::field::Empty,
    )
}

/// The layer.
pub(crate) struct Spans {
    to: mpsc::Sender<Ended>,
    fate: Arc<Fate>,
}

impl Spans {
    pub(super) fn new(to: mpsc::Sender<Ended>, fate: Arc<Fate>) -> Self {
        Self { to, fate }
    }
}

impl<S> Layer<S> for Spans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|s| s.metadata().target() == WALK) else { return };
        let above = span.parent().and_then(|p| p.extensions().get::<Ended>().map(|e| (e.trace, Some(e.id))));
        let mut seen = Seen::default();
        attributes.record(&mut seen);
        let place = match above {
            Some(place) => place,
            None if span.name() == ROOT => (seen.trace, (seen.above != 0).then_some(seen.above)),
            None => return,
        };
        let (texts, numbers) = (seen.texts, seen.numbers);
        let id = u64::from_be_bytes(keystead_crypto::random()).max(1);
        let (trace, parent) = place;
        span.extensions_mut().insert(Ended {
            name: span.name(),
            trace,
            id,
            parent,
            start: now(),
            end: 0,
            texts,
            numbers,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(ended) = span.extensions_mut().get_mut::<Ended>() {
            let mut seen = Seen::default();
            values.record(&mut seen);
            ended.texts.append(&mut seen.texts);
            ended.numbers.append(&mut seen.numbers);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(ended) = span.extensions_mut().remove::<Ended>() else { return };
        if self.to.try_send(Ended { end: now(), ..ended }).is_err() {
            self.fate.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// The fields of a span.
#[derive(Default)]
struct Seen {
    trace: u128,
    above: u64,
    texts: Vec<(&'static str, String)>,
    numbers: Vec<(&'static str, u64)>,
}

impl Visit for Seen {
    fn record_u128(&mut self, field: &Field, value: u128) {
        if field.name() == "trace" {
            self.trace = value;
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "above" {
            self.above = value;
        } else {
            self.numbers.push((field.name(), value));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.texts.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.texts.push((field.name(), format!("{value:?}")));
    }
}

#[expect(clippy::disallowed_methods, reason = "measures what was done; decides nothing")]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    fn spans(work: impl FnOnce()) -> Vec<Ended> {
        let (to, mut from) = mpsc::channel(8);
        let subscriber = tracing_subscriber::registry().with(Spans::new(to, Arc::default()));
        tracing::subscriber::with_default(subscriber, work);
        std::iter::from_fn(|| from.try_recv().ok()).collect()
    }

    fn walk() {
        tracing::trace_span!(target: "keystead::walk", "decide").in_scope(|| ());
    }

    #[test]
    fn spans_hang_on_the_trace_that_the_request_brings() {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let ended = spans(|| {
            let root = root(0.0, Some(traceparent));
            root.record("status", 200_u64);
            root.in_scope(walk);
        });
        let [decide, request] = &ended[..] else { panic!("{ended:?}") };
        assert_eq!((decide.name, request.name), ("decide", "request"));
        assert_eq!(format!("{:032x}", request.trace), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((request.parent, decide.parent), (Some(0x00f0_67aa_0ba9_02b7), Some(request.id)));
        assert_eq!((decide.trace, &request.numbers[..]), (request.trace, &[("status", 200)][..]));
        assert!(request.start <= decide.start && decide.end <= request.end);
    }

    #[test]
    fn what_is_not_recorded_leaves_nothing() {
        let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(spans(|| root(1.0, Some(unsampled)).in_scope(walk)), []);
        assert_eq!(spans(|| root(0.0, None).in_scope(walk)), []);
        assert_eq!(spans(walk), []);
        assert_eq!(spans(|| root(1.0, None).in_scope(walk)).len(), 2);
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let (to, _from) = mpsc::channel(1);
        let fate = Arc::new(Fate::default());
        let subscriber = tracing_subscriber::registry().with(Spans::new(to, Arc::clone(&fate)));
        tracing::subscriber::with_default(subscriber, || (0..3).for_each(|_| root(1.0, None).in_scope(|| ())));
        assert_eq!(fate.read(), (0, 2));
    }
}
