//! What a server asks of a connection and of a listener, for those who bring their own.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::event::Source;

use super::Stream;

/// A two-way stream of bytes: bring TLS, a pipe within the process, a socket of another kind.
///
/// Reads and writes must not block, and may move less than there is: the server goes on until one
/// returns [`io::ErrorKind::WouldBlock`], because there is nothing to do. An event follows when there
/// is, edge-triggered, by the poll that it registers with
/// or by [`Server::on_ready`](crate::Server::on_ready). Reading 0 bytes means that the peer has
/// closed its side.
///
/// A read should bring 4 KiB at least where so much is there: before a deadline ends a connection, the
/// server reads what has arrived, but not in any number of pieces.
///
/// When a connection ends it is taken out of the poll; when the whole server is dropped it is just
/// dropped with it.
pub trait Transport: Read + Write + Source {
    /// Tells the peer that nothing more will be written; it may go on sending. Called once, at the end
    /// of every connection, before it is dropped: for TLS that is the time for `close_notify`. Not
    /// where a response that only the end of the connection ends has been cut short, which must not
    /// look whole; nor by the drop of the whole server; nor of a stream that was handed over to the
    /// [handler](crate::Handler::on_upgrade), whose it is then.
    ///
    /// # Errors
    ///
    /// If the stream is broken. Nothing is done about it: the next read says so too.
    fn shut_down_writing(&mut self) -> io::Result<()>;
}

/// Where connections come from: bring a listener of another kind.
pub trait Incoming: Source {
    /// The next connection that waits, with the peer's address where there is one.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if nobody waits. Errors that belong to one connection (aborted,
    /// reset, an interrupted call) make the server ask again; after all others, it stops accepting
    /// until the next connection check, since they mostly mean that descriptors have run out.
    fn accept(&mut self) -> io::Result<(Stream, Option<SocketAddr>)>;
}

impl Transport for mio::net::TcpStream {
    fn shut_down_writing(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Transport for mio::net::UnixStream {
    fn shut_down_writing(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
