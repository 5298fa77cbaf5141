//! Closing: at once for what is idle, after the response for what is under way, by force in the
//! end.

use std::time::{Duration, Instant};

use super::{Server, ServerBuilder};
use crate::cause::Cause;
use crate::conn::Phase;
use crate::context::ConnId;
use crate::handler::Handler;
use crate::settings::{SettingError, Settings, Timeouts};
use crate::stats::Stats;
use crate::trace;
use crate::track::Class;

/// What became of the connections that were open when the server began to close.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Connections that ended by themselves, in time.
    pub finished: u64,
    /// Connections that were cut off at the end of the grace period.
    pub forced: u64,
    /// Of those cut off, upgraded ones.
    pub upgraded: u64,
}

impl std::ops::AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.finished += other.finished;
        self.forced += other.forced;
        self.upgraded += other.upgraded;
    }
}

/// A server that is closing.
#[derive(Debug)]
pub(super) struct Drain {
    /// When force begins; `None` is never.
    deadline: Option<Instant>,
    /// It has begun: what ends now was cut off.
    forcing: bool,
    /// The slot where telling the connections goes on; `None` once all have been told.
    next: Option<usize>,
    report: Report,
}

impl Drain {
    /// Whether the grace is over, and that has not been seen to.
    fn must_force(&self, now: Instant) -> bool {
        !self.forcing && self.deadline.is_some_and(|deadline| deadline <= now)
    }

    fn force(&mut self) {
        self.forcing = true;
        self.next = Some(0);
    }
}

impl<H: Handler, T: Copy> Server<H, T> {
    /// Takes in who waits to be accepted, as many as a turn's work allows, and stops listening, which
    /// frees the port at once. Lets connections end: idle and silent ones now, the others after the
    /// response they are in, which says `Connection: close`.
    /// Deadlines stay enforced meanwhile. What is still open `grace` from now is cut off at the
    /// next check. Called again, it sets another grace period.
    ///
    /// Of many connections, some are told now and the rest in the turns that follow
    /// ([`wants_turn`](Self::wants_turn)), so that requests under way are not held up.
    ///
    /// The server is done when [`is_closed`](Self::is_closed). Its timer goes with its last
    /// connection.
    pub fn close(&mut self, grace: Duration, now: Instant) {
        // Who waits to be accepted is connected already, as far as it knows, and would be reset.
        self.accept_last(now);
        self.listening.stop();
        self.accepting = false;
        trace::draining(self.connections.len(), grace);
        let deadline = now.checked_add(grace);
        let report = self.drain.as_ref().map(|drain| drain.report).unwrap_or_default();
        self.drain = Some(Drain { deadline, forcing: false, next: Some(0), report });
        self.go_on_draining(now);
        self.release_when_empty();
    }

    /// Closes all connections that are idle between requests.
    pub fn close_idle(&mut self, now: Instant) {
        for key in self.keys() {
            let idle = self.connections.get(key as usize).is_some_and(|c| c.phase == Phase::Idle);
            // Its next request may have arrived, and only not been read.
            if idle && !self.goes_on(key, Class::Idle, now) {
                self.abort(key, Cause::Idle, now);
            }
        }
    }

    /// Closes all connections, upgraded ones included, whatever they are doing. The server goes on
    /// listening, unless it is closed too.
    pub fn close_all(&mut self, now: Instant) {
        if let Some(drain) = &mut self.drain {
            drain.forcing = true;
            drain.next = None;
        }
        for key in self.keys() {
            self.cut_off(key, now);
        }
        self.release_when_empty();
    }

    /// Closes one connection, whatever it is doing; false if it has ended.
    pub fn close_connection(&mut self, id: ConnId, now: Instant) -> bool {
        let key = self.key_of(id);
        if let Some(key) = key {
            self.abort(key, Cause::Handler, now);
        }
        key.is_some()
    }

    /// Unbinds: closes every socket and cancels the timer, now. What comes back can be bound again.
    pub fn into_builder(self) -> ServerBuilder<H> {
        ServerBuilder {
            handler: self.handler,
            settings: self.settings,
            listen: self.listen,
            proxied: self.proxied,
            admission: Some(self.admission),
        }
    }

    /// Changes durations while the server runs. Deadlines are counted from when each connection
    /// entered its class, so this holds for those that wait already, at the next check. The
    /// check's own interval stays as it was bound.
    ///
    /// # Errors
    ///
    /// The setting that breaks a rule; nothing has changed then.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), SettingError> {
        let changed = Settings { timeouts, limits: self.settings.limits.clone() };
        changed.check()?;
        self.settings = changed;
        Ok(())
    }

    /// Whether it has been closed and the last connection is gone: nothing is left of it in the
    /// poll or in the wheel.
    pub fn is_closed(&self) -> bool {
        self.drain.is_some() && self.connections.is_empty()
    }

    /// Whether it is closing, or closed.
    pub fn is_closing(&self) -> bool {
        self.drain.is_some()
    }

    /// What has become of the connections since [`close`](Self::close); `None` before it.
    pub fn report(&self) -> Option<Report> {
        self.drain.as_ref().map(|drain| drain.report)
    }

    /// Counters since it was bound, and gauges of now.
    pub fn stats(&self) -> Stats {
        Stats { open: self.connections.len() as u64, ..self.stats }
    }

    pub(super) fn check_drain(&mut self, now: Instant) {
        if let Some(drain) = self.drain.as_mut().filter(|drain| drain.must_force(now)) {
            drain.force();
            self.go_on_draining(now);
        }
        self.release_when_empty();
    }

    /// Whether there are connections that have not been told yet.
    pub(super) fn is_telling(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.next.is_some())
    }

    /// Tells connections that the server is closing, or cuts them off, up to its part of the turn.
    pub(super) fn go_on_draining(&mut self, now: Instant) {
        let Some(drain) = &mut self.drain else { return };
        let Some(start) = drain.next.take() else { return };
        // As many slots as have ever been used; no more come while it is closing.
        let slots = self.generations.len();
        let forcing = drain.forcing;
        let (mut slot, until) = (start, self.work.part());
        while slot < slots && !self.work.is_past(until) {
            self.work.step();
            let key = self.connections.get(slot).map(|it| it.id.index());
            slot += 1;
            let Some(key) = key else { continue };
            if forcing {
                self.cut_off(key, now);
            } else {
                // A request that has arrived is no less under way for not having been read.
                self.drive_after(key, now, |connection, _, _| {
                    connection.readable = true;
                });
                self.drive_after(key, now, |connection, _, cx| {
                    connection.conn.drain(cx);
                    if let Some(leased) = &connection.leased {
                        leased.drain();
                    }
                });
            }
        }
        let Some(drain) = &mut self.drain else { return };
        drain.next = (slot < slots).then_some(slot);
        // All have been told, and there is no grace.
        if drain.next.is_none() && drain.must_force(now) {
            drain.force();
            self.go_on_draining(now);
        }
    }

    /// When what is still open is cut off.
    pub(super) fn grace_ends(&self) -> Option<Instant> {
        let waiting = self.drain.as_ref().filter(|_| !self.connections.is_empty());
        waiting.and_then(|drain| drain.deadline)
    }

    /// A connection has ended.
    pub(super) fn note_drained(&mut self, cause: Cause) {
        let Some(drain) = &mut self.drain else { return };
        if cause == Cause::Drain && drain.forcing {
            drain.report.forced += 1;
        } else {
            drain.report.finished += 1;
        }
        self.release_when_empty();
    }

    fn cut_off(&mut self, key: u32, now: Instant) {
        let upgraded = self.connections.get(key as usize).map(|c| c.phase) == Some(Phase::Upgraded);
        if let Some(drain) = &mut self.drain {
            drain.report.upgraded += u64::from(upgraded);
        }
        self.abort(key, Cause::Drain, now);
    }

    fn release_when_empty(&mut self) {
        if self.is_closed() {
            self.check.release();
        }
    }

    /// The connections there are, as they may end while each has its turn.
    fn keys(&self) -> Vec<u32> {
        self.connections.iter().map(|(_, connection)| connection.id.index()).collect()
    }
}
