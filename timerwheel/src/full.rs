//! A wheel that is asked for one timer too many.

use core::error::Error;
use core::fmt;

/// The wheel holds as many timers as it may. Made by
/// [`try_insert`](crate::TimerWheel::try_insert).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full<T> {
    /// The value, handed back.
    pub value: T,
}

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the wheel is at its limit of timers")
    }
}

impl<T: fmt::Debug> Error for Full<T> {}
