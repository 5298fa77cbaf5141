//! Whether a message means here what it means to others: httparse and khttp for heads,
//! `chunked_transfer` and a dull decoder of whole bodies for chunks. For any bytes.
//!
//! Two readings of one message are how requests are smuggled past a proxy, so what counts is that
//! all who have an opinion share it. Who refuses a message has none.

use netserver::{Handler, Head, Reply, Request, Response, Settings, Status};

use super::Peer;

/// A request as the handler was given it.
#[derive(PartialEq, Eq, Debug)]
struct Understood {
    method: String,
    target: String,
    minor: u8,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
}

/// Writes down what it is asked, and agrees to everything.
#[derive(Default)]
struct Scribe(Vec<Understood>);

impl Handler for Scribe {
    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        self.0.push(Understood::of(request));
        reply.send(Response::new(Status::OK));
    }
}

impl Understood {
    fn of(request: &Request<'_>) -> Self {
        let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_owned());
        let head: &Head<'_> = request.head();
        assert_eq!(head.fields().len(), head.fields().iter().count(), "so many fields");
        Self {
            method: head.method().to_owned(),
            target: head.target().to_owned(),
            minor: u8::from(head.version() == netserver::http::Version::Http11),
            fields: head.fields().iter().map(owned).collect(),
            body: request.body().to_owned(),
            trailers: request.trailers().iter().map(owned).collect(),
        }
    }

    /// The values of all fields of this name.
    fn field(&self, name: &str) -> Vec<&[u8]> {
        let fields = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| &value[..]).collect()
    }
}

/// Every request that is understood starts where the one before ends, and every parser that takes
/// its head reads the same in it.
///
/// # Panics
///
/// If not; and if a plain head is refused.
pub fn heads_mean_the_same_to_others(bytes: &[u8]) {
    let peer = run(bytes);
    let refused = peer.handler.0.is_empty() && is_plain(bytes);
    assert!(!refused, "a plain head is refused: {}", bytes.escape_ascii());
    let mut at = 0;
    for understood in &peer.handler.0 {
        at += bytes[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let rest = &bytes[at..];
        let end = compare_with_httparse(understood, rest);
        compare_with_khttp(understood, rest, end);
        let codings = understood.field("transfer-encoding");
        let lengths = understood.field("content-length");
        let ends = codings.len() + lengths.len();
        assert!(ends < 2, "where it ends is said {ends} times: {}", bytes.escape_ascii());
        if let [coding] = codings[..] {
            let known = coding.eq_ignore_ascii_case(b"chunked") && understood.minor == 1;
            assert!(known, "a coding that not everybody knows: {}", bytes.escape_ascii());
            // Where its body ends is the other comparison's.
            return;
        }
        let length = lengths.first().copied().unwrap_or(b"0");
        let digits = length.iter().all(u8::is_ascii_digit);
        assert!(digits, "not everybody's length: {}", bytes.escape_ascii());
        let length = std::str::from_utf8(length).expect("digits");
        let length: usize = length.parse().expect("digits");
        assert_eq!(&rest[end..end + length], understood.body, "the body is another one");
        at += end + length;
    }
}

fn run(bytes: &[u8]) -> Peer<Scribe> {
    let mut peer = Peer::with_settings(Scribe::default(), Settings::default());
    peer.receive(bytes);
    peer
}

fn compare_with_httparse(understood: &Understood, bytes: &[u8]) -> usize {
    let mut slots = [httparse::EMPTY_HEADER; 256];
    let mut other = httparse::Request::new(&mut slots);
    let parsed = other.parse(bytes);
    let Ok(httparse::Status::Complete(end)) = parsed else {
        panic!("httparse says {parsed:?} to {}", bytes.escape_ascii());
    };
    assert_eq!(Some(&understood.method[..]), other.method);
    assert_eq!(Some(&understood.target[..]), other.path);
    assert_eq!(Some(understood.minor), other.version);
    let fields = other.headers.iter().map(|field| (field.name, field.value));
    assert!(understood.fields.iter().map(|(name, value)| (&name[..], &value[..])).eq(fields));
    end
}

fn compare_with_khttp(understood: &Understood, bytes: &[u8], end: usize) {
    let other = match khttp::Request::parse(bytes) {
        Ok(other) => other,
        Err(error) => {
            let silent = khttp_has_no_opinion(understood);
            return assert!(silent, "khttp says {error} to {}", bytes.escape_ascii());
        }
    };
    assert_eq!(understood.method, other.method.as_str());
    assert_eq!(understood.target, other.uri.as_str());
    assert_eq!((understood.minor, end), (other.http_version, other.buf_offset));
    for (name, value) in &understood.fields {
        // It keeps white space after a value.
        let same = other.headers.iter().any(|(n, v)| n == name && v.trim_ascii_end() == value);
        assert!(same || is_kept_apart(name), "{name} is another one to khttp");
    }
}

/// It takes fewer methods than are tokens and fewer targets than are visible, and no `*`.
fn khttp_has_no_opinion(understood: &Understood) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/?&=%+,;:@!$'()*".contains(&byte);
    !understood.method.bytes().all(|byte| byte.is_ascii_alphabetic())
        || !understood.target.starts_with('/')
        || !understood.target.bytes().all(plain)
}

/// khttp keeps what these say, and not the field.
fn is_kept_apart(name: &str) -> bool {
    ["content-length", "transfer-encoding", "connection"]
        .iter()
        .any(|apart| name.eq_ignore_ascii_case(apart))
}

/// A head that nobody could refuse: so that refusing everything does not pass for agreement.
fn is_plain(bytes: &[u8]) -> bool {
    let mut slots = [httparse::EMPTY_HEADER; 50];
    let mut head = httparse::Request::new(&mut slots);
    let Ok(httparse::Status::Complete(end)) = head.parse(bytes) else { return false };
    let (Some(method), Some(target)) = (head.method, head.path) else { return false };
    let word = |byte: &u8| byte.is_ascii_alphanumeric();
    let lines = bytes[..end].split(|&byte| byte == b'\n').count() - 1;
    let hosts = head.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host"));
    end <= 4096
        && bytes[..end].windows(2).filter(|pair| pair == b"\r\n").count() == lines
        && bytes[0].is_ascii_alphabetic()
        && method != "CONNECT"
        && head.version == Some(1)
        && target.strip_prefix('/').is_some_and(|rest| rest.bytes().all(|byte| word(&byte)))
        && hosts.count() == 1
        && head.headers.iter().all(|field| {
            !field.value.is_empty()
                && field.value.iter().all(word)
                && (field.name.eq_ignore_ascii_case("host") || field.name.starts_with("X-"))
        })
}

/// A chunked body has the content, the trailers and the end that others see in it, or none.
///
/// # Panics
///
/// If not.
pub fn chunks_mean_the_same_to_others(bytes: &[u8]) {
    let input = [CHUNKED_HEAD, bytes].concat();
    let peer = run(&input);
    let understood = peer.handler.0.first();
    let shown = bytes.escape_ascii();
    match Body::decode(bytes) {
        Ok(body) => {
            let understood = understood.unwrap_or_else(|| panic!("a body is refused: {shown}"));
            assert_eq!(understood.body, body.content, "{shown}");
            assert_eq!(understood.trailers.len(), body.trailers, "{shown}");
            compare_with_chunked_transfer(&body, bytes);
        }
        Err(wrong) => {
            assert!(understood.is_none(), "{wrong:?} is taken for a body: {shown}");
            let refused = peer.output.starts_with(b"HTTP/1.1 4");
            assert_eq!(refused, wrong == Wrong::Refused, "{shown}");
        }
    }
}

const CHUNKED_HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn compare_with_chunked_transfer(body: &Body, bytes: &[u8]) {
    if body.trailers > 0 || body.has_extensions {
        // It knows none.
        return;
    }
    let mut content = Vec::new();
    let mut decoder = chunked_transfer::Decoder::new(bytes);
    if std::io::Read::read_to_end(&mut decoder, &mut content).is_ok() {
        assert_eq!(content, body.content, "chunked_transfer: {}", bytes.escape_ascii());
    }
}

/// RFC 9112 section 7.1 over a whole body, without a thought for speed.
struct Body {
    content: Vec<u8>,
    trailers: usize,
    has_extensions: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wrong {
    /// There is no telling yet.
    Incomplete,
    Refused,
}

impl Body {
    fn decode(mut bytes: &[u8]) -> Result<Self, Wrong> {
        let mut body = Self { content: Vec::new(), trailers: 0, has_extensions: false };
        loop {
            let (size, extended, rest) = chunk_line(bytes)?;
            body.has_extensions |= extended;
            bytes = rest;
            if size == 0 {
                body.trailers = trailers(bytes)?;
                return Ok(body);
            }
            let size = usize::try_from(size).map_err(|_| Wrong::Refused)?;
            if body.content.len().saturating_add(size) > 1 << 20 {
                return Err(Wrong::Refused);
            }
            let Some((data, rest)) = bytes.split_at_checked(size) else {
                return Err(Wrong::Incomplete);
            };
            body.content.extend_from_slice(data);
            bytes = expect(rest, b"\r\n")?;
        }
    }
}

/// The size, whether extensions follow it, and what follows the line.
fn chunk_line(bytes: &[u8]) -> Result<(u64, bool, &[u8]), Wrong> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits > 16 {
        return Err(Wrong::Refused);
    }
    let (number, rest) = bytes.split_at(digits);
    if rest.is_empty() {
        return Err(Wrong::Incomplete);
    }
    let number = std::str::from_utf8(number).expect("digits");
    let size = u64::from_str_radix(number, 16).map_err(|_| Wrong::Refused)?;
    let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let extended = match rest.get(spaces) {
        Some(b';') => true,
        Some(_) if spaces == 0 => false,
        Some(_) => return Err(Wrong::Refused),
        None if spaces > 16 << 10 => return Err(Wrong::Refused),
        None => return Err(Wrong::Incomplete),
    };
    let allowed = |byte: &&u8| extended && (matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
    let length = rest.iter().take_while(allowed).count();
    if length > 16 << 10 {
        return Err(Wrong::Refused);
    }
    let line = &bytes[..digits + length];
    let rest = expect(&rest[length..], b"\r\n")?;
    let other = httparse::parse_chunk_size(&bytes[..line.len() + 2]);
    if let Ok(httparse::Status::Complete((_, other))) = other {
        assert_eq!(other, size, "httparse reads {}", line.escape_ascii());
    }
    Ok((size, extended, rest))
}

/// How many trailer fields there are.
fn trailers(bytes: &[u8]) -> Result<usize, Wrong> {
    let lf = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let mut line = 0;
    for lf in lf {
        if lf >= SECTION_MAX || lf == 0 || bytes[lf - 1] != b'\r' {
            return Err(Wrong::Refused);
        }
        if lf - 1 == line {
            let mut slots = [httparse::EMPTY_HEADER; 100];
            return match httparse::parse_headers(&bytes[..=lf], &mut slots) {
                Ok(httparse::Status::Complete((_, fields))) => Ok(fields.len()),
                _ => Err(Wrong::Refused),
            };
        }
        line = lf + 1;
    }
    Err(if bytes.len() >= SECTION_MAX { Wrong::Refused } else { Wrong::Incomplete })
}

/// The default of `Limits::header_size`.
const SECTION_MAX: usize = 16 << 10;

fn expect<'a>(bytes: &'a [u8], wanted: &[u8]) -> Result<&'a [u8], Wrong> {
    let there = bytes.len().min(wanted.len());
    if bytes[..there] != wanted[..there] {
        return Err(Wrong::Refused);
    }
    bytes.get(wanted.len()..).ok_or(Wrong::Incomplete)
}
