//! Whether a peer is right: a sorted list of what should happen, held against what does.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::inputs::{log_uniform, rng};
use super::peer::Peer;

/// Faults of a peer; all zero for an exact one.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Findings {
    pub(crate) fired: u64,
    pub(crate) early: Fault,
    pub(crate) late: Fault,
    pub(crate) out_of_order: u64,
    pub(crate) lost: u64,
    /// A handle gone stale cancelled something, or one that was not found none.
    pub(crate) wrong_cancels: u64,
    pub(crate) next_early: Fault,
    pub(crate) next_late: Fault,
    pub(crate) panics: u64,
    /// It could not be checked.
    pub(crate) unchecked: bool,
}

/// How often, and the worst in ticks.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) times: u64,
    pub(crate) worst: u64,
}

impl Fault {
    fn note(&mut self, ticks: u64) {
        if ticks > 0 {
            self.times += 1;
            self.worst = self.worst.max(ticks);
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.times == 0 {
            return f.pad("0");
        }
        f.pad(&format!("{} (≤ {})", self.times, self.worst))
    }
}

impl Findings {
    /// Nothing early, late, lost or mistaken for another.
    pub(crate) fn on_time(&self) -> bool {
        !self.unchecked
            && self.early.times + self.late.times + self.lost == 0
            && self.wrong_cancels + self.panics == 0
    }

    /// On time, and in order.
    pub(crate) fn exact(&self) -> bool {
        self.on_time() && self.out_of_order == 0
    }

    /// Exact in its next deadline as well.
    pub(crate) fn exact_next(&self) -> bool {
        self.exact() && self.next_early.times + self.next_late.times == 0
    }
}

/// How a trial moves its time.
#[derive(Clone, Copy, Debug)]
enum Pace {
    Tick,
    Steps { max: u64 },
    Jumps { bits: u32 },
}

/// Delays up to 2^`bits`, and how the time moves.
const TRIALS: [(u32, Pace); 5] = [
    (8, Pace::Tick),
    (16, Pace::Tick),
    (16, Pace::Steps { max: 500 }),
    (24, Pace::Jumps { bits: 20 }),
    (33, Pace::Jumps { bits: 30 }),
];

const STEPS: usize = 40_000;
/// Handles kept, stale ones too.
const HANDLES: usize = 2_000;

pub(crate) fn check<P: Peer>() -> Findings {
    let mut findings = Findings::default();
    if !P::ABILITY.virtual_time {
        findings.unchecked = true;
        return findings;
    }
    for (bits, pace) in TRIALS {
        if matches!(pace, Pace::Jumps { .. }) && !P::ABILITY.jumps {
            continue;
        }
        let mut trial = Trial::<P>::new(bits);
        let ended = catch_unwind(AssertUnwindSafe(|| trial.run(pace)));
        let mut found = trial.findings;
        if ended.is_err() {
            found.panics += 1;
        }
        findings.add(found);
        // One that panicked may panic when it is dropped as well.
        if ended.is_err() {
            std::mem::forget(trial);
        }
    }
    findings
}

impl Findings {
    fn add(&mut self, other: Self) {
        self.fired += other.fired;
        self.out_of_order += other.out_of_order;
        self.lost += other.lost;
        self.wrong_cancels += other.wrong_cancels;
        self.panics += other.panics;
        for (mine, theirs) in [
            (&mut self.early, other.early),
            (&mut self.late, other.late),
            (&mut self.next_early, other.next_early),
            (&mut self.next_late, other.next_late),
        ] {
            mine.times += theirs.times;
            mine.worst = mine.worst.max(theirs.worst);
        }
    }
}

/// The delay of all timers, for a peer that has but one.
const fn one_delay(bits: u32) -> u64 {
    1 << (bits - 1)
}

struct Trial<P: Peer> {
    peer: P,
    /// Delays are up to 2^`bits`, or all half of that.
    bits: u32,
    /// Deadline and arming of what is armed, by value.
    armed: BTreeMap<u64, (u64, u64)>,
    /// Values of what is armed, by deadline and arming.
    order: BTreeMap<(u64, u64), u64>,
    handles: Vec<(u64, P::Handle)>,
    value: u64,
    arming: u64,
    now: u64,
    findings: Findings,
}

impl<P: Peer> Trial<P> {
    fn new(bits: u32) -> Self {
        let peer = if P::ABILITY.any_delay {
            P::new(STEPS)
        } else {
            P::with_delay(STEPS, one_delay(bits))
        };
        Self {
            peer,
            bits,
            armed: BTreeMap::new(),
            order: BTreeMap::new(),
            handles: Vec::new(),
            value: 0,
            arming: 0,
            now: 0,
            findings: Findings::default(),
        }
    }

    fn run(&mut self, pace: Pace) {
        let mut rng = rng();
        for _ in 0..STEPS {
            match rng.u8(0..20) {
                0..9 => {
                    let delay = self.delay(&mut rng);
                    self.insert(delay);
                }
                9..12 => self.cancel(rng.usize(..self.handles.len().max(1))),
                12..14 => {
                    let nth = rng.usize(..self.handles.len().max(1));
                    let delay = self.delay(&mut rng);
                    self.reschedule(nth, delay);
                }
                _ => {
                    let ticks = match pace {
                        Pace::Tick => 1,
                        Pace::Steps { max } => rng.u64(1..=max),
                        Pace::Jumps { bits } => log_uniform(&mut rng, bits),
                    };
                    self.advance(ticks);
                }
            }
            self.ask();
        }
        self.advance(1 << (self.bits + 1));
        self.findings.lost += self.armed.len() as u64;
        while !self.handles.is_empty() {
            self.cancel(0);
        }
    }

    fn delay(&self, rng: &mut fastrand::Rng) -> u64 {
        if P::ABILITY.any_delay { log_uniform(rng, self.bits) } else { one_delay(self.bits) }
    }

    fn arm(&mut self, value: u64, deadline: u64) {
        self.armed.insert(value, (deadline, self.arming));
        self.order.insert((deadline, self.arming), value);
        self.arming += 1;
    }

    fn disarm(&mut self, value: u64) -> Option<u64> {
        let key = self.armed.remove(&value)?;
        self.order.remove(&key);
        Some(key.0)
    }

    fn insert(&mut self, delay: u64) {
        let deadline = self.now + delay;
        let handle = self.peer.insert(deadline, self.value);
        self.arm(self.value, deadline);
        if self.handles.len() == HANDLES {
            self.cancel(usize::try_from(self.arming).unwrap_or(0) % HANDLES);
        }
        self.handles.push((self.value, handle));
        self.value += 1;
    }

    fn cancel(&mut self, nth: usize) {
        if nth >= self.handles.len() {
            return;
        }
        let (value, handle) = self.handles.swap_remove(nth);
        if !P::ABILITY.stale_handles && !self.armed.contains_key(&value) {
            return;
        }
        let expected = self.armed.contains_key(&value).then_some(value);
        let cancelled = self.peer.cancel(handle);
        if cancelled != expected {
            self.findings.wrong_cancels += 1;
        }
        // What the peer has given up must not count as lost on top.
        for value in cancelled.into_iter().chain(expected) {
            self.disarm(value);
        }
    }

    fn reschedule(&mut self, nth: usize, delay: u64) {
        let Some((value, handle)) = self.handles.get_mut(nth) else { return };
        let (value, armed) = (*value, self.armed.contains_key(value));
        // What has fired is not moved: some peers find another timer under its handle.
        if armed && self.peer.reschedule(handle, self.now + delay) {
            self.disarm(value);
            self.arm(value, self.now + delay);
        }
    }

    fn advance(&mut self, ticks: u64) {
        self.now += ticks;
        let mut fired = Vec::new();
        self.peer.advance(self.now, |value| fired.push(value));
        let mut last = (0, 0);
        for value in fired {
            let Some(&key) = self.armed.get(&value) else {
                // Cancelled, or fired before.
                self.findings.wrong_cancels += 1;
                continue;
            };
            self.findings.fired += 1;
            self.findings.early.note(key.0.saturating_sub(self.now));
            // Late is what was due at an advance before this one.
            let since = self.now - ticks;
            self.findings.late.note((since + 1).saturating_sub(key.0));
            self.findings.out_of_order += u64::from(key < last);
            last = last.max(key);
            self.disarm(value);
        }
    }

    fn ask(&mut self) {
        if !P::ABILITY.next_deadline {
            return;
        }
        let next = self.peer.next_deadline();
        let due = self.order.first_key_value().map(|(key, _)| key.0);
        let (next, due) = match (next, due) {
            (Some(next), Some(due)) => (next, due),
            (None, None) => return,
            (Some(next), None) => (next, u64::MAX),
            (None, Some(due)) => (u64::MAX, due),
        };
        self.findings.next_early.note(due.saturating_sub(next));
        self.findings.next_late.note(next.saturating_sub(due));
    }
}
