//! A timer that is cancelled when its owner goes.

use core::fmt;

use crate::handle::TimerHandle;
use crate::remote::Returns;

/// Cancels a timer when it is dropped: on any thread, in any order, after the timers are gone too.
///
/// The guard cannot reach into the wheel, so dropping it sends the handle to [`Timers`], which
/// takes it up at the start of every call that changes anything, [`insert`](crate::Timers::insert)
/// included. A loop that creates and drops owners of timers without ever advancing therefore
/// stays flat in memory: at most one message waits per guard dropped since the last such call.
///
/// The value of the timer is dropped at that moment, on the thread of the wheel.
///
/// [`Timers`]: crate::Timers
///
/// ```
/// use std::time::{Duration, Instant};
/// use timerwheel::Timers;
///
/// let now = Instant::now();
/// let mut timers = Timers::new(now);
/// let handle = timers.insert(now + Duration::from_secs(60), "check connections");
/// let guard = timers.guard(handle);
/// assert_eq!(timers.len(), 1);
/// drop(guard);
/// assert_eq!(timers.len(), 0);
/// ```
#[must_use = "a guard that is not kept cancels its timer at once"]
pub struct TimerGuard {
    handle: TimerHandle,
    /// `None` once disarmed.
    returns: Option<Returns>,
}

impl TimerGuard {
    pub(crate) fn new(handle: TimerHandle, returns: Returns) -> Self {
        Self { handle, returns: Some(returns) }
    }

    /// The timer it guards. It may have fired already.
    pub fn handle(&self) -> TimerHandle {
        self.handle
    }

    /// Lets the timer live on; its handle.
    pub fn disarm(mut self) -> TimerHandle {
        self.returns = None;
        self.handle
    }
}

impl Drop for TimerGuard {
    fn drop(&mut self) {
        if let Some(returns) = self.returns.take() {
            returns.send(self.handle);
        }
    }
}

impl fmt::Debug for TimerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimerGuard").field(&self.handle).finish()
    }
}
