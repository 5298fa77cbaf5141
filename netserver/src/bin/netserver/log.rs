//! `-v`: what the server tells of its connections, as lines on stderr.

use std::io::{self, IsTerminal};

use tracing::Level;

/// Starts telling, so much of it: once closes, twice phases and expiries too, three times timers.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    // Somebody who has no use for colours says so: https://no-color.org.
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let lines = tracing_subscriber::fmt()
        // It would complain of a full disk to the same disk, and panic when that fails.
        .log_internal_errors(false)
        .with_max_level(level)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal() && !plain)
        .with_writer(io::stderr)
        .finish();
    // Fails only if there is one already.
    let _ = tracing::subscriber::set_global_default(lines);
}
