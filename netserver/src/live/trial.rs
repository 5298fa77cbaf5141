//! What Node's leak was shown with: thousands of servers, made and dropped. A few in each turn of
//! the loop, so that others are served meanwhile.

use std::sync::Arc;
use std::time::Instant;

use mio::Registry;
use serde_json::{Value, json};
use timerwheel::{TimerHandle, Timers};

use crate::handler::{Handler, Request};
use crate::memory;
use crate::net::Tokens;
use crate::reply::Reply;
use crate::server::{Host, Server};

/// Servers made in one step.
const PER_STEP: u32 = 100;

/// Of those, really bound: to a port of their own, with a timer on the loop's own wheel.
const BOUND_PER_STEP: u32 = 2;

#[derive(Debug)]
pub(super) struct Trial {
    asked: u32,
    made: u32,
    bound: u32,
    /// Every server's handler holds one: how many there are is how many servers are alive.
    alive: Arc<()>,
    alive_most: usize,
    /// Entries of theirs in the wheel at a time.
    timers_most: usize,
    /// Entries of theirs that were still there when they were gone.
    timers_left: usize,
    memory_before: Option<u64>,
    memory_now: Option<u64>,
}

/// Held by its server alone.
struct Tenant {
    _alive: Arc<()>,
}

impl Handler for Tenant {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        drop(reply);
    }
}

impl Trial {
    pub(super) fn new(servers: u32) -> Self {
        let memory = memory::resident_bytes();
        Self {
            asked: servers,
            made: 0,
            bound: 0,
            alive: Arc::new(()),
            alive_most: 0,
            timers_most: 0,
            timers_left: 0,
            memory_before: memory,
            memory_now: memory,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.made < self.asked
    }

    /// Makes some, counts what they hold, drops them, and counts again.
    pub(super) fn step<T: Copy + std::fmt::Debug>(
        &mut self,
        registry: &Arc<Registry>,
        timers: &mut Timers<T>,
        timer: T,
        now: Instant,
    ) {
        let make = PER_STEP.min(self.asked - self.made);
        let tenant = || Server::builder(Tenant { _alive: Arc::clone(&self.alive) });
        let bound: Vec<_> = (0..BOUND_PER_STEP.min(make))
            .filter_map(|_| {
                // Dropped before the poll is asked again, so that no event ever has this token.
                let tokens = Tokens::new(usize::MAX - 8..usize::MAX);
                let host = Host { registry, tokens, timers, timer, now };
                // Out of descriptors or ports: one more that is not bound.
                tenant().bind(([127, 0, 0, 1], 0).into(), host).ok()
            })
            .collect();
        let bound_count = u32::try_from(bound.len()).unwrap_or(make);
        let unbound: Vec<_> = (bound_count..make).map(|_| tenant()).collect();
        self.alive_most = self.alive_most.max(self.alive());
        let entries: Vec<TimerHandle> = bound.iter().filter_map(Server::timer).collect();
        self.timers_most = self.timers_most.max(entries.len());
        drop((bound, unbound));
        self.made += make;
        self.bound += bound_count;
        // Others come and go meanwhile: what counts are theirs.
        self.timers_left += entries.iter().filter(|entry| timers.contains(**entry)).count();
        if !self.is_running() {
            self.memory_now = memory::resident_bytes();
        }
    }

    pub(super) fn describe(&self) -> Value {
        json!({
            "running": self.is_running(),
            "asked": self.asked,
            "made": self.made,
            "bound": self.bound,
            "alive": self.alive(),
            "alive_most": self.alive_most,
            "timers_most": self.timers_most,
            "timers_left": self.timers_left,
            "memory_before": self.memory_before,
            "memory_now": self.memory_now,
        })
    }

    fn alive(&self) -> usize {
        Arc::strong_count(&self.alive) - 1
    }
}
