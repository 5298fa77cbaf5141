//! A promise to answer later.

use std::fmt;

use crate::context::ConnId;

/// Names one request of one connection. Plain data: copy it, send it to another thread, put it on
/// a timer. Once the request is answered or its connection gone, the ticket is stale and does
/// nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    connection: ConnId,
    number: u64,
}

impl Ticket {
    pub(crate) fn new(connection: ConnId, number: u64) -> Ticket {
        Ticket { connection, number }
    }

    /// The connection of the request.
    pub fn connection(self) -> ConnId {
        self.connection
    }

    /// Which request of the connection, counted from 0.
    pub fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.connection, self.number)
    }
}
