//! One request: its body within bounds, a place among those under way, the handler within its deadline.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::clock::{arrival, began};
use crate::pace::{Pace, Phase};
use crate::server::Shared;
use crate::{Fault, Moment, Peer, Request, Response, Seen};

/// What each body may have without asking for a share of [`Limits::body_memory`](crate::Limits::body_memory).
const FREE_BODY: usize = 16 << 10;

/// Answers one request, always.
pub(crate) async fn exchange(shared: &Shared, pace: &Pace, peer: Peer, request: hyper::Request<Incoming>) -> Response {
    pace.enter(Phase::Busy);
    shared.counters.requests.up();
    let start = began();
    let (head, body) = request.into_parts();
    let (answer, fault) = match receive(shared, body).await {
        Ok((body, _memory)) => match work(shared, peer.clone(), Request::from_parts(head, body)).await {
            Ok(answer) => (answer, None),
            Err(fault) => (refuse(shared, pace, fault, true), Some(fault)),
        },
        Err(fault) => (refuse(shared, pace, fault, false), Some(fault)),
    };
    if let Some(observe) = &shared.observe {
        observe(&Seen { peer, answer: &answer, fault, took: start.elapsed() });
    }
    pace.enter(Phase::Writing);
    answer
}

/// A share of the memory for bodies, given back with the request.
type Memory<'a> = Option<SemaphorePermit<'a>>;

/// The whole body, in time and within bounds.
async fn receive(shared: &Shared, body: Incoming) -> Result<(Bytes, Memory<'_>), Fault> {
    if body.is_end_stream() {
        return Ok((Bytes::new(), None));
    }
    if body.size_hint().lower() > u64::try_from(shared.limits.max_body).unwrap_or(u64::MAX) {
        return Err(Fault::BodyTooLarge);
    }
    let now = Instant::now();
    let end = now.checked_add(shared.limits.body_timeout).unwrap_or(now);
    timeout_at(end, collect(shared, body)).await.unwrap_or(Err(Fault::BodyLate))
}

async fn collect(shared: &Shared, mut body: Incoming) -> Result<(Bytes, Memory<'_>), Fault> {
    let mut memory = None;
    let first = next_chunk(&mut body).await?.unwrap_or_default();
    if body.is_end_stream() && first.len() <= FREE_BODY.min(shared.limits.max_body) {
        return Ok((first, memory)); // the usual case: one chunk, not copied
    }
    let mut whole = BytesMut::from(first);
    loop {
        if whole.len() > shared.limits.max_body {
            return Err(Fault::BodyTooLarge);
        }
        hold(shared, &mut memory, whole.len())?;
        match next_chunk(&mut body).await? {
            Some(chunk) => whole.extend_from_slice(&chunk),
            None => return Ok((whole.freeze(), memory)),
        }
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
    let more = len.saturating_sub(FREE_BODY).saturating_sub(held);
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
    timeout_at(Instant::from_std(cut), guarded(shared, request, peer, moment)).await.unwrap_or(Err(Fault::Deadline))
}

/// The handler, its panics caught. Nothing it touched is used afterwards, so that unwinding past it is safe.
async fn guarded(shared: &Shared, request: Request, peer: Peer, moment: Moment) -> Result<Response, Fault> {
    let started = catch_unwind(AssertUnwindSafe(|| (shared.handler)(request, peer, moment)));
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
    let mut answer = (shared.fault)(fault);
    if fault.leaves_body(body_read) {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        pace.linger_at_close();
    }
    answer
}
