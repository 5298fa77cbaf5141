//! How a connection ends, and what it is doing until then.

use super::{Conn, Reading};
use crate::cause::Cause;
use crate::reply::Ending;

/// The connection is to be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// Why.
    pub cause: Cause,
    /// In which manner.
    pub how: How,
}

/// The manner of closing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Close the socket.
    Close,
    /// Shut down writing, call [`Conn::shut_down`](super::Conn::shut_down), and go on reading: the
    /// peer may be sending still, and closing at once would answer with a reset that destroys what
    /// it has not read yet (RFC 9112 section 9.6).
    Linger,
}

impl Conn {
    /// How to close, once all is written that will be.
    pub fn end(&self) -> Option<End> {
        if let Some(cause) = self.aborted {
            return Some(End { cause, how: How::Close });
        }
        let Ending { cause, linger } = self.outgoing.ending()?;
        if self.outgoing.is_cut() {
            return Some(End { cause, how: How::Close });
        }
        if !self.outgoing.output().is_empty() {
            return None;
        }
        match self.reading {
            // Lingering ends with EOF, or with `aborted`.
            Reading::Lingering if !self.outgoing.peer_is_done => None,
            _ if (linger || self.surplus) && !self.outgoing.peer_is_done => {
                Some(End { cause, how: How::Linger })
            }
            _ => Some(End { cause, how: How::Close }),
        }
    }

    /// Whether nothing follows the output but an end in order.
    pub fn ends_with_output(&self) -> bool {
        !self.is_over() && self.outgoing.ending().is_some()
    }

    /// Whether it ends without regard to the peer, who may be sending and may have bytes to take.
    pub(super) fn is_over(&self) -> bool {
        self.aborted.is_some() || self.outgoing.is_cut()
    }

    /// Whether closing in order would say that a response is whole, of which a part is missing: it
    /// takes a reset to tell (RFC 9112 section 8).
    pub fn is_cut(&self) -> bool {
        self.outgoing.is_cut()
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Nothing has arrived yet.
    FirstByte,
    /// Part of a head has arrived.
    Headers,
    /// Part of a body has arrived, or is due.
    Body,
    /// Waits for the handler.
    Handler,
    /// Waits for the peer to take what is written.
    Write,
    /// Between requests.
    Idle,
    /// Has left HTTP.
    Upgraded,
    /// Waits for the peer to stop sending.
    Linger,
}

impl Phase {
    /// All of them, in the order of a connection's life.
    pub const ALL: [Self; 8] = [
        Self::FirstByte,
        Self::Headers,
        Self::Body,
        Self::Handler,
        Self::Write,
        Self::Idle,
        Self::Upgraded,
        Self::Linger,
    ];

    /// As it stands in reports: `first_byte`, `idle`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstByte => "first_byte",
            Self::Headers => "headers",
            Self::Body => "body",
            Self::Handler => "handler",
            Self::Write => "write",
            Self::Idle => "idle",
            Self::Upgraded => "upgraded",
            Self::Linger => "linger",
        }
    }
}
