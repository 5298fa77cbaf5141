//! A connection's socket. What comes of a read or a write is a value, errors included.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::{Interest, Registry, Token};

#[derive(Debug)]
pub(crate) struct Stream {
    socket: mio::net::TcpStream,
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
    pub(crate) fn new(socket: mio::net::TcpStream) -> Self {
        // Responses are written whole, so waiting to fill a segment only adds delay. A socket that
        // is broken already says so at the first read.
        let _ = socket.set_nodelay(true);
        Self { socket }
    }

    /// For both directions and once: edges tell what changes, and nothing is registered again for
    /// the life of the connection.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Transfer {
        match retry(|| self.socket.read(buffer)) {
            Ok(0) => Transfer::End,
            result => transfer(result),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Transfer {
        transfer(retry(|| self.socket.write(bytes)))
    }

    /// Sends FIN; the peer may go on sending.
    pub(crate) fn shut_down_writing(&self) {
        // Fails only if the connection is gone, which the next read says.
        let _ = self.socket.shutdown(Shutdown::Write);
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
