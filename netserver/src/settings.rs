//! What can be set: durations and limits, their defaults, and the rules they must keep.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::http::HeadLimits;

/// Everything that can be set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Durations.
    pub timeouts: Timeouts,
    /// Sizes and counts.
    pub limits: Limits,
}

/// How long things may take; zero switches a timeout off.
///
/// Every deadline is `since + duration`, and an expiry happens at the first
/// [check](ConnectionCheck) after it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// From the first byte of a message until its head is complete, on every request of a
    /// connection. 60 s. Then `408`.
    pub headers: Duration,
    /// From the first byte of a message until all of it has arrived, body and trailers. 300 s.
    /// Not shorter than `headers`.
    pub request: Duration,
    /// From the accept until the first byte of a request. `None` is as long as `headers`.
    pub first_byte: Option<Duration>,
    /// Whether a connection that never sends a byte is closed without a `408`.
    pub first_byte_silent: bool,
    /// How long a connection may be idle between requests, as told to the client in whole seconds.
    /// 5 s.
    pub keep_alive: Duration,
    /// How much longer an idle connection is really kept, so that a client that sends at the last
    /// moment is not met by a reset. 1 s.
    pub keep_alive_buffer: Duration,
    /// When connections are checked: every second.
    pub check: ConnectionCheck,
    /// Since the last byte that a peer took, while there is output for it. 60 s.
    pub write: Duration,
    /// From a complete request until its response. Off. Then `503`.
    pub handler: Duration,
    /// For an upgraded connection, without traffic. Off.
    pub upgraded: Duration,
    /// The span over which `Limits::min_body_rate` is measured. 5 s.
    pub min_rate: Duration,
    /// After an error or an early response, how long the peer may be silent before the connection
    /// is closed for good. 5 s.
    pub linger: Duration,
    /// The same in all. 30 s.
    pub linger_total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(60),
            request: Duration::from_secs(300),
            first_byte: None,
            first_byte_silent: false,
            keep_alive: Duration::from_secs(5),
            keep_alive_buffer: Duration::from_secs(1),
            check: ConnectionCheck::default(),
            write: Duration::from_secs(60),
            handler: Duration::ZERO,
            upgraded: Duration::ZERO,
            min_rate: Duration::from_secs(5),
            linger: Duration::from_secs(5),
            linger_total: Duration::from_secs(30),
        }
    }
}

/// When connections are looked at for what has expired. One entry in the wheel either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionCheck {
    /// At this interval, from bind to close, as Node does. What expires is noticed up to so much
    /// later. Not zero, and at most a year.
    Interval(Duration),
    /// When the next thing expires, and not at all without connections: noticed within a tick of
    /// the wheel, and no wake-up for nothing.
    Exact,
}

impl Default for ConnectionCheck {
    fn default() -> Self {
        Self::Interval(Duration::from_secs(1))
    }
}

/// How large and how many things may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a request line and its fields. 16 KiB, at least 256. Then `431`, or `414` if the
    /// target alone is longer.
    pub header_size: usize,
    /// Fields of a head. 100, at least 1, at most 256. Then `431`.
    pub headers_count: usize,
    /// Bytes of a body that is buffered for the handler. 1 MiB; 0 takes no body. Then `413`.
    pub body_size: u64,
    /// Requests per connection; the last response says `Connection: close`. 0 is no limit.
    pub requests_per_connection: u64,
    /// Requests of one connection under way at a time; reading pauses above it. 32, at least 1.
    pub pipelined: usize,
    /// Bytes per second that a body must arrive at, measured over `Timeouts::min_rate`. 240; 0
    /// switches it off.
    pub min_body_rate: u64,
    /// Bytes read and dropped after an error, so that the peer can read the response. 256 KiB. What
    /// comes above that is left where it is until the peer closes, or `Timeouts::linger` is over.
    pub linger_bytes: u64,
    /// Open connections. 0 is no limit but that of the token range.
    pub connections: usize,
    /// What becomes of a connection above the limit.
    pub over_limit: OverLimit,
    /// Connections from one address that are *pending*: no head has been complete on them yet. One
    /// more is told `503` if `over_limit` is [`OverLimit::Unavailable`], and closed otherwise. 0
    /// is no limit. Connections whose peer has no IP address are not counted.
    pub pending_per_address: usize,
    /// The same for all addresses of one prefix together. Not less than `pending_per_address`.
    pub pending_per_prefix: usize,
    /// Bits of an IPv4 address that make its prefix. 24, at least 1, at most 32.
    pub ipv4_prefix_length: u8,
    /// Bits of an IPv6 address that make its prefix. 64, which is what one subscriber is given at
    /// least; at least 1, at most 128.
    pub ipv6_prefix_length: u8,
    /// Connections waiting to be accepted, as told to the kernel. 1024.
    pub backlog: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_size: 16 << 10,
            headers_count: 100,
            body_size: 1 << 20,
            requests_per_connection: 0,
            pipelined: 32,
            min_body_rate: 240,
            linger_bytes: 256 << 10,
            connections: 0,
            over_limit: OverLimit::default(),
            pending_per_address: 0,
            pending_per_prefix: 0,
            ipv4_prefix_length: 24,
            ipv6_prefix_length: 64,
            backlog: 1024,
        }
    }
}

/// What becomes of a connection that is one too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OverLimit {
    /// It is closed at once.
    #[default]
    Refuse,
    /// It is told `503 Service Unavailable` and closed.
    Unavailable,
    /// It stays in the kernel's queue until another one has gone.
    Pause,
    /// The connection that has been idle longest is closed for it; refused if none is idle.
    EvictIdle,
}

impl Settings {
    /// Checks every rule.
    ///
    /// # Errors
    ///
    /// The first setting that breaks one, its value, and the rule.
    pub fn check(&self) -> Result<(), SettingError> {
        let Self { timeouts, limits } = self;
        let error = |setting, value: String, rule: &str| {
            Err(SettingError { setting, value, rule: rule.to_owned() })
        };
        if timeouts.check == ConnectionCheck::Interval(Duration::ZERO) {
            return error("check_interval", "0s".into(), "must be longer than 0");
        }
        if let ConnectionCheck::Interval(interval) = timeouts.check
            && interval > MOST_CHECK_INTERVAL
        {
            let rule = format!("must be at most {MOST_CHECK_INTERVAL:?}");
            return error("check_interval", format!("{interval:?}"), &rule);
        }
        if timeouts.headers > timeouts.request && !timeouts.request.is_zero() {
            let rule = format!("must not be longer than request_timeout ({:?})", timeouts.request);
            return error("headers_timeout", format!("{:?}", timeouts.headers), &rule);
        }
        if limits.header_size < LEAST_HEADER_SIZE {
            let value = format!("{} bytes", limits.header_size);
            return error("max_header_size", value, "must be at least 256 bytes");
        }
        if limits.header_size > MOST_HEADER_SIZE {
            let value = format!("{} bytes", limits.header_size);
            return error("max_header_size", value, "must be at most 1073741824 bytes");
        }
        if limits.headers_count > HeadLimits::FIELDS_MAX {
            let rule = format!("must be at most {}", HeadLimits::FIELDS_MAX);
            return error("max_headers_count", limits.headers_count.to_string(), &rule);
        }
        let (address, prefix) = (limits.pending_per_address, limits.pending_per_prefix);
        if address > prefix && prefix != 0 {
            let rule = format!("must not be more than max_pending_per_prefix ({prefix})");
            return error("max_pending_per_address", address.to_string(), &rule);
        }
        let lengths = [
            ("ipv4_prefix_length", limits.ipv4_prefix_length, 32),
            ("ipv6_prefix_length", limits.ipv6_prefix_length, 128),
        ];
        for (setting, length, most) in lengths {
            if length == 0 || length > most {
                let rule = format!("must be at least 1 and at most {most}");
                return error(setting, length.to_string(), &rule);
            }
        }
        let counts = [
            ("max_headers_count", limits.headers_count),
            ("max_pipelined", limits.pipelined),
            ("backlog", limits.backlog as usize),
        ];
        for (setting, value) in counts {
            if value == 0 {
                return error(setting, value.to_string(), "must be at least 1");
            }
        }
        Ok(())
    }
}

/// A year: who is never checked is better served by [`ConnectionCheck::Exact`], and a time that far
/// ahead can be told in any clock.
const MOST_CHECK_INTERVAL: Duration = Duration::from_secs(31_536_000);

/// A request line with a short path and a Host field must fit.
const LEAST_HEADER_SIZE: usize = 256;

/// Offsets within a head fit 32 bits, with room to spare.
const MOST_HEADER_SIZE: usize = 1 << 30;

/// A setting that breaks a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingError {
    /// Which one.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub rule: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: it {}", self.setting, self.value, self.rule)
    }
}

impl Error for SettingError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().expect_err("a broken rule").to_string()
    }

    #[test]
    fn the_defaults_keep_the_rules() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn an_error_names_the_setting_its_value_and_the_rule() {
        assert_eq!(
            refused(|s| s.timeouts.headers = Duration::from_secs(301)),
            "headers_timeout is 301s: it must not be longer than request_timeout (300s)"
        );
        assert_eq!(
            refused(|s| s.timeouts.check = ConnectionCheck::Interval(Duration::ZERO)),
            "check_interval is 0s: it must be longer than 0"
        );
        assert_eq!(
            refused(
                |s| s.timeouts.check = ConnectionCheck::Interval(Duration::from_secs(31_536_001))
            ),
            "check_interval is 31536001s: it must be at most 31536000s"
        );
        assert_eq!(
            refused(|s| s.limits.header_size = 255),
            "max_header_size is 255 bytes: it must be at least 256 bytes"
        );
        assert_eq!(
            refused(|s| s.limits.headers_count = 257),
            "max_headers_count is 257: it must be at most 256"
        );
        assert_eq!(
            refused(|s| s.limits.header_size = (1 << 30) + 1),
            "max_header_size is 1073741825 bytes: it must be at most 1073741824 bytes"
        );
        assert_eq!(
            refused(|s| (s.limits.pending_per_address, s.limits.pending_per_prefix) = (9, 8)),
            "max_pending_per_address is 9: it must not be more than max_pending_per_prefix (8)"
        );
        assert_eq!(
            refused(|s| s.limits.ipv4_prefix_length = 33),
            "ipv4_prefix_length is 33: it must be at least 1 and at most 32"
        );
        assert_eq!(
            refused(|s| s.limits.ipv6_prefix_length = 0),
            "ipv6_prefix_length is 0: it must be at least 1 and at most 128"
        );
        assert_eq!(
            refused(|s| s.limits.pipelined = 0),
            "max_pipelined is 0: it must be at least 1"
        );
    }

    #[test]
    fn a_timeout_of_zero_is_off_and_longer_than_any() {
        let mut settings = Settings::default();
        settings.timeouts.request = Duration::ZERO;
        settings.timeouts.headers = Duration::from_secs(1000);
        assert_eq!(settings.check(), Ok(()));
    }
}
