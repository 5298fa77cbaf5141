//! One request whose response is not complete.

use super::exchange::Exchange;
use crate::http::{Coding, Draft, Head, Reject, Version};

/// What of a request shapes its response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) method: Method,
    pub(crate) version: Version,
    /// May be answered by leaving HTTP.
    pub(crate) upgrade: bool,
    /// The client waits for `100 Continue`, and none of the body has arrived.
    pub(crate) continue_due: bool,
}

/// The methods that change the framing of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    Head,
    Connect,
    Other,
}

impl Shape {
    /// Of a request that could not be understood.
    pub(crate) const UNKNOWN: Shape = Shape {
        method: Method::Other,
        version: Version::Http10,
        upgrade: false,
        continue_due: false,
    };

    pub(crate) fn of(head: &Head<'_>, body_has_begun: bool) -> Shape {
        let semantics = head.semantics();
        Shape {
            method: match head.method_bytes() {
                b"HEAD" => Method::Head,
                b"CONNECT" => Method::Connect,
                _ => Method::Other,
            },
            version: head.version(),
            upgrade: semantics.upgrade,
            continue_due: semantics.expects_continue && !body_has_begun,
        }
    }

    pub(crate) fn is_connect(self) -> bool {
        self.method == Method::Connect
    }
}

/// Which response is meant, and for what kind of request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// The request's number on its connection.
    pub(crate) number: u64,
    pub(crate) shape: Shape,
    /// The request has not arrived in full.
    pub(crate) early: bool,
}

impl Turn {
    /// The same turn, now that the request has arrived in full.
    pub(crate) fn complete(self) -> Turn {
        Turn { early: false, ..self }
    }
}

/// A request under way.
pub(crate) struct Slot {
    pub(crate) shape: Shape,
    pub(crate) answer: Answer,
    /// Streams the body in, or out, or both.
    pub(crate) exchange: Option<Box<dyn Exchange>>,
    /// Interim responses that wait for the turn.
    pub(crate) interim: Vec<u8>,
    /// The request has not arrived in full.
    pub(crate) receiving: bool,
    /// The handler has not said yet what to do with the body.
    pub(crate) undecided: bool,
    /// The exchange wants no more of the body for now.
    pub(crate) paused: bool,
}

/// How far the answer to a request is.
///
/// ```text
///  Pending ──▶ Whole ─────────────────────────▶ (gone)      send
///     │  └───▶ Refused ───────────────────────▶ (gone)      an error
///     └──────▶ Stream: head waits ──▶ pulled ──▶ (gone)     stream, upgrade
/// ```
pub(crate) enum Answer {
    Pending,
    Whole(Draft),
    Refused(Reject),
    Stream(Stream),
}

/// A response that is pulled.
pub(crate) struct Stream {
    /// The head, until its turn.
    pub(crate) head: Option<Draft>,
    pub(crate) content: Content,
    /// There was nothing to pull.
    pub(crate) waiting: bool,
}

/// What a pulled piece is wrapped in.
pub(crate) enum Content {
    Chunked {
        /// Complete field lines.
        trailers: Vec<u8>,
    },
    Length {
        left: u64,
    },
    UntilClose,
    /// Not HTTP any more.
    Tunnel,
    /// Nor that: the handler gets the socket once the head is written.
    Socket,
}

impl Content {
    pub(crate) fn new(coding: Coding) -> Content {
        match coding {
            Coding::Chunked => Content::Chunked { trailers: Vec::new() },
            Coding::Length(left) => Content::Length { left },
            Coding::None | Coding::UntilClose => Content::UntilClose,
        }
    }
}

impl Slot {
    pub(crate) fn new(turn: Turn) -> Slot {
        Slot {
            shape: turn.shape,
            answer: Answer::Pending,
            exchange: None,
            interim: Vec::new(),
            receiving: turn.early,
            undecided: false,
            paused: false,
        }
    }

    /// The handler owes an answer and can give it.
    pub(crate) fn awaits_handler(&self) -> bool {
        matches!(self.answer, Answer::Pending) && (!self.receiving || self.undecided)
    }

    /// The answer was put off with a ticket.
    pub(crate) fn is_put_off(&self) -> bool {
        self.awaits_handler() && self.exchange.is_none()
    }

    /// The turn of this slot, which is that of request `number`.
    pub(crate) fn turn(&self, number: u64) -> Turn {
        Turn { number, shape: self.shape, early: self.receiving }
    }

    /// Bytes that wait here for their turn.
    pub(crate) fn held(&self) -> usize {
        match &self.answer {
            Answer::Whole(draft) | Answer::Stream(Stream { head: Some(draft), .. }) => draft.len(),
            _ => 0,
        }
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        let Answer::Stream(stream) = &self.answer else { return false };
        matches!(stream.content, Content::Tunnel | Content::Socket)
    }

    /// The handler is to get the socket.
    pub(crate) fn is_handed_over(&self) -> bool {
        matches!(&self.answer, Answer::Stream(Stream { content: Content::Socket, .. }))
    }

    /// Part of the response is in the output, or was, and the end of the connection is its end: an
    /// HTTP/1.0 client knows no chunks (RFC 9112 section 6.3).
    pub(crate) fn ends_with_connection(&self) -> bool {
        let until_close =
            |it: &Stream| it.head.is_none() && matches!(it.content, Content::UntilClose);
        matches!(&self.answer, Answer::Stream(stream) if until_close(stream))
    }

    /// Part of the response is in the output, or was.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(&self.answer, Answer::Stream(Stream { head: None, .. }))
    }
}
