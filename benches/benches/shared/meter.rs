//! The measured part of a workload, and nothing of its preparation.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The name that callgrind is told to count in.
pub(crate) const SECTION: &str = "*meter::measured_section*";

/// Runs `work` and says how long it took.
pub(crate) fn measured<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let mut work = Some(work);
    let mut result = None;
    let start = Instant::now();
    measured_section(&mut || result = work.take().map(|work| work()));
    let time = start.elapsed();
    (result.expect("the section has run"), time)
}

/// Not generic, so that it has one name; not a tail call, so that it has an end.
#[inline(never)]
fn measured_section(work: &mut dyn FnMut()) {
    work();
    black_box(());
}
