//! What the wheel holds for [`Timers`](super::Timers): the value and what goes with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::remote::Cell;

/// How a timer is armed, beyond its deadline.
///
/// ```
/// use std::time::{Duration, Instant};
/// use timerwheel::{TimerOptions, Timers};
///
/// let now = Instant::now();
/// let mut timers = Timers::new(now);
/// let relaxed = TimerOptions::new().slack(Duration::from_secs(1)).unref();
/// timers.insert_with(now + Duration::from_secs(10), relaxed, "tidy up");
/// assert!(!timers.keeps_alive());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerOptions {
    pub(super) slack: Duration,
    pub(super) keeps_alive: bool,
}

impl TimerOptions {
    /// On the tick, and keeping the loop alive.
    pub const fn new() -> Self {
        Self { slack: Duration::ZERO, keeps_alive: true }
    }

    /// Lets the timer fire up to `slack` after its deadline, on the roundest tick in reach, where
    /// it meets others: one wake-up instead of several. Never before the deadline.
    #[must_use = "this returns the changed options"]
    pub const fn slack(mut self, slack: Duration) -> Self {
        self.slack = slack;
        self
    }

    /// The timer does not keep the loop alive.
    #[must_use = "this returns the changed options"]
    pub const fn unref(mut self) -> Self {
        self.keeps_alive = false;
        self
    }
}

impl Default for TimerOptions {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) struct Item<T> {
    pub(super) held: Held<T>,
    /// The tick that was asked for, before slack.
    pub(super) asked: u64,
    pub(super) keeps_alive: bool,
    #[cfg(feature = "audit")]
    pub(super) record: crate::audit::Record,
}

impl<T> Item<T> {
    #[cfg_attr(feature = "audit", track_caller)]
    pub(super) fn new(held: Held<T>, asked: u64, options: TimerOptions, now: Instant) -> Self {
        #[cfg(not(feature = "audit"))]
        let _ = now;
        Self {
            held,
            asked,
            keeps_alive: options.keeps_alive,
            #[cfg(feature = "audit")]
            record: crate::audit::Record::new(now),
        }
    }
}

#[cfg(feature = "audit")]
impl<T> Item<T> {
    /// Armed by that line, which is on another thread.
    pub(super) fn armed_at(mut self, site: &'static std::panic::Location<'static>) -> Self {
        self.record.site = site;
        self
    }
}

impl<T: Clone> Clone for Item<T> {
    fn clone(&self) -> Self {
        Self {
            held: self.held.clone(),
            asked: self.asked,
            keeps_alive: self.keeps_alive,
            #[cfg(feature = "audit")]
            record: self.record.clone(),
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Item<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.held.here().fmt(f)
    }
}

/// Where the value is.
pub(super) enum Held<T> {
    Here(T),
    /// In a cell shared with the [`RemoteTimer`](crate::RemoteTimer) of another thread.
    There(Arc<Cell<T>>),
}

impl<T> Held<T> {
    /// The value, unless a remote canceller has it.
    pub(super) fn take(self) -> Option<T> {
        match self {
            Self::Here(value) => Some(value),
            Self::There(cell) => cell.take(),
        }
    }

    /// The value if it is shared, and no remote canceller has it.
    pub(super) fn take_shared(&self) -> Option<T> {
        match self {
            Self::Here(_) => None,
            Self::There(cell) => cell.take(),
        }
    }

    pub(super) fn here(&self) -> Option<&T> {
        match self {
            Self::Here(value) => Some(value),
            Self::There(_) => None,
        }
    }

    /// Shows the value, wherever it is.
    pub(super) fn inspect<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        match self {
            Self::Here(value) => Some(look(value)),
            Self::There(cell) => cell.lock().value.as_ref().map(look),
        }
    }

    pub(super) fn here_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Here(value) => Some(value),
            Self::There(_) => None,
        }
    }
}

impl<T: Clone> Clone for Held<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Here(value) => Self::Here(value.clone()),
            Self::There(cell) => Self::There(Arc::clone(cell)),
        }
    }
}
