//! What happens outside the server: clients follow their scripts, and the network carries what they
//! send and take, a while later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Event, World};
use crate::client::Act;
use crate::wire::{Ending, lock};

/// How long a client waits for its answers.
const PATIENCE: Duration = Duration::from_secs(200);

impl World {
    pub(super) fn at(&mut self, at: Duration, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    pub(super) fn go_to(&mut self, at: Duration) {
        let now = self.clock.now();
        let elapsed = self.clock.elapsed();
        self.clock.set(now + at.saturating_sub(elapsed));
    }

    pub(super) fn happen(&mut self, event: Event) {
        let now = self.clock.elapsed();
        match event {
            Event::Connect(number) => self.connect(number),
            Event::Step(number) => self.step(number),
            Event::GiveUp(number, answers) => {
                if self.clients[number as usize].awaiting == Some(answers) {
                    self.clients[number as usize].awaiting = None;
                    self.step(number);
                }
            }
            Event::Arrive(number, bytes) => {
                lock(&self.clients[number as usize].wire).arrive(&bytes);
            }
            Event::End(number, ending) => lock(&self.clients[number as usize].wire).end(ending),
            Event::Take(number) => self.take(number),
            Event::Exhaust(exhausted) => self.door.lock().exhausted = exhausted,
            Event::Stall(stall) => {
                self.stalled = true;
                self.waiting_since = None;
                self.busy_until = self.busy_until.max(now) + stall;
            }
            Event::Jump(jump) => {
                // Everybody sleeps, and wakes up to find it later.
                (self.stalled, self.jumped) = (true, true);
                self.waiting_since = None;
                let events = std::mem::take(&mut self.events);
                self.events = events
                    .into_iter()
                    .map(|((at, sequence), event)| ((at + jump, sequence), event))
                    .collect::<BTreeMap<_, _>>();
                for client in &mut self.clients {
                    client.last_arrival += jump;
                }
                self.busy_until = self.busy_until.max(now) + jump;
                self.go_to(now + jump);
            }
            Event::Close => self.told_to_close = true,
        }
    }

    fn connect(&mut self, number: u32) {
        {
            let mut door = self.door.lock();
            if door.token.is_none() {
                // Nobody listens any more.
                return;
            }
            door.waiting.push_back(Arc::clone(&self.clients[number as usize].wire));
            door.ready = true;
            door.aborts += u32::from(self.rng.u32(..50) == 0);
        }
        self.step(number);
    }

    /// The client goes on with its script as far as it can.
    pub(super) fn step(&mut self, number: u32) {
        let now = self.clock.elapsed();
        loop {
            let client = &mut self.clients[number as usize];
            if lock(&client.wire).dropped.is_some() {
                client.script.clear();
            }
            let Some(act) = client.script.pop_front() else { return };
            match act {
                Act::Send(bytes) => {
                    let at = self.arrival(number);
                    self.at(at, Event::Arrive(number, bytes));
                }
                Act::End(ending) => {
                    let at = self.arrival(number);
                    self.at(at, Event::End(number, ending));
                }
                Act::Wait(time) => return self.at(now + time, Event::Step(number)),
                Act::Deaf => client.deaf = true,
                Act::Await(answers) if self.received(number) >= answers => {}
                Act::Await(answers) => {
                    self.clients[number as usize].awaiting = Some(answers);
                    return self.at(now + PATIENCE, Event::GiveUp(number, answers));
                }
            }
        }
    }

    /// When what is sent now arrives: after what was sent before.
    fn arrival(&mut self, number: u32) -> Duration {
        let late = self.plan.latency.mul_f64(self.rng.f64());
        let at = self.clock.elapsed() + late;
        let client = &mut self.clients[number as usize];
        client.last_arrival = client.last_arrival.max(at);
        client.last_arrival
    }

    fn received(&self, number: u32) -> usize {
        let wire = lock(&self.clients[number as usize].wire);
        let taken = wire.written - wire.untaken() as u64;
        wire.answers.list.iter().filter(|answer| answer.end <= taken).count()
    }

    /// The client takes what is there, or a part of it.
    fn take(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        client.taking = false;
        {
            let mut wire = lock(&client.wire);
            let there = wire.untaken();
            let part = if wire.partial && there > 0 { self.rng.usize(1..=there) } else { there };
            wire.take(part);
        }
        self.expect_to_take(number);
        let awaiting = self.clients[number as usize].awaiting;
        if awaiting.is_some_and(|answers| self.received(number) >= answers) {
            self.clients[number as usize].awaiting = None;
            self.step(number);
        }
    }

    /// Who has read that the server says no more, mostly ends too.
    pub(super) fn expect_to_leave(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        let shut = lock(&client.wire).shut.is_some();
        let news = shut && !client.deaf && !std::mem::replace(&mut client.told_of_end, true);
        if news && self.rng.u32(..4) > 0 {
            let at = self.arrival(number) + Duration::from_millis(1);
            self.at(at, Event::End(number, Ending::Fin));
        }
    }

    /// If there is something for the client, it will take it.
    pub(super) fn expect_to_take(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        if client.deaf || client.taking || lock(&client.wire).untaken() == 0 {
            return;
        }
        client.taking = true;
        let late = self.plan.latency.mul_f64(self.rng.f64()) + Duration::from_micros(50);
        self.at(self.clock.elapsed() + late, Event::Take(number));
    }
}
