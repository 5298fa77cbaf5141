//! How a connection ends, and what it is doing until then.

use crate::cause::Cause;

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
