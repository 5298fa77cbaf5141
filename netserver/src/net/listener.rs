//! A listening socket: made by socket2, because mio sets neither the backlog nor `SO_REUSEPORT`.

use std::io;
use std::net::SocketAddr;

use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::Stream;

/// How to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenOptions {
    /// Connections waiting to be accepted, as told to the kernel.
    pub backlog: u32,
    /// Whether other sockets may listen on the same address, and the kernel shares connections
    /// out among them: one per worker.
    pub reuse_port: bool,
    /// Whether an IPv6 socket takes IPv4 connections too. `None` leaves it to the system.
    pub dual_stack: Option<bool>,
}

#[derive(Debug)]
pub(crate) struct Listener {
    socket: mio::net::TcpListener,
    address: SocketAddr,
}

/// What came of an accept.
#[derive(Debug)]
pub(crate) enum Accept {
    Connection(Stream, SocketAddr),
    /// Nobody is waiting.
    Empty,
    /// The process or the system is out of descriptors or memory; somebody may be waiting.
    Exhausted,
}

impl Listener {
    /// Binds and listens. Nothing is left behind by a failure: the socket closes itself.
    pub(crate) fn bind(address: SocketAddr, options: ListenOptions) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // So that a restart is not kept out by connections in TIME_WAIT; never lets two listen.
        socket.set_reuse_address(true)?;
        if options.reuse_port {
            socket.set_reuse_port(true)?;
        }
        if let (SocketAddr::V6(_), Some(dual_stack)) = (address, options.dual_stack) {
            socket.set_only_v6(!dual_stack)?;
        }
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        let socket: std::net::TcpListener = socket.into();
        let address = socket.local_addr()?;
        Ok(Self { socket: mio::net::TcpListener::from_std(socket), address })
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    pub(crate) fn accept(&self) -> Accept {
        loop {
            let error = match self.socket.accept() {
                Ok((stream, peer)) => return Accept::Connection(Stream::new(stream), peer),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::WouldBlock => return Accept::Empty,
                // It was gone before it was accepted: the next one, please. accept(2) names the
                // network errors that belong to the connection and not to the listener.
                io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::TimedOut => {}
                _ => return Accept::Exhausted,
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
