//! Where the body of a request ends, over any number of reads.

use super::chunked::Chunked;
use super::head::HeadLimits;
use super::reject::Reject;
use super::semantics::Framing;

/// Takes a request body out of the byte stream. It holds no data: pieces are borrowed from the
/// input (trailers excepted, which are rare and small).
#[derive(Debug)]
pub(crate) enum Decoder {
    /// So many bytes are still to come.
    Length(u64),
    Chunked(Chunked),
}

/// What the next bytes of the input are.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Piece<'a> {
    /// Content.
    Data(&'a [u8]),
    /// All of the input is used up and the body goes on.
    Partial,
    /// The body is complete.
    End,
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Decoder {
        match framing {
            Framing::Length(length) => Decoder::Length(length),
            Framing::Chunked => Decoder::Chunked(Chunked::new()),
        }
    }

    /// The next piece, and how many bytes of `input` it took. To be called until `Partial` or
    /// `End`; `End` may come without taking a byte.
    pub(crate) fn next<'a>(
        &mut self,
        input: &'a [u8],
        limits: HeadLimits,
    ) -> Result<(usize, Piece<'a>), Reject> {
        match self {
            Decoder::Length(0) => Ok((0, Piece::End)),
            Decoder::Length(_) if input.is_empty() => Ok((0, Piece::Partial)),
            Decoder::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= taken as u64;
                Ok((taken, Piece::Data(&input[..taken])))
            }
            Decoder::Chunked(chunked) => chunked.next(input, limits),
        }
    }

    /// Content that is announced and not yet taken: all of it for a length, the rest of the
    /// current chunk for chunks. Lets a limit be enforced before the bytes arrive.
    pub(crate) fn announced(&self) -> u64 {
        match self {
            Decoder::Length(left) => *left,
            Decoder::Chunked(chunked) => chunked.announced(),
        }
    }

    /// The trailer section, with its empty line; empty when there are no trailers.
    pub(crate) fn trailers(&self) -> &[u8] {
        match self {
            Decoder::Length(_) => &[],
            Decoder::Chunked(chunked) => chunked.trailers(),
        }
    }
}
