//! Field lines, of a head or of a trailer section: found apart when somebody looks.

use std::fmt;

use super::bytes::TOKEN;
use super::head::HeadLimits;
use super::reject::Reject;

/// Field lines of a head or a trailer section, in the order they were sent.
///
/// They are the bytes as they arrived, and found apart again by whoever looks: most fields are
/// looked at by nobody, and a table of them would cost more than all who do.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    /// Lines that were judged well-formed: `name ":" value CRLF`.
    pub(super) lines: &'a [u8],
    pub(super) len: usize,
}

impl<'a> Fields<'a> {
    /// No fields.
    pub const EMPTY: Fields<'static> = Fields { lines: &[], len: 0 };

    /// Of lines that were judged well-formed, and the empty line.
    pub(crate) fn of_section(section: &'a [u8]) -> Self {
        let lines = section.strip_suffix(b"\r\n").unwrap_or_default();
        Fields { lines, len: memchr::memchr_iter(b'\n', lines).count() }
    }

    /// Name and value of every line. Values have no white space around them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a [u8])> + use<'a> {
        self.lines().map(|(name, value)| (text(name), value))
    }

    /// The value of the first line of this name, compared without case. O(bytes of the lines).
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        let mut lines = self.lines();
        lines.find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn lines(&self) -> Lines<'a> {
        Lines(*self)
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name, value.escape_ascii())))
            .finish()
    }
}

/// The lines that are left.
#[derive(Debug)]
pub(super) struct Lines<'a>(Fields<'a>);

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let Lines(Fields { lines, len }) = self;
        let (line, rest) = lines.split_at_checked(line_length(lines))?;
        let (name, value) = line.split_at_checked(TOKEN.run(line))?;
        // The colon, and the line's end with the white space around the value.
        let (_, value) = value.split_first()?;
        (*lines, *len) = (rest, len.saturating_sub(1));
        Some((name, value.trim_ascii()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len, Some(self.0.len))
    }
}

impl ExactSizeIterator for Lines<'_> {}

/// Parses a complete trailer section, the empty line included.
pub(crate) fn parse_fields(section: &[u8], limits: HeadLimits) -> Result<Fields<'_>, Reject> {
    let mut slots = [httparse::EMPTY_HEADER; HeadLimits::FIELDS_MAX];
    let room = &mut slots[..limits.fields.min(HeadLimits::FIELDS_MAX)];
    match httparse::parse_headers(section, room) {
        Ok(httparse::Status::Complete(_)) => Ok(Fields::of_section(section)),
        Err(httparse::Error::TooManyHeaders) => Err(Reject::TooManyFields),
        Ok(httparse::Status::Partial) | Err(_) => Err(Reject::Field),
    }
}

/// The length of the first line, its end included.
pub(super) fn line_length(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |lf| lf + 1)
}

/// What has been found to be ASCII, as text.
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
