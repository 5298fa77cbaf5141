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
        // Without a way out in the middle: most are, and it is half the instructions.
        bytes.iter().fold(true, |all, &byte| all & self.has(byte))
    }
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
