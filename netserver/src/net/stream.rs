//! A connection's socket. What comes of a read or a write is a value, errors included.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::Transport;

/// Bytes that the kernel keeps of one connection beyond what the peer's window takes. Without it a
/// peer that reads nothing is given megabytes, and the loop is busy filling them: sockets grow to
/// what `tcp_wmem` allows. What is sent already is not counted, so that a long way costs no pace.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 128 << 10;

/// Both directions, edge-triggered.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A connection's stream of bytes: a TCP or Unix socket, which must not block (mio's do not), or
/// whatever else is a [`Transport`].
pub struct Stream {
    socket: Socket,
}

/// The usual kinds by name, so that their calls are direct.
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Other(Box<dyn Transport + Send>),
    /// It was taken out.
    Gone,
}

/// What came of a read or a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transfer {
    /// So many bytes, more than 0.
    Bytes(usize),
    /// Not now.
    Blocked,
    /// The peer has closed its side.
    End,
    /// The connection is broken.
    Broken,
}

impl Stream {
    /// A stream of another kind.
    pub fn new(transport: impl Transport + Send + 'static) -> Self {
        Self { socket: Socket::Other(Box::new(transport)) }
    }

    /// A connection from a listener, from which it has `TCP_NODELAY`, or not.
    pub(crate) fn accepted(socket: TcpStream, inherited: bool) -> Self {
        if inherited && cfg!(target_os = "linux") {
            Self { socket: Socket::Tcp(socket) }
        } else {
            socket.into()
        }
    }

    /// Has the poll tell when there is something to read. A socket can be written to at first, and
    /// that would be an event for nothing. Others are registered once, for both.
    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = if self.is_socket() { Interest::READABLE } else { BOTH };
        registry.register(self, token, interest)
    }

    /// Has the poll tell of room to write too, from here on and for the life of the connection. If
    /// there is some by now, that is told.
    pub(crate) fn watch_writing(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.is_socket() { registry.reregister(self, token, BOTH) } else { Ok(()) }
    }

    /// Takes it out of the poll: sockets leave by being closed, other sources may not.
    pub(crate) fn unwatch(&mut self, registry: &Registry) {
        if let Socket::Other(transport) = &mut self.socket {
            // Fails only if it was not registered, which is what is wanted.
            let _ = registry.deregister(transport);
        }
    }

    /// Takes the socket out, and out of the poll.
    pub(crate) fn take(&mut self, registry: &Registry) -> Self {
        // Fails only if it was not registered, which is what is wanted.
        let _ = registry.deregister(self);
        Self { socket: std::mem::replace(&mut self.socket, Socket::Gone) }
    }

    /// The descriptor, if this is a socket.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.socket {
            Socket::Tcp(socket) => Some(socket.as_fd()),
            Socket::Unix(socket) => Some(socket.as_fd()),
            Socket::Other(_) | Socket::Gone => None,
        }
    }

    /// Whether it is a socket, and no transport of another kind.
    pub(crate) fn is_socket(&self) -> bool {
        !matches!(self.socket, Socket::Other(_))
    }

    /// Whether a read that brings less than it could have has emptied it, and a write that takes
    /// less than all has filled it: true of sockets. What passes records on, as TLS does, may have
    /// another one ready, and no edge comes for that.
    pub(crate) fn moves_all_there_is(&self) -> bool {
        self.is_socket()
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Transfer {
        match retry(|| Read::read(self, buffer)) {
            Ok(0) => Transfer::End,
            result => transfer(result),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Transfer {
        transfer(retry(|| Write::write(self, bytes)))
    }

    /// Whether [`write_last`](Self::write_last) is more than a write.
    pub(crate) fn holds_back(&self) -> bool {
        cfg!(target_os = "linux") && matches!(self.socket, Socket::Tcp(_))
    }

    /// Writes the last bytes, which the kernel may hold back until writing is shut down, as has to
    /// follow at once: they and the FIN are one packet then.
    pub(crate) fn write_last(&mut self, bytes: &[u8]) -> Transfer {
        #[cfg(target_os = "linux")]
        if let Socket::Tcp(socket) = &self.socket {
            let flags = libc::MSG_MORE | libc::MSG_NOSIGNAL;
            return transfer(retry(|| SockRef::from(socket).send_with_flags(bytes, flags)));
        }
        self.write(bytes)
    }

    /// Bounds what the kernel keeps for the peer and has not sent: for connections that have much to
    /// say, so that all others are spared the system call.
    pub(crate) fn bound_unsent(&self) {
        // An old or a foreign kernel may not know it, and serves all the same.
        #[cfg(target_os = "linux")]
        if let Socket::Tcp(socket) = &self.socket {
            let _ = SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
        }
    }

    /// Whether the peer has reset the connection, or the network has broken it. For who does not
    /// read, and so would not hear of it: a reset looks like a FIN to a poll that tells no more
    /// than [`Ready`](super::Ready).
    pub(crate) fn is_broken(&self) -> bool {
        let error = match &self.socket {
            Socket::Tcp(socket) => socket.take_error(),
            Socket::Unix(socket) => socket.take_error(),
            Socket::Other(_) | Socket::Gone => return false,
        };
        !matches!(error, Ok(None))
    }

    /// Has the close to come be a reset, which tells the peer that what it got is not all.
    pub(crate) fn reset_when_closed(&self) {
        // Others than TCP know no such thing.
        if let Socket::Tcp(socket) = &self.socket {
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// Sends FIN; the peer may go on sending.
    pub(crate) fn shut_down_writing(&mut self) {
        // Fails only if the connection is gone, which the next read says.
        let _ = Transport::shut_down_writing(self);
    }

    fn source(&mut self) -> io::Result<&mut dyn Source> {
        match &mut self.socket {
            Socket::Tcp(socket) => Ok(socket),
            Socket::Unix(socket) => Ok(socket),
            Socket::Other(transport) => Ok(transport),
            Socket::Gone => Err(gone()),
        }
    }
}

/// What comes of using a stream whose socket was taken out: the server does not, and others have no
/// such stream.
fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Tcp(socket) => socket.read(buffer),
            Socket::Unix(socket) => socket.read(buffer),
            Socket::Other(transport) => transport.read(buffer),
            Socket::Gone => Err(gone()),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Tcp(socket) => socket.write(bytes),
            Socket::Unix(socket) => socket.write(bytes),
            Socket::Other(transport) => transport.write(bytes),
            Socket::Gone => Err(gone()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.socket {
            Socket::Other(transport) => transport.flush(),
            // Sockets hold nothing back.
            Socket::Tcp(_) | Socket::Unix(_) | Socket::Gone => Ok(()),
        }
    }
}

impl Source for Stream {
    fn register(&mut self, poll: &Registry, token: Token, on: Interest) -> io::Result<()> {
        self.source()?.register(poll, token, on)
    }

    fn reregister(&mut self, poll: &Registry, token: Token, on: Interest) -> io::Result<()> {
        self.source()?.reregister(poll, token, on)
    }

    fn deregister(&mut self, poll: &Registry) -> io::Result<()> {
        self.source()?.deregister(poll)
    }
}

impl Transport for Stream {
    fn shut_down_writing(&mut self) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(socket) => socket.shut_down_writing(),
            Socket::Unix(socket) => socket.shut_down_writing(),
            Socket::Other(transport) => transport.shut_down_writing(),
            Socket::Gone => Err(gone()),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        // Responses are written whole, so waiting to fill a segment only adds delay. A socket that
        // is broken already says so at the first read.
        let _ = socket.set_nodelay(true);
        Self { socket: Socket::Tcp(socket) }
    }
}

impl From<UnixStream> for Stream {
    fn from(socket: UnixStream) -> Self {
        Self { socket: Socket::Unix(socket) }
    }
}

impl TryFrom<Stream> for TcpStream {
    type Error = Stream;

    /// # Errors
    ///
    /// The stream, if it is not a TCP socket.
    fn try_from(stream: Stream) -> Result<Self, Stream> {
        match stream.socket {
            Socket::Tcp(socket) => Ok(socket),
            socket => Err(Stream { socket }),
        }
    }
}

impl TryFrom<Stream> for UnixStream {
    type Error = Stream;

    /// # Errors
    ///
    /// The stream, if it is not a Unix socket.
    fn try_from(stream: Stream) -> Result<Self, Stream> {
        match stream.socket {
            Socket::Unix(socket) => Ok(socket),
            socket => Err(Stream { socket }),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Socket::Tcp(socket) => socket.fmt(f),
            Socket::Unix(socket) => socket.fmt(f),
            Socket::Other(_) | Socket::Gone => f.debug_struct("Stream").finish_non_exhaustive(),
        }
    }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn transfer(result: io::Result<usize>) -> Transfer {
    match result {
        Ok(0) => Transfer::Broken,
        Ok(n) => Transfer::Bytes(n),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Transfer::Blocked,
        Err(_) => Transfer::Broken,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// The peer, and ours.
    fn pair() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let peer = TcpStream::connect(listener.local_addr().expect("an address"));
        let (ours, _) = listener.accept().expect("a connection");
        ours.set_nonblocking(true).expect("a socket that does not block");
        (peer.expect("a connection"), mio::net::TcpStream::from_std(ours).into())
    }

    /// It would be a packet more, which is what this is for.
    #[test]
    fn the_last_bytes_wait_for_the_end() {
        let (mut peer, mut ours) = pair();
        peer.set_nonblocking(true).expect("a socket that does not block");
        // The kernel holds them back for 200 ms, and a machine may be busy for longer.
        let waited = (0..10).any(|_| {
            assert_eq!(ours.write_last(b"bye"), Transfer::Bytes(3));
            peer.read(&mut [0; 64]).is_err()
        });
        assert!(waited);
        peer.set_nonblocking(false).expect("a socket that blocks");
        ours.shut_down_writing();
        let mut rest = String::new();
        peer.read_to_string(&mut rest).expect("the end");
        assert!(rest.ends_with("bye"), "{rest}");
    }
}
