//! How much of what comes next is sorted, and when.
//!
//! Twice as much as would have it done in time if nothing were armed meanwhile: as much again is
//! armed while a slot fills up steadily, and then never more is left than comes in on the way to the
//! end, so that the last ticks have hardly more to do than the rest. And nothing as long as that is
//! less than a batch: looks cost something too, and what is sorted later has, often, been cancelled
//! or moved by then.
//!
//! How often it will be time until then is told by the last times. Not by the last one alone: a loop
//! that has something to do in a few ticks one after the other, and then rests, would always be taken
//! for one that comes with every tick.

/// When it was last time to sort, and when it will be worth a look: the earliest tick at which it is
/// for a level.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    at: u64,
    /// Ticks from one time to the next, times [`TIMES`]: a mean that forgets.
    ticks: u64,
    look_at: u64,
}

/// Times that the mean is of, more or less.
const TIMES: u64 = 16;

/// A time to sort.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) now: u64,
    /// Ticks from one to the next.
    pub(crate) ticks: u64,
}

impl Pace {
    pub(crate) const fn new(now: u64) -> Self {
        Self { at: now, ticks: 0, look_at: 0 }
    }

    #[inline]
    pub(crate) fn is_worth_a_look(&self, now: u64) -> bool {
        now >= self.look_at
    }

    /// It is time to sort, whether there is anything to do or not.
    #[inline]
    pub(crate) fn pass(&mut self, now: u64) {
        let ticks = now.wrapping_sub(self.at);
        self.at = now;
        // After a jump over nearly all there is, it is no mean, and there is nothing left to sort.
        self.ticks = (self.ticks - self.ticks / TIMES).wrapping_add(ticks);
    }

    /// Begins to look what there is to do.
    #[inline]
    pub(crate) fn look(&mut self, now: u64) -> Step {
        self.look_at = u64::MAX;
        Step { now, ticks: (self.ticks / TIMES).max(1) }
    }

    /// Has the next look come at that tick, if not earlier.
    #[inline]
    pub(crate) fn look_again_at(&mut self, tick: u64) {
        self.look_at = self.look_at.min(tick);
    }
}

/// What is left to be sorted of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    pub(crate) sets: u32,
    /// Ticks before it begins, and ticks that it has.
    pub(crate) before: u64,
    pub(crate) within: u64,
}

impl Rest {
    /// How many sets to sort now.
    #[inline]
    pub(crate) fn share(self, step: Step) -> u32 {
        // Who passes a slot in a step or two would move most of it twice for nothing.
        if step.ticks > self.within / 2 {
            return 0;
        }
        let steps = self.before.div_ceil(step.ticks.saturating_mul(2).max(1));
        if steps <= 1 {
            return self.sets;
        }
        let share = u32::try_from(u64::from(self.sets) / steps).unwrap_or(self.sets);
        if share < BATCH { 0 } else { share }
    }

    /// The tick from which on there will be a share; but no later than in half of the time, for more
    /// may come in.
    #[inline]
    pub(crate) fn look_at(self, step: Step) -> u64 {
        let in_time = step.ticks.saturating_mul(2).saturating_mul(u64::from(self.sets / BATCH));
        let wait = self.before.saturating_sub(in_time).min(self.before / 2).max(1);
        step.now.saturating_add(wait)
    }
}

/// Sets that are worth a look, before it is the last one.
const BATCH: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps through the slot before one that has so many sets at first, and as many more come in
    /// with each tick; returns the largest share, and what was left in the end.
    fn walk(slot: u64, step: u64, first: u32, per_tick: u32) -> (u32, u32) {
        let mut rest = Rest { sets: first, before: slot, within: slot };
        let (mut largest, mut look_at) = (0, 0);
        for now in (step..slot).step_by(usize::try_from(step).unwrap()) {
            rest.before = slot - now;
            rest.sets += per_tick * u32::try_from(step).unwrap();
            if now >= look_at {
                let step = Step { now, ticks: step };
                let share = rest.share(step);
                largest = largest.max(share);
                rest.sets -= share;
                look_at = rest.look_at(step);
            }
        }
        (largest, rest.sets)
    }

    #[test]
    fn what_comes_in_steadily_is_sorted_in_time_and_never_in_a_rush() {
        for slot in [256, 65_536] {
            for step in [1, 7, 30] {
                for per_tick in [0, 1, 5, 40] {
                    let per_step = per_tick * u32::try_from(step).unwrap();
                    let (largest, left) = walk(slot, step, 0, per_tick);
                    assert!(largest <= 3 * per_step + 2 * BATCH, "{largest} for {per_step} a step");
                    assert!(left <= per_step, "{left} left for {per_step} a step");
                }
            }
        }
    }

    #[test]
    fn what_is_there_at_first_is_sorted_in_time() {
        for (slot, step) in [(256, 1), (256, 7), (65_536, 1), (65_536, 7), (65_536, 300)] {
            for first in [1, 100, 100_000] {
                let steps = u32::try_from(slot / step).unwrap();
                let (largest, left) = walk(slot, step, first, 0);
                assert!(
                    largest <= 3 * first / steps + 2 * BATCH,
                    "{largest} of {first} in {steps}"
                );
                assert_eq!(left, 0, "of {first} in {steps} steps");
            }
        }
    }

    #[test]
    fn nothing_is_sorted_for_who_passes_the_slot_in_two_steps() {
        let rest = Rest { sets: 1_000, before: 100, within: 256 };
        assert_eq!(rest.share(Step { now: 0, ticks: 129 }), 0);
        assert_eq!(rest.share(Step { now: 0, ticks: 128 }), 1_000);
    }
}
