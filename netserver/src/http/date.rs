//! The Date field (RFC 9110 section 6.6.1), formatted once a second for all connections.

use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use httpdate::HttpDate;

use super::encode::{Coding, Connection, about_connection, finish, start};
use super::opening::Opening;
use super::reject::Reject;
use super::response::Response;

/// The current date as an IMF-fixdate. It reads no clock: it is told once which wall-clock time an
/// `Instant` stands for, and counts on from there with the `now` of each call.
///
/// ```
/// use std::time::{Duration, Instant, SystemTime};
/// use netserver::http::DateCache;
///
/// let start = Instant::now();
/// let mut date = DateCache::new(SystemTime::UNIX_EPOCH, start);
/// assert_eq!(date.text(start), b"Thu, 01 Jan 1970 00:00:00 GMT");
/// assert_eq!(date.text(start + Duration::from_secs(61)), b"Thu, 01 Jan 1970 00:01:01 GMT");
/// ```
#[derive(Clone, Debug)]
pub struct DateCache {
    system: SystemTime,
    instant: Instant,
    /// `text` is right for all `now` before this; `None` if it is to be formatted.
    stale_at: Option<Instant>,
    text: [u8; DateCache::LEN],
    /// The lines that hold it and what was last said about the connection: for nearly all
    /// responses of a second they are the same.
    lines: Vec<u8>,
    about: Option<Connection>,
    /// The same once more with all that was before it in the last response.
    opening: Opening,
}

impl DateCache {
    /// The length of an IMF-fixdate.
    pub const LEN: usize = 29;

    /// A cache for a clock that shows `system` at `now`. Dates before 1970 count as 1970.
    pub fn new(system: SystemTime, now: Instant) -> DateCache {
        DateCache {
            system,
            instant: now,
            stale_at: None,
            text: [b' '; DateCache::LEN],
            lines: Vec::new(),
            about: None,
            opening: Opening::default(),
        }
    }

    /// Sets the clock anew: to be called now and then if the wall clock may be adjusted.
    pub fn set(&mut self, system: SystemTime, now: Instant) {
        (self.system, self.instant) = (system, now);
        self.stale_at = None;
    }

    /// The date at `now`. Formats at most once a second, and after it was set; otherwise one
    /// comparison.
    pub fn text(&mut self, now: Instant) -> &[u8; DateCache::LEN] {
        if !self.is_fresh(now) {
            self.format(now);
        }
        &self.text
    }

    /// The field lines `Date` and those about the connection, as they stand in a response.
    pub(crate) fn lines(&mut self, now: Instant, about: Connection) -> &[u8] {
        if !self.is_fresh(now) || self.about != Some(about) {
            self.write_lines(now, about);
        }
        &self.lines
    }

    /// Appends the head of a response. Leaves `out` as it was on error.
    #[inline]
    pub(crate) fn open(
        &mut self,
        out: &mut Vec<u8>,
        response: &Response<'_>,
        about: Connection,
        coding: Coding,
        now: Instant,
    ) -> Result<(), Reject> {
        if self.is_fresh(now) && self.opening.repeat(out, response, about, coding) {
            return Ok(());
        }
        self.open_anew(out, response, about, coding, now)
    }

    #[inline]
    fn is_fresh(&self, now: Instant) -> bool {
        self.stale_at.is_some_and(|stale_at| now < stale_at)
    }

    #[inline(never)]
    fn open_anew(
        &mut self,
        out: &mut Vec<u8>,
        response: &Response<'_>,
        about: Connection,
        coding: Coding,
        now: Instant,
    ) -> Result<(), Reject> {
        let before = out.len();
        let fields_at = start(out, response)?;
        let fields_length = out.len() - fields_at;
        out.extend_from_slice(self.lines(now, about));
        let framing_at = out.len() - before;
        finish(out, coding);
        let (fields_at, bytes) = (fields_at - before, &out[before..]);
        let what = (response, about, coding);
        self.opening.keep(what, fields_at, fields_length, framing_at, bytes);
        Ok(())
    }

    #[cold]
    fn write_lines(&mut self, now: Instant, about: Connection) {
        let text = *self.text(now);
        self.lines.clear();
        self.lines.extend_from_slice(b"Date: ");
        self.lines.extend_from_slice(&text);
        self.lines.extend_from_slice(b"\r\n");
        about_connection(&mut self.lines, about);
        self.about = Some(about);
    }

    #[cold]
    fn format(&mut self, now: Instant) {
        let time = self.system + now.saturating_duration_since(self.instant);
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs());
        let second_left = 1_000_000_000 - u64::from(since_epoch.subsec_nanos());
        self.stale_at = Some(now + Duration::from_nanos(second_left));
        self.about = None;
        self.opening.forget();
        // Cannot fail: an IMF-fixdate has 29 bytes until the year 9999.
        let _ = write!(&mut self.text[..], "{}", HttpDate::from(second));
    }
}

#[cfg(test)]
mod tests {
    use super::{Connection, DateCache, Duration, Instant, SystemTime};

    #[test]
    fn lines_follow_the_date_and_what_is_said_about_the_connection() {
        let start = Instant::now();
        let mut date = DateCache::new(SystemTime::UNIX_EPOCH, start);
        let (open, close) = (Connection::KeepAlive { seconds: 5 }, Connection::Close);
        for (seconds, about, rest) in [
            (0, open, "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"),
            (0, close, "Connection: close\r\n"),
            (1, close, "Connection: close\r\n"),
            (2, open, "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"),
            (2, Connection::Silent, ""),
        ] {
            let expected = format!("Date: Thu, 01 Jan 1970 00:00:0{seconds} GMT\r\n{rest}");
            let lines = date.lines(start + Duration::from_secs(seconds), about);
            assert_eq!(lines, expected.as_bytes());
        }
        // Asked for the text in between, the lines are not taken for the new second's.
        let later = start + Duration::from_secs(3);
        date.text(later);
        assert!(date.lines(later, Connection::Silent).ends_with(b":03 GMT\r\n"));
    }

    #[test]
    fn nothing_is_formatted_until_somebody_asks() {
        let start = Instant::now();
        let mut date = DateCache::new(SystemTime::UNIX_EPOCH, start);
        assert_eq!(date.stale_at, None);
        assert_eq!(date.text(start), b"Thu, 01 Jan 1970 00:00:00 GMT");
        date.set(SystemTime::UNIX_EPOCH + Duration::from_secs(60), start);
        assert_eq!(date.stale_at, None);
        assert_eq!(date.text(start), b"Thu, 01 Jan 1970 00:01:00 GMT");
    }

    #[test]
    fn the_date_turns_on_the_second_of_the_wall_clock() {
        let start = Instant::now();
        let system = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_600);
        let mut date = DateCache::new(system, start);
        assert_eq!(date.text(start), b"Sun, 06 Nov 1994 08:49:37 GMT");
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(date.text(at(399)), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date.text(at(400)), b"Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(date.text(at(1399)), b"Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(date.text(at(1400)), b"Sun, 06 Nov 1994 08:49:39 GMT");
    }
}
