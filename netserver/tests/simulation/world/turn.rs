//! A turn of the loop that the server runs on, and what is looked at after each.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use netserver::{Cause, Ready};

use super::{ALLOCATOR, Timer, World};
use crate::app::Wake;
use crate::oracle::{Oracle, bytes_per_connection};
use crate::wire::lock;

/// Memory of a server that is there whatever the number of its connections, and when there are none
/// any more: what it reads into and writes from, and lists with room for a thousand.
const BYTES_AT_ALL: i64 = 1024 << 10;

/// A loop that turns so often with nothing done spins.
const IDLE_TURNS_MAX: u32 = 200;

impl World {
    /// When the loop turns next; `None` if nothing would ever wake it.
    pub(super) fn next_turn(&mut self) -> Option<Duration> {
        let now = self.clock.elapsed().max(self.busy_until);
        let door = self.door.lock();
        let told = door.token.is_some() && door.ready;
        drop(door);
        if self.told_to_close
            || told
            || self.server.wants_turn()
            || !self.notes.lock().edges.is_empty()
        {
            return Some(now);
        }
        let timeout = self.timers.timeout(self.clock.now())?;
        Some(now.max(self.clock.elapsed() + timeout))
    }

    /// Runs the server's code, and counts what memory it takes and gives back.
    pub(super) fn in_server<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> R {
        let before = live_bytes();
        let result = run(self);
        self.bytes += live_bytes() - before;
        self.bytes_max = self.bytes_max.max(self.bytes);
        result
    }

    pub(super) fn turn(&mut self) -> Result<(), String> {
        self.turns += 1;
        let now = self.clock.now();
        if std::mem::take(&mut self.told_to_close) {
            self.close();
        }
        let mut worked = self.tell_of_edges(now);
        if self.rng.u32(..64) == 0 {
            self.tell_of_nothing(now);
        }
        if self.rng.u32(..64) == 0 {
            // A clock that is set back is not believed.
            self.timers.advance(now.checked_sub(Duration::from_secs(1)).unwrap_or(now));
        }
        self.timers.advance(now);
        while let Some(expiry) = self.timers.pop_expired() {
            worked = true;
            self.in_server(|world| match expiry.value {
                Timer::Check => world.server.on_timer(expiry.handle, now),
                Timer::Wake(ticket) => world.server.wake(ticket, now),
            });
        }
        self.in_server(|world| {
            let World { server, timers, .. } = world;
            server.turn(timers, now);
        });
        for Wake(wait, ticket) in std::mem::take(&mut self.server.handler_mut().wakes) {
            _ = self.timers.insert_after(wait, Timer::Wake(ticket), now);
        }
        self.server.handler_mut().wakes.reserve(4096);
        let end = self.clock.now();
        self.longest_turn = self.longest_turn.max(end - now);
        self.in_server(|world| world.server.settle(end));
        self.busy_until = self.clock.elapsed() + Duration::from_micros(self.rng.u64(5..200));
        worked |= self.look(now)?;
        self.idle_turns = if worked { 0 } else { self.idle_turns + 1 };
        if self.idle_turns > IDLE_TURNS_MAX {
            return Err("the loop spins".into());
        }
        self.check_books()
    }

    fn close(&mut self) {
        let (grace, now) = (self.plan.grace, self.clock.now());
        self.closing = Some(now + grace);
        for client in &self.clients {
            let mut wire = lock(&client.wire);
            let front = client.messages.get(wire.answers.list.len());
            let under_way = front.is_some_and(|front| front.start < wire.read);
            let held = under_way || wire.blocked.is_some();
            wire.held_at_close = held.then_some(wire.read);
            wire.arrived_at_close = wire.arrived;
        }
        self.in_server(|world| world.server.close(grace, now));
    }

    /// What the poll has to tell, in any order and not always all at once.
    fn tell_of_edges(&mut self, now: Instant) -> bool {
        let mut edges = std::mem::take(&mut self.notes.lock().edges);
        self.rng.shuffle(&mut edges);
        let told = edges.len().min(self.rng.usize(1..=128));
        let later = edges.split_off(told);
        {
            let mut notes = self.notes.lock();
            notes.edges.reserve(self.clients.len() + 1);
            notes.edges.extend(later);
        }
        let door = {
            let mut door = self.door.lock();
            std::mem::take(&mut door.ready).then_some(door.token).flatten()
        };
        if let Some(token) = door {
            self.in_server(|world| world.server.on_event(token, Ready::READABLE, now));
        }
        for number in &edges {
            let edge = lock(&self.clients[*number as usize].wire).take_edge();
            if let Some((token, ready)) = edge {
                self.in_server(|world| world.server.on_event(token, ready, now));
            }
        }
        door.is_some() || !edges.is_empty()
    }

    /// An event without a reason: readiness is a hint.
    fn tell_of_nothing(&mut self, now: Instant) {
        let client = self.rng.usize(..self.clients.len());
        let token = lock(&self.clients[client].wire).token;
        let ready = if self.rng.bool() { Ready::READABLE } else { Ready::WRITABLE };
        if let Some(token) = token {
            self.in_server(|world| world.server.on_event(token, ready, now));
        }
    }

    /// Looks at what the server has done in the turn of that time; whether it has done anything.
    fn look(&mut self, now: Instant) -> Result<bool, String> {
        let touched = std::mem::take(&mut self.notes.lock().touched);
        self.notes.lock().touched.reserve(self.clients.len() + 1);
        for &number in &touched {
            lock(&self.clients[number as usize].wire).look();
            self.expect_to_take(number);
            self.expect_to_leave(number);
        }
        let forced = self.closing.is_some_and(|end| end <= now);
        let rests = !self.server.wants_turn();
        let sweep = (self.plan.check_interval() / 4).max(Duration::from_millis(100));
        let sweeps = rests && self.clock.elapsed() >= self.last_sweep + sweep;
        if sweeps {
            self.last_sweep = self.clock.elapsed();
            self.check_door()?;
        }
        let closed = std::mem::take(&mut self.server.handler_mut().closed);
        self.server.handler_mut().closed.reserve(self.clients.len());
        for closed in &closed {
            let Some(IpAddr::V4(ip)) = closed.peer.map(|peer| peer.ip()) else {
                return Err("a connection without a peer".into());
            };
            let number = (ip.to_bits() - 0x0a00_0000) as usize;
            self.clients[number].closed = Some(closed.cause);
        }
        let app = self.server.handler();
        if let Some(fault) = app.faults.first() {
            return Err(fault.clone());
        }
        let oracle = Oracle {
            plan: &self.plan,
            states: &app.states,
            now,
            draining: self.closing.is_some(),
            forced,
            stalled: self.stalled,
            jumped: self.jumped,
            longest_turn: self.longest_turn,
        };
        for &number in &touched {
            let client = &self.clients[number as usize];
            let verdict = oracle.check_answers(client).and_then(|()| {
                let gone = lock(&client.wire).dropped.is_some();
                match client.closed {
                    Some(cause) if gone => oracle.check_end(client, cause),
                    None if gone => oracle.check_turned_away(client),
                    _ if rests => oracle.check_rest(client),
                    _ => Ok(()),
                }
            });
            verdict.map_err(|what| client.blame(number, &what))?;
        }
        if sweeps {
            for (number, client) in (0..).zip(&self.clients) {
                let verdict =
                    oracle.check_deadlines(client).and_then(|()| oracle.check_rest(client));
                verdict
                    .map_err(|what| format!("connection {number}, {:?}: {what}", client.role))?;
            }
        }
        Ok(!touched.is_empty())
    }

    /// Nobody waits to be accepted while there is room, and descriptors.
    fn check_door(&mut self) -> Result<(), String> {
        let now = self.clock.elapsed();
        let door = self.door.lock();
        // Who came since the last turn has not been told of yet.
        let open = door.token.is_some() && !door.exhausted && !door.ready;
        let unlimited = self.plan.settings.limits.connections == 0;
        let first = door.waiting.front().filter(|_| open && unlimited);
        let first = first.map(|wire| lock(wire).number);
        drop(door);
        let before = self.waiting_since.take().filter(|(number, _)| first == Some(*number));
        let since = before.map(|(_, since)| since);
        self.waiting_since = first.map(|number| (number, since.unwrap_or(now)));
        // The check retries, an exact one after a second.
        let longest = self.plan.check_interval() + Duration::from_secs(2);
        match since {
            Some(since) if now > since + longest => Err("somebody waits to be accepted".into()),
            _ => Ok(()),
        }
    }

    /// Counters agree with what there is, one timer is armed, and memory is within the limits.
    fn check_books(&mut self) -> Result<(), String> {
        let stats = self.server.stats();
        // Who was turned away was never taken in.
        let closed = stats.closed.total() - stats.closed.count(Cause::OverLimit);
        let open = stats.open;
        if stats.accepted != open + closed {
            return Err(format!("{} accepted, {open} open, {closed} closed", stats.accepted));
        }
        if self.server.timer_entries() > 1 {
            return Err("more than one timer is armed".into());
        }
        let each = i64::try_from(bytes_per_connection(&self.plan)).expect("small");
        let limit = BYTES_AT_ALL + i64::try_from(open).expect("few") * each;
        if self.bytes > limit {
            return Err(format!("{} bytes are held for {open} connections", self.bytes));
        }
        Ok(())
    }

    /// After the last connection: nothing is left.
    pub(super) fn check_nothing_is_left(&mut self) -> Result<(), String> {
        let end = self.closing.expect("it was told to close");
        let late = self.clock.now().saturating_duration_since(end);
        // A handler may block the loop just then.
        let slack = self.plan.check_interval() + Duration::from_millis(500);
        if late > slack && !self.stalled {
            return Err(format!("closed {late:?} after the end of the grace"));
        }
        let stats = self.server.stats();
        let phases = netserver::Phase::ALL.iter().map(|phase| stats.phases.count(*phase));
        let held = self.clients.iter().filter(|it| lock(&it.wire).token.is_some()).count();
        let left = [
            ("connections", self.server.connections()),
            ("classes with somebody in", usize::from(!self.server.tracker().is_empty())),
            ("phases with somebody in", phases.filter(|count| *count > 0).count()),
            ("timers of the server", self.server.timer_entries()),
            ("streams watched", held),
            ("listeners", usize::from(self.door.lock().token.is_some())),
            ("bytes too many", usize::try_from(self.bytes - BYTES_AT_ALL).unwrap_or(0)),
        ];
        if let Some((what, count)) = left.iter().find(|(_, count)| *count > 0) {
            return Err(format!("{count} {what} are left after the end"));
        }
        // What is left in the wheel are the world's own.
        while let Some(timeout) = self.timers.timeout(self.clock.now()) {
            self.clock.set(self.clock.now() + timeout);
            self.timers.advance(self.clock.now());
            while let Some(expiry) = self.timers.pop_expired() {
                if let Timer::Check = expiry.value {
                    return Err("a check is left in the wheel".into());
                }
            }
        }
        Ok(())
    }
}

fn live_bytes() -> i64 {
    let stats = ALLOCATOR.stats();
    i64::try_from(stats.bytes_allocated).expect("fewer")
        - i64::try_from(stats.bytes_deallocated).expect("fewer")
}
