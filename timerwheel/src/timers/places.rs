//! Where timers are on the wheel, for whoever draws it.

use std::time::Duration;

use super::Timers;
use crate::handle::TimerHandle;

/// A slot of the wheel. Level 0 has slots of one tick, and each further level slots as long as
/// the whole level before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SlotPlace {
    /// The level, 0 to [`LEVELS`](Self::LEVELS) − 1.
    pub level: u32,
    /// The slot of the level, 0 to [`SLOTS`](Self::SLOTS) − 1.
    pub slot: u32,
}

impl SlotPlace {
    /// Slots of a level.
    pub const SLOTS: u32 = 1 << BITS;

    /// Levels that cover all of `u64`.
    pub const LEVELS: u32 = u64::BITS.div_ceil(BITS);

    /// The slot of a deadline, in ticks, as seen from `now`: of the highest digit in which they
    /// differ. `None` for what is due.
    ///
    /// ```
    /// use timerwheel::SlotPlace;
    ///
    /// let place = |deadline| SlotPlace::of(0x1234, deadline).map(|it| (it.level, it.slot));
    /// assert_eq!(place(0x1290), Some((0, 0x90)));
    /// assert_eq!(place(0x4711), Some((1, 0x47)));
    /// assert_eq!(place(0x1234), None);
    /// ```
    pub const fn of(now: u64, deadline: u64) -> Option<Self> {
        if deadline <= now {
            return None;
        }
        let level = (now ^ deadline).ilog2() / BITS;
        Some(Self { level, slot: digit(deadline, level) })
    }

    /// Where the cursor stands in a level.
    pub const fn cursor(now: u64, level: u32) -> u32 {
        digit(now, level)
    }
}

/// Bits of a digit, as of [`TimerWheel`](crate::TimerWheel) by default.
const BITS: u32 = 8;

#[allow(clippy::cast_possible_truncation)] // the mask leaves one digit
const fn digit(tick: u64, level: u32) -> u32 {
    (tick >> (level * BITS)) as u32 & (SlotPlace::SLOTS - 1)
}

impl<T> Timers<T> {
    /// The length of a tick.
    pub fn resolution(&self) -> Duration {
        self.clock.tick()
    }

    /// The tick a timer is due at; of an interval, its next. `None` if the handle is stale.
    pub fn tick_of(&self, handle: TimerHandle) -> Option<u64> {
        self.wheel.deadline_of(handle)
    }

    /// Shows the value of a timer, also of one armed by a [`Remote`](crate::Remote), whose value
    /// is locked meanwhile: other threads that cancel it or ask for it wait until `look` is done.
    /// `None` if the handle is stale, or the timer cancelled from elsewhere.
    ///
    /// So `look` itself must not: neither inspect that timer again, nor cancel its
    /// [`RemoteTimer`](crate::RemoteTimer), ask whether it is armed or print it. It would wait for
    /// itself, for ever.
    pub fn inspect<R>(&self, handle: TimerHandle, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.wheel.get(handle)?.held.inspect(look)
    }
}
