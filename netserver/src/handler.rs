//! What the embedder writes: a [`Handler`], which is given messages and a [`Reply`] for each.
//!
//! ```text
//!  head without body ───────────────────────────────▶ on_request ──▶ Reply
//!  head with body ──▶ on_head ──▶ buffer_body ──▶ (all of it) ──▲       ├─ send      now, whole
//!                       ├──▶ stream_body ──▶ Exchange::on_data …        ├─ stream    pulled
//!                       └──▶ send: refused, the body is not read        ├─ upgrade   leaves HTTP
//!                                             on_upgrade ◀── the socket ├─ hand_over likewise
//!                                                                       └─ later ──▶ Ticket
//!                                                     on_wake ◀── timer or thread ──────┘
//! ```

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::cause::Cause;
use crate::context::ConnId;
use crate::http::{Fields, Form, Head, Version};
use crate::reply::{Reply, Ticket};
use crate::upgraded::Upgraded;

/// Answers requests. One handler serves all connections of a server, one call at a time.
///
/// A panic in any method ends only the connection it was called for: with 500 if nothing of the
/// response is out yet.
///
/// ```
/// use netserver::{Handler, Reply, Request, Response, Status};
///
/// struct Hello;
///
/// impl Handler for Hello {
///     fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
///         match request.path() {
///             "/" => reply.send(Response::new(Status::OK).body(b"Hello, World!")),
///             _ => reply.send(Response::new(Status::NOT_FOUND)),
///         }
///     }
/// }
/// ```
pub trait Handler {
    /// A head has arrived and a body is to follow. Decides what becomes of the body: gathered for
    /// [`on_request`](Handler::on_request) (the default), streamed to an
    /// [`Exchange`](crate::Exchange), or refused by replying at once. A refused body is not
    /// read: the connection closes after the response.
    fn on_head(&mut self, head: &Head<'_>, reply: Reply<'_>) {
        let _ = head;
        reply.buffer_body();
    }

    /// A whole message has arrived.
    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>);

    /// The time has come to answer the request of `ticket`, which this handler had put off with
    /// [`Reply::later`]. By default that is a 500.
    fn on_wake(&mut self, ticket: Ticket, reply: Reply<'_>) {
        let _ = ticket;
        drop(reply);
    }

    /// The peer has ended its side while the request of `ticket` is put off. It may be gone, or may
    /// still read: by default it is answered all the same. Not told while the server does not read,
    /// because enough is under way on the connection.
    fn on_client_gone(&mut self, ticket: Ticket) {
        let _ = ticket;
    }

    /// A connection has left HTTP, as [`Reply::hand_over`] asked, and is the handler's. By default
    /// it is dropped, and so closed.
    fn on_upgrade(&mut self, upgraded: Upgraded) {
        drop(upgraded);
    }

    /// A connection has ended. Its tickets are stale from here on.
    fn on_close(&mut self, closed: &Closed) {
        let _ = closed;
    }
}

/// A whole request. Everything is borrowed from the bytes it arrived in.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub(crate) head: &'a Head<'a>,
    pub(crate) body: &'a [u8],
    pub(crate) trailers: Fields<'a>,
    pub(crate) id: ConnId,
    pub(crate) peer: Option<SocketAddr>,
    /// When it was handed over, and how long the handler has from then on.
    pub(crate) now: Instant,
    pub(crate) timeout: Option<Duration>,
}

impl<'a> Request<'a> {
    /// The head.
    pub fn head(&self) -> &'a Head<'a> {
        self.head
    }

    /// The method, as sent: methods are case-sensitive.
    pub fn method(&self) -> &'a str {
        self.head.method()
    }

    /// The target, as sent.
    pub fn target(&self) -> &'a str {
        self.head.target()
    }

    /// The form of the target.
    pub fn form(&self) -> Form {
        self.head.form()
    }

    /// The path of the target.
    pub fn path(&self) -> &'a str {
        self.head.path()
    }

    /// What follows the first `?` of the target.
    pub fn query(&self) -> Option<&'a str> {
        self.head.query()
    }

    /// The host the request is for; see [`Head::host`].
    pub fn host(&self) -> &'a str {
        self.head.host()
    }

    /// The version of the message.
    pub fn version(&self) -> Version {
        self.head.version()
    }

    /// The fields in the order they were sent.
    pub fn fields(&self) -> Fields<'a> {
        self.head.fields()
    }

    /// The value of the first field of this name, compared without case.
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.head.field(name)
    }

    /// Like [`field`](Request::field), if the value is UTF-8.
    pub fn field_str(&self, name: &str) -> Option<&'a str> {
        self.head.field_str(name)
    }

    /// The content, without transfer coding.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Fields that followed a chunked body. Kept apart from [`fields`](Request::fields): what
    /// comes last must not change what was understood first (RFC 9110 section 6.5.1).
    pub fn trailers(&self) -> Fields<'a> {
        self.trailers
    }

    /// The connection it came on.
    pub fn connection(&self) -> ConnId {
        self.id
    }

    /// The peer's address, where the transport has one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    #[cfg(feature = "live")]
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// When the server answers 503 in the handler's place; `None` if never.
    pub fn deadline(&self) -> Option<Instant> {
        self.timeout.and_then(|timeout| self.now.checked_add(timeout))
    }
}

/// The end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Closed {
    /// Which connection.
    pub id: ConnId,
    /// Its peer, where the transport has addresses.
    pub peer: Option<SocketAddr>,
    /// Why it ended.
    pub cause: Cause,
    /// Requests it has brought.
    pub requests: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// How long it was open.
    pub age: Duration,
}
