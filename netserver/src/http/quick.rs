//! Heads as nearly all are: complete, and with nothing wrong. Every byte is looked at once, and what
//! the fields mean is noted on the way.
//!
//! Whatever is not exactly so is left to httparse, which alone refuses: this knows one way for a
//! head to be right, and none for it to be wrong. It is here because it takes a quarter of the
//! instructions, and where requests are pipelined there is little else to pay for.

use super::bytes::{TARGET, TOKEN, field_value_run};
use super::head::{Fields, Head, Version};
use super::semantics::Seen;
use super::target::Form;

/// The head that `bytes` begin with and its length, if it is all there and has nothing wrong.
pub(super) fn parse(bytes: &[u8], fields_max: usize) -> Option<(Head<'_>, usize)> {
    let (method, rest) = match bytes {
        [b'G', b'E', b'T', b' ', rest @ ..] => (&bytes[..3], rest),
        _ => word(bytes, TOKEN.run(bytes))?,
    };
    let (target, rest) = word(rest, TARGET.run(rest))?;
    let (line_end, fields) = rest.split_first_chunk::<10>()?;
    let version = match line_end {
        b"HTTP/1.1\r\n" => Version::Http11,
        b"HTTP/1.0\r\n" => Version::Http10,
        _ => return None,
    };
    let form = match target {
        [b'/', ..] if method != b"CONNECT" => Form::Origin,
        _ => Form::parse(str::from_utf8(method).ok()?, str::from_utf8(target).ok()?).ok()?,
    };
    let (mut rest, mut len, mut seen) = (fields, 0, Seen::default());
    let end = loop {
        if let [b'\r', b'\n', end @ ..] = rest {
            break end;
        }
        let (name, after) = rest.split_at_checked(TOKEN.run(rest))?;
        let [b':', after @ ..] = after else { return None };
        // One blank is usual, and more have to be looked for.
        let after = if let [b' ', after @ ..] = after { after } else { after };
        let (value, after) = after.split_at_checked(field_value_run(after))?;
        let [b'\r', b'\n', after @ ..] = after else { return None };
        if name.is_empty() || seen.field(name, trim(value)).is_err() {
            return None;
        }
        (rest, len) = (after, len + 1);
    };
    let semantics = seen.judge(method, version).ok().filter(|_| len <= fields_max)?;
    let lines = fields.get(..fields.len() - rest.len())?;
    let fields = Fields { lines, len };
    Some((Head { method, target, form, version, fields, semantics }, bytes.len() - end.len()))
}

/// So many bytes, at least one, and what comes after the blank that must follow them.
#[inline]
fn word(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    match bytes.split_at_checked(length)? {
        ([], _) => None,
        (word, [b' ', rest @ ..]) => Some((word, rest)),
        _ => None,
    }
}

/// Without the white space around it, of which there is mostly none.
#[inline]
fn trim(value: &[u8]) -> &[u8] {
    match value {
        [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => value.trim_ascii(),
        _ => value,
    }
}
