//! What the binary listens on: an address, a Unix socket, or what a service manager has opened.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use listenfd::ListenFd;
use netserver::{Handler, Listener, LoopLinks, ServerBuilder, Workers};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// The value of `--listen`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Listen {
    Address(SocketAddr),
    Unix(PathBuf),
    /// By the protocol of systemd: `LISTEN_FDS`.
    Inherited,
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some("") => Err("unix: is followed by a path, as in unix:/run/netserver.sock"),
            Some(path) => Ok(Self::Unix(path.into())),
            None if text == "systemd" => Ok(Self::Inherited),
            None => text.parse().map(Self::Address).map_err(|_| {
                "it is an address and a port, as in 127.0.0.1:8080 or [::1]:8080; or unix:PATH, or \
                 systemd"
            }),
        }
    }
}

impl Listen {
    /// Starts that many loops, for each socket if several are inherited. The file of a Unix socket
    /// goes when what comes beside the workers is dropped.
    pub(crate) fn start<H: Handler>(
        &self,
        threads: NonZeroUsize,
        build: impl Fn(LoopLinks) -> ServerBuilder<H> + Send + Sync + 'static,
        on_end: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<(Workers, Option<SocketFile>)> {
        let (listeners, file) = match self {
            Self::Address(address) => {
                return Ok((Workers::start(*address, threads, build, on_end)?, None));
            }
            Self::Unix(path) => {
                let (socket, file) = bind(path).map_err(|error| {
                    let reason = format!("cannot listen on unix:{}: {error}", path.display());
                    io::Error::new(error.kind(), reason)
                })?;
                (share(&Inherited::Unix(socket), threads)?, Some(file))
            }
            Self::Inherited => (inherit(ListenFd::from_env(), threads)?, None),
        };
        Ok((Workers::listen_on(listeners, build, on_end)?, file))
    }
}

/// The file of a Unix socket that this process has bound. It is removed when this is dropped, if
/// it is still that one.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        let file = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: file.dev(), inode: file.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Ok(now) = fs::symlink_metadata(&self.path)
            && (now.dev(), now.ino()) == (self.device, self.inode)
        {
            // It may have been removed meanwhile, which is as well.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds a Unix socket, in place of one that nobody listens on any more.
fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let socket = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            ensure_stale(path)?;
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        result => result?,
    };
    let file = SocketFile::at(path)?;
    Ok((socket, file))
}

/// Whether what is at the path was left behind by a process that has ended.
fn ensure_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        let reason = "there is a file of that name which is not a socket; remove it, or listen on \
                      another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
    }
    let client = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A queue that is full must not hold this up; it is somebody's.
    client.set_nonblocking(true)?;
    match client.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
    }
}

/// A socket that listens, to be shared by loops.
enum Inherited {
    Tcp(TcpListener),
    Unix(UnixListener),
}

fn inherit(mut passed: ListenFd, threads: NonZeroUsize) -> io::Result<Vec<Listener>> {
    let error = |reason: String| Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    if passed.len() == 0 {
        return error(
            "cannot listen on sockets of a service manager: none were passed to this process \
             (LISTEN_FDS); start it by a .socket unit or systemd-socket-activate, or let --listen \
             be an address"
                .to_owned(),
        );
    }
    let mut listeners = Vec::new();
    for index in 0..passed.len() {
        let socket = match passed.take_tcp_listener(index) {
            Ok(Some(socket)) => Inherited::Tcp(socket),
            _ => match passed.take_unix_listener(index) {
                Ok(Some(socket)) => Inherited::Unix(socket),
                _ => return error(format!("socket {index} of those passed is no stream socket")),
            },
        };
        let listens = match &socket {
            Inherited::Tcp(socket) => SockRef::from(socket).is_listener(),
            Inherited::Unix(socket) => SockRef::from(socket).is_listener(),
        };
        if !listens? {
            return error(format!(
                "socket {index} of those passed does not listen: its .socket unit needs Accept=no"
            ));
        }
        listeners.extend(share(&socket, threads)?);
    }
    Ok(listeners)
}

/// A duplicate of the socket for each loop.
fn share(socket: &Inherited, threads: NonZeroUsize) -> io::Result<Vec<Listener>> {
    let duplicate = |_| match socket {
        Inherited::Tcp(socket) => {
            socket.set_nonblocking(true)?;
            Listener::try_from(mio::net::TcpListener::from_std(socket.try_clone()?))
        }
        Inherited::Unix(socket) => {
            socket.set_nonblocking(true)?;
            Listener::try_from(mio::net::UnixListener::from_std(socket.try_clone()?))
        }
    };
    (0..threads.get()).map(duplicate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_an_address_a_path_or_the_service_managers() {
        let parse = |text: &str| text.parse::<Listen>();
        let address = |text: &str| Listen::Address(text.parse().expect(text));
        assert_eq!(parse("127.0.0.1:8080"), Ok(address("127.0.0.1:8080")));
        assert_eq!(parse("[::]:0"), Ok(address("[::]:0")));
        assert_eq!(parse("unix:/run/x.sock"), Ok(Listen::Unix("/run/x.sock".into())));
        assert_eq!(parse("unix:x"), Ok(Listen::Unix("x".into())));
        assert_eq!(parse("systemd"), Ok(Listen::Inherited));
        for text in ["", "unix:", "8080", "localhost:80", "/run/x.sock", "http://127.0.0.1:80"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
