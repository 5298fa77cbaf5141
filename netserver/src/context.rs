//! What a connection is told with every input: settings, time, and who it is.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::http::{Connection, DateCache, HeadLimits};
use crate::settings::Settings;

/// A connection's name: a slot and how often that slot had been used before. A connection that
/// takes over the slot has another name, so an old one never reaches a stranger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    index: u32,
    generation: u32,
}

impl ConnId {
    /// The name of the connection that is the `generation`th in slot `index`.
    pub const fn new(index: u32, generation: u32) -> ConnId {
        ConnId { index, generation }
    }

    /// The slot.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How often the slot had been used before.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.index, self.generation)
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a connection needs to know beside the bytes. The same for all connections of a server but
/// for `id` and `peer`.
#[derive(Debug)]
pub struct Context<'a> {
    /// The server's settings.
    pub settings: &'a Settings,
    /// The date for responses.
    pub date: &'a mut DateCache,
    /// The time of this input.
    pub now: Instant,
    /// The connection's name.
    pub id: ConnId,
    /// The peer's address, where the transport has one.
    pub peer: Option<SocketAddr>,
}

impl Context<'_> {
    /// The same context, borrowed for shorter.
    pub(crate) fn reborrow(&mut self) -> Context<'_> {
        Context {
            settings: self.settings,
            date: self.date,
            now: self.now,
            id: self.id,
            peer: self.peer,
        }
    }

    pub(crate) fn head_limits(&self) -> HeadLimits {
        let limits = &self.settings.limits;
        HeadLimits { size: limits.header_size, fields: limits.headers_count }
    }

    pub(crate) fn body_limit(&self) -> u64 {
        self.settings.limits.body_size
    }

    /// Requests a connection may have under way.
    pub(crate) fn pipeline_limit(&self) -> usize {
        self.settings.limits.pipelined
    }

    /// Whether a connection ends after its `number`th request, counted from 1.
    pub(crate) fn is_last_request(&self, number: u64) -> bool {
        let most = self.settings.limits.requests_per_connection;
        most != 0 && number >= most
    }

    pub(crate) fn linger_bytes(&self) -> u64 {
        self.settings.limits.linger_bytes
    }

    pub(crate) fn first_byte_is_silent(&self) -> bool {
        self.settings.timeouts.first_byte_silent
    }

    /// Body bytes that must arrive in one span of [`Class::MinRate`](crate::track::Class).
    pub(crate) fn body_bytes_due(&self) -> u64 {
        let span = self.settings.timeouts.min_rate;
        let bytes = u128::from(self.settings.limits.min_body_rate) * span.as_millis() / 1000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    pub(crate) fn handler_timeout(&self) -> Option<Duration> {
        Some(self.settings.timeouts.handler).filter(|timeout| !timeout.is_zero())
    }

    /// When the handler must have answered what it is given now.
    pub(crate) fn handler_deadline(&self) -> Option<Instant> {
        self.handler_timeout().and_then(|timeout| self.now.checked_add(timeout))
    }

    /// What a response says that leaves the connection open.
    pub(crate) fn keep_alive(&self) -> Connection {
        Connection::KeepAlive { seconds: self.settings.timeouts.keep_alive.as_secs() }
    }
}
