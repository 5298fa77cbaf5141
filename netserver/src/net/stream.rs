//! A connection's socket. What comes of a read or a write is a value, errors included.

use std::fmt;
use std::io::{self, Read, Write};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::Transport;

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

    /// A connection from a listener that has been told of `TCP_NODELAY`.
    pub(crate) fn accepted(socket: TcpStream) -> Self {
        if cfg!(target_os = "linux") {
            // It has the option from its listener: a system call less per connection.
            Self { socket: Socket::Tcp(socket) }
        } else {
            socket.into()
        }
    }

    /// For both directions and once: edges tell what changes, and nothing is registered again for
    /// the life of the connection.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(self.source(), token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Takes it out of the poll: sockets leave by being closed, other sources may not.
    pub(crate) fn deregister(&mut self, registry: &Registry) {
        if let Socket::Other(transport) = &mut self.socket {
            // Fails only if it was not registered, which is what is wanted.
            let _ = registry.deregister(transport);
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Transfer {
        let result = retry(|| match &mut self.socket {
            Socket::Tcp(socket) => socket.read(buffer),
            Socket::Unix(socket) => socket.read(buffer),
            Socket::Other(transport) => transport.read(buffer),
        });
        match result {
            Ok(0) => Transfer::End,
            result => transfer(result),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Transfer {
        transfer(retry(|| match &mut self.socket {
            Socket::Tcp(socket) => socket.write(bytes),
            Socket::Unix(socket) => socket.write(bytes),
            Socket::Other(transport) => transport.write(bytes),
        }))
    }

    /// Sends FIN; the peer may go on sending.
    pub(crate) fn shut_down_writing(&mut self) {
        // Fails only if the connection is gone, which the next read says.
        let _ = match &mut self.socket {
            Socket::Tcp(socket) => socket.shut_down_writing(),
            Socket::Unix(socket) => socket.shut_down_writing(),
            Socket::Other(transport) => transport.shut_down_writing(),
        };
    }

    fn source(&mut self) -> &mut dyn Source {
        match &mut self.socket {
            Socket::Tcp(socket) => socket,
            Socket::Unix(socket) => socket,
            Socket::Other(transport) => transport,
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

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Socket::Tcp(socket) => socket.fmt(f),
            Socket::Unix(socket) => socket.fmt(f),
            Socket::Other(_) => f.debug_struct("Stream").finish_non_exhaustive(),
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
