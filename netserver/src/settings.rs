//! Timeouts and limits of a server.

use std::time::Duration;

/// Everything that can be set.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Durations.
    pub timeouts: Timeouts,
    /// Sizes and counts.
    pub limits: Limits,
}

/// How long things may take; zero switches a timeout off.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Timeouts {
    pub headers: Duration,
    pub request: Duration,
    pub first_byte: Duration,
    pub first_byte_silent: bool,
    pub keep_alive: Duration,
    pub keep_alive_buffer: Duration,
    pub check_interval: Duration,
    pub write: Duration,
    pub handler: Duration,
    pub upgraded: Duration,
    pub min_rate: Duration,
    pub linger: Duration,
    pub linger_total: Duration,
}

/// How large things may be.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Limits {
    pub header_size: usize,
    pub headers_count: usize,
    pub body_size: u64,
    pub requests_per_connection: u64,
    pub pipelined: usize,
    pub min_body_rate: u64,
    pub linger_bytes: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        let s = Duration::from_secs;
        Timeouts {
            headers: s(60),
            request: s(300),
            first_byte: s(60),
            first_byte_silent: false,
            keep_alive: s(5),
            keep_alive_buffer: s(1),
            check_interval: s(1),
            write: s(60),
            handler: s(0),
            upgraded: s(0),
            min_rate: s(5),
            linger: s(5),
            linger_total: s(30),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header_size: 16 << 10,
            headers_count: 100,
            body_size: 1 << 20,
            requests_per_connection: 0,
            pipelined: 32,
            min_body_rate: 240,
            linger_bytes: 256 << 10,
        }
    }
}
