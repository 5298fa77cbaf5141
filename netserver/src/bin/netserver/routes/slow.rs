//! `GET /slow?ms=N`: answers after N ms, by a one-shot on the wheel of the loop. No thread sleeps.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use netserver::http::Status;
use netserver::{ConnId, LoopTimer, Reply, Request, Ticket};
use timerwheel::{Remote, RemoteTimer};

use super::{number, text};

/// Requests that wait, by connection: when one goes, its timers are not left behind.
#[derive(Debug)]
pub(super) struct Sleepers {
    remote: Remote<LoopTimer>,
    waiting: HashMap<ConnId, Vec<(Ticket, RemoteTimer<LoopTimer>)>>,
}

/// An hour is slow enough.
const MS_MAX: u64 = 3_600_000;

impl Sleepers {
    pub(super) fn new(remote: Remote<LoopTimer>) -> Self {
        Self { remote, waiting: HashMap::new() }
    }

    pub(super) fn put_off(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        let delay = match number(request.query(), "ms", 1000, MS_MAX) {
            Ok(ms) => Duration::from_millis(ms),
            Err(error) => return reply.send(text(Status::BAD_REQUEST, &error)),
        };
        // Of this moment, not of the turn: nobody is answered early.
        let deadline = Instant::now() + delay;
        let ticket = reply.ticket();
        match self.remote.arm(deadline, LoopTimer::Wake(ticket)) {
            Ok(timer) => {
                let waiting = self.waiting.entry(ticket.connection()).or_default();
                waiting.push((reply.later(), timer));
            }
            // More of them in one turn of the loop than it takes up.
            Err(_) => reply.send(text(Status::SERVICE_UNAVAILABLE, "Too many at once.\n")),
        }
    }

    pub(super) fn wake(&mut self, ticket: Ticket, reply: Reply<'_>) {
        if let Some(tickets) = self.waiting.get_mut(&ticket.connection()) {
            tickets.retain(|(waiting, _)| *waiting != ticket);
            if tickets.is_empty() {
                self.waiting.remove(&ticket.connection());
            }
        }
        reply.send(text(Status::OK, "That took a while.\n"));
    }

    /// A connection has ended, and nobody waits for its answers.
    pub(super) fn forget(&mut self, connection: ConnId) {
        if self.waiting.is_empty() {
            return;
        }
        for (_, timer) in self.waiting.remove(&connection).unwrap_or_default() {
            timer.cancel();
        }
    }
}
