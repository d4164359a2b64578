//! What a server has seen, for health pages. Plain atomics; reading them stops nobody.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Counts since the start. Shared by all connections.
        #[derive(Default)]
        pub struct Counters {
            $(pub(crate) $name: Count,)+
        }

        /// [`Counters`] as read at one time (each for itself, not all in one instant).
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counters {
            /// All of them.
            pub fn read(&self) -> Counts {
                Counts { $($name: self.$name.0.load(Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Connections open now, of both kinds, those in their handshake included.
    connections_open,
    /// Connections accepted and kept.
    connections,
    /// Connections closed at once because of a limit.
    connections_turned_away,
    /// Unix-socket connections closed because another user made them.
    strangers_turned_away,
    /// Connections that did not finish a TLS handshake.
    handshakes_failed,
    /// Connections that spoke plain HTTP to a TLS port.
    plain_http,
    /// Connections closed by a time limit, idling apart.
    connections_timed_out,
    /// Requests whose head was read.
    requests,
    /// Requests in the handler now.
    requests_in_flight,
    /// Requests refused because too many were under way.
    requests_busy,
    /// Requests refused because their body was too large.
    bodies_too_large,
    /// Requests refused because their body was late or broke off.
    bodies_unfinished,
    /// Requests whose handler did not answer by its deadline.
    deadlines_missed,
    /// Requests whose handler panicked.
    panics,
}

/// One number.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Up now, down when the guard goes.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.up();
        Held(self)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Keeps a gauge up.
pub(crate) struct Held<'a>(&'a Count);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}
