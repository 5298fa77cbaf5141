//! Request targets and hosts: RFC 9112 section 3.2, RFC 3986 section 3.2.2.

use std::net::Ipv6Addr;

use super::bytes::{NAME, TARGET};
use super::reject::Reject;

/// The four forms of a request target (RFC 9112 section 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// `/path?query`.
    Origin,
    /// `http://host/path?query`, as sent to proxies; servers must accept it.
    Absolute,
    /// `host:port`, for CONNECT alone.
    Authority,
    /// `*`, for OPTIONS alone.
    Asterisk,
}

impl Form {
    /// The form of `target`, if it is one that `method` may have.
    ///
    /// Beyond the form, only what no target contains is refused: anything but visible ASCII, and a
    /// fragment. Clients send `|`, `"` or `{` unescaped; no parser disagrees about where they end.
    pub(crate) fn parse(method: &str, target: &str) -> Result<Form, Reject> {
        if !TARGET.have_all(target.as_bytes()) {
            return Err(Reject::Target);
        }
        if method == "CONNECT" {
            return match split_host(target.as_bytes()) {
                Some((host, Some(port))) if !host.is_empty() && !port.is_empty() => {
                    Ok(Form::Authority)
                }
                _ => Err(Reject::Target),
            };
        }
        if target.starts_with('/') {
            return Ok(Form::Origin);
        }
        if target == "*" && method == "OPTIONS" {
            return Ok(Form::Asterisk);
        }
        let authority = split_absolute(target).map(|(authority, _)| authority.as_bytes());
        match authority.and_then(split_host) {
            // RFC 9110 section 4.2: an empty host is invalid, and so is user information.
            Some((host, _)) if !host.is_empty() => Ok(Form::Absolute),
            _ => Err(Reject::Target),
        }
    }

    /// The authority inside a target of this form; empty for forms without one.
    pub(crate) fn authority(self, target: &str) -> &str {
        match self {
            Form::Absolute => split_absolute(target).map_or("", |(host, _)| host),
            Form::Authority => target,
            Form::Origin | Form::Asterisk => "",
        }
    }

    /// The path and, after `?`, the query of a target of this form. An absolute one may have no
    /// path, which means something: see [`path_if_empty`](Self::path_if_empty).
    pub(crate) fn path_and_query(self, target: &str) -> (&str, Option<&str>) {
        let local = match self {
            Form::Origin | Form::Asterisk => target,
            Form::Absolute => split_absolute(target).map_or("", |(_, local)| local),
            Form::Authority => "",
        };
        // Targets are short: a byte after the other is quicker than setting up a search.
        match local.bytes().position(|byte| byte == b'?') {
            Some(at) => (&local[..at], Some(&local[at + 1..])),
            None => (local, None),
        }
    }

    /// What an empty path stands for: `http://host` means `http://host/`, but for OPTIONS `*`
    /// (RFC 9110 section 4.2.3, RFC 9112 section 3.2.4).
    pub(crate) fn path_if_empty(self, method: &str, query: Option<&str>) -> &'static str {
        match self {
            Form::Absolute if method == "OPTIONS" && query.is_none() => "*",
            Form::Absolute => "/",
            Form::Origin | Form::Authority | Form::Asterisk => "",
        }
    }
}

/// Authority, and the rest from the path on, of `scheme://authority/path?query`.
fn split_absolute(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    let mut letters = scheme.bytes();
    let well_formed = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    well_formed.then(|| rest.split_at(end))
}

/// Whether `value` is `uri-host [ ":" port ]`; empty is valid (RFC 9110 section 7.2).
#[inline]
pub(crate) fn is_host(value: &[u8]) -> bool {
    is_plain_host(value) || split_host(value).is_some()
}

/// Nearly all: a name or an IPv4 address, without escapes. Found out from the port backwards, so that
/// the rest is looked at in one go.
#[inline]
fn is_plain_host(value: &[u8]) -> bool {
    let digits = value.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    match value.split_at(value.len() - digits).0 {
        [name @ .., b':'] => NAME.have_all(name),
        _ => NAME.have_all(value),
    }
}

/// The parts of `uri-host [ ":" port ]`; `None` if it is not that.
fn split_host(value: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let end = match value.strip_prefix(b"[") {
        Some(literal) => {
            let length = memchr::memchr(b']', literal)?;
            is_ip_literal(&literal[..length]).then_some(length + 2)?
        }
        // A name ends where something else begins: only a colon may follow.
        None => name_length(value)?,
    };
    match value.split_at(end) {
        (host, []) => Some((host, None)),
        (host, [b':', port @ ..]) if port.iter().all(u8::is_ascii_digit) => {
            Some((host, Some(port)))
        }
        _ => None,
    }
}

/// How many bytes of `value` are a `reg-name`; `None` if an escape in it is none.
fn name_length(value: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &value[at..];
        at += rest.iter().position(|&b| !NAME.has(b)).unwrap_or(rest.len());
        match &value[at..] {
            [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => at += 3,
            [b'%', ..] => return None,
            _ => return Some(at),
        }
    }
}

/// `IPv6address` or `IPvFuture`. A zone has no place in it (RFC 9844 section 6).
fn is_ip_literal(inner: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(inner) else { return false };
    let Some(future) = text.strip_prefix(['v', 'V']) else {
        return text.parse::<Ipv6Addr>().is_ok();
    };
    future.split_once('.').is_some_and(|(version, address)| {
        !version.is_empty()
            && version.bytes().all(|b| b.is_ascii_hexdigit())
            && !address.is_empty()
            && address.bytes().all(|b| NAME.has(b) || b == b':')
    })
}

#[cfg(test)]
mod tests {
    use super::{Form, is_host};

    #[test]
    fn each_form_belongs_to_its_methods() {
        let cases = [
            ("GET", "/", Some(Form::Origin)),
            ("GET", "/a?b=c", Some(Form::Origin)),
            ("GET", "http://a:80/b", Some(Form::Absolute)),
            ("OPTIONS", "*", Some(Form::Asterisk)),
            ("GET", "*", None),
            ("CONNECT", "a:443", Some(Form::Authority)),
            ("CONNECT", "[::1]:443", Some(Form::Authority)),
            ("CONNECT", "a", None),
            ("CONNECT", "[::1]", None),
            ("CONNECT", "a:", None),
            ("CONNECT", ":443", None),
            ("CONNECT", "/", None),
            ("GET", "a:443", None),
            ("GET", "a", None),
            ("GET", "http:///a", None),
            ("GET", "http://:80/a", None),
            ("GET", "http://a%2/b", None),
            ("GET", "http://user@a/", None),
            ("GET", "1http://a/", None),
            ("GET", "/a#b", None),
            ("GET", "/\u{e9}", None),
        ];
        for (method, target, form) in cases {
            assert_eq!(Form::parse(method, target).ok(), form, "{method} {target}");
        }
    }

    #[test]
    fn path_query_and_authority_come_from_any_form() {
        let parts = |form: Form, target| (form.authority(target), form.path_and_query(target));
        assert_eq!(parts(Form::Origin, "/a?b?c"), ("", ("/a", Some("b?c"))));
        assert_eq!(parts(Form::Absolute, "http://h:1"), ("h:1", ("", None)));
        assert_eq!(parts(Form::Absolute, "http://h?q"), ("h", ("", Some("q"))));
        assert_eq!(parts(Form::Authority, "h:1"), ("h:1", ("", None)));
        assert_eq!(parts(Form::Asterisk, "*"), ("", ("*", None)));
    }

    #[test]
    fn an_empty_path_is_the_root_or_for_options_the_whole_server() {
        let path = |method, query| Form::Absolute.path_if_empty(method, query);
        assert_eq!(path("GET", None), "/");
        assert_eq!(path("OPTIONS", None), "*");
        assert_eq!(path("OPTIONS", Some("q")), "/");
        assert_eq!(Form::Authority.path_if_empty("CONNECT", None), "");
    }

    #[test]
    fn hosts_are_judged_by_their_grammar() {
        let names = ["", "a", "a:80", "a:", "a_b.c-d", "127.0.0.1:8080", "a%20b", "%41:1", "a,b"];
        let literals = ["[::1]", "[::1]:80", "[::ffff:1.2.3.4]:", "[v1.a:b]"];
        for host in names.into_iter().chain(literals) {
            assert!(is_host(host.as_bytes()), "{host:?}");
        }
        let names = ["a b", "a/b", "a@b", "a:b", "a:80:80", "a,b?", "a\\b", "%", "a%2", "a%zz"];
        let literals =
            ["[::1", "[]", "[::1]a", "[z]", "[1.2.3.4]", "[::1%25lo]", "[v1]", "[v.a]", "[vx.a]"];
        for host in names.into_iter().chain(literals) {
            assert!(!is_host(host.as_bytes()), "{host:?}");
        }
    }
}
