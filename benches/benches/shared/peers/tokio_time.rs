//! One tokio runtime for the whole program, with its time paused.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime without I/O starts")
});

/// Timers are made inside a runtime; a program enters once, for entering costs as much as arming.
pub(crate) fn enter() -> EnterGuard<'static> {
    RUNTIME.enter()
}

/// Moves the paused time on and lets the driver see it.
pub(crate) fn advance(ticks: u64) {
    RUNTIME.block_on(tokio::time::advance(Duration::from_millis(ticks)));
}
