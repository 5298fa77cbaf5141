//! What is run: one function per workload, the same for every peer.

mod drains;
mod flows;
mod steady;

use std::time::Duration;

use super::inputs::Digest;
use super::peer::Peer;

/// What a loop does with timers, one question each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Workload {
    /// W1: arm, then cancel all in random order, and purge what they leave behind.
    InsertCancel,
    /// The first half of W1.
    Insert,
    /// The second half of W1.
    Cancel,
    /// W2: move a random timer to now + 30,000, a tick each 100 moves.
    Reschedule,
    /// W3: arm, then drain tick by tick.
    Drain,
    /// Advances that find nothing due.
    IdleAdvance,
    /// W4: intervals of 10, 100, 1,000 and 30,000 ticks.
    Interval,
    /// W5: half arming, 30 % cancelling, 20 % ticking; delays log-uniform to 2^32.
    Mixed,
    /// W6: arm or cancel, then ask for the exact next deadline.
    NextDeadline,
    /// W7: a thousand timers over 2^40 ticks, from deadline to deadline.
    Sparse,
    /// W8: all due at once in one advance over 2^32 ticks.
    OneAdvance,
    /// All timers have the same duration.
    SingleDuration,
    /// Request timeouts: armed, and 95 % of them cancelled soon after.
    Timeouts,
    /// Keep-alive: each request moves the timer of its connection.
    KeepAlive,
    /// Up to 50,000 timers for one and the same tick.
    EqualDeadlines,
}

/// What a workload asks of a peer.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)] // the other side of that table
pub(crate) struct Needs {
    pub(crate) virtual_time: bool,
    pub(crate) next_deadline: bool,
    pub(crate) jumps: bool,
    pub(crate) delay_max: u64,
    pub(crate) any_delay: bool,
    pub(crate) stale_handles: bool,
}

/// What came out of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) time: Duration,
    /// What the time is divided by.
    pub(crate) operations: u64,
    /// Two peers that did the same have the same.
    pub(crate) digest: Digest,
}

impl Workload {
    /// All that are timed.
    pub(crate) const TIMED: [Self; 13] = [
        Self::InsertCancel,
        Self::Reschedule,
        Self::Drain,
        Self::IdleAdvance,
        Self::Interval,
        Self::Mixed,
        Self::NextDeadline,
        Self::Sparse,
        Self::OneAdvance,
        Self::SingleDuration,
        Self::Timeouts,
        Self::KeepAlive,
        Self::EqualDeadlines,
    ];

    /// Name and what one operation is.
    pub(crate) const fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::InsertCancel => ("W1 insert, cancel", "timer"),
            Self::Insert => ("W1 insert", "insert"),
            Self::Cancel => ("W1 cancel", "cancel"),
            Self::Reschedule => ("W2 reschedule", "move"),
            Self::Drain => ("W3 insert, drain", "timer"),
            Self::IdleAdvance => ("idle advance", "advance"),
            Self::Interval => ("W4 intervals", "expiry"),
            Self::Mixed => ("W5 mixed", "operation"),
            Self::NextDeadline => ("W6 next deadline", "change + query"),
            Self::Sparse => ("W7 sparse", "timer"),
            Self::OneAdvance => ("W8 one advance", "timer"),
            Self::SingleDuration => ("single duration", "timer"),
            Self::Timeouts => ("95 % cancelled", "timer"),
            Self::KeepAlive => ("keep-alive", "refresh"),
            Self::EqualDeadlines => ("equal deadlines", "timer"),
        }
    }

    /// Whether it is the same whatever the size.
    pub(crate) const fn fixed_size(self) -> Option<usize> {
        match self {
            Self::Sparse => Some(1_000),
            Self::EqualDeadlines => Some(50_000),
            _ => None,
        }
    }

    pub(crate) const fn needs(self) -> Needs {
        let moves_time = !matches!(self, Self::InsertCancel | Self::Insert | Self::Cancel);
        let far = match self {
            Self::Sparse => 1 << 40,
            Self::Mixed | Self::OneAdvance => 1 << 32,
            _ => super::inputs::MINUTE,
        };
        Needs {
            virtual_time: moves_time,
            next_deadline: matches!(self, Self::NextDeadline | Self::Sparse),
            jumps: far > super::inputs::MINUTE,
            delay_max: far,
            any_delay: !matches!(
                self,
                Self::SingleDuration | Self::Timeouts | Self::KeepAlive | Self::EqualDeadlines
            ),
            stale_handles: matches!(
                self,
                Self::Mixed | Self::Timeouts | Self::Reschedule | Self::KeepAlive
            ),
        }
    }

    /// Runs it once, preparation aside.
    pub(crate) fn run<P: Peer>(self, size: usize) -> Outcome {
        match self {
            Self::InsertCancel => flows::insert_cancel::<P>(size),
            Self::Insert => flows::insert::<P>(size),
            Self::Cancel => flows::cancel::<P>(size),
            Self::Reschedule => steady::reschedule::<P>(size),
            Self::Drain => drains::drain::<P>(size, &mut ()),
            Self::IdleAdvance => steady::idle_advance::<P>(size),
            Self::Interval => steady::interval::<P>(size),
            Self::Mixed => flows::mixed::<P>(size),
            Self::NextDeadline => flows::next_deadline::<P>(size),
            Self::Sparse => drains::sparse::<P>(size),
            Self::OneAdvance => drains::one_advance::<P>(size),
            Self::SingleDuration => {
                let rounds = (1_000_000 / size as u64).clamp(1, 10);
                steady::single_duration::<P, 30_000>(size, rounds, &mut ())
            }
            Self::Timeouts => flows::timeouts::<P>(size),
            Self::KeepAlive => steady::keep_alive::<P>(size),
            Self::EqualDeadlines => drains::equal_deadlines::<P>(size),
        }
    }
}

/// How long each tick of [`Workload::Drain`] took, and what it did.
pub(crate) fn drain_by_tick<P: Peer>(size: usize) -> (Vec<Duration>, Outcome) {
    let mut ticks = Vec::new();
    let outcome = drains::drain::<P>(size, &mut ticks);
    (ticks, outcome)
}

/// How long each tick of two minutes took in which all timers were armed for one, and what it did.
pub(crate) fn minutes_by_tick<P: Peer>(size: usize) -> (Vec<Duration>, Outcome) {
    let mut ticks = Vec::new();
    let outcome = steady::single_duration::<P, { super::inputs::MINUTE }>(size, 2, &mut ticks);
    (ticks, outcome)
}

/// Arms `size` timers, for the memory they take; returns what holds them.
pub(crate) fn filled<P: Peer>(size: usize) -> P {
    flows::filled(size)
}
