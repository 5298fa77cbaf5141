//! A response as a handler states it.

use super::status::Status;

/// A response: a status, fields, and for a whole one the content. It borrows everything, so that
/// replying allocates nothing.
///
/// What belongs to the connection is written by the server: `Date`, `Connection`, `Keep-Alive`,
/// `Content-Length` and `Transfer-Encoding`. Fields of these names are left out.
///
/// ```
/// use netserver::http::{Response, Status};
///
/// let response = Response::new(Status::OK)
///     .fields(&[("Content-Type", "text/plain")])
///     .body(b"Hello, World!");
/// assert_eq!(response.status(), Status::OK);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a response is sent by Reply::send or Reply::stream"]
pub struct Response<'a> {
    pub(crate) status: Status,
    pub(crate) fields: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    pub(crate) length: Option<u64>,
    pub(crate) close: bool,
}

impl<'a> Response<'a> {
    /// A response without fields and content.
    pub const fn new(status: Status) -> Response<'a> {
        Response { status, fields: &[], body: &[], length: None, close: false }
    }

    /// The fields, in the order they are to be sent. A name that is no token, or a value with a
    /// control character, makes the response unsendable: a 500 goes out instead.
    pub const fn fields(self, fields: &'a [(&'a str, &'a str)]) -> Response<'a> {
        Response { fields, ..self }
    }

    /// The content. Not sent to HEAD, nor with 204, 205 and 304.
    pub const fn body(self, body: &'a [u8]) -> Response<'a> {
        Response { body, ..self }
    }

    /// The length in bytes, where [`body`](Response::body) does not tell: of streamed content,
    /// which then needs no chunks, or of what GET would have got, in a reply to HEAD or a 304.
    pub const fn length(self, bytes: u64) -> Response<'a> {
        Response { length: Some(bytes), ..self }
    }

    /// Closes the connection after this response, and says so.
    pub const fn close(self) -> Response<'a> {
        Response { close: true, ..self }
    }

    /// The status.
    pub const fn status(&self) -> Status {
        self.status
    }
}
