//! The one place where the clock is read. Everything else is told what time it is.

use std::time::{Instant, SystemTime};

/// The time that deadlines are measured in.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of the Date field.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
