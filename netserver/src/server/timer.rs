//! The one entry that a server has in the wheel: armed when there is something to check, and at no
//! other time.

use std::time::Instant;

use timerwheel::{MissedTicks, Period, TimerGuard, TimerHandle, Timers};

/// The timer of the connection check. Dropping it cancels the entry.
#[derive(Debug)]
pub(super) struct CheckTimer<T> {
    value: T,
    /// `None` is exactly when something expires.
    every: Option<Period>,
    armed: Option<Armed>,
}

#[derive(Debug)]
struct Armed {
    guard: TimerGuard,
    /// Of a one-shot, what it is armed for.
    deadline: Option<Instant>,
}

impl<T: Copy> CheckTimer<T> {
    /// After bind: an interval from now on, or nothing as long as there are no connections.
    pub(super) fn new(
        value: T,
        every: Option<Period>,
        timers: &mut Timers<T>,
        now: Instant,
    ) -> Self {
        let armed = every.map(|period| {
            let first = now + period.duration();
            let handle = timers.insert_interval(first, period, MissedTicks::Skip, value);
            Armed { guard: timers.guard(handle), deadline: None }
        });
        Self { value, every, armed }
    }

    /// Sees to it that the check comes at the deadline, or not at all.
    ///
    /// A timer that is armed for earlier is left alone: it costs one check that finds nothing, and
    /// then is armed right; moving it with every request would cost an operation for each.
    pub(super) fn arm_for(&mut self, deadline: Option<Instant>, timers: &mut Timers<T>) {
        debug_assert!(self.is_exact());
        let Some(deadline) = deadline else { return self.armed = None };
        match &mut self.armed {
            Some(armed) if armed.deadline.is_some_and(|before| before <= deadline) => {}
            Some(armed) if timers.reschedule(armed.guard.handle(), deadline) => {
                armed.deadline = Some(deadline);
            }
            _ => {
                let handle = timers.insert(deadline, self.value);
                let guard = timers.guard(handle);
                self.armed = Some(Armed { guard, deadline: Some(deadline) });
            }
        }
    }

    /// Whether this expiry is the check's. A one-shot is spent by it.
    pub(super) fn take_expiry(&mut self, handle: TimerHandle) -> bool {
        let mine = self.handle() == Some(handle);
        if mine && self.is_exact() {
            self.armed = None;
        }
        mine
    }
}

impl<T> CheckTimer<T> {
    /// Whether it is armed for what expires next, and not at an interval.
    pub(super) fn is_exact(&self) -> bool {
        self.every.is_none()
    }

    /// Cancels the entry: there is nothing left to check.
    pub(super) fn release(&mut self) {
        self.armed = None;
    }

    pub(super) fn handle(&self) -> Option<TimerHandle> {
        self.armed.as_ref().map(|armed| armed.guard.handle())
    }
}
