//! What a caller holds of an armed timer: an inert number that can go stale, but never go wrong.

use core::fmt;
use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, Ordering};

/// Names one timer of one wheel. `Copy`, 12 bytes, and `Option<TimerHandle>` is no larger.
///
/// A handle owns nothing: dropping it does nothing, and holding it keeps nothing alive. Using a
/// handle whose timer has fired, was cancelled or was cleared gives `None` or `false`, never a
/// panic and never another timer. Detected are
///
/// - *reuse of the place*: each place counts its timers, and is retired, not reused, when the
///   count is at its end after 2<sup>32</sup> − 2 timers;
/// - *another wheel*: each wheel of the process has a number of its own, taken when it is made and
///   again by [`clear`](crate::TimerWheel::clear), by [`drain`](crate::TimerWheel::drain) and by
///   [`shrink_to_fit`](crate::TimerWheel::shrink_to_fit) with nothing armed; so has each
///   [`SameDelay`](crate::SameDelay). Only after 2<sup>32</sup> wheels made or emptied like this does a number come up again.
///
/// ```
/// use timerwheel::{TimerHandle, TimerWheel};
///
/// let mut wheel = TimerWheel::new(0);
/// let other = TimerWheel::<&str>::new(0);
/// let handle = wheel.insert(10, "tea");
/// assert!(!other.contains(handle));
/// assert_eq!(wheel.cancel(handle), Some("tea"));
/// assert_eq!(wheel.cancel(handle), None);
/// assert_eq!(size_of::<Option<TimerHandle>>(), 12);
/// ```
// Handed over through memory, it is copied in a word of eight bytes and one of four. So these are its fields, in
// this order: what was written in two words a moment ago and is read in one waits until it is in the cache.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C, packed(4))]
pub struct TimerHandle {
    /// The wheel above, the number of the place below.
    place: u64,
    pub(crate) generation: Generation,
}

impl TimerHandle {
    /// The handle as three numbers, for what can carry nothing else: a program in C, the user data
    /// of a poller. They are never all zero.
    #[allow(clippy::cast_possible_truncation)] // the upper half
    pub const fn to_words(self) -> [u32; 3] {
        [(self.place >> 32) as u32, self.index(), self.generation.0.get()]
    }

    /// The handle that [`to_words`](Self::to_words) has taken apart; `None` for words that are of
    /// no handle, such as all zero. Words that were made up name no timer, or one that is armed:
    /// they cannot do more than a handle can.
    ///
    /// ```
    /// use timerwheel::{TimerHandle, TimerWheel};
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// let words = wheel.insert(10, "tea").to_words();
    /// let handle = TimerHandle::from_words(words).unwrap();
    /// assert_eq!(wheel.cancel(handle), Some("tea"));
    /// assert_eq!(TimerHandle::from_words([0; 3]), None);
    /// ```
    pub const fn from_words([wheel, index, generation]: [u32; 3]) -> Option<Self> {
        match NonZeroU32::new(generation) {
            Some(generation) => Some(WheelId::of(wheel).handle(index, Generation(generation))),
            None => None,
        }
    }

    /// The number of its place, of whatever wheel.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the lower half
    pub(crate) const fn index(self) -> u32 {
        self.place as u32
    }
}

/// `7v3@2`: place 7, its third timer, on the second wheel of the process.
impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [wheel, index, generation] = self.to_words();
        write!(f, "{index}v{generation}@{wheel}")
    }
}

/// Which wheel of this process a handle belongs to: its number in the upper half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WheelId(u64);

impl WheelId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        // Relaxed: only the number has to differ, nothing is published with it.
        Self::of(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    const fn of(number: u32) -> Self {
        Self((number as u64) << 32)
    }

    /// The handle of a place of this wheel.
    #[inline]
    pub(crate) const fn handle(self, index: u32, generation: Generation) -> TimerHandle {
        TimerHandle { place: self.0 | index as u64, generation }
    }

    /// The number of the place that a handle names; one that no place has, if it is of another wheel:
    /// who looks for the place finds out both in one comparison.
    #[inline]
    pub(crate) fn index_of(self, handle: TimerHandle) -> u64 {
        handle.place ^ self.0
    }
}

/// How many timers a place has held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Generation(NonZeroU32);

impl Generation {
    pub(crate) const FIRST: Self = Self(NonZeroU32::MIN);
    /// A place that has come to this is retired.
    pub(crate) const LAST: Self = Self(NonZeroU32::MAX);

    /// So that a test need not count to 2<sup>32</sup>.
    #[cfg(test)]
    pub(crate) const LAST_BUT_ONE: Self = Self(NonZeroU32::new(u32::MAX - 1).unwrap());

    /// The next one; stays at [`LAST`](Self::LAST).
    #[inline]
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether the next one is [`LAST`](Self::LAST), which has none.
    #[inline]
    pub(crate) fn is_last_but_one(self) -> bool {
        self.0.get() >= Self::LAST.0.get() - 1
    }
}
