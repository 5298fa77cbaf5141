//! The chunked transfer coding of RFC 9112 section 7.1, decoded byte by byte.
//!
//! ```text
//!           digits        ;              CR        LF, size > 0        data      CR   LF
//!  ┌▶ Size ───────▶ Size ───▶ Extension ───▶ SizeLf ───────────▶ Data ─────▶ DataCr ─▶ DataLf ─┐
//!  │    └──────────────── CR ────────────────▲  │                                              │
//!  └────────────────────────────────────────────┼──────────────────────────────────────────────┘
//!                                               │ LF, size 0
//!                                               ▼
//!                                            Trailers ── empty line ──▶ Done
//! ```
//!
//! httparse has a chunk-size parser, but it wants the whole line in one buffer, starts over with
//! every byte that arrives, and takes white space where the grammar has none. A state machine over
//! bytes needs no buffer and leaves nothing to interpretation.

use super::body::Piece;
use super::fields::parse_fields;
use super::head::HeadLimits;
use super::reject::Reject;
use super::scan::Scan;

/// The decoder of one chunked body.
#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    trailers: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In the hexadecimal size.
    Size {
        size: u64,
        digits: u8,
    },
    /// White space before `;`: nothing but more of it, or the `;`, may follow.
    Space {
        size: u64,
        length: u32,
    },
    /// In the extensions of a chunk: so many bytes so far.
    Extension {
        size: u64,
        length: u32,
    },
    /// After the CR of the size line.
    SizeLf {
        size: u64,
    },
    /// In the data: so many bytes left, at least one.
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// In the trailer section.
    Trailers {
        scan: Scan,
    },
    Done,
}

impl Chunked {
    /// Extensions of one chunk may take so many bytes. Nobody uses them but to tie up a server.
    pub(crate) const EXTENSION_BYTES_MAX: u32 = 16 * 1024;

    /// Digits of a size: all that fit 64 bits, leading zeros included.
    const DIGITS_MAX: u8 = 16;

    const START: State = State::Size { size: 0, digits: 0 };

    pub(crate) fn new() -> Chunked {
        Chunked { state: Chunked::START, trailers: Vec::new() }
    }

    pub(crate) fn announced(&self) -> u64 {
        match self.state {
            State::Data { left } => left,
            _ => 0,
        }
    }

    pub(crate) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// See [`Decoder::next`](super::Decoder::next). Returns `Data` with an empty slice when a size
    /// line is complete, so that the announced size can be judged before its data.
    pub(crate) fn next<'a>(
        &mut self,
        input: &'a [u8],
        limits: HeadLimits,
    ) -> Result<(usize, Piece<'a>), Reject> {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            match self.state {
                State::Data { left } => {
                    let data = &input[used..];
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
                    let left = left - taken as u64;
                    self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                    return Ok((used + taken, Piece::Data(&data[..taken])));
                }
                State::Trailers { .. } => {
                    let (taken, complete) = self.take_trailers(&input[used..], limits)?;
                    used += taken;
                    if complete {
                        self.state = State::Done;
                        return Ok((used, Piece::End));
                    }
                }
                State::Done => return Ok((used, Piece::End)),
                line => {
                    self.state = line.step(byte)?;
                    used += 1;
                    if let State::Data { .. } = self.state {
                        return Ok((used, Piece::Data(&[])));
                    }
                }
            }
        }
        match self.state {
            State::Done => Ok((used, Piece::End)),
            _ => Ok((used, Piece::Partial)),
        }
    }

    /// Gathers the trailer section. Returns how many bytes it took, and whether that was all.
    fn take_trailers(&mut self, input: &[u8], limits: HeadLimits) -> Result<(usize, bool), Reject> {
        let State::Trailers { mut scan } = self.state else { unreachable!("in the trailers") };
        let before = self.trailers.len();
        let room = limits.size.saturating_sub(before);
        self.trailers.extend_from_slice(&input[..input.len().min(room)]);
        let end = scan.advance(&self.trailers).map_err(|_| Reject::BareLf)?;
        self.state = State::Trailers { scan };
        let Some(end) = end else {
            let full = self.trailers.len() >= limits.size;
            return if full { Err(Reject::HeadTooLarge) } else { Ok((input.len(), false)) };
        };
        self.trailers.truncate(end);
        if end == EMPTY_LINE.len() {
            self.trailers = Vec::new();
        } else {
            parse_fields(&self.trailers, limits)?;
        }
        Ok((end - before, true))
    }
}

/// A trailer section without trailers.
const EMPTY_LINE: &[u8] = b"\r\n";

impl State {
    /// One byte of a size line, or of the line end after data.
    fn step(self, byte: u8) -> Result<State, Reject> {
        Ok(match (self, byte) {
            (State::Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F')
                if digits < Chunked::DIGITS_MAX =>
            {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                State::Size { size: size << 4 | digit, digits: digits + 1 }
            }
            (State::Size { size, digits: 1.. } | State::Extension { size, .. }, b'\r') => {
                State::SizeLf { size }
            }
            (State::Size { size, digits: 1.. }, b';') => State::Extension { size, length: 1 },
            (State::Size { size, digits: 1.. }, b' ' | b'\t') => State::Space { size, length: 1 },
            (State::Space { size, length }, b';' | b' ' | b'\t') => {
                if length >= Chunked::EXTENSION_BYTES_MAX {
                    return Err(Reject::ChunkExtension);
                }
                let length = length + 1;
                if byte == b';' {
                    State::Extension { size, length }
                } else {
                    State::Space { size, length }
                }
            }
            (State::Extension { size, length }, b'\t' | b' '..=b'~' | 0x80..) => {
                if length >= Chunked::EXTENSION_BYTES_MAX {
                    return Err(Reject::ChunkExtension);
                }
                State::Extension { size, length: length + 1 }
            }
            (State::SizeLf { size: 0 }, b'\n') => State::Trailers { scan: Scan::default() },
            (State::SizeLf { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => Chunked::START,
            _ => return Err(Reject::Chunk),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunked, HeadLimits, Piece, Reject};

    const LIMITS: HeadLimits = HeadLimits { size: 64, fields: 2 };

    /// Content, trailers and bytes used, with the input cut into parts of `part` bytes.
    fn decode(input: &[u8], part: usize) -> Result<(Vec<u8>, Vec<u8>, usize), Option<Reject>> {
        let (mut chunked, mut content, mut used) = (Chunked::new(), Vec::new(), 0);
        for part in input.chunks(part) {
            let mut at = 0;
            loop {
                let (taken, piece) = chunked.next(&part[at..], LIMITS).map_err(Some)?;
                at += taken;
                used += taken;
                match piece {
                    Piece::Data(data) => content.extend_from_slice(data),
                    Piece::Partial => break,
                    Piece::End => return Ok((content, chunked.trailers().to_vec(), used)),
                }
            }
        }
        Err(None)
    }

    fn at_every_split(input: &[u8]) -> Result<(Vec<u8>, Vec<u8>, usize), Option<Reject>> {
        let whole = decode(input, usize::MAX);
        for part in 1..input.len() {
            let shown = String::from_utf8_lossy(input);
            assert_eq!(decode(input, part), whole, "{shown:?} in parts of {part}");
        }
        whole
    }

    #[test]
    fn content_and_trailers_are_found_in_any_parts() {
        let plain = at_every_split(b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\nGET").unwrap();
        assert_eq!(plain, (b"hello world".to_vec(), vec![], 30));
        let trailers = at_every_split(b"00A \t;x\r\n0123456789\r\n0\r\na: b\r\n\r\nGET").unwrap();
        assert_eq!(trailers.0, b"0123456789");
        assert_eq!(trailers.1, b"a: b\r\n\r\n");
    }

    #[test]
    fn a_chunk_has_one_reading_or_none() {
        let cases: [(&[u8], Reject); 19] = [
            (b"\r\n", Reject::Chunk),
            (b"g\r\n", Reject::Chunk),
            (b"+5\r\nhello", Reject::Chunk),
            (b"-5\r\nhello", Reject::Chunk),
            (b"0x5\r\nhello", Reject::Chunk),
            (b" 5\r\nhello", Reject::Chunk),
            (b"5 \r\nhello", Reject::Chunk),
            (b"5\nhello", Reject::Chunk),
            (b"5\r\rhello", Reject::Chunk),
            (b"5;a\nhello", Reject::Chunk),
            (b"5;a\rb\r\nhello", Reject::Chunk),
            (b"5;a\0\r\nhello", Reject::Chunk),
            (b"5\r\nhelloX", Reject::Chunk),
            (b"5\r\nhello\n", Reject::Chunk),
            (b"5\r\nhello\r\r", Reject::Chunk),
            (b"00000000000000005\r\n", Reject::Chunk),
            (b"10000000000000000\r\n", Reject::Chunk),
            (b"0\r\na: b\n\r\n", Reject::BareLf),
            (b"0\r\na : b\r\n\r\n", Reject::Field),
        ];
        for (input, reject) in cases {
            let shown = String::from_utf8_lossy(input);
            assert_eq!(at_every_split(input), Err(Some(reject)), "{shown:?}");
        }
    }

    #[test]
    fn limits_hold_for_extensions_and_trailers() {
        let extension = |length: u32| {
            let mut input = b"1;".to_vec();
            input.resize(1 + length as usize, b'x');
            input.extend_from_slice(b"\r\na\r\n0\r\n\r\n");
            decode(&input, 1000).map(|(content, ..)| content)
        };
        assert_eq!(extension(Chunked::EXTENSION_BYTES_MAX), Ok(b"a".to_vec()));
        let over = extension(Chunked::EXTENSION_BYTES_MAX + 1);
        assert_eq!(over, Err(Some(Reject::ChunkExtension)));

        let long = [b"0\r\na: ", [b'x'; 100].as_slice()].concat();
        assert_eq!(at_every_split(&long), Err(Some(Reject::HeadTooLarge)));
        let many = at_every_split(b"0\r\na: b\r\na: b\r\na: b\r\n\r\n");
        assert_eq!(many, Err(Some(Reject::TooManyFields)));
    }

    #[test]
    fn a_size_is_announced_before_its_data() {
        let mut chunked = Chunked::new();
        let (_, piece) = chunked.next(b"ffffffffffffffff\r\n", LIMITS).unwrap();
        assert_eq!(piece, Piece::Data(&[]));
        assert_eq!(chunked.announced(), u64::MAX);
    }
}
