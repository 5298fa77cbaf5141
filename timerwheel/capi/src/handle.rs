//! What is passed to C by value: handles and expiries.

use timerwheel::{Expired, TimerHandle};

/// Names one timer of one wheel. Copy it, compare its words; all zero is no timer. One whose timer
/// has fired or was cancelled is stale: using it does nothing, and never touches another timer.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimerwheelHandle {
    /// Nothing to be made use of.
    pub words: [u32; 3],
}

/// A timer that is due, as `timerwheel_pop_expired` hands it out.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimerwheelExpired {
    /// The value it was armed with.
    pub value: u64,
    /// The tick it was armed for.
    pub deadline: u64,
    /// Ticks from the deadline to the last `timerwheel_advance`.
    pub late: u64,
    /// Ticks of the interval that passed since and are left out; 0 for a one-shot.
    pub missed: u64,
    /// The handle it was armed under. Stale for a one-shot; an interval is armed again by it.
    pub handle: TimerwheelHandle,
}

impl TimerwheelHandle {
    /// No timer.
    pub(crate) const NONE: Self = Self { words: [0; 3] };

    pub(crate) fn of(handle: Option<TimerHandle>) -> Self {
        handle.map_or(Self::NONE, |handle| Self { words: handle.to_words() })
    }

    pub(crate) fn get(self) -> Option<TimerHandle> {
        TimerHandle::from_words(self.words)
    }
}

impl TimerwheelExpired {
    pub(crate) fn of(expired: Expired<u64>) -> Self {
        let Expired { handle, value, deadline, late, missed } = expired;
        Self { value, deadline, late, missed, handle: TimerwheelHandle::of(Some(handle)) }
    }
}
