//! Every reason for which a message is refused, and the status that says so.

use std::fmt;

use super::status::Status;

/// Why the server refuses a message. The answer is always the status of [`Reject::status`] with
/// `Date` and `Connection: close`, without content; then the connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reject {
    /// 400: not a request line (RFC 9112 section 3), or nothing like HTTP at all.
    RequestLine,
    /// 400: a target in no form its method allows (RFC 9112 section 3.2).
    Target,
    /// 400: a line ended by LF alone (RFC 9112 section 2.2 allows to accept it; peers differ).
    BareLf,
    /// 400: a field line that breaks RFC 9112 section 5: folding, space before the colon, NUL,
    /// bare CR, an invalid name.
    Field,
    /// 400: Host missing from an HTTP/1.1 request, repeated, or invalid (RFC 9112 section 3.2).
    Host,
    /// 400: Content-Length malformed or repeated (RFC 9112 section 6.3).
    ContentLength,
    /// 400: Content-Length beside Transfer-Encoding (RFC 9112 section 6.1).
    LengthAndCoding,
    /// 400: Transfer-Encoding whose last coding is not a single `chunked`, or in HTTP/1.0.
    Coding,
    /// 400: content in a request that cannot have any (CONNECT, RFC 9110 section 9.3.6).
    UnexpectedBody,
    /// 400: a malformed chunk (RFC 9112 section 7.1).
    Chunk,
    /// 400: too many empty lines before a request line.
    BlankLines,
    /// 400: the peer stopped sending in the middle of a message.
    Truncated,
    /// 408: the message did not arrive in time.
    Timeout,
    /// 413: the content is longer than the limit.
    BodyTooLarge,
    /// 413: a chunk extension is longer than the limit.
    ChunkExtension,
    /// 414: the request line alone is longer than a head may be.
    TargetTooLong,
    /// 417: an expectation other than `100-continue` (RFC 9110 section 10.1.1).
    Expectation,
    /// 431: request line and fields, or trailers, are longer than the limit.
    HeadTooLarge,
    /// 431: more fields than the limit.
    TooManyFields,
    /// 500: the handler panicked, dropped its reply, or replied with something unsendable.
    Handler,
    /// 501: a transfer coding other than `chunked` (RFC 9112 section 6.1).
    UnknownCoding,
    /// 503: the handler did not answer in time.
    HandlerTimeout,
    /// 503: one connection too many.
    Unavailable,
    /// 505: a version other than HTTP/1.0 and HTTP/1.1.
    Version,
}

impl Reject {
    /// The status to answer with.
    pub const fn status(self) -> Status {
        match self {
            Reject::RequestLine
            | Reject::Target
            | Reject::BareLf
            | Reject::Field
            | Reject::Host
            | Reject::ContentLength
            | Reject::LengthAndCoding
            | Reject::Coding
            | Reject::UnexpectedBody
            | Reject::Chunk
            | Reject::BlankLines
            | Reject::Truncated => Status::BAD_REQUEST,
            Reject::Timeout => Status::REQUEST_TIMEOUT,
            Reject::BodyTooLarge | Reject::ChunkExtension => Status::CONTENT_TOO_LARGE,
            Reject::TargetTooLong => Status::URI_TOO_LONG,
            Reject::Expectation => Status::EXPECTATION_FAILED,
            Reject::HeadTooLarge | Reject::TooManyFields => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Reject::Handler => Status::INTERNAL_SERVER_ERROR,
            Reject::UnknownCoding => Status::NOT_IMPLEMENTED,
            Reject::HandlerTimeout | Reject::Unavailable => Status::SERVICE_UNAVAILABLE,
            Reject::Version => Status::HTTP_VERSION_NOT_SUPPORTED,
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reject::RequestLine => "malformed request line",
            Reject::Target => "invalid request target",
            Reject::BareLf => "line ended by a bare LF",
            Reject::Field => "malformed field line",
            Reject::Host => "missing, repeated or invalid Host",
            Reject::ContentLength => "malformed or repeated Content-Length",
            Reject::LengthAndCoding => "Content-Length beside Transfer-Encoding",
            Reject::Coding => "Transfer-Encoding does not end in one chunked",
            Reject::UnexpectedBody => "content in a request that cannot have any",
            Reject::Chunk => "malformed chunk",
            Reject::BlankLines => "too many empty lines before a request line",
            Reject::Truncated => "message cut short by the peer",
            Reject::Timeout => "message did not arrive in time",
            Reject::BodyTooLarge => "content over the limit",
            Reject::ChunkExtension => "chunk extension over the limit",
            Reject::TargetTooLong => "request line over the limit",
            Reject::Expectation => "unknown expectation",
            Reject::HeadTooLarge => "head over the limit",
            Reject::TooManyFields => "more fields than the limit",
            Reject::Handler => "handler failed",
            Reject::UnknownCoding => "unknown transfer coding",
            Reject::HandlerTimeout => "handler did not answer in time",
            Reject::Unavailable => "too many connections",
            Reject::Version => "unsupported HTTP version",
        })
    }
}

impl std::error::Error for Reject {}
