//! What a poller said about a descriptor.

/// What a descriptor may be ready for. A hint: what counts is what the system call returns.
///
/// An own type, because events of mio cannot be made in a test, and other pollers have theirs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ready {
    /// There may be something to read, or to accept.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The peer has closed its side, or the connection is broken: a read will say.
    pub read_closed: bool,
}

impl Ready {
    /// Something to read.
    pub const READABLE: Self = Self { readable: true, writable: false, read_closed: false };
    /// Room to write.
    pub const WRITABLE: Self = Self { readable: false, writable: true, read_closed: false };
}

impl From<&mio::event::Event> for Ready {
    fn from(event: &mio::event::Event) -> Self {
        let broken = event.is_error() || event.is_write_closed();
        let read_closed = event.is_read_closed() || broken;
        Self {
            readable: event.is_readable() || read_closed,
            // A broken socket is "writable": the write says what is wrong.
            writable: event.is_writable() || broken,
            read_closed,
        }
    }
}
