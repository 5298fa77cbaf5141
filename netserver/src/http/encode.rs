//! Responses → bytes. Everything is appended to a buffer the caller owns.
//!
//! A head has three parts: status line and the handler's fields; `Date` and `Connection`, which
//! are known only when it is this response's turn; the framing. A response that must wait for its
//! turn is kept as a [`Draft`] with a gap for the second part.

use std::time::Instant;

use super::bytes::{is_field_value, is_token};
use super::date::DateCache;
use super::head::Version;
use super::reject::Reject;
use super::response::Response;
use super::status::Status;

/// How the end of the content of a response is marked (RFC 9112 section 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coding {
    /// No content, no framing fields: 1xx, 204, 304, 2xx to CONNECT.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// By closing the connection: a stream to an HTTP/1.0 client.
    UntilClose,
}

impl Coding {
    /// For a response whose content is all there.
    pub(crate) fn whole(response: &Response<'_>) -> Coding {
        Coding::of(response.status, response.length.unwrap_or(response.body.len() as u64))
    }

    /// The same for content of this length.
    #[inline]
    pub(crate) fn of(status: Status, length: u64) -> Coding {
        match status {
            // Nearly all of them.
            Status::OK => Coding::Length(length),
            status if status.has_body() => Coding::Length(length),
            // Without a length its end would be that of the connection (RFC 9110 section 15.3.6).
            Status::RESET_CONTENT => Coding::Length(0),
            // RFC 9110 section 8.6: a 304 may tell the length a 200 would have had.
            Status::NOT_MODIFIED if length > 0 => Coding::Length(length),
            _ => Coding::None,
        }
    }

    /// For a response whose content is produced later.
    pub(crate) fn streamed(response: &Response<'_>, version: Version) -> Coding {
        match response.length {
            _ if !response.status.has_body() => Coding::whole(response),
            Some(length) => Coding::Length(length),
            None if version == Version::Http11 => Coding::Chunked,
            None => Coding::UntilClose,
        }
    }
}

/// What a response says about the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Connection {
    /// It stays open for so many idle seconds; for an unstated time if that is 0.
    KeepAlive { seconds: u64 },
    /// It is closed after this response.
    Close,
    /// It leaves HTTP.
    Upgrade,
    /// Nothing: 1xx other than 101, and 2xx to CONNECT.
    Silent,
}

/// A response that waits for its turn.
#[derive(Debug)]
pub(crate) struct Draft {
    bytes: Vec<u8>,
    /// Where `Date` and `Connection` belong.
    gap: usize,
}

impl Draft {
    /// Encodes a response but for `Date` and `Connection`; `body` is what is to follow the head.
    pub(crate) fn new(
        response: &Response<'_>,
        coding: Coding,
        body: &[u8],
    ) -> Result<Draft, Reject> {
        let mut bytes = Vec::new();
        start(&mut bytes, response)?;
        let gap = bytes.len();
        finish(&mut bytes, coding);
        bytes.extend_from_slice(body);
        Ok(Draft { bytes, gap })
    }

    /// Appends the response; `lines` are those of [`DateCache::lines`].
    pub(crate) fn write(&self, out: &mut Vec<u8>, lines: &[u8]) {
        let (start, rest) = self.bytes.split_at(self.gap);
        out.extend_from_slice(start);
        out.extend_from_slice(lines);
        out.extend_from_slice(rest);
    }

    /// Bytes held.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a response whose turn it is, without a detour.
    #[inline]
    pub(crate) fn write_now(
        out: &mut Vec<u8>,
        response: &Response<'_>,
        coding: Coding,
        body: &[u8],
        connection: Connection,
        (date, now): (&mut DateCache, Instant),
    ) -> Result<(), Reject> {
        // One growth at most; an estimate that is too low costs nothing but another.
        out.reserve(256 + body.len());
        date.open(out, response, connection, coding, now)?;
        out.extend_from_slice(body);
        Ok(())
    }
}

/// Appends a refusal: status, `Date`, `Connection: close`, nothing else.
pub(crate) fn encode_reject(out: &mut Vec<u8>, reject: Reject, date: &[u8; DateCache::LEN]) {
    status_line(out, reject.status());
    out.extend_from_slice(b"Date: ");
    out.extend_from_slice(date);
    out.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
}

/// Appends an interim response (RFC 9110 section 15.2), which has neither Date nor framing.
pub(crate) fn encode_informational(
    out: &mut Vec<u8>,
    response: &Response<'_>,
) -> Result<(), Reject> {
    start(out, response)?;
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Appends `100 Continue`.
pub(crate) fn encode_continue(out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Appends one chunk (RFC 9112 section 7.1). Nothing for no data: an empty chunk is the last one.
pub(crate) fn encode_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    out.reserve(data.len() + 20);
    push_hex(out, data.len() as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk; `trailers` are complete lines.
pub(crate) fn encode_last_chunk(out: &mut Vec<u8>, trailers: &[u8]) {
    out.extend_from_slice(b"0\r\n");
    out.extend_from_slice(trailers);
    out.extend_from_slice(b"\r\n");
}

/// Appends one field line, if it can be sent and is not the server's own.
#[inline]
pub(crate) fn encode_field(out: &mut Vec<u8>, name: &str, value: &str) -> Result<(), Reject> {
    let clean = is_token(name.as_bytes()) && is_field_value(value.as_bytes());
    if name.is_empty() || !clean {
        return Err(Reject::Handler);
    }
    if !is_servers_own(name) {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

/// Status line and the handler's fields, and where those begin. Leaves `out` as it was on error.
pub(super) fn start(out: &mut Vec<u8>, response: &Response<'_>) -> Result<usize, Reject> {
    let before = out.len();
    status_line(out, response.status);
    let fields_at = out.len();
    for (name, value) in response.fields {
        if let Err(reject) = encode_field(out, name, value) {
            out.truncate(before);
            return Err(reject);
        }
    }
    Ok(fields_at)
}

#[inline]
fn status_line(out: &mut Vec<u8>, status: Status) {
    // The one line of nearly every response, in one copy.
    if status == Status::OK {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    let code = status.code();
    out.extend([code / 100, code / 10 % 10, code % 10].map(|number| digit(number.into())));
    out.push(b' ');
    out.extend_from_slice(status.reason().as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(super) fn about_connection(out: &mut Vec<u8>, connection: Connection) {
    match connection {
        Connection::KeepAlive { seconds: 0 } => {
            out.extend_from_slice(b"Connection: keep-alive\r\n");
        }
        Connection::KeepAlive { seconds } => {
            out.extend_from_slice(b"Connection: keep-alive\r\nKeep-Alive: timeout=");
            push_decimal_line(out, seconds);
        }
        Connection::Close => out.extend_from_slice(b"Connection: close\r\n"),
        Connection::Upgrade => out.extend_from_slice(b"Connection: Upgrade\r\n"),
        Connection::Silent => {}
    }
}

/// Framing and the empty line.
#[inline]
pub(super) fn finish(out: &mut Vec<u8>, coding: Coding) {
    match coding {
        Coding::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            push_decimal_line(out, length);
            out.extend_from_slice(b"\r\n");
        }
        Coding::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n"),
        Coding::None | Coding::UntilClose => out.extend_from_slice(b"\r\n"),
    }
}

fn is_servers_own(name: &str) -> bool {
    let own = match name.len() {
        4 => "date",
        10 => return ["connection", "keep-alive"].iter().any(|own| name.eq_ignore_ascii_case(own)),
        14 => "content-length",
        17 => "transfer-encoding",
        _ => return false,
    };
    name.eq_ignore_ascii_case(own)
}

/// `number` in decimal, and the end of the line. `write!` would do, at ten times the cost.
#[inline]
fn push_decimal_line(out: &mut Vec<u8>, mut number: u64) {
    let mut line = *b"00000000000000000000\r\n";
    let mut at = line.len() - 2;
    while number >= 10 {
        at -= 1;
        line[at] = digit(number % 10);
        number /= 10;
    }
    at -= 1;
    line[at] = digit(number);
    out.extend_from_slice(&line[at..]);
}

/// Of a number below ten.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "it is below ten")]
const fn digit(number: u64) -> u8 {
    b'0' + number as u8
}

fn push_hex(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 16];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
        if number == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{
        Coding, Connection, DateCache, Draft, Instant, Reject, Response, Status, Version,
        encode_chunk, push_decimal_line,
    };

    fn encoded(response: &Response<'_>, coding: Coding, connection: Connection) -> String {
        let (system, now) =
            (SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777), Instant::now());
        let mut date = DateCache::new(system, now);
        let mut direct = Vec::new();
        let mut write = || {
            let date = (&mut date, now);
            Draft::write_now(&mut direct, response, coding, response.body, connection, date)
        };
        write().unwrap();
        write().unwrap();
        let (first, second) = direct.split_at(direct.len() / 2);
        assert_eq!(first, second, "a response differs from the same one before it");
        let mut later = Vec::new();
        let draft = Draft::new(response, coding, response.body).unwrap();
        draft.write(&mut later, date.lines(now, connection));
        assert_eq!(second, later, "a draft differs from a direct response");
        String::from_utf8(later).unwrap()
    }

    #[test]
    fn a_whole_response_has_its_fields_in_order() {
        let response = Response::new(Status::OK).fields(&[("X", "y")]).body(b"hello");
        assert_eq!(
            encoded(&response, Coding::whole(&response), Connection::KeepAlive { seconds: 5 }),
            "HTTP/1.1 200 OK\r\nX: y\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nhello"
        );
    }

    #[test]
    fn framing_follows_status_and_version() {
        let coding = |status| Coding::whole(&Response::new(status));
        assert_eq!(coding(Status::OK), Coding::Length(0));
        assert_eq!(coding(Status::NO_CONTENT), Coding::None);
        let reset = Response::new(Status::RESET_CONTENT).body(b"x");
        assert_eq!(Coding::whole(&reset), Coding::Length(0));
        assert_eq!(Coding::streamed(&reset.length(7), Version::Http11), Coding::Length(0));
        assert_eq!(coding(Status::NOT_MODIFIED), Coding::None);
        let known = Response::new(Status::NOT_MODIFIED).length(7);
        assert_eq!(Coding::whole(&known), Coding::Length(7));
        let stream = Response::new(Status::OK);
        assert_eq!(Coding::streamed(&stream, Version::Http11), Coding::Chunked);
        assert_eq!(Coding::streamed(&stream, Version::Http10), Coding::UntilClose);
        assert_eq!(Coding::streamed(&stream.length(7), Version::Http10), Coding::Length(7));
        assert_eq!(
            Coding::streamed(&Response::new(Status::NO_CONTENT), Version::Http11),
            Coding::None
        );
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_head() {
        for field in [("a b", "c"), ("", "c"), ("a:", "c"), ("a", "b\r\nc: d"), ("a", "b\0")] {
            let fields = [field];
            let response = Response::new(Status::OK).fields(&fields);
            let mut out = b"before".to_vec();
            let now = Instant::now();
            let date = (&mut DateCache::new(SystemTime::now(), now), now);
            let result =
                Draft::write_now(&mut out, &response, Coding::None, b"", Connection::Close, date);
            assert_eq!((result, out), (Err(Reject::Handler), b"before".to_vec()));
        }
    }

    #[test]
    fn a_response_is_not_taken_for_the_one_before() {
        let (now, mut out) = (Instant::now(), Vec::new());
        let mut date = DateCache::new(SystemTime::UNIX_EPOCH, now);
        let mut write = |status, fields: &[(&str, &str)], connection| {
            out.clear();
            let response = Response::new(status).fields(fields);
            let date = (&mut date, now);
            Draft::write_now(&mut out, &response, Coding::None, b"", connection, date)?;
            let text = String::from_utf8_lossy(&out);
            Ok(text.replace("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", "|"))
        };
        let open = Connection::KeepAlive { seconds: 0 };
        let mut write_ok = |fields: &[(&str, &str)]| write(Status::OK, fields, open);
        let of =
            |lines: &str| Ok(format!("HTTP/1.1 200 OK\r\n{lines}|Connection: keep-alive\r\n\r\n"));
        // Each has something in common with the one before.
        assert_eq!(write_ok(&[("A", "1"), ("B", "2")]), of("A: 1\r\nB: 2\r\n"));
        assert_eq!(write_ok(&[("A", "1\r\nB: 2")]), Err(Reject::Handler));
        assert_eq!(write_ok(&[("A", "1: 2")]), of("A: 1: 2\r\n"));
        assert_eq!(write_ok(&[("A: 1", "2")]), Err(Reject::Handler));
        assert_eq!(write_ok(&[("A", "1: 3")]), of("A: 1: 3\r\n"));
        assert_eq!(write_ok(&[("A", "1:"), ("B", "3")]), of("A: 1:\r\nB: 3\r\n"));
        assert_eq!(write_ok(&[("Date", "x")]), of(""));
        assert_eq!(write_ok(&[("Date", "Thu")]), of(""));
        assert_eq!(write_ok(&[]), of(""));
        let long = "x".repeat(5000);
        assert_eq!(write_ok(&[("A", &long)]), of(&format!("A: {long}\r\n")));
        let other = write(Status::NOT_FOUND, &[], Connection::Close);
        assert_eq!(other, Ok("HTTP/1.1 404 Not Found\r\n|Connection: close\r\n\r\n".into()));
        let other = write(Status::NOT_FOUND, &[], open);
        assert_eq!(other, Ok("HTTP/1.1 404 Not Found\r\n|Connection: keep-alive\r\n\r\n".into()));
    }

    #[test]
    fn the_servers_own_fields_are_left_out() {
        let response = Response::new(Status::NO_CONTENT).fields(&[
            ("content-length", "5"),
            ("DATE", "x"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "x"),
            ("Keep-Alive", "x"),
        ]);
        assert_eq!(
            encoded(&response, Coding::None, Connection::Close),
            "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Connection: close\r\n\r\n"
        );
    }

    #[test]
    fn numbers_are_written_as_std_writes_them() {
        for number in [0, 9, 10, 99, 100, 101, 255, 1000, 1001, 65_536, u64::MAX] {
            let mut out = Vec::new();
            push_decimal_line(&mut out, number);
            assert_eq!(out, format!("{number}\r\n").as_bytes());
        }
        let mut out = Vec::new();
        encode_chunk(&mut out, &[b'x'; 26]);
        assert_eq!(out, [b"1a\r\n", [b'x'; 26].as_slice(), b"\r\n"].concat());
        encode_chunk(&mut out, b"");
        assert_eq!(out.len(), 32);
    }
}
