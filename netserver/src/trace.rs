//! Spans and events for [`tracing`](https://docs.rs/tracing) (feature `tracing`). The one file that
//! speaks to it: without the feature every call here is empty, and a [`Trace`] takes no room.
//!
//! | | level | fields | |
//! |---|---|---|---|
//! | span `connection` | info | `id`, `peer` | while it is open; handlers are called inside |
//! | span `phase` in it | debug | `name` | while the connection is in this phase |
//! | event `listening` | debug | `endpoint` | a server is bound |
//! | event `opened` | debug | | in the span of its connection, as the next four |
//! | event `phase` | debug | `from`, `to` | |
//! | event `expired` | debug | `class`, `rescued` | a deadline has passed; whether the request was found complete |
//! | event `closed` | info | `cause`, `requests`, `bytes_in`, `bytes_out`, `age_ms` | |
//! | event `draining` | info | `connections`, `grace_ms` | a server has begun to close |
//! | event `timer` | trace | `value`, `late_us` | the wheel of an `EventLoop` has handed out an expiry |
//!
//! All are of the target `netserver`. Nobody listens: a load and a comparison each, and one pointer
//! for a connection.

#[cfg(not(feature = "tracing"))]
pub(crate) use off::*;
#[cfg(feature = "tracing")]
pub(crate) use on::*;

#[cfg(feature = "tracing")]
mod on {
    use std::fmt::{Debug, Display};
    use std::net::SocketAddr;
    use std::time::Duration;

    use tracing::field::{Empty, display};
    use tracing::span::EnteredSpan;
    use tracing::{Level, Span, debug, debug_span, enabled, info, info_span, trace};

    use crate::conn::Phase;
    use crate::context::ConnId;
    use crate::handler::Closed;
    use crate::track::Class;

    /// The spans of one connection, if somebody listens.
    #[derive(Debug, Default)]
    pub(crate) struct Trace(Option<Box<Spans>>);

    #[derive(Debug)]
    struct Spans {
        connection: Span,
        phase: Span,
    }

    /// What happens while it is held belongs to the connection.
    pub(crate) type Inside = Option<EnteredSpan>;

    impl Trace {
        #[inline]
        pub(crate) fn opened(id: ConnId, peer: Option<SocketAddr>, phase: Phase) -> Self {
            if !enabled!(target: "netserver", Level::INFO) {
                return Self(None);
            }
            let connection =
                info_span!(target: "netserver", parent: None, "connection", id = %id, peer = Empty);
            let spans = Box::new(Spans { phase: phase_span(&connection, phase), connection });
            let trace = Self(Some(spans));
            trace.peer(peer);
            trace.say(|connection| debug!(target: "netserver", parent: connection, "opened"));
            trace
        }

        /// A proxy has told whose connection it is.
        #[inline]
        pub(crate) fn peer(&self, peer: Option<SocketAddr>) {
            if let Some(peer) = peer {
                self.say(|connection| _ = connection.record("peer", display(peer)));
            }
        }

        #[inline]
        pub(crate) fn enter(&self) -> Inside {
            self.0.as_ref().map(|spans| spans.connection.clone().entered())
        }

        #[inline]
        pub(crate) fn phase(&mut self, from: Phase, to: Phase) {
            let Some(spans) = &mut self.0 else { return };
            spans.phase = phase_span(&spans.connection, to);
            debug!(
                target: "netserver", parent: &spans.connection,
                from = %from.name(), to = %to.name(), "phase"
            );
        }

        #[inline]
        pub(crate) fn expired(&self, class: Class, rescued: bool) {
            self.say(|connection| {
                debug!(
                    target: "netserver", parent: connection,
                    class = %class.name(), rescued, "expired"
                );
            });
        }

        /// Ends the spans.
        #[inline]
        pub(crate) fn closed(&mut self, closed: &Closed) {
            let Some(Spans { connection, phase }) = self.0.take().map(|spans| *spans) else {
                return;
            };
            drop(phase);
            info!(
                target: "netserver", parent: &connection,
                cause = %closed.cause.name(),
                requests = closed.requests,
                bytes_in = closed.bytes_in,
                bytes_out = closed.bytes_out,
                age_ms = millis(closed.age),
                "closed"
            );
        }

        #[inline]
        fn say(&self, what: impl FnOnce(&Span)) {
            if let Some(spans) = &self.0 {
                what(&spans.connection);
            }
        }
    }

    fn phase_span(connection: &Span, phase: Phase) -> Span {
        debug_span!(target: "netserver", parent: connection, "phase", name = %phase.name())
    }

    #[inline]
    pub(crate) fn listening(endpoint: &impl Display) {
        debug!(target: "netserver", endpoint = %endpoint, "listening");
    }

    #[inline]
    pub(crate) fn draining(connections: usize, grace: Duration) {
        info!(target: "netserver", connections, grace_ms = millis(grace), "draining");
    }

    #[inline]
    pub(crate) fn timer(value: &impl Debug, late: Duration) {
        let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        trace!(target: "netserver", value = ?value, late_us, "timer");
    }

    fn millis(time: Duration) -> u64 {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self)] // the same signatures
mod off {
    use std::fmt::{Debug, Display};
    use std::net::SocketAddr;
    use std::time::Duration;

    use crate::conn::Phase;
    use crate::context::ConnId;
    use crate::handler::Closed;
    use crate::track::Class;

    #[derive(Debug, Default)]
    pub(crate) struct Trace;

    pub(crate) struct Inside;

    impl Trace {
        #[inline]
        pub(crate) fn opened(_: ConnId, _: Option<SocketAddr>, _: Phase) -> Self {
            Self
        }

        #[inline]
        pub(crate) fn peer(&self, _: Option<SocketAddr>) {}

        #[inline]
        pub(crate) fn enter(&self) -> Inside {
            Inside
        }

        #[inline]
        pub(crate) fn phase(&mut self, _: Phase, _: Phase) {}

        #[inline]
        pub(crate) fn expired(&self, _: Class, _: bool) {}

        #[inline]
        pub(crate) fn closed(&mut self, _: &Closed) {}
    }

    #[inline]
    pub(crate) fn listening(_: &impl Display) {}

    #[inline]
    pub(crate) fn draining(_: usize, _: Duration) {}

    #[inline]
    pub(crate) fn timer(_: &impl Debug, _: Duration) {}
}

#[cfg(not(feature = "tracing"))]
const _: () = assert!(size_of::<Trace>() == 0 && size_of::<Inside>() == 0);
