//! Request targets and hosts: RFC 9112 section 3.2, RFC 3986 section 3.2.2.

use super::bytes::{REG_NAME, TARGET};
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
            return match split_port(target) {
                Some((host, port)) if !host.is_empty() && !port.is_empty() => {
                    is_host(target.as_bytes()).then_some(Form::Authority).ok_or(Reject::Target)
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
        match split_absolute(target) {
            // RFC 9110 section 4.2: an empty host is invalid, and so is user information.
            Some((host, _)) if !host.is_empty() && is_host(host.as_bytes()) => Ok(Form::Absolute),
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

    /// The path and, after `?`, the query of a target of this form.
    pub(crate) fn path_and_query(self, target: &str) -> (&str, Option<&str>) {
        let local = match self {
            Form::Origin | Form::Asterisk => target,
            Form::Absolute => split_absolute(target).map_or("", |(_, local)| local),
            Form::Authority => "",
        };
        // Targets are short: a byte after the other is quicker than setting up a search.
        match local.bytes().position(|byte| byte == b'?') {
            Some(at) => (root_if_empty(self, &local[..at]), Some(&local[at + 1..])),
            None => (root_if_empty(self, local), None),
        }
    }
}

/// `http://host` means `http://host/` (RFC 9110 section 4.2.3).
fn root_if_empty(form: Form, path: &str) -> &str {
    if path.is_empty() && form == Form::Absolute { "/" } else { path }
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

fn split_port(authority: &str) -> Option<(&str, &str)> {
    authority.rsplit_once(':')
}

/// Whether `value` is `uri-host [ ":" port ]`; empty is valid (RFC 9110 section 7.2).
pub(crate) fn is_host(value: &[u8]) -> bool {
    let (host_is_valid, rest) = if let Some(literal) = value.strip_prefix(b"[") {
        let Some(end) = memchr::memchr(b']', literal) else { return false };
        (is_ip_literal(&literal[..end]), &literal[end + 1..])
    } else {
        // A name ends where something else begins: only a colon may follow.
        let end = value.iter().position(|&b| !REG_NAME.has(b)).unwrap_or(value.len());
        (true, &value[end..])
    };
    host_is_valid
        && match rest.split_first() {
            None => true,
            Some((b':', port)) => port.iter().all(u8::is_ascii_digit),
            Some(_) => false,
        }
}

/// `IPv6address` or `IPvFuture`, judged by its alphabet: nothing is resolved here.
fn is_ip_literal(inner: &[u8]) -> bool {
    !inner.is_empty() && inner.iter().all(|&b| REG_NAME.has(b) || b == b':')
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
            ("CONNECT", "a:", None),
            ("CONNECT", ":443", None),
            ("CONNECT", "/", None),
            ("GET", "a:443", None),
            ("GET", "a", None),
            ("GET", "http:///a", None),
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
        assert_eq!(parts(Form::Absolute, "http://h:1"), ("h:1", ("/", None)));
        assert_eq!(parts(Form::Absolute, "http://h?q"), ("h", ("/", Some("q"))));
        assert_eq!(parts(Form::Authority, "h:1"), ("h:1", ("", None)));
        assert_eq!(parts(Form::Asterisk, "*"), ("", ("*", None)));
    }

    #[test]
    fn hosts_are_judged_by_their_grammar() {
        for host in ["", "a", "a:80", "a:", "a_b.c-d", "127.0.0.1:8080", "[::1]", "[::1]:80"] {
            assert!(is_host(host.as_bytes()), "{host:?}");
        }
        for host in ["a b", "a/b", "a@b", "a:b", "a:80:80", "[::1", "[]", "[::1]a", "a,b?", "a\\b"]
        {
            assert!(!is_host(host.as_bytes()), "{host:?}");
        }
    }
}
