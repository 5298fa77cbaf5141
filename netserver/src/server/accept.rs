//! Taking connections in, and turning away those that are too many.

use std::net::SocketAddr;
use std::time::Instant;

use super::admission::{Crowded, Seat};
use super::connection::Connection;
use super::work::Until;
use super::{AdoptError, Server};
use crate::cause::Cause;
use crate::context::ConnId;
use crate::handler::Handler;
use crate::http::{Reject, encode_reject};
use crate::net::{Accept, ProxyHeader, Stream};
use crate::settings::{Limits, OverLimit};
use crate::track::Class;

/// Connections that look idle, and are read from for one that comes, before it is turned away.
const EVICTIONS_TRIED: usize = 8;

/// Whom to take in, of those who wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    /// One who is expected to be alone; the poll is left to tell if there is somebody else.
    One,
    All,
    /// All, before a close. They are asked when they are told of it, or they would be answered as if
    /// they could go on.
    Last,
}

impl<H: Handler, T: Copy> Server<H, T> {
    /// Accepts who is waiting, up to its part of the turn.
    pub(super) fn accept(&mut self, now: Instant) {
        // A turn that has more to do is a while, which nobody is to wait for.
        let alone = self.work.is_light() && self.arrivals.come_alone();
        self.accept_until(self.work.part(), if alone { Who::One } else { Who::All }, now);
    }

    /// Accepts who is waiting, as many as a turn's work allows, to be told that the server closes.
    pub(super) fn accept_last(&mut self, now: Instant) {
        self.accept_until(self.work.turn(), Who::Last, now);
    }

    fn accept_until(&mut self, until: Until, who: Who, now: Instant) {
        let mut came = 0;
        let pauses = self.settings.limits.over_limit == OverLimit::Pause;
        while !self.work.is_past(until) {
            if self.exhausted {
                return;
            }
            // Who is not to be accepted without a seat has one first. For others that is too early:
            // another server would turn its client away for a seat that nobody takes.
            let seat = if pauses { self.take_seat() } else { None };
            if pauses && seat.is_none() {
                return;
            }
            self.work.accept_or_close();
            match self.listening.accept() {
                Some(Accept::Connection(stream, peer)) => {
                    let seat = seat.or_else(|| self.take_seat());
                    // Who brings a stream of another kind may tell of what comes from now on.
                    let ask = (self.arrivals.asks() || !stream.is_socket()) && who != Who::Last;
                    let bytes_in = self.stats.bytes_in;
                    // Who is turned away has been counted, and there is nobody to tell.
                    let admitted = self.admit(stream, peer, seat, self.proxied, ask, now);
                    if ask && admitted.is_ok() {
                        self.arrivals.note_spoken(self.stats.bytes_in > bytes_in);
                    }
                    came += 1;
                    if who == Who::One && self.listening.remind() {
                        self.arrivals.note_reminder();
                        return self.accepting = false;
                    }
                }
                Some(Accept::Empty) | None => {
                    self.arrivals.note_last(came);
                    return self.accepting = false;
                }
                Some(Accept::Exhausted) => {
                    // No edge comes when descriptors are free again: the check retries.
                    self.exhausted = true;
                    self.stats.accept_pauses += 1;
                }
            }
        }
    }

    /// Whether accepting would come to anything.
    pub(super) fn may_accept(&self) -> bool {
        let Limits { connections, over_limit, .. } = self.settings.limits;
        let has_room =
            self.has_token() && (connections == 0 || self.admission.open() < connections);
        over_limit != OverLimit::Pause || has_room
    }

    fn has_token(&self) -> bool {
        self.connections.len() < self.tokens.connections()
    }

    /// A place for one more connection, unless that were above the limit.
    pub(super) fn take_seat(&self) -> Option<Seat> {
        if !self.has_token() {
            return None;
        }
        self.admission.enter(self.settings.limits.connections)
    }

    /// Takes a connection in, or turns it away by what the settings say. It is asked at once whether
    /// it has spoken, or the poll tells when it has.
    pub(super) fn admit(
        &mut self,
        mut stream: Stream,
        peer: Option<SocketAddr>,
        seat: Option<Seat>,
        proxied: bool,
        ask: bool,
        now: Instant,
    ) -> Result<ConnId, AdoptError> {
        // Who is behind a proxy is known when that has said so.
        let counted = peer.filter(|_| !proxied);
        let pending =
            match counted.map(|peer| self.admission.pend(peer.ip(), &self.settings.limits)) {
                Some(Err(Crowded)) => {
                    self.stats.refused_pending += 1;
                    self.turn_away(stream, now);
                    return Err(AdoptError::Crowded);
                }
                Some(Ok(pending)) => pending,
                None => None,
            };
        let Some(seat) = seat.or_else(|| self.make_room(now)) else {
            self.turn_away(stream, now);
            return Err(AdoptError::Full);
        };
        let entry = self.connections.vacant_entry();
        let Ok(key) = u32::try_from(entry.key()) else { return Err(AdoptError::Full) };
        if let Err(error) = stream.watch(self.listening.registry(), self.tokens.connection(key)) {
            // Out of kernel memory or watches: as good as out of descriptors.
            self.exhausted = true;
            self.stats.accept_pauses += 1;
            return Err(AdoptError::Register(error));
        }
        if self.generations.len() <= key as usize {
            self.generations.push(0);
        }
        let id = ConnId::new(key, self.generations[key as usize]);
        let accepted = self.tracker.observe(now);
        let mut connection = Connection::new(id, stream, peer, seat, accepted);
        connection.readable = ask;
        connection.pending = pending;
        connection.proxy_header = proxy_header(proxied);
        self.stats.accepted += 1;
        self.count_phase(connection.phase, true);
        self.connections.insert(connection);
        self.drive(key, now);
        Ok(id)
    }

    /// Above the limit: the place of another connection that has gone for this one.
    fn make_room(&mut self, now: Instant) -> Option<Seat> {
        if self.settings.limits.over_limit != OverLimit::EvictIdle {
            return None;
        }
        for _ in 0..EVICTIONS_TRIED {
            let longest_idle = self.tracker.first(Class::Idle)?;
            // Its next request may have arrived, and only not been read.
            if !self.goes_on(longest_idle, Class::Idle, now) {
                self.abort(longest_idle, Cause::Evicted, now);
            }
            let seat = self.take_seat();
            if seat.is_some() {
                return seat;
            }
        }
        None
    }

    fn turn_away(&mut self, mut stream: Stream, now: Instant) {
        self.stats.refused += 1;
        self.stats.closed.add(Cause::OverLimit);
        if self.settings.limits.over_limit == OverLimit::Unavailable {
            let mut answer = Vec::new();
            encode_reject(&mut answer, Reject::Unavailable, self.date.text(now));
            // A fresh socket takes so few bytes at once, or is broken already.
            let _ = stream.write_last(&answer);
            stream.shut_down_writing();
            // Reading what has arrived keeps the close from being a reset that destroys the answer.
            let _ = stream.read(&mut [0; 4096]);
        }
    }
}

#[cfg(feature = "proxy-protocol")]
fn proxy_header(proxied: bool) -> Option<Box<ProxyHeader>> {
    proxied.then(Box::default)
}

#[cfg(not(feature = "proxy-protocol"))]
fn proxy_header(_: bool) -> Option<Box<ProxyHeader>> {
    None
}
