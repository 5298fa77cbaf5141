//! A connection as the server holds it: its socket, its state machine, and what the poll said.

use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::conn::{Conn, Phase};
use crate::context::{ConnId, Context};
use crate::http::DateCache;
use crate::net::{ProxyHeader, Ready, Stream};
use crate::settings::Settings;
use crate::trace::Trace;
use crate::track::Class;
use crate::upgraded::Leased;

use super::Server;
use super::admission::{Pending, Seat};
use super::waits::Waits;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) stream: Stream,
    pub(super) conn: Conn,
    pub(super) peer: Option<SocketAddr>,
    /// By the tracker's count: half of what an `Instant` takes.
    pub(super) accepted: u64,
    /// There may be something to read: no read has come back empty since the last edge.
    pub(super) readable: bool,
    /// The peer has closed its side: a short read does not mean that the socket is empty.
    pub(super) read_closed: bool,
    /// The last write was cut short, and no edge has come since.
    pub(super) blocked: bool,
    /// The poll tells when there is room to write, as it does from the first time there is none.
    pub(super) watches_writing: bool,
    /// Writing is to be shut down before it is closed: the kernel may hold back what was written last
    /// until then, and a transport of one's own is always told.
    pub(super) owes_end: bool,
    /// The poll has said that the peer's side is closed, and whether it was a reset is not known.
    pub(super) doubtful: bool,
    /// What the kernel keeps of it is bounded.
    pub(super) bounded: bool,
    pub(super) rescued: u32,
    /// The phase it is counted in.
    pub(super) phase: Phase,
    /// When it entered that, by the same count.
    phase_since: u64,
    /// Its socket is the handler's.
    pub(super) leased: Option<Arc<Leased>>,
    /// Until it has arrived, if a proxy is to send one first.
    pub(super) proxy_header: Option<Box<ProxyHeader>>,
    /// Until it has had a head, if that is limited.
    pub(super) pending: Option<Box<Pending>>,
    /// Held for as long as it is here.
    _seat: Seat,
    /// What is told of it to who listens.
    pub(super) trace: Trace,
    /// When the requests under way came; empty for those answered in the turn they came in.
    pub(super) waits: Waits,
}

impl Connection {
    pub(super) fn new(
        id: ConnId,
        stream: Stream,
        peer: Option<SocketAddr>,
        seat: Seat,
        now: u64,
    ) -> Self {
        let owes_end = !stream.is_socket();
        Self {
            id,
            stream,
            conn: Conn::new(),
            peer,
            accepted: now,
            readable: false,
            read_closed: false,
            blocked: false,
            watches_writing: false,
            owes_end,
            doubtful: false,
            bounded: false,
            rescued: 0,
            phase: Phase::FirstByte,
            phase_since: now,
            leased: None,
            proxy_header: None,
            pending: None,
            _seat: seat,
            trace: Trace::opened(id, peer, Phase::FirstByte),
            waits: Waits::default(),
        }
    }

    /// Takes note of what it is doing at the end of a turn, in which so many requests came.
    /// Returns what it was doing before.
    pub(super) fn enter(&mut self, phase: Phase, begun: u64, now: u64) -> Phase {
        // A request that came and was answered in one turn leaves the phase as it was.
        let again = begun > 0 && matches!(phase, Phase::Headers | Phase::Body | Phase::Idle);
        if again || phase != self.phase {
            self.phase_since = now;
        }
        std::mem::replace(&mut self.phase, phase)
    }

    /// Takes note of an edge.
    pub(super) fn note(&mut self, ready: Ready) {
        self.readable |= ready.readable;
        self.read_closed |= ready.read_closed;
        self.doubtful |= ready.read_closed;
        self.blocked &= !ready.writable;
    }

    pub(super) fn context<'a>(
        &self,
        settings: &'a Settings,
        date: &'a mut DateCache,
        now: Instant,
    ) -> Context<'a> {
        Context { settings, date, now, id: self.id, peer: self.peer }
    }
}

impl Drop for Connection {
    /// Ends it for its owner too, if that is another one.
    fn drop(&mut self) {
        if let Some(leased) = &self.leased {
            leased.force();
        }
    }
}

/// What is known of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionInfo {
    /// Its name: never another connection's.
    pub id: ConnId,
    /// The peer's address, where the transport has one.
    pub peer: Option<SocketAddr>,
    /// What it is doing.
    pub phase: Phase,
    /// For how long it has been doing that.
    pub phase_age: Duration,
    /// How long it has been open.
    pub age: Duration,
    /// The class whose deadline comes first, and in how long; zero if the check is about to see it.
    pub deadline: Option<(Class, Duration)>,
    /// Requests it has brought.
    pub requests: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Times it had run out of time, but its request was found complete.
    pub rescued: u32,
}

impl<H, T> Server<H, T> {
    /// All connections, in no particular order.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = ConnectionInfo> {
        self.connections.iter().map(move |(_, connection)| self.describe(connection, now))
    }

    /// Those that have been open longest, so many at most, the oldest first. O(connections), and
    /// describes only what it returns.
    pub fn oldest(&self, most: usize, now: Instant) -> Vec<ConnectionInfo> {
        let mut oldest = BinaryHeap::with_capacity(most.saturating_add(1).min(1024));
        for (key, connection) in &self.connections {
            oldest.push((connection.accepted, key));
            if oldest.len() > most {
                // The youngest of them.
                oldest.pop();
            }
        }
        let oldest = oldest.into_sorted_vec().into_iter();
        oldest.map(|(_, key)| self.describe(&self.connections[key], now)).collect()
    }

    /// What is known of a connection; `None` if it has ended.
    pub fn connection(&self, id: ConnId, now: Instant) -> Option<ConnectionInfo> {
        let connection = self.connections.get(id.index() as usize)?;
        (connection.id == id).then(|| self.describe(connection, now))
    }

    fn describe(&self, connection: &Connection, now: Instant) -> ConnectionInfo {
        let key = connection.id.index();
        let timeouts = &self.settings.timeouts;
        let deadlines = self.tracker.classes_of(key).iter().filter_map(|class| {
            let duration = Some(class.duration(timeouts)).filter(|duration| !duration.is_zero())?;
            let deadline = self.tracker.since(key, class)?.checked_add(duration)?;
            Some((class, deadline.saturating_duration_since(now)))
        });
        let conn = &connection.conn;
        ConnectionInfo {
            id: connection.id,
            peer: connection.peer,
            phase: conn.phase(),
            phase_age: self.tracker.age(connection.phase_since, now),
            age: self.tracker.age(connection.accepted, now),
            deadline: deadlines.min_by_key(|(_, left)| *left),
            requests: conn.requests(),
            bytes_in: conn.bytes_in(),
            bytes_out: conn.bytes_out(),
            rescued: connection.rescued,
        }
    }
}
