//! The dull reference: a sorted map of (deadline, arming number), and a harness that holds the
//! wheel against it after every operation.

#![allow(dead_code)] // each test program uses its part

pub(crate) mod bytes;

use std::collections::{BTreeMap, BTreeSet};

use timerwheel::{Interval, MissedTicks, TimerHandle, TimerWheel};

/// What a test does to a wheel. Timers are named by the order in which they were armed, whatever
/// has become of them, so stale handles come up as often as live ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Insert { deadline: u64 },
    Interval { first: u64, period: u64, missed: MissedTicks },
    Reschedule { timer: usize, deadline: u64 },
    Cancel { timer: usize },
    Advance { now: u64 },
    Pop,
    PopAll,
    Refine,
    Shrink,
    Clear,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    deadline: u64,
    armed: u64,
    interval: Option<(u64, MissedTicks)>,
}

/// Timers by name; the two sets hold (deadline, arming number, name).
#[derive(Default)]
pub(crate) struct Model {
    now: u64,
    armings: u64,
    timers: BTreeMap<usize, Timer>,
    waiting: BTreeSet<(u64, u64, usize)>,
    due: BTreeSet<(u64, u64, usize)>,
    named: usize,
}

/// (name, deadline, late, missed)
type Fired = (usize, u64, u64, u64);

impl Model {
    fn at(now: u64) -> Self {
        Self { now, ..Self::default() }
    }

    fn arm(&mut self, name: usize, deadline: u64, interval: Option<(u64, MissedTicks)>) {
        let armed = self.armings;
        self.armings += 1;
        self.timers.insert(name, Timer { deadline, armed, interval });
        self.waiting.insert((deadline, armed, name));
    }

    fn disarm(&mut self, name: usize) -> Option<Timer> {
        let timer = self.timers.remove(&name)?;
        let key = (timer.deadline, timer.armed, name);
        assert!(self.waiting.remove(&key) || self.due.remove(&key));
        Some(timer)
    }

    fn reschedule(&mut self, name: usize, deadline: u64) -> bool {
        let Some(timer) = self.disarm(name) else { return false };
        self.arm(name, deadline, timer.interval);
        true
    }

    fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
        while let Some(first) = self.waiting.first().copied() {
            if first.0 > self.now {
                break;
            }
            self.waiting.remove(&first);
            self.due.insert(first);
        }
    }

    fn pop(&mut self) -> Option<Fired> {
        let (deadline, _, name) = self.due.first().copied()?;
        let timer = self.disarm(name).expect("due timers are armed");
        let late = self.now - deadline;
        let Some((period, missed)) = timer.interval else {
            return Some((name, deadline, late, 0));
        };
        let whole = late / period;
        let (next, left_out) = match missed {
            MissedTicks::Burst => (deadline.saturating_add(period), 0),
            _ if whole == 0 => (deadline.saturating_add(period), 0),
            MissedTicks::Skip => {
                let next = u128::from(deadline) + (u128::from(whole) + 1) * u128::from(period);
                (u64::try_from(next).unwrap_or(u64::MAX), whole)
            }
            MissedTicks::Delay => (self.now.saturating_add(period), whole),
        };
        self.arm(name, next, Some((period, missed)));
        Some((name, deadline, late, left_out))
    }

    fn next_deadline(&self) -> Option<u64> {
        let first = |set: &BTreeSet<(u64, u64, usize)>| set.first().map(|key| key.0);
        match (first(&self.due), first(&self.waiting)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// The wheel and the model, driven together.
pub(crate) struct Pair<const BITS: u32> {
    pub(crate) wheel: TimerWheel<usize, BITS>,
    model: Model,
    handles: Vec<TimerHandle>,
}

impl<const BITS: u32> Pair<BITS> {
    pub(crate) fn at(now: u64) -> Self {
        let wheel = TimerWheel::with_levels(now);
        Self { wheel, model: Model::at(now), handles: Vec::new() }
    }

    pub(crate) fn now(&self) -> u64 {
        self.model.now
    }

    pub(crate) fn armed_so_far(&self) -> usize {
        self.handles.len()
    }

    pub(crate) fn is_armed(&self, timer: usize) -> bool {
        self.model.timers.contains_key(&timer)
    }

    pub(crate) fn run(now: u64, ops: &[Op]) -> Self {
        let mut pair = Self::at(now);
        for op in ops {
            pair.apply(*op);
        }
        pair.finish();
        pair
    }

    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Insert { deadline } => {
                let name = self.name();
                self.handles.push(self.wheel.insert(deadline, name));
                self.model.arm(name, deadline, None);
            }
            Op::Interval { first, period, missed } => {
                let name = self.name();
                let interval = Interval::new(first, period).expect("a period").missed(missed);
                self.handles.push(self.wheel.insert_interval(interval, name));
                self.model.arm(name, first, Some((period, missed)));
            }
            Op::Reschedule { timer, deadline } => {
                let Some(handle) = self.handles.get(timer) else { return };
                let moved = self.wheel.reschedule(*handle, deadline);
                assert_eq!(moved, self.model.reschedule(timer, deadline), "reschedule {timer}");
            }
            Op::Cancel { timer } => {
                let Some(handle) = self.handles.get(timer) else { return };
                let value = self.wheel.cancel(*handle);
                assert_eq!(value, self.model.disarm(timer).map(|_| timer), "cancel {timer}");
            }
            Op::Advance { now } => {
                self.wheel.advance(now);
                self.model.advance(now);
            }
            Op::Pop => {
                self.pop();
            }
            Op::PopAll => while self.pop() {},
            Op::Refine => {
                assert_eq!(self.wheel.refine_deadline(), self.model.next_deadline(), "refined");
            }
            Op::Shrink => self.wheel.shrink_to_fit(),
            Op::Clear => {
                self.wheel.clear();
                let now = self.model.now;
                let (named, armings) = (self.model.named, self.model.armings);
                self.model = Model { armings, named, ..Model::at(now) };
            }
        }
        self.compare();
    }

    fn name(&mut self) -> usize {
        self.model.named += 1;
        self.model.named - 1
    }

    fn pop(&mut self) -> bool {
        let got = self.wheel.pop_expired();
        let fired = got.map(|e| (e.value, e.deadline, e.late, e.missed));
        assert_eq!(fired, self.model.pop(), "the expiry (name, deadline, late, missed)");
        if let Some(expired) = got {
            assert_eq!(expired.handle, self.handles[expired.value], "its handle");
        }
        fired.is_some()
    }

    fn compare(&self) {
        let (wheel, model) = (&self.wheel, &self.model);
        assert_eq!(wheel.now(), model.now, "now");
        assert_eq!(wheel.len(), model.timers.len(), "len");
        assert_eq!(wheel.is_empty(), model.timers.is_empty());
        let next = model.next_deadline();
        assert_eq!(wheel.next_deadline(), next, "next deadline");
        let wakeup = wheel.next_wakeup();
        assert_eq!(wakeup.is_none(), next.is_none(), "a wake-up if anything is armed");
        if let (Some(wakeup), Some(next)) = (wakeup, next) {
            assert!(wakeup <= next.max(model.now), "wake-up {wakeup} after {next}");
            assert!(wakeup >= model.now, "wake-up {wakeup} before now {}", model.now);
        }
        // All handles while they are few, then a window of the latest.
        let recent = self.handles.len().saturating_sub(64);
        for (name, handle) in self.handles.iter().enumerate().skip(recent) {
            let timer = model.timers.get(&name);
            assert_eq!(wheel.contains(*handle), timer.is_some(), "contains {name}");
            assert_eq!(wheel.deadline_of(*handle), timer.map(|timer| timer.deadline));
            assert_eq!(wheel.get(*handle).copied(), timer.map(|_| name));
        }
        wheel.check_invariants();
    }

    /// Runs everything out, to the end of time for one-shots.
    pub(crate) fn finish(&mut self) {
        let intervals: Vec<usize> = self
            .model
            .timers
            .iter()
            .filter(|(_, timer)| timer.interval.is_some())
            .map(|(name, _)| *name)
            .collect();
        for timer in intervals {
            self.apply(Op::Cancel { timer });
        }
        self.apply(Op::Advance { now: u64::MAX });
        self.apply(Op::PopAll);
        assert!(self.wheel.is_empty());
    }
}

/// A small seeded generator (`SplitMix64`), so that a failure prints its seed and replays.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Below a power of two, itself random: as many small numbers as large ones.
    pub(crate) fn skewed(&mut self, powers: u64) -> u64 {
        let power = self.below(powers);
        self.below(1 << power)
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}
