//! The loop's side of the live page: looks at the server and the wheel while somebody watches.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use timerwheel::{MissedTicks, Period, TimerGuard, TimerHandle, Timers};

use super::hub::{Frame, LiveLink};
use super::trial::Trial;
use super::view::Subject;
use crate::clock;
use crate::gauges::{Gauges, LoopStats};
use crate::handler::Handler;
use crate::reply::Ticket;
use crate::server::Server;

/// Between two updates of the page.
const BEAT: Duration = Duration::from_millis(500);

/// A look may cost the loop one part in so many of its time.
const SHARE: u32 = 200;

/// What a timer is for: what the page finds its owner by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The server's connection check.
    Check,
    /// The page's own updates.
    Page,
    /// A request that was put off.
    Request(Ticket),
    /// Something the page knows nothing of.
    Other,
}

impl Purpose {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Check => "connection check",
            Self::Page => "live page",
            Self::Request(_) => "request",
            Self::Other => "other",
        }
    }
}

/// Looks at a loop's server and wheel while there are viewers. Nothing is armed without them.
///
/// An [`EventLoop`](crate::EventLoop) has one; a loop of your own makes one, calls
/// [`turn`](Self::turn) in every turn and [`on_timer`](Self::on_timer) with what expires, and gives
/// its [`link`](Self::link) to the handler's [`LivePage`](super::LivePage).
pub struct LiveLoop<T> {
    link: LiveLink,
    /// The value of its timer.
    value: T,
    purpose: fn(&T) -> Purpose,
    beat: Option<TimerGuard>,
    viewers: Vec<Ticket>,
    frames: u64,
    /// No look before this: the last one took long.
    rest_until: Option<Instant>,
    trial: Option<Trial>,
    /// Whether the figures are somebody else's to publish.
    counted: bool,
}

impl<T: Copy + Debug> LiveLoop<T> {
    /// For a loop of one's own. `value` is that of the timer it will arm while somebody looks;
    /// `purpose` tells what a value is for.
    pub fn new(value: T, purpose: fn(&T) -> Purpose) -> Self {
        let mut it = Self::linked(LiveLink::new(Gauges::new(1), 0), value, purpose);
        it.counted = false;
        it
    }

    pub(crate) fn linked(link: LiveLink, value: T, purpose: fn(&T) -> Purpose) -> Self {
        Self {
            link,
            value,
            purpose,
            beat: None,
            viewers: Vec::new(),
            frames: 0,
            rest_until: None,
            trial: None,
            counted: true,
        }
    }

    /// For the handler of this loop.
    pub fn link(&self) -> LiveLink {
        self.link.clone()
    }

    /// What handlers have asked for since the last turn. Nothing: one load. Call it in every turn,
    /// before [`Server::turn`].
    pub fn turn<H: Handler>(
        &mut self,
        server: &mut Server<H, T>,
        timers: &mut Timers<T>,
        now: Instant,
    ) {
        if self.link.desk().take_attention() {
            self.take_up(server, timers, now);
        }
        if self.trial.as_mut().is_some_and(|trial| trial.is_running()) {
            self.step_trial(server, timers, now);
        }
        if !self.viewers.is_empty() && server.is_closing() {
            self.end(server, now);
        }
    }

    /// A timer has expired; false if it is not this one.
    pub fn on_timer<H: Handler>(
        &mut self,
        handle: TimerHandle,
        server: &mut Server<H, T>,
        timers: &mut Timers<T>,
        now: Instant,
    ) -> bool {
        if self.handle() != Some(handle) {
            return false;
        }
        if self.link.hub().viewers.load(Ordering::Relaxed) == 0 {
            self.beat = None;
            self.viewers.clear();
            self.link.desk().papers().view = None;
        } else if self.rest_until.is_none_or(|until| until <= now) {
            self.look(server, timers, now);
        }
        true
    }

    /// Whether it has something to do at once, so that the loop must not sleep.
    pub fn wants_turn(&self) -> bool {
        self.trial.as_ref().is_some_and(Trial::is_running)
    }

    fn handle(&self) -> Option<TimerHandle> {
        self.beat.as_ref().map(TimerGuard::handle)
    }

    fn take_up<H: Handler>(
        &mut self,
        server: &mut Server<H, T>,
        timers: &mut Timers<T>,
        now: Instant,
    ) {
        let mut papers = self.link.desk().papers();
        let closes = std::mem::take(&mut papers.closes);
        let arrivals = std::mem::take(&mut papers.arrivals);
        let servers = papers.trial.take();
        drop(papers);
        for id in closes {
            server.close_connection(id, now);
        }
        if let Some(servers) = servers
            && !self.wants_turn()
        {
            self.trial = Some(Trial::new(servers));
        }
        self.viewers.extend(arrivals);
        if self.link.hub().viewers.load(Ordering::Relaxed) == 0 || server.is_closing() {
            return;
        }
        if self.beat.is_none() {
            let Ok(period) = Period::new(BEAT) else { unreachable!("not zero") };
            let first = now + BEAT;
            let handle = timers.insert_interval(first, period, MissedTicks::Skip, self.value);
            self.beat = Some(timers.guard(handle));
        }
        self.look(server, timers, now);
    }

    /// Looks, and shows it to the viewers.
    fn look<H: Handler>(
        &mut self,
        server: &mut Server<H, T>,
        timers: &mut Timers<T>,
        now: Instant,
    ) {
        let began = clock::now();
        if !self.counted {
            self.publish(server, timers);
        }
        let (hub, gauges) = (self.link.hub(), &self.link.gauges);
        let (beat, purpose, loops) = (self.handle(), self.purpose, hub.desks.len());
        let mut view = Subject { server, timers, beat, purpose, loops, now }.look();
        view["trial"] = self.trial.as_ref().map(Trial::describe).into();
        self.link.desk().papers().view = Some(view);
        if !self.viewers.is_empty() {
            self.frames += 1;
            let bytes = Arc::from(hub.frame(gauges));
            self.link.desk().papers().frame = Frame { number: self.frames, bytes, last: false };
            self.viewers.retain(|ticket| server.wake(*ticket, now));
        }
        let cost = clock::now().saturating_duration_since(began);
        self.rest_until = now.checked_add(cost.saturating_mul(SHARE));
    }

    fn step_trial<H: Handler>(
        &mut self,
        server: &mut Server<H, T>,
        timers: &mut Timers<T>,
        now: Instant,
    ) {
        let Some(trial) = &mut self.trial else { return };
        trial.step(server.registry(), timers, self.value, now);
        if !trial.is_running() {
            self.look(server, timers, now);
        }
    }

    /// The server is closing, and does not wait for people to go away.
    fn end<H: Handler>(&mut self, server: &mut Server<H, T>, now: Instant) {
        self.link.desk().papers().frame.last = true;
        for ticket in std::mem::take(&mut self.viewers) {
            server.wake(ticket, now);
        }
        self.beat = None;
    }

    fn publish<H: Handler>(&self, server: &Server<H, T>, timers: &mut Timers<T>) {
        let mut stats = LoopStats {
            server: server.stats(),
            timers: timers.len() as u64,
            servers: u64::from(!server.is_closed()),
            server_timers: server.timer_entries() as u64,
            ..LoopStats::default()
        };
        self.link.gauges.publish(self.link.index, &mut stats);
    }
}

impl<T> Debug for LiveLoop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveLoop").field("viewers", &self.viewers.len()).finish_non_exhaustive()
    }
}
