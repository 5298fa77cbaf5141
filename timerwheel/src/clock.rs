//! Between `Instant` and tick. Nothing here reads the clock; the caller passes the time in.

use std::time::{Duration, Instant};

/// The length of a tick: a power of two of nanoseconds, so that a conversion is a shift.
///
/// The default is 2<sup>20</sup> ns, about 1.05 ms. A timer is never early and late by at most one
/// tick, plus what the loop itself adds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Resolution {
    shift: u32,
}

impl Resolution {
    /// The longest tick there is, 2<sup>32</sup> ns or about 4.3 s.
    pub const COARSEST: Self = Self { shift: 32 };

    /// A tick of 1 ns.
    pub const FINEST: Self = Self { shift: 0 };

    /// The longest tick that is no longer than `length`, between [`FINEST`](Self::FINEST) and
    /// [`COARSEST`](Self::COARSEST).
    ///
    /// ```
    /// use std::time::Duration;
    /// use timerwheel::Resolution;
    ///
    /// let tick = Resolution::at_most(Duration::from_millis(1));
    /// assert_eq!(tick.tick(), Duration::from_nanos(1 << 19));
    /// ```
    pub fn at_most(length: Duration) -> Self {
        let shift = length.as_nanos().max(1).ilog2();
        Self { shift: shift.min(Self::COARSEST.shift) }
    }

    /// The length of a tick.
    pub const fn tick(self) -> Duration {
        Duration::from_nanos(1 << self.shift)
    }
}

impl Default for Resolution {
    fn default() -> Self {
        Self { shift: 20 }
    }
}

/// Counts ticks from an origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    shift: u32,
    /// How far the origin has been moved, in nanoseconds.
    moved: u64,
}

impl Clock {
    pub(crate) fn new(origin: Instant, resolution: Resolution) -> Self {
        Self { origin, shift: resolution.shift, moved: 0 }
    }

    pub(crate) const fn tick(&self) -> Duration {
        Duration::from_nanos(1 << self.shift)
    }

    /// The first tick that is not before `deadline`: a deadline rounds up. Times before the origin
    /// are tick 0, times beyond `u64` the last tick.
    pub(crate) fn deadline(&self, deadline: Instant) -> u64 {
        self.round_up(self.nanos(deadline))
    }

    /// [`deadline`](Self::deadline) for a delay that may reach past what `Instant` can say.
    pub(crate) fn deadline_after(&self, delay: Duration, now: Instant) -> u64 {
        self.round_up(self.nanos(now).saturating_add(delay.as_nanos()))
    }

    /// The tick that `now` is in: the present rounds down.
    pub(crate) fn now(&self, now: Instant) -> u64 {
        saturate(self.nanos(now) >> self.shift)
    }

    /// The tick that `now` is in, and how far into it, in 2^-32 of a tick.
    pub(crate) fn now_within(&self, now: Instant) -> (u64, u32) {
        let nanos = self.nanos(now);
        (saturate(nanos >> self.shift), self.fraction(nanos))
    }

    /// Ticks that fit in a duration.
    pub(crate) fn ticks_within(&self, duration: Duration) -> u64 {
        saturate(duration.as_nanos() >> self.shift)
    }

    /// How far before its tick a deadline lies: 0 if not at all, else 2^-32 of a tick from the
    /// tick before.
    pub(crate) fn phase(&self, deadline: Instant) -> u32 {
        self.fraction(self.nanos(deadline))
    }

    /// A duration in whole ticks and 2^-32 of a tick, exactly.
    pub(crate) fn split(&self, duration: Duration) -> (u64, u32) {
        let nanos = duration.as_nanos();
        (saturate(nanos >> self.shift), self.fraction(nanos))
    }

    /// When a tick begins; `None` if `Instant` cannot say it.
    pub(crate) fn instant(&self, tick: u64) -> Option<Instant> {
        let nanos = u128::from(tick) << self.shift;
        let seconds = u64::try_from(nanos / NANOS_PER_SECOND).ok()?;
        #[allow(clippy::cast_possible_truncation)] // a remainder of 10^9
        let rest = (nanos % NANOS_PER_SECOND) as u32;
        self.origin.checked_add(Duration::new(seconds, rest))
    }

    /// When a tick begins, in nanoseconds from where the origin was at first: what takes no
    /// arithmetic of `Instant`s. Ends at 584 years.
    pub(crate) fn nanos_to_tick(&self, tick: u64) -> u64 {
        let nanos = saturate(u128::from(tick) << self.shift);
        nanos.saturating_add(self.moved)
    }

    /// A time in the same nanoseconds.
    pub(crate) fn nanos_to(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.origin);
        let seconds = since.as_secs().saturating_mul(1_000_000_000);
        seconds.saturating_add(u64::from(since.subsec_nanos())).saturating_add(self.moved)
    }

    /// Moves all that is armed later by `gap`, at no cost: the origin moves.
    pub(crate) fn shift_by(&mut self, gap: Duration) {
        if let Some(origin) = self.origin.checked_add(gap) {
            self.origin = origin;
            self.moved = self.moved.saturating_add(saturate(gap.as_nanos()));
        }
    }

    fn nanos(&self, time: Instant) -> u128 {
        time.saturating_duration_since(self.origin).as_nanos()
    }

    fn round_up(&self, nanos: u128) -> u64 {
        let rest = nanos & ((1 << self.shift) - 1);
        saturate((nanos >> self.shift) + u128::from(rest > 0))
    }

    fn fraction(&self, nanos: u128) -> u32 {
        let rest = nanos & ((1 << self.shift) - 1);
        #[allow(clippy::cast_possible_truncation)] // below 2^32 by the shift
        let fraction = (rest << (32 - self.shift)) as u32;
        fraction
    }
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

fn saturate(ticks: u128) -> u64 {
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The tick in `earliest..=latest` with the most trailing zeros: timers that allow some slack meet
/// on such ticks, whatever order they are armed in.
pub(crate) fn coalesce(earliest: u64, latest: u64) -> u64 {
    if earliest >= latest {
        return earliest;
    }
    // They differ first in this bit, 0 in `earliest` and 1 in `latest`: all numbers with more
    // zeros than below it are outside, except `earliest` itself.
    let bit = (earliest ^ latest).ilog2();
    if earliest.trailing_zeros() > bit { earliest } else { latest >> bit << bit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coalescing_finds_the_roundest_tick_in_reach() {
        for earliest in 0..200_u64 {
            for latest in earliest..200 {
                let roundest =
                    (earliest..=latest).max_by_key(|tick| tick.trailing_zeros()).unwrap();
                let zeros = coalesce(earliest, latest).trailing_zeros();
                assert!((earliest..=latest).contains(&coalesce(earliest, latest)));
                assert_eq!(zeros, roundest.trailing_zeros(), "{earliest}..={latest}");
            }
        }
    }

    #[test]
    fn deadlines_round_up_and_the_present_rounds_down() {
        let origin = Instant::now();
        let clock = Clock::new(origin, Resolution::default());
        let tick = Resolution::default().tick();
        for (nanos, up, down) in [(0, 0, 0), (1, 1, 0), (tick.as_nanos(), 1, 1)] {
            let time = origin + Duration::from_nanos(u64::try_from(nanos).unwrap());
            assert_eq!((clock.deadline(time), clock.now(time)), (up, down), "at {nanos} ns");
        }
        assert_eq!(clock.deadline_after(Duration::MAX, origin), u64::MAX);
        assert_eq!(clock.instant(3), Some(origin + 3 * tick));
    }

    #[test]
    fn a_duration_splits_without_loss() {
        for shift in [0, 1, 20, 32] {
            let clock = Clock { origin: Instant::now(), shift, moved: 0 };
            for nanos in [1, 999, 1 << 20, (1 << 20) + 1, 1_000_000_000, 0xffff_ffff_ffff] {
                let (ticks, fraction) = clock.split(Duration::from_nanos(nanos));
                let exact = (u128::from(ticks) << 32) | u128::from(fraction);
                assert_eq!(exact, u128::from(nanos) << (32 - shift), "{nanos} ns at 2^{shift}");
            }
        }
    }
}
