//! A request head: where it ends, its parts, and what they mean together.

use std::fmt;
use std::mem::MaybeUninit;

use super::bytes::TOKEN;
use super::fields::{Fields, line_length, text};
use super::quick::{self, Before};
use super::reject::Reject;
use super::scan::{BareLf, Scan};
use super::semantics::Semantics;
use super::target::Form;

/// The versions spoken here. Anything else is refused with 505.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A request head, borrowed from the bytes it was read from.
///
/// It holds bytes and hands out text: what nobody asks for is not turned into any.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) form: Form,
    pub(super) version: Version,
    pub(super) fields: Fields<'a>,
    pub(super) semantics: Semantics,
}

impl<'a> Head<'a> {
    /// Parses a complete head, as delimited by [`find_head`].
    pub(crate) fn parse(bytes: &'a [u8], limits: HeadLimits) -> Result<Self, Reject> {
        if let Some((head, _)) = Head::parse_whole(bytes, limits, &mut Before::default()) {
            return Ok(head);
        }
        Head::judge(bytes, limits)
    }

    /// Parses a head that is there from its first byte to its last, as nearly all are, without
    /// looking for its end first. `None` if it is not all there or anything is wrong with it:
    /// which of that, and what, [`find_head`] and [`parse`](Self::parse) say.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "measured: a tenth of a pipelined request")]
    pub(crate) fn parse_whole(
        bytes: &'a [u8],
        limits: HeadLimits,
        before: &mut Before<'a>,
    ) -> Option<(Self, usize)> {
        quick::parse(&bytes[..bytes.len().min(limits.size)], limits.fields, before)
    }

    /// Says what is wrong with a complete head.
    #[cold]
    fn judge(bytes: &'a [u8], limits: HeadLimits) -> Result<Self, Reject> {
        let mut slots = [const { MaybeUninit::uninit() }; HeadLimits::FIELDS_MAX];
        let room = &mut slots[..limits.fields.min(HeadLimits::FIELDS_MAX)];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, room) {
            Ok(httparse::Status::Complete(end)) => debug_assert_eq!(end, bytes.len()),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(blame_line(bytes, Reject::TooManyFields));
            }
            Ok(httparse::Status::Partial) | Err(_) => {
                return Err(blame_line(bytes, Reject::Field));
            }
        }
        let httparse::Request { method, path, version, headers } = request;
        let (Some(method), Some(target)) = (method, path) else {
            return Err(Reject::RequestLine);
        };
        let version = if version == Some(0) { Version::Http10 } else { Version::Http11 };
        let form = Form::parse(method, target)?;
        let line = line_length(bytes);
        let lines = &bytes[line..bytes.len() - b"\r\n".len()];
        let fields = Fields { lines, len: headers.len() };
        let semantics = Semantics::of(method.as_bytes(), version, fields)?;
        Ok(Head {
            method: method.as_bytes(),
            target: target.as_bytes(),
            form,
            version,
            fields,
            semantics,
        })
    }

    /// The long way to a verdict: what it says in full of a head that is right, and how long that
    /// is.
    #[cfg(test)]
    pub(super) fn judge_for_test(bytes: &[u8], limits: HeadLimits) -> Option<(String, usize)> {
        let end = find_head(&mut Scan::default(), bytes, limits).ok().flatten()?;
        let head = Head::judge(&bytes[..end], limits).ok()?;
        Some((format!("{head:?}"), end))
    }

    /// The method, as sent: methods are case-sensitive (RFC 9110 section 9.1).
    pub fn method(&self) -> &'a str {
        match self.method {
            b"GET" => "GET",
            b"POST" => "POST",
            other => text(other),
        }
    }

    pub(crate) fn method_bytes(&self) -> &'a [u8] {
        self.method
    }

    /// The request target, as sent.
    pub fn target(&self) -> &'a str {
        text(self.target)
    }

    /// The form of the target.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The path of the target: `*` for the asterisk form and what means the same, empty for the
    /// authority form.
    pub fn path(&self) -> &'a str {
        match self.form.path_and_query(self.target()) {
            ("", query) => self.form.path_if_empty(self.method(), query),
            (path, _) => path,
        }
    }

    /// What follows the first `?` of the target.
    pub fn query(&self) -> Option<&'a str> {
        self.form.path_and_query(self.target()).1
    }

    /// The host the request is for: from the target if that names one, whatever the Host field
    /// says, else from the Host field (RFC 9112 section 3.2.2). Empty when neither does.
    pub fn host(&self) -> &'a str {
        match self.form.authority(self.target()) {
            "" => self.field_str("host").unwrap_or(""),
            authority => authority,
        }
    }

    /// The version of the message.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The fields in the order they were sent.
    pub fn fields(&self) -> Fields<'a> {
        self.fields
    }

    /// The value of the first field of this name, compared without case.
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.value(name)
    }

    /// Like [`field`](Head::field), if the value is UTF-8.
    pub fn field_str(&self, name: &str) -> Option<&'a str> {
        self.field(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The length of the body, if Content-Length tells: `Some(0)` for a request without body,
    /// `None` for a chunked one.
    pub fn content_length(&self) -> Option<u64> {
        self.semantics.framing.length()
    }

    /// Whether the request asks to change the protocol (`Upgrade`, RFC 9110 section 7.8, or
    /// CONNECT), so that the connection can be handed over.
    pub fn wants_upgrade(&self) -> bool {
        self.semantics.upgrade
    }

    pub(crate) fn semantics(&self) -> Semantics {
        self.semantics
    }
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method())
            .field("target", &self.target())
            .field("form", &self.form)
            .field("version", &self.version)
            .field("fields", &self.fields)
            .field("semantics", &self.semantics)
            .finish()
    }
}

/// What a head, or a trailer section, may measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Bytes, the empty line included.
    pub(crate) size: usize,
    /// Field lines.
    pub(crate) fields: usize,
}

impl HeadLimits {
    /// The most fields a head can have, whatever the settings say.
    pub(crate) const FIELDS_MAX: usize = 256;
}

/// Looks for the end of the head that starts at `bytes[0]`: its length once it is complete.
///
/// Refuses as early as it can be sure: a first byte that starts no method (TLS) at once, a bad
/// request line when that is complete, so that no client waits for a deadline to be told.
pub(crate) fn find_head(
    scan: &mut Scan,
    bytes: &[u8],
    limits: HeadLimits,
) -> Result<Option<usize>, Reject> {
    if scan.is_new() && bytes.first().is_some_and(|&b| !TOKEN.has(b)) {
        return Err(Reject::RequestLine);
    }
    let line_was_known = scan.first_line().is_some();
    let window = &bytes[..bytes.len().min(limits.size)];
    let found = scan.advance(window);
    if let Ok(Some(end)) = found {
        // The line is judged together with the fields.
        return Ok(Some(end));
    }
    if let (false, Some(length)) = (line_was_known, scan.first_line()) {
        check_line(&bytes[..length])?;
    }
    match found {
        Err(BareLf) => Err(Reject::BareLf),
        _ if bytes.len() < limits.size => Ok(None),
        _ if scan.first_line().is_some() => Err(Reject::HeadTooLarge),
        _ if window.contains(&b' ') => Err(Reject::TargetTooLong),
        // A method without end. RFC 9112 section 3 would have 501; the limit is what is sure.
        _ if TOKEN.have_all(window) => Err(Reject::HeadTooLarge),
        _ => Err(Reject::RequestLine),
    }
}

/// A head is wrong: the request line's fault comes first, as it would had it arrived alone.
#[cold]
fn blame_line(head: &[u8], otherwise: Reject) -> Reject {
    check_line(&head[..line_length(head)]).err().unwrap_or(otherwise)
}

/// Judges a request line with its CRLF, strictly: `method SP target SP HTTP/x.y CRLF`
/// (RFC 9112 section 3). Off the fast path: for lines that arrive apart from their fields, and to
/// say what was wrong.
fn check_line(line: &[u8]) -> Result<(), Reject> {
    let text = std::str::from_utf8(line).map_err(|_| Reject::RequestLine)?;
    let text = text.strip_suffix("\r\n").ok_or(Reject::RequestLine)?;
    let mut words = text.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Reject::RequestLine);
    };
    if method.is_empty() || !TOKEN.have_all(method.as_bytes()) {
        return Err(Reject::RequestLine);
    }
    match version.as_bytes() {
        b"HTTP/1.0" | b"HTTP/1.1" => {}
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Reject::Version);
        }
        _ => return Err(Reject::RequestLine),
    }
    Form::parse(method, target).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{Before, Head, HeadLimits, Reject, Scan, find_head};

    const LIMITS: HeadLimits = HeadLimits { size: 1024, fields: 4 };

    /// The verdict on one head, arriving in two parts.
    fn verdict(bytes: &[u8], split: usize) -> Result<Option<usize>, Reject> {
        let mut scan = Scan::default();
        let end = match find_head(&mut scan, &bytes[..split], LIMITS)? {
            Some(end) => Some(end),
            None => find_head(&mut scan, bytes, LIMITS)?,
        };
        let judged = end.map(|end| Head::judge(&bytes[..end], LIMITS)).transpose()?;
        let whole = Head::parse_whole(bytes, LIMITS, &mut Before::default());
        assert_eq!(whole.map(|(_, end)| end), end, "at once, and one after the other");
        // And they agree on every part.
        let parsed = whole.map(|(head, _)| head);
        assert_eq!(format!("{parsed:?}"), format!("{judged:?}"));
        Ok(end)
    }

    #[test]
    fn a_verdict_does_not_depend_on_the_split() {
        let long_line = [b"GET /", [b'a'; 2000].as_slice(), b" HTTP/1.1\r\n"].concat();
        let long_field = [b"GET / HTTP/1.1\r\nHost: ", [b'a'; 2000].as_slice()].concat();
        let cases = [
            (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], Ok(Some(27))),
            (b"GET / HTTP/1.0\r\n\r\nrest", Ok(Some(18))),
            (b"GET / HTTP/1.1\r\nHost: a\r\n", Ok(None)),
            (b"GET / HTTP/2.0\r\n\r\n", Err(Reject::Version)),
            (b"GET / HTTP/1.2\r\n\r\n", Err(Reject::Version)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Err(Reject::Version)),
            (b"GET /\r\n", Err(Reject::RequestLine)),
            (b"GET  / HTTP/1.1\r\n\r\n", Err(Reject::RequestLine)),
            (b"GET / HTTP/1.1 \r\n\r\n", Err(Reject::RequestLine)),
            (b"GET /a\x80 HTTP/1.1\r\nHost: a\r\n\r\n", Err(Reject::RequestLine)),
            (b"GET a HTTP/1.1\r\nHost: a\r\nb\n", Err(Reject::Target)),
            (b"\x16\x03\x01\x02\x00", Err(Reject::RequestLine)),
            (b" GET / HTTP/1.1\r\n\r\n", Err(Reject::RequestLine)),
            (b"G\rT / HTTP/1.1\r\n\r\n", Err(Reject::RequestLine)),
            (b"GET / HTTP/1.1\nHost: a\r\n\r\n", Err(Reject::BareLf)),
            (b"GET / HTTP/1.1\r\nHost: a\n\r\n", Err(Reject::BareLf)),
            (b"GET / HTTP/1.1\r\nHost: a\r\nx\0: b\r\n\r\n", Err(Reject::Field)),
            (b"GET / HTTP/1.1\r\nHost: a\r\nx : b\r\n\r\n", Err(Reject::Field)),
            (b"GET / HTTP/1.1\r\nHost: a\r\nx: b\r\n c\r\n\r\n", Err(Reject::Field)),
            (b"GET / HTTP/1.1\r\nHost: a\r\nx: b\rc\r\n\r\n", Err(Reject::Field)),
            (&long_line, Err(Reject::TargetTooLong)),
            (&long_field, Err(Reject::HeadTooLarge)),
        ];
        for (bytes, expected) in cases {
            for split in 0..=bytes.len() {
                let shown = String::from_utf8_lossy(bytes);
                assert_eq!(verdict(bytes, split), expected, "{shown:?} split at {split}");
            }
        }
    }

    #[test]
    fn the_limit_on_fields_is_exact() {
        let head = |n: usize| {
            let mut head = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
            (1..n).for_each(|_| head.extend_from_slice(b"x: y\r\n"));
            head.extend_from_slice(b"\r\n");
            head
        };
        assert!(verdict(&head(4), 0).is_ok());
        assert_eq!(verdict(&head(5), 0), Err(Reject::TooManyFields));
    }

    #[test]
    fn the_limit_on_bytes_is_exact() {
        let head = |n: usize| {
            let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nx: ".to_vec();
            head.resize(n - 4, b'y');
            head.extend_from_slice(b"\r\n\r\n");
            head
        };
        assert_eq!(verdict(&head(LIMITS.size), 0), Ok(Some(LIMITS.size)));
        assert_eq!(verdict(&head(LIMITS.size + 1), 0), Err(Reject::HeadTooLarge));
    }
}
