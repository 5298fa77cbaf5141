//! Which bytes may stand where. One look-up each, since these run over every byte of a head.

/// A set of bytes.
pub(crate) struct Bytes([bool; 256]);

impl Bytes {
    /// Visible ASCII but for these.
    const fn graphic_without(excluded: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0x21;
        while byte < 0x7f {
            set[byte] = true;
            byte += 1;
        }
        let mut at = 0;
        while at < excluded.len() {
            set[excluded[at] as usize] = false;
            at += 1;
        }
        Self(set)
    }

    const fn text() -> Self {
        let mut set = Self::graphic_without(b"").0;
        set[b' ' as usize] = true;
        set[b'\t' as usize] = true;
        let mut byte = 0x80;
        while byte < 256 {
            set[byte] = true;
            byte += 1;
        }
        Self(set)
    }

    /// Whether it is one of them.
    #[inline]
    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    /// Whether all are.
    #[inline]
    pub(crate) fn have_all(&self, bytes: &[u8]) -> bool {
        // Without a way out in the middle: most are, and it is half the instructions. Eight at a
        // time, so that the loop around them costs next to nothing.
        let (eights, rest) = bytes.as_chunks::<8>();
        let all = |bytes: &[u8]| bytes.iter().fold(true, |all, &byte| all & self.has(byte));
        eights.iter().fold(true, |so_far, eight| so_far & all(eight)) & all(rest)
    }

    /// How many of the first bytes are.
    #[inline]
    pub(crate) fn run(&self, bytes: &[u8]) -> usize {
        bytes.iter().position(|&byte| !self.has(byte)).unwrap_or(bytes.len())
    }
}

/// Whether all are of [`TOKEN`]. Nearly all names are letters and dashes, which are told eight at a
/// time.
#[inline]
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    each_eight(bytes, letters_and_dashes).unwrap_or_else(|| TOKEN.have_all(bytes))
}

/// Whether all are of [`FIELD_VALUE`].
#[inline]
pub(crate) fn is_field_value(bytes: &[u8]) -> bool {
    each_eight(bytes, |word| suspects(word) == 0).unwrap_or_else(|| FIELD_VALUE.have_all(bytes))
}

/// `Some(true)` if `test` holds for eight bytes after the other, of which the last may be tested
/// twice; else it has to be looked at more closely.
#[inline]
fn each_eight(bytes: &[u8], test: impl Fn(u64) -> bool) -> Option<bool> {
    let last = bytes.last_chunk::<8>()?;
    let (eights, _) = bytes.as_chunks::<8>();
    let all = eights.iter().all(|eight| test(u64::from_le_bytes(*eight)));
    (all && test(u64::from_le_bytes(*last))).then_some(true)
}

/// `0x01` in each byte.
const ONES: u64 = u64::MAX / 0xff;

/// The top bit of each byte.
const TOPS: u64 = ONES << 7;

/// Whether all eight bytes are ASCII letters or dashes.
#[inline]
const fn letters_and_dashes(word: u64) -> bool {
    /// The top bit of each byte that is `least` or more, of bytes below 0x80.
    const fn from(word: u64, least: u8) -> u64 {
        word.wrapping_add(ONES * (0x80 - least as u64))
    }
    let lower = word | (ONES * 0x20);
    let letters = from(lower, b'a') & !from(lower, b'z' + 1);
    let dashes = !from(word ^ (ONES * b'-' as u64), 1);
    word & TOPS == 0 && (letters | dashes) & TOPS == TOPS
}

/// How many of the first bytes [`FIELD_VALUE`] has: values are long, so eight at a time.
#[inline]
pub(crate) fn field_value_run(bytes: &[u8]) -> usize {
    let (eights, rest) = bytes.as_chunks::<8>();
    for (at, eight) in eights.iter().enumerate() {
        let stops = suspects(u64::from_le_bytes(*eight));
        if stops != 0 {
            // The first of them is one. It may be a tab, which is nothing to stop at.
            let at = at * 8 + stops.trailing_zeros() as usize / 8;
            return at + FIELD_VALUE.run(&bytes[at..]);
        }
    }
    let at = bytes.len() - rest.len();
    at + FIELD_VALUE.run(rest)
}

/// The top bit of the first byte that is a control character, and maybe of some after it.
#[inline]
const fn suspects(word: u64) -> u64 {
    // A byte below n borrows from its top bit when n is taken off; so does, wrongly, one after it.
    let below_blank = word.wrapping_sub(ONES * 0x20) & !word;
    let no_delete = word ^ (ONES * 0x7f);
    let delete = no_delete.wrapping_sub(ONES) & !no_delete;
    (below_blank | delete) & TOPS
}

/// `tchar` of RFC 9110 section 5.6.2.
pub(crate) static TOKEN: Bytes = Bytes::graphic_without(b"\"(),/:;<=>?@[\\]{}");

/// What a field value may hold: visible ASCII, blank, tab, and what is beyond ASCII (RFC 9110
/// section 5.5).
pub(crate) static FIELD_VALUE: Bytes = Bytes::text();

/// What a request target may hold: visible ASCII, but no fragment (RFC 9112 section 3.2).
pub(crate) static TARGET: Bytes = Bytes::graphic_without(b"#");

/// unreserved / sub-delims of RFC 3986 section 2: a `reg-name` but for its escapes.
pub(crate) static NAME: Bytes = Bytes::graphic_without(b"\"#%/:<>?@[\\]^`{|}");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_at_a_time_or_one_by_one_is_the_same() {
        for length in 0..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'-'; length];
                    bytes[at] = byte;
                    let shown = bytes.escape_ascii();
                    assert_eq!(is_token(&bytes), TOKEN.has(byte), "{shown}");
                    assert_eq!(is_field_value(&bytes), FIELD_VALUE.has(byte), "{shown}");
                }
            }
        }
        for byte in 0..=u8::MAX {
            let plain = byte.is_ascii_alphabetic() || byte == b'-';
            assert_eq!(letters_and_dashes(u64::from_le_bytes([byte; 8])), plain, "{byte:#x}");
        }
    }

    #[test]
    fn a_run_of_a_value_ends_at_the_first_byte_that_is_none() {
        for length in 0..40 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'~'; length];
                    bytes[at] = byte;
                    // A second one, which must not hide the first.
                    bytes.push(b'\n');
                    let expected = if FIELD_VALUE.has(byte) { length } else { at };
                    assert_eq!(field_value_run(&bytes), expected, "{byte:#x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn the_sets_are_those_of_the_grammars() {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let name = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&b);
        for byte in 0..=u8::MAX {
            assert_eq!(TOKEN.has(byte), token(byte), "tchar {byte:#x}");
            assert_eq!(NAME.has(byte), name(byte), "reg-name {byte:#x}");
            let value = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
            assert_eq!(FIELD_VALUE.has(byte), value, "field value {byte:#x}");
            assert_eq!(TARGET.has(byte), byte.is_ascii_graphic() && byte != b'#', "{byte:#x}");
        }
    }
}
