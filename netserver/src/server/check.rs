//! The connection check: what has run out of time is answered or closed.

use std::time::{Duration, Instant};

use super::Server;
use crate::cause::Cause;
use crate::clock;
use crate::handler::Handler;
use crate::track::Class;

/// In exact mode, how often to look for what no event tells of: descriptors that are free again,
/// room that another server has made, leases that other threads have ended.
const RETRY: Duration = Duration::from_secs(1);

/// Portions that a connection may have before it is judged by what has arrived: enough for a whole
/// message as the limits are by default, if a read brings 4 KiB. Two milliseconds of work.
const PORTIONS_READ: usize = 32;

impl<H: Handler, T: Copy> Server<H, T> {
    pub(super) fn check(&mut self, now: Instant) {
        self.stats.checks += 1;
        // The wall clock may have been set since.
        self.date.set(clock::wall(), now);
        // Another server may have made room, of which no event tells.
        if self.exhausted || self.accepting {
            self.exhausted = false;
            self.accept(now);
        }
        self.collect_leases(now);
        self.expiring = true;
        self.check_drain(now);
        self.shrink_at_check();
    }

    /// Handles what has expired, after all else in a turn and up to its part of it, and the rest in
    /// the next: a hundred thousand connections that expire together must not hold up the others.
    pub(super) fn expire(&mut self, now: Instant) {
        self.expiring = false;
        let until = self.work.expiry();
        while !self.work.is_past(until) {
            let Some((key, class)) = self.tracker.expired(&self.settings.timeouts, now) else {
                return;
            };
            self.expire_one(key, class, now);
        }
        self.expiring = true;
    }

    /// When the check has something to do next, as far as is known.
    pub(super) fn next_check(&self, now: Instant) -> Option<Instant> {
        if self.is_closed() {
            // Whatever was still to be looked after is not the server's any more.
            return None;
        }
        let expiry = self.tracker.next_deadline(&self.settings.timeouts);
        let retry = (self.exhausted || self.accepting || self.has_leases()).then(|| now + RETRY);
        expiry.into_iter().chain(self.grace_ends()).chain(retry).min()
    }

    fn expire_one(&mut self, key: u32, class: Class, now: Instant) {
        let since = self.tracker.since(key, class);
        // The poll may have told of it already, and its turn has not come yet.
        let has_news = self.lines.contains(key);
        let rescued = (has_news || is_about_the_peer(class)) && self.rescue(key, class, now);
        if let Some(connection) = self.connections.get(key as usize) {
            connection.trace.expired(class, rescued);
        }
        if rescued {
            return;
        }
        let expired = self.drive_after(key, now, |connection, handler, cx| {
            if connection.proxy_header.is_some() {
                // Who has not said whose connection it is, is not spoken to in HTTP.
                return connection.conn.abort(Cause::ProxyHeader);
            }
            connection.conn.expire(class, handler, cx);
        });
        if expired.is_none() {
            // Cannot be: a connection leaves its lists when it ends. Were it so, the check would
            // come back to it for ever.
            return self.tracker.remove(key);
        }
        // What an expiry does takes the connection out of the class, or begins it afresh.
        if self.tracker.since(key, class).is_some_and(|after| Some(after) == since && after < now) {
            self.abort(key, Cause::Handler, now);
        }
    }

    /// Reads before it kills: if the loop was held up, what was waited for may be in the kernel's
    /// buffer. True if the connection is no longer late.
    fn rescue(&mut self, key: u32, class: Class, now: Instant) -> bool {
        let id = self.connections.get(key as usize).map(|connection| connection.id);
        let rescued = self.goes_on(key, class, now);
        if rescued
            && let Some(connection) = self.connections.get_mut(key as usize)
            && Some(connection.id) == id
        {
            connection.rescued += 1;
            self.stats.rescued += 1;
        }
        rescued
    }

    /// Reads what is there. True if that took the connection out of the
    /// class, or began it afresh.
    pub(super) fn goes_on(&mut self, key: u32, class: Class, now: Instant) -> bool {
        let since = self.tracker.since(key, class);
        for _ in 0..PORTIONS_READ {
            // No edge may have been delivered yet for it.
            self.drive_after(key, now, |connection, _, _| {
                connection.readable = true;
            });
            if self.tracker.since(key, class) != since {
                return true;
            }
            if !self.lines.contains(key) {
                return false;
            }
        }
        false
    }
}

/// Whether the class waits for what the peer may have done meanwhile.
fn is_about_the_peer(class: Class) -> bool {
    match class {
        Class::FirstByte
        | Class::Headers
        | Class::Idle
        | Class::Receive
        | Class::MinRate
        | Class::Upgraded => true,
        // Room for a write says nothing: the kernel has some that it tells of only when it is more,
        // and a peer that takes nothing would have its time twice.
        Class::Write | Class::Linger | Class::LingerTotal | Class::Handler => false,
    }
}
