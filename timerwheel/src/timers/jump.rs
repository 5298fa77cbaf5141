//! When the clock jumps ahead: the machine was suspended, the process stopped, the loop blocked.

use std::time::{Duration, Instant};

use super::Timers;

/// What counts as a jump of the clock, and what is done about it.
///
/// A jump is a `now` of [`Timers::advance`] that is more than `longer_than` past the time the loop
/// was to wake up, or past the last `now` if it was not asleep. It sleeps from a
/// [`timeout`](Timers::timeout) to the next `advance`, and to the deadline it was told of, for ever
/// if nothing was armed: waking up earlier is no jump, whatever was armed or moved meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Jumps {
    /// How late is a jump.
    pub longer_than: Duration,
    /// What is done.
    pub policy: JumpPolicy,
}

/// What is done about a jump of the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum JumpPolicy {
    /// All that is due fires, as after any delay; intervals by their missed-tick behaviour.
    #[default]
    FireAll,
    /// One-shots fire; intervals leave the ticks of the jump out, even those that would
    /// [make up](crate::MissedTicks::Burst) for them.
    SkipIntervals,
    /// All remaining delays are as they were before the jump, as if time had stood still. O(1).
    ///
    /// Also of what is armed after the jump and before the `advance` that notices it, which is late
    /// then: with this policy, advance first, arm for the events of the turn, and pop last.
    ShiftDelays,
}

impl<T> Timers<T> {
    pub(super) fn notice_jump(&mut self, now: Instant) {
        if now < self.now {
            self.counters.backward += 1;
            return;
        }
        let Some(Jumps { longer_than, policy }) = self.jumps else { return };
        let expected = self.clock.instant(self.sleeps_to);
        let expected = expected.map_or(now, |expected| expected.max(self.now));
        let gap = now.saturating_duration_since(expected);
        if gap <= longer_than {
            return;
        }
        self.counters.jumps += 1;
        match policy {
            JumpPolicy::FireAll => {}
            JumpPolicy::SkipIntervals => self.wheel.skip_missed_before(self.clock.now(now)),
            JumpPolicy::ShiftDelays => self.clock.shift_by(gap),
        }
    }
}
