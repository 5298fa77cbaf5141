//! A listening socket: made by socket2, because mio sets neither the backlog nor `SO_REUSEPORT`.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token, event};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::{Incoming, Stream};

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

/// Where a server gets its connections from: a TCP or Unix socket that listens and does not block
/// (mio's do not), or whatever else is [`Incoming`].
///
/// A socket inherited from a supervisor is
/// `Listener::try_from(mio::net::TcpListener::from_std(listener))`, once `set_nonblocking(true)` is
/// done.
pub struct Listener {
    socket: Listening,
    endpoint: Endpoint,
}

/// `TCP_NODELAY`, which connections have from their listener: a system call less for each. The
/// listener is told when the first of them comes, so that one that none comes to is spared it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NoDelay {
    /// Told of nothing.
    Unset,
    /// Those who waited by then have to be told themselves.
    Set,
    /// Nobody is left of those.
    Inherited,
}

/// The usual kinds by name, as of [`Stream`].
enum Listening {
    Tcp(TcpListener, NoDelay),
    Unix(UnixListener),
    Other(Box<dyn Incoming + Send>),
}

/// What a server listens on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Endpoint {
    /// An address and its port.
    Ip(SocketAddr),
    /// A Unix socket; its path, if it has one.
    Unix(Option<PathBuf>),
    /// Something else, or nothing.
    Other,
}

/// What came of an accept.
#[derive(Debug)]
pub(crate) enum Accept {
    Connection(Stream, Option<SocketAddr>),
    /// Nobody is waiting.
    Empty,
    /// The process or the system is out of descriptors or memory; somebody may be waiting.
    Exhausted,
}

impl Listener {
    /// Binds a TCP socket and listens. Nothing is left behind by a failure: the socket closes
    /// itself.
    ///
    /// # Errors
    ///
    /// What the system says: the address is taken, is not this machine's, may not be used.
    pub fn bind(address: SocketAddr, options: ListenOptions) -> io::Result<Self> {
        let socket = socket(Domain::for_address(address), Some(Protocol::TCP))?;
        // So that a restart is not kept out by connections in TIME_WAIT; never lets two listen.
        socket.set_reuse_address(true)?;
        if options.reuse_port {
            socket.set_reuse_port(true)?;
        }
        if let (SocketAddr::V6(_), Some(dual_stack)) = (address, options.dual_stack) {
            socket.set_only_v6(!dual_stack)?;
        }
        socket.bind(&address.into())?;
        listen(&socket, options.backlog)?;
        let socket = TcpListener::from_std(socket.into());
        // Only a port that the system has chosen has to be asked for.
        let address = if address.port() == 0 { socket.local_addr()? } else { address };
        Ok(Self::tcp(socket, address, NoDelay::Unset))
    }

    fn tcp(socket: TcpListener, address: SocketAddr, nodelay: NoDelay) -> Self {
        Self { socket: Listening::Tcp(socket, nodelay), endpoint: Endpoint::Ip(address) }
    }

    /// Binds a Unix socket and listens. The file is made by it and stays when it is dropped:
    /// whoever made the path knows when to remove it.
    ///
    /// # Errors
    ///
    /// What the system says: the file is there already (even if nobody listens), its directory is
    /// not, the path is longer than 107 bytes.
    pub fn bind_unix(path: impl AsRef<Path>, backlog: u32) -> io::Result<Self> {
        let socket = socket(Domain::UNIX, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        listen(&socket, backlog)?;
        Self::try_from(UnixListener::from_std(socket.into()))
    }

    /// A listener of another kind.
    pub fn new(incoming: impl Incoming + Send + 'static) -> Self {
        Self { socket: Listening::Other(Box::new(incoming)), endpoint: Endpoint::Other }
    }

    /// No listener: connections come by [`Server::adopt`](crate::Server::adopt) alone.
    pub fn none() -> Self {
        Self::new(Nobody)
    }

    /// What it listens on.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(self.source(), token, Interest::READABLE)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        // Fails only if it was not registered, which is what is wanted.
        let _ = registry.deregister(self.source());
    }

    /// Has the poll tell once more if somebody waits. False if it does not.
    pub(crate) fn remind(&mut self, registry: &Registry, token: Token) -> bool {
        let may = match self.socket {
            // That nobody is left who has to be told is found out by accepting.
            Listening::Tcp(_, nodelay) => nodelay == NoDelay::Inherited,
            Listening::Unix(_) => true,
            Listening::Other(_) => false,
        };
        // So it is with epoll: EPOLL_CTL_MOD of what is ready is an event.
        cfg!(target_os = "linux")
            && may
            && registry.reregister(self.source(), token, Interest::READABLE).is_ok()
    }

    pub(crate) fn accept(&mut self) -> Accept {
        loop {
            let accepted = match &mut self.socket {
                Listening::Tcp(socket, nodelay) => {
                    // Should it fail, each connection is told.
                    if *nodelay == NoDelay::Unset
                        && SockRef::from(&*socket).set_tcp_nodelay(true).is_ok()
                    {
                        *nodelay = NoDelay::Set;
                    }
                    let inherited = *nodelay == NoDelay::Inherited;
                    socket.accept().map(|(it, peer)| (Stream::accepted(it, inherited), Some(peer)))
                }
                Listening::Unix(socket) => socket.accept().map(|(it, _)| (it.into(), None)),
                Listening::Other(incoming) => incoming.accept(),
            };
            let error = match accepted {
                Ok((stream, peer)) => return Accept::Connection(stream, peer),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::WouldBlock => {
                    if let Listening::Tcp(_, nodelay @ NoDelay::Set) = &mut self.socket {
                        *nodelay = NoDelay::Inherited;
                    }
                    return Accept::Empty;
                }
                // It was gone before it was accepted: the next one, please.
                _ if is_of_the_connection(&error) => {}
                _ => return Accept::Exhausted,
            }
        }
    }

    fn source(&mut self) -> &mut dyn event::Source {
        match &mut self.socket {
            Listening::Tcp(socket, _) => socket,
            Listening::Unix(socket) => socket,
            Listening::Other(incoming) => incoming,
        }
    }
}

/// Whether an error belongs to the connection and not to the listener: an interrupted call, a peer
/// that has gone, and what accept(2) of Linux passes on of a connection's own network errors.
fn is_of_the_connection(error: &io::Error) -> bool {
    let kind = matches!(
        error.kind(),
        io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut
    );
    kind || error.raw_os_error().is_some_and(|code| UNNAMED.contains(&code))
}

/// Those of accept(2) that `std` has no name for.
#[cfg(target_os = "linux")]
const UNNAMED: [i32; 5] =
    [libc::ENONET, libc::EPROTO, libc::ENOPROTOOPT, libc::EOPNOTSUPP, libc::EHOSTDOWN];
#[cfg(not(target_os = "linux"))]
const UNNAMED: [i32; 0] = [];

/// A listener that is to be opened, or that is there already.
#[derive(Debug)]
pub(crate) enum Source {
    Address(SocketAddr),
    Listener(Listener),
}

impl Source {
    pub(crate) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Address(address) => Endpoint::Ip(*address),
            Self::Listener(listener) => listener.endpoint.clone(),
        }
    }

    pub(crate) fn open(self, options: ListenOptions) -> io::Result<Listener> {
        match self {
            Self::Address(address) => Listener::bind(address, options),
            Self::Listener(listener) => Ok(listener),
        }
    }
}

/// A socket that does not block.
fn socket(domain: Domain, protocol: Option<Protocol>) -> io::Result<Socket> {
    // Linux makes it so at once, which saves two system calls.
    #[cfg(target_os = "linux")]
    return Socket::new(domain, Type::STREAM.nonblocking(), protocol);
    #[cfg(not(target_os = "linux"))]
    {
        let socket = Socket::new(domain, Type::STREAM, protocol)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

fn listen(socket: &Socket, backlog: u32) -> io::Result<()> {
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))
}

impl TryFrom<TcpListener> for Listener {
    type Error = io::Error;

    /// # Errors
    ///
    /// If the socket cannot name its address, or is none of TCP.
    fn try_from(socket: TcpListener) -> io::Result<Self> {
        let address = socket.local_addr()?;
        // Told at once: what is none of TCP says so by that.
        SockRef::from(&socket).set_tcp_nodelay(true)?;
        Ok(Self::tcp(socket, address, NoDelay::Set))
    }
}

impl TryFrom<UnixListener> for Listener {
    type Error = io::Error;

    /// # Errors
    ///
    /// If the socket cannot name its address.
    fn try_from(socket: UnixListener) -> io::Result<Self> {
        let path = socket.local_addr()?.as_pathname().map(Path::to_owned);
        Ok(Self { socket: Listening::Unix(socket), endpoint: Endpoint::Unix(path) })
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// The address, if it is one.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] for all that has no internet address.
    pub fn ip(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Ip(address) => Ok(*address),
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("the server listens on {self}, which is not an IP address"),
            )),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Self::Unix(None) => f.write_str("an unnamed Unix socket"),
            Self::Other => f.write_str("a listener of its own kind"),
        }
    }
}

/// Where nobody ever comes from.
#[derive(Debug)]
struct Nobody;

impl Incoming for Nobody {
    fn accept(&mut self) -> io::Result<(Stream, Option<SocketAddr>)> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl event::Source for Nobody {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpStream, UdpSocket};
    use std::os::fd::OwnedFd;

    use super::*;

    /// It would never accept anybody, and nobody would know why.
    #[test]
    fn a_socket_that_is_none_of_tcp_is_no_listener() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let socket = std::net::TcpListener::from(OwnedFd::from(socket));
        assert!(Listener::try_from(TcpListener::from_std(socket)).is_err());
    }

    /// Who waits when the listener is told does not have it from there.
    #[test]
    fn every_connection_sends_without_delay() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = ListenOptions { backlog: 16, reuse_port: false, dual_stack: None };
        let mut listener = Listener::bind(any, options).expect("a listener");
        let address = listener.endpoint().ip().expect("an address");
        for round in 0..3 {
            let clients = [(); 2].map(|()| TcpStream::connect(address).expect("a connection"));
            for _ in clients {
                let Accept::Connection(stream, _) = listener.accept() else { panic!("none came") };
                let socket = stream.descriptor().expect("a socket");
                assert!(SockRef::from(&socket).tcp_nodelay().expect("an option"), "round {round}");
            }
            assert!(matches!(listener.accept(), Accept::Empty));
        }
        assert!(matches!(listener.socket, Listening::Tcp(_, NoDelay::Inherited)));
    }
}
