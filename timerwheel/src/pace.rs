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

/// When it was last time to sort, and when it will be worth a look: the earliest of the levels.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    at: u64,
    /// Ticks from one time to the next, times [`TIMES`]: a mean that forgets.
    ticks: u64,
    look: Look,
}

/// When it is worth a look whether there is something to sort.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    at: u64,
    /// If more has come in: no later than the other.
    at_if_more: u64,
    /// Chunks that had been taken when that was said: if more have been, more has come in.
    chunks: u64,
}

impl Look {
    /// The first one.
    pub(crate) const NOW: Self = Self { at: 0, at_if_more: 0, chunks: 0 };
    const NEVER: Self = Self { at: u64::MAX, at_if_more: u64::MAX, chunks: 0 };

    #[inline]
    pub(crate) fn is_due(self, now: u64, chunks: u64) -> bool {
        // No branch on when it is: nobody can guess how long it is until the next step.
        now >= if chunks == self.chunks { self.at } else { self.at_if_more }
    }

    /// The earlier of the two, as of now.
    #[inline]
    fn or(self, other: Self, chunks: u64) -> Self {
        let at = if chunks == other.chunks { other.at } else { other.at_if_more };
        Self { at: self.at.min(at), at_if_more: self.at_if_more.min(other.at_if_more), chunks }
    }
}

/// Times that the mean is of, more or less.
const TIMES: u64 = 16;

/// A time to sort.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) now: u64,
    /// Ticks from one to the next.
    pub(crate) ticks: u64,
    /// Chunks taken by now.
    pub(crate) chunks: u64,
}

impl Pace {
    pub(crate) const fn new(now: u64) -> Self {
        Self { at: now, ticks: 0, look: Look::NOW }
    }

    #[inline]
    pub(crate) fn is_worth_a_look(&self, now: u64, chunks: u64) -> bool {
        self.look.is_due(now, chunks)
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
    pub(crate) fn look(&mut self, now: u64, chunks: u64) -> Step {
        self.look = Look::NEVER;
        Step { now, ticks: (self.ticks / TIMES).max(1), chunks }
    }

    /// Has the next look come as that says, if not earlier.
    #[inline]
    pub(crate) fn look_again(&mut self, look: Look, chunks: u64) {
        self.look = self.look.or(look, chunks);
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

    /// From when on there will be a share; but no later than in half of the time, for more may come in, or
    /// there may be less time than it seems. What is too little for a share before the last time is not looked
    /// at until then, unless more comes in than the chunk it has begun takes.
    #[inline]
    pub(crate) fn next_look(self, step: Step) -> Look {
        let shares = u64::from((self.sets / BATCH).max(u32::from(self.sets > 0)));
        let wait = self.before.saturating_sub(step.ticks.saturating_mul(2).saturating_mul(shares));
        let no_later = wait.min(self.before / 2);
        let after = |wait: u64| step.now.saturating_add(wait.max(1));
        let at = after(if self.sets < BATCH { wait } else { no_later });
        Look { at, at_if_more: after(no_later), chunks: step.chunks }
    }
}

/// Sets that are worth a share, before it is the last time.
const BATCH: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps through the slot before one that has so many sets at first, and as many more come in
    /// with each tick; returns the largest share, and what was left in the end.
    fn walk(slot: u64, step: u64, first: u32, per_tick: u32) -> (u32, u32) {
        let mut rest = Rest { sets: first, before: slot, within: slot };
        let mut sets_in = first;
        let (mut largest, mut look) = (0, Look::NOW);
        for now in (step..slot).step_by(usize::try_from(step).unwrap()) {
            rest.before = slot - now;
            let more = per_tick * u32::try_from(step).unwrap();
            rest.sets += more;
            sets_in += more;
            // A chunk holds three sets.
            let chunks = u64::from(sets_in / 3);
            if look.is_due(now, chunks) {
                let step = Step { now, ticks: step, chunks };
                let share = rest.share(step);
                largest = largest.max(share);
                rest.sets -= share;
                look = rest.next_look(step);
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
    fn a_slot_that_holds_too_little_is_looked_at_again_only_if_more_comes_in() {
        let step = Step { now: 1_000, ticks: 1, chunks: 7 };
        let look = Rest { sets: 0, before: 256, within: 256 }.next_look(step);
        assert!(!look.is_due(1_255, 7) && look.is_due(1_256, 7));
        assert!(!look.is_due(1_127, 8) && look.is_due(1_128, 8));
        // Until it is the last time for the little there is.
        let look = Rest { sets: 3, before: 256, within: 256 }.next_look(step);
        assert!(!look.is_due(1_253, 7) && look.is_due(1_254, 7));
        // What makes a share is: steps may become longer.
        let look = Rest { sets: 4, before: 256, within: 256 }.next_look(step);
        assert!(!look.is_due(1_127, 7) && look.is_due(1_128, 7));
    }

    #[test]
    fn more_that_came_in_before_a_look_at_another_level_is_not_forgotten() {
        let mut pace = Pace::new(1_000);
        let far = Look { at: 9_000, at_if_more: 5_000, chunks: 7 };
        let step = pace.look(2_000, 8);
        pace.look_again(far, step.chunks);
        pace.look_again(Look { at: 6_000, at_if_more: 5_500, chunks: 8 }, step.chunks);
        assert!(!pace.is_worth_a_look(4_999, 8) && pace.is_worth_a_look(5_000, 8));
        pace.look(2_000, 7);
        pace.look_again(far, 7);
        assert!(!pace.is_worth_a_look(8_999, 7) && pace.is_worth_a_look(9_000, 7));
    }

    #[test]
    fn nothing_is_sorted_for_who_passes_the_slot_in_two_steps() {
        let rest = Rest { sets: 1_000, before: 100, within: 256 };
        assert_eq!(rest.share(Step { now: 0, ticks: 129, chunks: 0 }), 0);
        assert_eq!(rest.share(Step { now: 0, ticks: 128, chunks: 0 }), 1_000);
    }
}
