//! The world: what there is in it, and how it comes about. What happens in it is in `network`, what
//! the server's loop does in `turn`.

mod network;
mod turn;

use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use netserver::{Host, Listener, Server, Stats, Ticket, Tokens};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use timerwheel::Timers;

use crate::app::App;
use crate::client::{Client, Scribe};
use crate::plan::Plan;
use crate::wire::{Clock, Door, Ending, Notes, Wire};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Clone, Copy, Debug)]
enum Timer {
    Check,
    Wake(Ticket),
}

/// What is to happen at a time.
#[derive(Debug)]
enum Event {
    Connect(u32),
    Step(u32),
    GiveUp(u32, usize),
    Arrive(u32, Vec<u8>),
    End(u32, Ending),
    Take(u32),
    Exhaust(bool),
    Stall(Duration),
    Jump(Duration),
    Close,
}

pub(crate) struct World {
    rng: Rng,
    plan: Plan,
    clock: Clock,
    notes: Notes,
    // Before the server, which it is to outlive.
    door: Door,
    server: Server<App, Timer>,
    timers: Timers<Timer>,
    _poll: mio::Poll,
    clients: Vec<Client>,
    events: BTreeMap<(Duration, u64), Event>,
    sequence: u64,
    busy_until: Duration,
    /// What a turn has taken, at most: for as long the server does not look at the time.
    longest_turn: Duration,
    idle_turns: u32,
    last_sweep: Duration,
    told_to_close: bool,
    /// Who was seen first at the door, and since when.
    waiting_since: Option<(u32, Duration)>,
    stalled: bool,
    jumped: bool,
    closing: Option<Instant>,
    /// Bytes that the server holds, and the most it did.
    bytes: i64,
    bytes_max: i64,
    turns: u64,
}

/// What came of a seed.
pub(crate) struct Told {
    pub(crate) connections: u32,
    pub(crate) turns: u64,
    pub(crate) stats: Stats,
    pub(crate) bytes_max: i64,
    pub(crate) virtual_time: Duration,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::draw(&mut rng);
        let (clock, notes) = (Clock::new(), Notes::new(plan.connections));
        let mut next_id = 0;
        let clients: Vec<_> = (0..plan.connections)
            .map(|number| {
                let wire = Wire::new(number, plan.room, &clock, &notes, &mut rng);
                let (role, script, messages) = Scribe::new(&mut rng, &plan, &mut next_id).write();
                Client::new(wire, role, script, messages)
            })
            .collect();
        let poll = mio::Poll::new().expect("a poll");
        let mut timers = Timers::new(clock.now());
        let door = Door::default();
        let host = Host {
            registry: &Arc::new(poll.registry().try_clone().expect("a descriptor")),
            tokens: Tokens::new(0..plan.connections as usize + 2),
            timers: &mut timers,
            timer: Timer::Check,
            now: clock.now(),
        };
        let app = App::new(next_id, clients.len(), &clock);
        let builder = Server::builder(app).settings(plan.settings.clone());
        let server = builder.listen_on(Listener::new(door.clone()), host);
        let mut world = Self {
            server: server.expect("the settings keep the rules"),
            rng,
            plan,
            clock,
            notes,
            door,
            timers,
            _poll: poll,
            clients,
            events: BTreeMap::new(),
            sequence: 0,
            busy_until: Duration::ZERO,
            longest_turn: Duration::ZERO,
            idle_turns: 0,
            last_sweep: Duration::ZERO,
            told_to_close: false,
            waiting_since: None,
            stalled: false,
            jumped: false,
            closing: None,
            bytes: 0,
            bytes_max: 0,
            turns: 0,
        };
        world.schedule_everything();
        world
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    fn schedule_everything(&mut self) {
        let span = self.plan.span;
        for number in 0..self.plan.connections {
            let at = span.mul_f64(self.rng.f64());
            self.at(at, Event::Connect(number));
        }
        for _ in 0..self.plan.stalls {
            let (at, most) = (span.mul_f64(self.rng.f64()), Duration::from_secs(3));
            let stall = most.mul_f64(self.rng.f64().powi(3));
            self.at(at, Event::Stall(stall));
        }
        if let Some(jump) = self.plan.jump {
            let at = span.mul_f64(self.rng.f64());
            self.at(at, Event::Jump(jump));
        }
        for _ in 0..self.plan.exhaustions {
            let at = span.mul_f64(self.rng.f64());
            self.at(at, Event::Exhaust(true));
            let until = at + Duration::from_millis(self.rng.u64(..5_000));
            self.at(until, Event::Exhaust(false));
        }
        // In the thick of it, or when nearly all is over.
        let close = span.mul_f64(self.rng.f64() * 3.0);
        self.at(close, Event::Close);
    }

    /// Runs until the server has closed.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub(crate) fn run(mut self) -> Result<Told, String> {
        while !self.server.is_closed() {
            let turn = self.next_turn();
            let next = self.events.first_entry();
            if let Some(next) = next.filter(|next| turn.is_none_or(|turn| next.key().0 <= turn)) {
                let ((at, _), event) = next.remove_entry();
                self.go_to(at);
                self.happen(event);
            } else {
                self.go_to(turn.ok_or("nothing will ever happen")?);
                self.turn().map_err(|what| format!("at {:?}: {what}", self.clock.elapsed()))?;
            }
        }
        self.check_nothing_is_left()?;
        Ok(Told {
            connections: self.plan.connections,
            turns: self.turns,
            stats: self.server.stats(),
            bytes_max: self.bytes_max,
            virtual_time: self.clock.elapsed(),
        })
    }
}
