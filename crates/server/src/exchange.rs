//! One request: its body within bounds, a place among those under way, the handler within its deadline.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::http::request::Parts;
use tokio::sync::SemaphorePermit;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use crate::clock::{arrival, began};
use crate::pace::{Pace, Phase};
use crate::server::Shared;
use crate::{BoxFuture, Fault, Peer, Request, Response, Seen, Verdict};

/// Answers one request, always.
pub(crate) async fn exchange(shared: &Shared, pace: &Pace, peer: Peer, request: hyper::Request<Incoming>) -> Response {
    pace.enter(Phase::Busy);
    shared.counters.requests.up();
    let start = began();
    let (head, body) = request.into_parts();
    let (answer, fault) = match receive(shared, &peer, &head, body).await {
        Ok((body, _memory)) => match work(shared, peer.clone(), Request::from_parts(head, body)).await {
            Ok(answer) => (answer, None),
            Err(fault) => (refuse(shared, pace, fault, true), Some(fault)),
        },
        Err(Unread::Fault(fault)) => (refuse(shared, pace, fault, false), Some(fault)),
        Err(Unread::Answered(answer)) => (last(pace, answer), None),
    };
    if let Some(observe) = &shared.observe {
        observe(&Seen { peer, answer: &answer, fault, took: start.elapsed() });
    }
    pace.enter(Phase::Writing);
    answer
}

/// A share of the memory for bodies, given back with the request.
type Memory<'a> = Option<SemaphorePermit<'a>>;

/// Why a body is not read to its end.
enum Unread {
    Fault(Fault),
    /// The gate's answer.
    Answered(Response),
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The whole body, in time and within bounds.
async fn receive<'a>(
    shared: &'a Shared,
    peer: &Peer,
    head: &Parts,
    body: Incoming,
) -> Result<(Bytes, Memory<'a>), Unread> {
    if body.is_end_stream() {
        return Ok((Bytes::new(), None));
    }
    let announced = body.size_hint().lower();
    let over = |bound: usize| announced > u64::try_from(bound).unwrap_or(u64::MAX);
    if over(shared.limits.max_body) {
        return Err(Fault::BodyTooLarge.into());
    }
    let long = over(shared.limits.free_body);
    if long {
        ask_gate(shared, peer, head).await?;
    }
    let now = Instant::now();
    let end = now.checked_add(shared.limits.body_timeout).unwrap_or(now);
    let collected = timeout_at(end, collect(shared, peer, head, body, long)).await;
    collected.unwrap_or(Err(Fault::BodyLate.into()))
}

async fn collect<'a>(
    shared: &'a Shared,
    peer: &Peer,
    head: &Parts,
    mut body: Incoming,
    mut asked: bool,
) -> Result<(Bytes, Memory<'a>), Unread> {
    let mut memory = None;
    let first = next_chunk(&mut body).await?.unwrap_or_default();
    if body.is_end_stream() && first.len() <= shared.limits.free_body.min(shared.limits.max_body) {
        return Ok((first, memory)); // the usual case: one chunk, not copied
    }
    let mut whole = BytesMut::from(first);
    loop {
        if whole.len() > shared.limits.max_body {
            return Err(Fault::BodyTooLarge.into());
        }
        if whole.len() > shared.limits.free_body && !asked {
            ask_gate(shared, peer, head).await?;
            asked = true;
        }
        hold(shared, &mut memory, whole.len())?;
        match next_chunk(&mut body).await? {
            Some(chunk) => whole.extend_from_slice(&chunk),
            None => return Ok((whole.freeze(), memory)),
        }
        // Whoever sends as fast as it can leaves others their turn.
        yield_now().await;
    }
}

/// Whether the rest of a long body is to be read. The gate is a part of the handler's work, and counts as that.
async fn ask_gate(shared: &Shared, peer: &Peer, head: &Parts) -> Result<(), Unread> {
    let (Some(gate), None) = (&shared.gate, peer.unix_uid) else { return Ok(()) };
    let _place = shared.in_flight.try_acquire().map_err(|_| Fault::Busy)?;
    let moment = arrival(shared.limits.request_deadline);
    let cut = moment.deadline.checked_add(shared.limits.overrun).unwrap_or(moment.deadline);
    let asked = guarded(|| gate(Request::from_parts(head.clone(), Bytes::new()), peer.clone(), moment));
    match timeout_at(Instant::from_std(cut), asked).await.unwrap_or(Err(Fault::Deadline))? {
        Verdict::Read => Ok(()),
        Verdict::TooLong => Err(Fault::BodyTooLarge.into()),
        Verdict::Answer(answer) => Err(Unread::Answered(answer)),
    }
}

/// The next bytes; none at the end. Trailers say nothing here.
async fn next_chunk(body: &mut Incoming) -> Result<Option<Bytes>, Fault> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| Fault::BodyBroken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Sees that `len` bytes of this body are paid for.
fn hold<'a>(shared: &'a Shared, memory: &mut Memory<'a>, len: usize) -> Result<(), Fault> {
    let held = memory.as_ref().map_or(0, SemaphorePermit::num_permits);
    let more = len.saturating_sub(shared.limits.free_body).saturating_sub(held);
    if more == 0 {
        return Ok(());
    }
    let more = u32::try_from(more).map_err(|_| Fault::BodyTooLarge)?;
    let permit = shared.body_memory.try_acquire_many(more).map_err(|_| Fault::Busy)?;
    match memory {
        Some(memory) => memory.merge(permit),
        None => *memory = Some(permit),
    }
    Ok(())
}

/// The handler's answer. Local requests are bounded by their connections alone.
async fn work(shared: &Shared, peer: Peer, request: Request) -> Result<Response, Fault> {
    let _place = match peer.unix_uid {
        None => Some(shared.in_flight.try_acquire().map_err(|_| Fault::Busy)?),
        Some(_) => None,
    };
    let _counted = shared.counters.requests_in_flight.hold();
    let moment = arrival(shared.limits.request_deadline);
    let cut = moment.deadline.checked_add(shared.limits.overrun).unwrap_or(moment.deadline);
    let handled = guarded(|| (shared.handler)(request, peer, moment));
    timeout_at(Instant::from_std(cut), handled).await.unwrap_or(Err(Fault::Deadline))
}

/// The embedder's work, its panics caught. Nothing it touched is used afterwards, so that unwinding past it is safe.
async fn guarded<T>(start: impl FnOnce() -> BoxFuture<'static, T>) -> Result<T, Fault> {
    let started = catch_unwind(AssertUnwindSafe(start));
    let mut running = started.map_err(|_| Fault::Panicked)?;
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(answer)) => Poll::Ready(Ok(answer)),
        Err(_) => Poll::Ready(Err(Fault::Panicked)),
    })
    .await
}

fn refuse(shared: &Shared, pace: &Pace, fault: Fault, body_read: bool) -> Response {
    fault.count(&shared.counters).up();
    if fault == Fault::Panicked {
        tracing::error!("a request's handler panicked; it was answered 500");
    }
    let answer = (shared.fault)(fault);
    if fault.leaves_body(body_read) { last(pace, answer) } else { answer }
}

/// The connection's last answer: part of the request may still be on its way.
fn last(pace: &Pace, mut answer: Response) -> Response {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    pace.linger_at_close();
    answer
}
