//! When an interval ticks: its period, its phase, and what becomes of ticks nobody was there for.

use core::error::Error;
use core::fmt;
use core::num::NonZeroU64;

/// What an interval does about ticks that passed while nobody advanced the wheel.
///
/// The terms are those of tokio. For an interval due at 10, 20, 30, … whose wheel is advanced to
/// 45 after it ticked at 0:
///
/// | | expiries | next deadline |
/// |---|---|---|
/// | `Burst` | 10, 20, 30, 40: one per `advance` | 50 |
/// | `Skip` | 10, with 3 missed | 50 |
/// | `Delay` | 10, with 3 missed | 55 |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MissedTicks {
    /// Make up for all of them, one per [`advance`](crate::TimerWheel::advance), so that catching
    /// up after a long pause cannot starve the loop. The phase is kept.
    Burst,
    /// Drop them and go on at the next tick of the phase.
    #[default]
    Skip,
    /// Drop them and start a new phase: the next tick comes a whole period from now.
    Delay,
}

/// The first tick, the period and the missed-tick behaviour of an interval, in ticks of the wheel.
///
/// ```
/// use timerwheel::{Interval, MissedTicks, TimerWheel};
///
/// let mut wheel = TimerWheel::new(0);
/// wheel.insert_interval(Interval::new(5, 10)?.missed(MissedTicks::Skip), "beat");
/// wheel.advance(38);
/// let beat = wheel.pop_expired().unwrap();
/// assert_eq!((beat.deadline, beat.late, beat.missed), (5, 33, 3));
/// assert_eq!(wheel.next_deadline(), Some(45), "on the phase");
/// # Ok::<(), timerwheel::ZeroPeriod>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    pub(crate) first: u64,
    pub(crate) rhythm: Rhythm,
}

impl Interval {
    /// An interval that first ticks at `first` and then every `period` ticks,
    /// [skipping](MissedTicks::Skip) missed ones.
    ///
    /// # Errors
    ///
    /// [`ZeroPeriod`] if `period` is 0: such an interval would be due for ever.
    pub const fn new(first: u64, period: u64) -> Result<Self, ZeroPeriod> {
        let Some(period) = NonZeroU64::new(period) else { return Err(ZeroPeriod) };
        let rhythm =
            Rhythm { period: period.get(), fraction: 0, phase: 0, missed: MissedTicks::Skip };
        Ok(Self { first, rhythm })
    }

    /// The same with another missed-tick behaviour.
    #[must_use = "this returns the changed interval"]
    pub const fn missed(mut self, missed: MissedTicks) -> Self {
        self.rhythm.missed = missed;
        self
    }

    /// The same with a period longer by `fraction` / 2<sup>32</sup> of a tick.
    ///
    /// The fractions add up, so that a period that is no whole number of ticks has no drift: each
    /// deadline is rounded up to a tick by itself, the error does not accumulate.
    #[must_use = "this returns the changed interval"]
    pub const fn fraction(mut self, fraction: u32) -> Self {
        self.rhythm.fraction = fraction;
        self
    }

    /// The same with a first tick earlier by 1 − `phase` / 2<sup>32</sup> of a tick, for a first
    /// deadline that was rounded up; 0 for a whole one.
    #[must_use = "this returns the changed interval"]
    pub const fn phase(mut self, phase: u32) -> Self {
        self.rhythm.phase = phase;
        self
    }
}

/// A period of 0 ticks, or of no time at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZeroPeriod;

impl fmt::Display for ZeroPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the period of an interval must be longer than zero")
    }
}

impl Error for ZeroPeriod {}

/// The part of an interval that lasts: times in ticks and 2^-32 of a tick.
///
/// The exact time of a tick is `deadline` if `phase` is 0, else `deadline - 1 + phase / 2^32`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rhythm {
    period: u64,
    fraction: u32,
    phase: u32,
    missed: MissedTicks,
}

/// Fills the places that hold no interval; never asked.
pub(crate) const NO_RHYTHM: Rhythm =
    Rhythm { period: 1, fraction: 0, phase: 0, missed: MissedTicks::Skip };

impl Rhythm {
    /// Ticks from one to the next; asked for by who only wants it fetched.
    #[inline]
    pub(crate) fn period(&self) -> u64 {
        self.period
    }

    /// The next deadline after one at `deadline` was collected at `now`, no earlier than that, and
    /// the ticks left out.
    /// Deadlines past the end of `u64` stay at `u64::MAX`. With `skip`, not even `Burst` makes up.
    /// `part` is how far into the tick `now` the time is, in 2^-32 of it.
    #[inline]
    pub(crate) fn next(&mut self, deadline: u64, now: u64, part: u32, skip: bool) -> (u64, u64) {
        let late = now - deadline;
        if late < self.period || (self.missed == MissedTicks::Burst && !skip) {
            return (self.step(deadline, 1), 0);
        }
        self.next_after_missed(deadline, now, part)
    }

    /// The deadline was set by hand: its phase starts there.
    pub(crate) fn restart(&mut self, phase: u32) {
        self.phase = phase;
    }

    #[cold]
    fn next_after_missed(&mut self, deadline: u64, now: u64, part: u32) -> (u64, u64) {
        let missed = self.whole_periods(deadline, now);
        if self.missed != MissedTicks::Delay || missed == 0 {
            return (self.step(deadline, u128::from(missed) + 1), missed);
        }
        // The present as the deadline that it would be.
        self.phase = part;
        (self.step(now.saturating_add(u64::from(part > 0)), 1), missed)
    }

    /// Ticks of the phase in (deadline, now].
    fn whole_periods(&self, deadline: u64, now: u64) -> u64 {
        let exact = self.exact(deadline);
        let passed = (u128::from(now) << 32).saturating_sub(exact);
        u64::try_from(passed / self.exact_period()).unwrap_or(u64::MAX)
    }

    fn step(&mut self, deadline: u64, periods: u128) -> u64 {
        if self.fraction == 0 && periods == 1 {
            return deadline.saturating_add(self.period);
        }
        let exact = periods
            .checked_mul(self.exact_period())
            .and_then(|way| way.checked_add(self.exact(deadline)))
            .unwrap_or(u128::MAX);
        // The low half is the phase, cut on purpose.
        #[allow(clippy::cast_possible_truncation)]
        let phase = exact as u32;
        match u64::try_from((exact >> 32) + u128::from(phase > 0)) {
            Ok(deadline) => {
                self.phase = phase;
                deadline
            }
            Err(_) => u64::MAX,
        }
    }

    fn exact(&self, deadline: u64) -> u128 {
        let whole = deadline.saturating_sub(u64::from(self.phase > 0));
        (u128::from(whole) << 32) | u128::from(self.phase)
    }

    fn exact_period(&self) -> u128 {
        (u128::from(self.period) << 32) | u128::from(self.fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(period: u64, missed: MissedTicks) -> Rhythm {
        Interval::new(0, period).unwrap().missed(missed).rhythm
    }

    #[test]
    fn a_period_of_zero_is_an_error_at_creation() {
        assert_eq!(Interval::new(5, 0), Err(ZeroPeriod));
    }

    #[test]
    fn late_by_three_and_a_half_periods() {
        assert_eq!(rhythm(10, MissedTicks::Burst).next(10, 45, 0, false), (20, 0));
        assert_eq!(rhythm(10, MissedTicks::Skip).next(10, 45, 0, false), (50, 3));
        assert_eq!(rhythm(10, MissedTicks::Delay).next(10, 45, 0, false), (55, 3));
    }

    #[test]
    fn after_a_jump_not_even_a_burst_makes_up() {
        assert_eq!(rhythm(10, MissedTicks::Burst).next(10, 45, 0, true), (50, 3));
        assert_eq!(rhythm(10, MissedTicks::Delay).next(10, 45, 0, true), (55, 3));
    }

    #[test]
    fn late_by_less_than_a_period_keeps_the_phase_whatever_the_behaviour() {
        for missed in [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay] {
            assert_eq!(rhythm(10, missed).next(10, 10, 0, false), (20, 0));
            assert_eq!(rhythm(10, missed).next(10, 19, 0, false), (20, 0));
        }
    }

    #[test]
    fn late_by_exactly_a_period_has_missed_one() {
        assert_eq!(rhythm(10, MissedTicks::Skip).next(10, 20, 0, false), (30, 1));
        assert_eq!(rhythm(10, MissedTicks::Delay).next(10, 20, 0, false), (30, 1));
    }

    #[test]
    fn the_end_of_time_is_where_it_stops() {
        for missed in [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay] {
            assert_eq!(rhythm(u64::MAX, missed).next(10, 10, 0, false), (u64::MAX, 0));
            assert_eq!(rhythm(3, missed).next(u64::MAX - 1, u64::MAX, 0, false), (u64::MAX, 0));
            assert_eq!(
                rhythm(1, missed).next(0, u64::MAX, 0, false).0,
                [1, u64::MAX][usize::from(missed != MissedTicks::Burst)]
            );
        }
    }

    #[test]
    fn fractions_add_up_and_never_drift() {
        // A third of a tick more than 2, as exactly as 32 bits say it.
        let third = u32::MAX / 3;
        let mut rhythm = Interval::new(0, 2).unwrap().fraction(third).rhythm;
        let mut deadline = 0;
        for n in 1..=100_000_u128 {
            deadline = rhythm.next(deadline, deadline, 0, false).0;
            let exact = n * ((2 << 32) | u128::from(third));
            let up = exact.div_ceil(1 << 32);
            assert_eq!(u128::from(deadline), up, "tick {n} rounds up by itself");
        }
    }

    #[test]
    fn a_fraction_skips_as_it_ticks() {
        let fresh = Interval::new(0, 2).unwrap().fraction(1 << 31).rhythm;
        let (mut ticking, mut skipping) = (fresh, fresh);
        let mut deadline = 0;
        for _ in 0..10 {
            deadline = ticking.next(deadline, deadline, 0, false).0;
        }
        assert_eq!(deadline, 25);
        assert_eq!(skipping.next(0, 24, 0, false), (25, 9), "2.5, 5, …, 22.5 were missed");
        assert_eq!(skipping, ticking);
    }
}
