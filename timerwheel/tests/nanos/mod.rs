//! `Timers` beside a model in nanoseconds: every deadline is known exactly, so never early, late
//! by a tick at most, no drift, what was missed, who keeps the loop alive and what the counters say
//! are one comparison after each operation.

#![allow(dead_code)] // each test program uses its part

pub(crate) mod bytes;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use timerwheel::{
    Counters, MissedTicks, Period, RemoteTimer, Resolution, TimerHandle, TimerOptions, Timers,
};

/// What happens. Times are nanoseconds from now, which moves on with each `Advance`; timers are
/// named by the order in which they were armed, whatever has become of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Insert { delay: u64 },
    InsertAfter { delay: u64 },
    InsertWith { delay: u64, slack: u64, keeps_alive: bool },
    Interval { delay: u64, period: u64, missed: MissedTicks },
    Reschedule { timer: usize, delay: u64 },
    SetRef { timer: usize, keeps_alive: bool },
    Cancel { timer: usize },
    DropGuard { timer: usize },
    RemoteArm { delay: u64, cancel_at_once: bool },
    RemoteReschedule { timer: usize, delay: u64 },
    RemoteCancel { timer: usize },
    Advance { by: u64, back: bool },
    Pop { at_most: usize },
    Clear,
}

/// A timer as it ought to be. Times in nanoseconds from the base.
#[derive(Clone, Copy, Debug)]
struct Model {
    deadline: u128,
    slack: u128,
    interval: Option<(u128, MissedTicks)>,
    keeps_alive: bool,
    /// Armed before the last `advance`: only such a one is due.
    seen: bool,
}

enum Known {
    Here(TimerHandle),
    There(Option<RemoteTimer<usize>>),
}

fn nanoseconds(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap())
}

pub(crate) struct Pair {
    timers: Timers<usize>,
    remote: timerwheel::Remote<usize>,
    base: Instant,
    tick: u128,
    /// Of the last `advance`, and the highest of all.
    now: u128,
    highest: u128,
    armed: BTreeMap<usize, Model>,
    known: Vec<Known>,
    counted: Counters,
    /// Some timer had slack.
    slack: bool,
}

impl Pair {
    pub(crate) fn new(resolution: Resolution) -> Self {
        // Times before the base can be said too.
        let base = Instant::now() + Duration::from_secs(1 << 21);
        let mut timers = Timers::with_resolution(resolution, base);
        let remote = timers.remote(|| ());
        let tick = resolution.tick().as_nanos();
        let (armed, known) = (BTreeMap::new(), Vec::new());
        let counted = Counters::default();
        Self { timers, remote, base, tick, now: 0, highest: 0, armed, known, counted, slack: false }
    }

    fn at(&self, nanos: u128) -> Instant {
        self.base + nanoseconds(nanos)
    }

    fn in_(&self, delay: u64) -> (u128, Instant) {
        let deadline = self.now + u128::from(delay);
        (deadline, self.at(deadline))
    }

    fn arm(&mut self, known: Known, model: Model) {
        self.armed.insert(self.known.len(), model);
        self.known.push(known);
        self.counted.armed += 1;
    }

    fn disarm(&mut self, timer: usize) -> Option<usize> {
        self.armed.remove(&timer)?;
        self.counted.cancelled += 1;
        Some(timer)
    }

    fn handle(&self, timer: usize) -> Option<TimerHandle> {
        match self.known.get(timer)? {
            Known::Here(handle) => Some(*handle),
            Known::There(_) => None,
        }
    }

    /// `before` is when it was armed for, which slack may have put off.
    fn moved(&mut self, timer: usize, deadline: u128, before: Option<Instant>) -> bool {
        let to = self.at(deadline.div_ceil(self.tick) * self.tick);
        let Some(model) = self.armed.get_mut(&timer) else { return false };
        let before = before
            .unwrap_or(self.base + nanoseconds(model.deadline.div_ceil(self.tick) * self.tick));
        if to < before {
            self.counted.rescheduled_earlier += 1;
        } else {
            self.counted.rescheduled_later += 1;
        }
        *model = Model { deadline, slack: 0, seen: false, ..*model };
        true
    }

    /// How many timers have been named.
    pub(crate) fn named(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn apply(&mut self, op: Op) {
        let once =
            |deadline| Model { deadline, slack: 0, interval: None, keeps_alive: true, seen: false };
        let name = self.known.len();
        match op {
            Op::Insert { delay } => {
                let (deadline, instant) = self.in_(delay);
                let handle = self.timers.insert(instant, name);
                self.arm(Known::Here(handle), once(deadline));
            }
            Op::InsertAfter { delay } => {
                let (deadline, now) = (self.in_(delay).0, self.at(self.now));
                let handle = self.timers.insert_after(Duration::from_nanos(delay), name, now);
                self.arm(Known::Here(handle), once(deadline));
            }
            Op::InsertWith { delay, slack, keeps_alive } => {
                let (deadline, instant) = self.in_(delay);
                let options = TimerOptions::new().slack(Duration::from_nanos(slack));
                let options = if keeps_alive { options } else { options.unref() };
                let handle = self.timers.insert_with(instant, options, name);
                self.slack |= slack > 0;
                let model = Model { slack: u128::from(slack), keeps_alive, ..once(deadline) };
                self.arm(Known::Here(handle), model);
            }
            Op::Interval { delay, period, missed } => {
                let (deadline, instant) = self.in_(delay);
                let every = Period::new(Duration::from_nanos(period)).unwrap();
                let handle = self.timers.insert_interval(instant, every, missed, name);
                let period = u128::from(period).max(self.tick);
                let model = Model { interval: Some((period, missed)), ..once(deadline) };
                self.arm(Known::Here(handle), model);
            }
            Op::Reschedule { timer, delay } => {
                let Some(handle) = self.handle(timer) else { return };
                let (deadline, instant) = self.in_(delay);
                let before = self.timers.deadline_of(handle);
                let moved = self.timers.reschedule(handle, instant);
                assert_eq!(moved, self.moved(timer, deadline, before), "reschedule {timer}");
            }
            Op::SetRef { timer, keeps_alive } => {
                let Some(handle) = self.handle(timer) else { return };
                let model = self.armed.get_mut(&timer);
                assert_eq!(self.timers.set_ref(handle, keeps_alive), model.is_some());
                if let Some(model) = model {
                    model.keeps_alive = keeps_alive;
                }
            }
            Op::Cancel { timer } => {
                let Some(handle) = self.handle(timer) else { return };
                let value = self.timers.cancel(handle);
                assert_eq!(value, self.disarm(timer), "cancel {timer}");
            }
            Op::DropGuard { timer } => {
                let Some(handle) = self.handle(timer) else { return };
                drop(self.timers.guard(handle));
                self.disarm(timer);
            }
            Op::RemoteArm { delay, cancel_at_once } => {
                let (deadline, instant) = self.in_(delay);
                let timer = self.remote.arm(instant, name).expect("the inbox has room");
                if cancel_at_once {
                    assert_eq!(timer.cancel(), Some(name));
                    // Never armed, so not counted.
                    self.known.push(Known::There(None));
                } else {
                    self.arm(Known::There(Some(timer)), once(deadline));
                }
            }
            Op::RemoteReschedule { timer, delay } => {
                let (deadline, instant) = self.in_(delay);
                let Some(Known::There(Some(remote))) = self.known.get(timer) else { return };
                assert_eq!(remote.is_armed(), self.armed.contains_key(&timer));
                remote.reschedule(instant).expect("the inbox has room");
                self.moved(timer, deadline, None);
            }
            Op::RemoteCancel { timer } => {
                let Some(Known::There(remote)) = self.known.get_mut(timer) else { return };
                let Some(remote) = remote.take() else { return };
                let value = remote.cancel();
                assert_eq!(value, self.disarm(timer), "remote cancel {timer}");
            }
            Op::Advance { by, back } => self.advance(by, back),
            Op::Pop { at_most } => self.pop(at_most),
            Op::Clear => {
                self.timers.clear();
                self.counted.cancelled += self.armed.len() as u64;
                self.armed.clear();
            }
        }
    }

    fn advance(&mut self, by: u64, back: bool) {
        let by = u128::from(by);
        self.now = if back { self.now.saturating_sub(by) } else { self.now + by };
        self.counted.backward += u64::from(self.now < self.highest);
        self.highest = self.highest.max(self.now);
        self.timers.advance(self.at(self.now));
        self.armed.values_mut().for_each(|model| model.seen = true);
        self.counted.advances += 1;
    }

    fn pop(&mut self, at_most: usize) {
        for _ in 0..at_most {
            let Some(expiry) = self.timers.pop_expired() else { return self.nothing_is_left() };
            self.counted.fired += 1;
            let timer = expiry.value;
            let model = self.armed[&timer];
            assert!(model.seen, "{timer} was armed after the advance");
            assert!(model.deadline <= self.highest, "{timer} is early");
            let missed = self.fired(timer, model);
            assert_eq!(expiry.missed, missed, "missed by {timer}");
            if model.slack == 0 {
                let due = model.deadline.div_ceil(self.tick) * self.tick;
                assert_eq!(expiry.late.as_nanos(), self.highest - due, "{timer}");
            }
        }
    }

    /// A timer has fired: it goes, or on to its next deadline. What it missed.
    fn fired(&mut self, timer: usize, model: Model) -> u64 {
        let Some((period, behaviour)) = model.interval else {
            self.armed.remove(&timer);
            return 0;
        };
        let tick = self.highest / self.tick * self.tick;
        let whole = tick.saturating_sub(model.deadline) / period;
        let (deadline, missed) = match behaviour {
            MissedTicks::Delay if whole > 0 => (self.highest + period, whole),
            MissedTicks::Burst => (model.deadline + period, 0),
            _ => (model.deadline + period * (whole + 1), whole),
        };
        self.armed.insert(timer, Model { deadline, seen: false, ..model });
        u64::try_from(missed).unwrap()
    }

    /// All that is due has been handed out.
    fn nothing_is_left(&self) {
        for (timer, model) in &self.armed {
            let latest = model.deadline.div_ceil(self.tick) + model.slack / self.tick;
            let due = model.seen && latest <= self.highest / self.tick;
            assert!(!due, "{timer} is late by more than a tick: {model:?}");
        }
    }

    pub(crate) fn compare(&mut self) {
        assert_eq!(self.timers.len(), self.armed.len(), "len");
        let alive = self.armed.values().any(|model| model.keeps_alive);
        assert_eq!(self.timers.keeps_alive(), alive, "keeps the loop alive");
        for (timer, known) in self.known.iter().enumerate() {
            let Known::Here(handle) = known else { continue };
            let model = self.armed.get(&timer);
            assert_eq!(self.timers.get(*handle).copied(), model.map(|_| timer));
            if let Some(at) = self.timers.deadline_of(*handle) {
                let model = model.expect("a deadline of what is armed");
                assert!(at >= self.at(model.deadline), "{timer} would be early");
            }
        }
        let counted = self.timers.counters();
        let unmodelled = Counters { idle_advances: 0, cascaded: 0, coalesced: 0, ..self.counted };
        let told = Counters { idle_advances: 0, cascaded: 0, coalesced: 0, ..counted };
        assert_eq!(told, unmodelled, "counters");
        assert!(self.slack || counted.coalesced == 0, "without slack nothing is saved");
        self.compare_timeout();
    }

    fn compare_timeout(&mut self) {
        let now = self.highest;
        let Some(timeout) = self.timers.timeout(self.at(now)) else {
            assert!(self.armed.is_empty(), "no timeout, but timers");
            return;
        };
        assert!(!self.armed.is_empty(), "a timeout for nothing");
        let timeout = timeout.as_nanos();
        assert_eq!(timeout % 1_000_000, 0, "whole milliseconds");
        let wakeup = |model: &Model| {
            (model.deadline.div_ceil(self.tick) + model.slack / self.tick) * self.tick
        };
        let latest = self.armed.values().map(wakeup).min().unwrap();
        let most = latest.saturating_sub(now).next_multiple_of(1_000_000);
        assert!(timeout <= most, "{timeout} ns from {now} sleeps past {latest}");
    }

    /// Turn by turn to the end, as a loop would, without what repeats: at most one turn for each
    /// second deadline is in vain, and none spins.
    pub(crate) fn finish(mut self) {
        for timer in 0..self.known.len() {
            if self.armed.get(&timer).is_some_and(|model| model.interval.is_some()) {
                self.apply(Op::Cancel { timer });
            }
        }
        let mut turns = 0;
        let most = 20 + 3 * self.armed.len();
        while let Some(timeout) = self.timers.timeout(self.at(self.highest)) {
            let by = u64::try_from(timeout.as_nanos()).unwrap();
            let behind = u64::try_from(self.highest - self.now).unwrap();
            self.apply(Op::Advance { by: behind + by, back: false });
            self.apply(Op::Pop { at_most: usize::MAX });
            self.compare();
            turns += 1;
            assert!(turns <= most, "a loop that spins: {turns} turns for {most}");
        }
    }
}
