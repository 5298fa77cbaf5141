//! Heads as nearly all are: complete, and with nothing wrong. Every byte is looked at once, and what
//! the fields mean is noted on the way.
//!
//! Whatever is not exactly so is left to httparse, which alone refuses: this knows one way for a
//! head to be right, and none for it to be wrong. It is here because it takes a quarter of the
//! instructions, and where requests are pipelined there is little else to pay for.

use super::bytes::{TARGET, TOKEN, field_value_run};
use super::fields::Fields;
use super::head::{Head, Version};
use super::semantics::{Seen, Semantics};
use super::target::Form;

/// The fields of the request before in the same read: those of a pipeline mostly repeat them to the
/// letter, and mean the same then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before<'a> {
    /// Up to the end of the head.
    section: &'a [u8],
    /// What they were found to mean, but for CONNECT.
    meaning: Option<(Version, usize, Semantics)>,
}

/// The head that `bytes` begin with and its length, if it is all there and has nothing wrong.
#[inline(always)]
#[expect(clippy::inline_always, reason = "measured: a tenth of a pipelined request")]
pub(super) fn parse<'a>(
    bytes: &'a [u8],
    fields_max: usize,
    before: &mut Before<'a>,
) -> Option<(Head<'a>, usize)> {
    let (method, rest) = match bytes {
        [b'G', b'E', b'T', b' ', rest @ ..] => (&bytes[..3], rest),
        _ => word(bytes, TOKEN.run(bytes))?,
    };
    let (target, rest) = word(rest, TARGET.run(rest))?;
    let (version, rest) = rest.split_first_chunk::<8>()?;
    // As numbers: one comparison, not eight.
    let version = match u64::from_le_bytes(*version) {
        HTTP_1_1 => Version::Http11,
        HTTP_1_0 => Version::Http10,
        _ => return None,
    };
    let [b'\r', b'\n', fields @ ..] = rest else { return None };
    let connect = method == b"CONNECT";
    let form = match target {
        [b'/', ..] if !connect => Form::Origin,
        _ => Form::parse(str::from_utf8(method).ok()?, str::from_utf8(target).ok()?).ok()?,
    };
    let (length, len, semantics) = match before.meaning {
        Some((of, len, semantics))
            if of == version && !connect && fields.starts_with(before.section) =>
        {
            (before.section.len(), len, semantics)
        }
        _ => {
            let (length, len, semantics) = section(fields, method, version)?;
            let meaning = (!connect).then_some((version, len, semantics));
            *before = Before { section: &fields[..length], meaning };
            (length, len, semantics)
        }
    };
    if len > fields_max {
        return None;
    }
    let (lines, end) = fields.split_at_checked(length)?;
    let fields = Fields { lines: &lines[..length - 2], len };
    Some((Head { method, target, form, version, fields, semantics }, bytes.len() - end.len()))
}

/// The length of a section of fields with its empty line, how many they are, and what they mean.
#[inline(never)]
fn section(fields: &[u8], method: &[u8], version: Version) -> Option<(usize, usize, Semantics)> {
    let (mut rest, mut len, mut seen) = (fields, 0, Seen::default());
    loop {
        if let [b'\r', b'\n', end @ ..] = rest {
            let semantics = seen.judge(method, version).ok()?;
            return Some((fields.len() - end.len(), len, semantics));
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
    }
}

const HTTP_1_1: u64 = u64::from_le_bytes(*b"HTTP/1.1");
const HTTP_1_0: u64 = u64::from_le_bytes(*b"HTTP/1.0");

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::head::{Head, HeadLimits};
    use super::Before;

    const HEADS: [&str; 12] = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /b?c HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:\t a \r\nx:\r\nUser-Agent:  a\tlong one, \u{e9} \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
    ];

    proptest! {
        /// A head means the same whatever stood before it.
        #[test]
        fn nothing_is_taken_over_from_another_head(
            order in prop::collection::vec(0..HEADS.len(), 1..8),
        ) {
            let limits = HeadLimits { size: 1024, fields: 3 };
            let mut before = Before::default();
            for at in order {
                let head = HEADS[at].as_bytes();
                let after_others = Head::parse_whole(head, limits, &mut before);
                let alone = Head::parse_whole(head, limits, &mut Before::default());
                prop_assert_eq!(format!("{after_others:?}"), format!("{alone:?}"));
            }
        }

        /// What is understood here, httparse and the rules understand in the same way; and what
        /// they understand is understood here.
        #[test]
        fn a_head_is_understood_here_as_it_is_judged_elsewhere(
            base in 0..HEADS.len(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let limits = HeadLimits { size: 1024, fields: 3 };
            let mut head = HEADS[base].as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(head.len());
                head[at] = byte;
            }
            // Empty lines are gone before a head begins.
            prop_assume!(!head.starts_with(b"\r") && !head.starts_with(b"\n"));
            let whole = Head::parse_whole(&head, limits, &mut Before::default());
            let whole = whole.map(|(head, end)| (format!("{head:?}"), end));
            prop_assert_eq!(whole, Head::judge_for_test(&head, limits), "{}", head.escape_ascii());
        }
    }
}
