//! What the server itself refuses, before or instead of the handler.

use std::fmt;
use std::sync::Arc;

use hyper::StatusCode;

use crate::Response;
use crate::counters::{Count, Counters};

/// Writes a fault in the protocol's own form. Must be quick and must not panic.
pub type FaultAnswer = Arc<dyn Fn(Fault) -> Response + Send + Sync>;

/// Why a request has no answer of the handler's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The body is longer than the limit: 413.
    BodyTooLarge,
    /// The body was not there in time: 408.
    BodyLate,
    /// The body's framing is wrong, or it broke off: 400.
    BodyBroken,
    /// Too many requests, or bytes of bodies, are under way: 429. To be tried again in a second.
    Busy,
    /// The handler did not answer by its deadline: 503.
    Deadline,
    /// The handler panicked: 500.
    Panicked,
}

impl Fault {
    /// Every fault, for tables and tests.
    pub const ALL: &[Self] =
        &[Self::BodyTooLarge, Self::BodyLate, Self::BodyBroken, Self::Busy, Self::Deadline, Self::Panicked];

    /// The status that fits.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyLate => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Deadline => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether part of the request may still be on its way, so that the connection cannot be used again.
    pub(crate) const fn leaves_body(self, body_read: bool) -> bool {
        match self {
            Self::BodyTooLarge | Self::BodyLate | Self::BodyBroken => true,
            Self::Busy | Self::Deadline | Self::Panicked => !body_read,
        }
    }

    pub(crate) const fn count(self, counters: &Counters) -> &Count {
        match self {
            Self::BodyTooLarge => &counters.bodies_too_large,
            Self::BodyLate | Self::BodyBroken => &counters.bodies_unfinished,
            Self::Busy => &counters.requests_busy,
            Self::Deadline => &counters.deadlines_missed,
            Self::Panicked => &counters.panics,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BodyTooLarge => "The request body is too large.",
            Self::BodyLate => "The request body did not arrive in time.",
            Self::BodyBroken => "The request body is broken.",
            Self::Busy => "Too many requests are under way; try again in a second.",
            Self::Deadline => "The request could not be answered in time; try again.",
            Self::Panicked => "The request failed inside the server.",
        })
    }
}
