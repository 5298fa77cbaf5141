//! Finds where a section of lines ends (a head, a trailer section), over any number of reads, and
//! looks at no byte twice.

use memchr::memchr;

/// How far the search for the empty line has got. Offsets count from the section's first byte.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Scan {
    /// Bytes already searched.
    searched: u32,
    /// Where the line being searched starts.
    line: u32,
    /// Length of the first line with its CRLF; 0 until it is complete.
    first_line: u32,
}

/// A line ended by LF without CR. Accepting it is allowed (RFC 9112 section 2.2), but a peer that
/// does not would see another message than we do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BareLf;

impl Scan {
    /// Goes on with the search. `section` starts at the first byte every time and only grows.
    /// Returns the section's length, the empty line included, once that is there.
    pub(crate) fn advance(&mut self, section: &[u8]) -> Result<Option<usize>, BareLf> {
        let mut searched = self.searched as usize;
        // A limit lowered meanwhile may have made the section shorter than what was searched.
        while let Some(at) = memchr(b'\n', section.get(searched..).unwrap_or_default()) {
            let lf = searched + at;
            if lf == 0 || section[lf - 1] != b'\r' {
                self.searched = to_u32(lf);
                return Err(BareLf);
            }
            searched = lf + 1;
            if self.first_line == 0 {
                self.first_line = to_u32(searched);
            }
            if lf - 1 == self.line as usize {
                self.searched = to_u32(searched);
                return Ok(Some(searched));
            }
            self.line = to_u32(searched);
        }
        self.searched = to_u32(section.len());
        Ok(None)
    }

    /// Length of the first line with its CRLF, once it is complete.
    pub(crate) fn first_line(&self) -> Option<usize> {
        (self.first_line > 0).then_some(self.first_line as usize)
    }

    /// Whether nothing has been searched yet.
    pub(crate) fn is_new(&self) -> bool {
        self.searched == 0
    }
}

/// Sections are bounded by `max_header_size`, far below 4 GiB.
fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).expect("a section is shorter than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::{BareLf, Scan};

    #[test]
    fn the_end_is_found_at_the_same_byte_at_every_split() {
        let section = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest\r\n\r\n";
        let end = 27;
        for split in 0..section.len() {
            let mut scan = Scan::default();
            let first = scan.advance(&section[..split]).unwrap();
            let found = first.or_else(|| scan.advance(section).unwrap());
            assert_eq!(found, Some(end), "split at {split}");
            assert_eq!(scan.first_line(), Some(16));
        }
    }

    #[test]
    fn no_byte_is_searched_twice() {
        let section = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for split in 1..section.len() {
            let mut scan = Scan::default();
            scan.advance(&section[..split]).unwrap();
            // But for the CR a LF may follow, what was searched could as well be gone.
            let mut gone = section.to_vec();
            gone[..split - 1].fill(b'\n');
            assert_eq!(scan.advance(&gone), Ok(Some(section.len())), "split at {split}");
        }
    }

    #[test]
    fn an_empty_section_is_the_empty_line_alone() {
        assert_eq!(Scan::default().advance(b"\r\n"), Ok(Some(2)));
    }

    #[test]
    fn a_bare_lf_is_an_error_wherever_it_stands() {
        for section in [&b"\n"[..], b"a\n", b"a\r\nb\n\r\n", b"a\r\n\n"] {
            assert_eq!(Scan::default().advance(section), Err(BareLf));
        }
    }
}
