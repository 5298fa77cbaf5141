//! What the fields of a head mean for the connection: where the message ends, whether another may
//! follow, what the client expects. The rules against request smuggling are here.

use super::fields::Fields;
use super::head::Version;
use super::reject::Reject;
use super::target::is_host;

/// How the end of a request is found (RFC 9112 section 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// After this many bytes; 0 for a request without body.
    Length(u64),
    /// After the last chunk and the trailers.
    Chunked,
}

impl Framing {
    pub(crate) fn length(self) -> Option<u64> {
        match self {
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        }
    }
}

/// The meaning of a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Semantics {
    pub(crate) framing: Framing,
    /// The client lets the connection live after this exchange (RFC 9112 section 9.3).
    pub(crate) keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    /// The client offers to leave HTTP: `Upgrade`, or CONNECT.
    pub(crate) upgrade: bool,
}

impl Semantics {
    /// Judges a whole field section in one pass.
    ///
    /// Where RFC 9112 leaves a choice between repairing and refusing, this refuses: repeated equal
    /// Content-Length, empty list elements in Transfer-Encoding, Transfer-Encoding in HTTP/1.0. A
    /// proxy before us may have repaired it another way, and that difference is what request
    /// smuggling lives on.
    pub(crate) fn of(
        method: &[u8],
        version: Version,
        fields: Fields<'_>,
    ) -> Result<Semantics, Reject> {
        let mut seen = Seen::default();
        for (name, value) in fields.lines() {
            seen.field(name, value)?;
        }
        seen.judge(method, version)
    }
}

/// What one pass over the fields collects.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is whether a field, or an option, is there"
)]
#[derive(Default)]
pub(super) struct Seen {
    host: bool,
    length: Option<u64>,
    coding: Coding,
    close: bool,
    keep_alive: bool,
    connection_upgrade: bool,
    upgrade: bool,
    expects_continue: bool,
    expects_other: bool,
}

/// The transfer codings seen so far, all lines taken together.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Coding {
    #[default]
    None,
    /// Exactly `chunked`.
    Chunked,
    /// Something else, and `chunked` once at the end.
    UnknownThenChunked,
    /// Not ending in `chunked`, so far.
    Unknown,
}

impl Seen {
    /// Dispatches on the length first: most fields match no arm and cost one comparison.
    #[inline]
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Reject> {
        match name.len() {
            4 if is(name, b"host") => {
                if self.host || !is_host(value) {
                    return Err(Reject::Host);
                }
                self.host = true;
            }
            6 if is(name, b"expect") => {
                if value.eq_ignore_ascii_case(b"100-continue") {
                    self.expects_continue = true;
                } else {
                    self.expects_other = true;
                }
            }
            7 if is(name, b"upgrade") => self.upgrade = true,
            10 if is(name, b"connection") => self.connection(value),
            14 if is(name, b"content-length") => {
                if self.length.is_some() {
                    return Err(Reject::ContentLength);
                }
                self.length = Some(parse_length(value)?);
            }
            17 if is(name, b"transfer-encoding") => {
                self.transfer_encoding(value)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.connection_upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Reject> {
        for coding in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.coding = match self.coding {
                _ if coding.is_empty() => return Err(Reject::Coding),
                // RFC 9112 section 6.1: chunked once, and nothing after it.
                Coding::Chunked | Coding::UnknownThenChunked => return Err(Reject::Coding),
                Coding::None if chunked => Coding::Chunked,
                Coding::Unknown if chunked => Coding::UnknownThenChunked,
                Coding::None | Coding::Unknown => Coding::Unknown,
            };
        }
        Ok(())
    }

    #[inline]
    pub(super) fn judge(&self, method: &[u8], version: Version) -> Result<Semantics, Reject> {
        if version == Version::Http11 && !self.host {
            return Err(Reject::Host);
        }
        let framing = self.framing(version)?;
        let connect = method == b"CONNECT";
        if connect && framing != Framing::Length(0) {
            return Err(Reject::UnexpectedBody);
        }
        // An HTTP/1.0 client cannot know of 100 (RFC 9110 section 10.1.1) or 101 (section 7.8).
        let modern = version == Version::Http11;
        if modern && self.expects_other {
            return Err(Reject::Expectation);
        }
        Ok(Semantics {
            framing,
            keep_alive: !self.close && (modern || self.keep_alive),
            expects_continue: modern && self.expects_continue,
            upgrade: connect || (modern && self.connection_upgrade && self.upgrade),
        })
    }

    fn framing(&self, version: Version) -> Result<Framing, Reject> {
        match self.coding {
            Coding::None => Ok(Framing::Length(self.length.unwrap_or(0))),
            _ if self.length.is_some() => Err(Reject::LengthAndCoding),
            _ if version == Version::Http10 => Err(Reject::Coding),
            Coding::Chunked => Ok(Framing::Chunked),
            Coding::UnknownThenChunked => Err(Reject::UnknownCoding),
            Coding::Unknown => Err(Reject::Coding),
        }
    }
}

/// Whether a field name is this one, which is in lower case. One bit is all that letters of either
/// case differ in, and no two bytes of a name but those differ in it alone.
fn is<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    name.map(|byte| byte | 0x20) == *lower
}

/// `1*DIGIT`, and no more: no sign, no list, nothing that overflows (RFC 9110 section 8.6).
fn parse_length(value: &[u8]) -> Result<u64, Reject> {
    if value.is_empty() {
        return Err(Reject::ContentLength);
    }
    value.iter().try_fold(0_u64, |length, &digit| {
        if !digit.is_ascii_digit() {
            return Err(Reject::ContentLength);
        }
        length
            .checked_mul(10)
            .and_then(|length| length.checked_add(u64::from(digit - b'0')))
            .ok_or(Reject::ContentLength)
    })
}

#[cfg(test)]
mod tests {
    use super::super::bytes::TOKEN;
    use super::super::head::{Head, HeadLimits};
    use super::{Framing, Reject, Semantics, is};

    #[test]
    fn a_name_is_told_whatever_its_case_and_no_other_is_taken_for_it() {
        for name in [b"transfer-encoding", b"Transfer-Encoding", b"TRANSFER-ENCODING"] {
            assert!(is(name, b"transfer-encoding"));
        }
        assert!(!is(b"transfer-encodin", b"transfer-encoding"));
        for at in 0..17 {
            for byte in (0..=u8::MAX).filter(|&byte| TOKEN.has(byte)) {
                let mut name = *b"transfer-encoding";
                name[at] = byte;
                let same = name.eq_ignore_ascii_case(b"transfer-encoding");
                assert_eq!(is(&name, b"transfer-encoding"), same, "{}", name.escape_ascii());
            }
        }
    }

    fn semantics(line: &str, fields: &str) -> Result<Semantics, Reject> {
        let head = format!("{line}\r\n{fields}\r\n");
        let limits = HeadLimits { size: 1 << 14, fields: 100 };
        Head::parse(head.as_bytes(), limits).map(|head| head.semantics())
    }

    #[test]
    fn framing_has_one_reading_or_none() {
        let cases = [
            ("", Ok(Framing::Length(0))),
            ("Content-Length: 0\r\n", Ok(Framing::Length(0))),
            ("content-length:5\r\n", Ok(Framing::Length(5))),
            ("Content-Length: 18446744073709551615\r\n", Ok(Framing::Length(u64::MAX))),
            ("Content-Length: 18446744073709551616\r\n", Err(Reject::ContentLength)),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(Reject::ContentLength)),
            ("Content-Length: 5, 5\r\n", Err(Reject::ContentLength)),
            ("Content-Length: +5\r\n", Err(Reject::ContentLength)),
            ("Content-Length: -5\r\n", Err(Reject::ContentLength)),
            ("Content-Length: 0x5\r\n", Err(Reject::ContentLength)),
            ("Content-Length: 5 5\r\n", Err(Reject::ContentLength)),
            ("Content-Length: 5_000\r\n", Err(Reject::ContentLength)),
            ("Content-Length:\r\n", Err(Reject::ContentLength)),
            ("Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            ("transfer-encoding:\tCHUNKED \r\n", Ok(Framing::Chunked)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(Reject::UnknownCoding)),
            (
                "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                Err(Reject::UnknownCoding),
            ),
            ("Transfer-Encoding: gzip\r\n", Err(Reject::Coding)),
            ("Transfer-Encoding: xchunked\r\n", Err(Reject::Coding)),
            ("Transfer-Encoding: chunked, gzip\r\n", Err(Reject::Coding)),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(Reject::Coding)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", Err(Reject::Coding)),
            ("Transfer-Encoding: ,chunked\r\n", Err(Reject::Coding)),
            ("Transfer-Encoding: chunked;a=b\r\n", Err(Reject::Coding)),
            ("Transfer-Encoding: \"chunked\"\r\n", Err(Reject::Coding)),
            ("Transfer-Encoding:\r\n", Err(Reject::Coding)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(Reject::LengthAndCoding)),
            ("Content-Length: 5\r\nTransfer-Encoding: x\r\n", Err(Reject::LengthAndCoding)),
        ];
        for (fields, expected) in cases {
            let found = semantics("POST / HTTP/1.1", &format!("Host: a\r\n{fields}"));
            assert_eq!(found.map(|s| s.framing), expected, "{fields:?}");
        }
        let old = semantics("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n");
        assert_eq!(old, Err(Reject::Coding));
        let connect = semantics("CONNECT a:1 HTTP/1.1", "Host: a\r\nContent-Length: 1\r\n");
        assert_eq!(connect, Err(Reject::UnexpectedBody));
    }

    #[test]
    fn the_connection_lives_as_version_and_options_say() {
        let cases = [
            ("HTTP/1.1", "Host: a\r\n", true),
            ("HTTP/1.1", "Host: a\r\nConnection: close\r\n", false),
            ("HTTP/1.1", "Host: a\r\nConnection: x, CLOSE ,y\r\n", false),
            ("HTTP/1.1", "Host: a\r\nConnection: closed\r\n", true),
            ("HTTP/1.1", "Host: a\r\nConnection: keep-alive\r\nConnection: close\r\n", false),
            ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
            ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
        ];
        for (version, fields, keep_alive) in cases {
            let found = semantics(&format!("GET / {version}"), fields).unwrap();
            assert_eq!(found.keep_alive, keep_alive, "{version} {fields:?}");
        }
    }

    #[test]
    fn host_is_there_once_and_valid() {
        let verdict = |version, fields| semantics(&format!("GET / {version}"), fields).err();
        assert_eq!(verdict("HTTP/1.1", ""), Some(Reject::Host));
        assert_eq!(verdict("HTTP/1.1", "Host: a\r\nHost: a\r\n"), Some(Reject::Host));
        assert_eq!(verdict("HTTP/1.1", "Host: a b\r\n"), Some(Reject::Host));
        assert_eq!(verdict("HTTP/1.1", "Host:\r\n"), None);
        assert_eq!(verdict("HTTP/1.0", ""), None);
        assert_eq!(verdict("HTTP/1.0", "Host: a\r\nHost: b\r\n"), Some(Reject::Host));
    }

    #[test]
    fn only_http_1_1_expects_and_upgrades() {
        let of = |version, fields| semantics(&format!("GET / {version}"), fields);
        let expect = "Host: a\r\nExpect: 100-Continue\r\n";
        assert!(of("HTTP/1.1", expect).unwrap().expects_continue);
        assert!(!of("HTTP/1.0", expect).unwrap().expects_continue);
        assert_eq!(of("HTTP/1.1", "Host: a\r\nExpect: x\r\n"), Err(Reject::Expectation));
        let upgrade = "Host: a\r\nConnection: upgrade\r\nUpgrade: x\r\n";
        assert!(of("HTTP/1.1", upgrade).unwrap().upgrade);
        assert!(!of("HTTP/1.0", upgrade).unwrap().upgrade);
        assert!(!of("HTTP/1.1", "Host: a\r\nUpgrade: x\r\n").unwrap().upgrade);
    }
}
