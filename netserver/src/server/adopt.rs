//! Connections that come by another way than the listener.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::Server;
use crate::context::ConnId;
use crate::handler::Handler;
use crate::net::{Ready, Stream};

/// Why a stream was not taken in. It has been closed.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdoptError {
    /// The server is closing.
    Closing,
    /// There are as many connections as [`Limits::connections`](crate::Limits::connections) or the
    /// range of tokens allows; the stream was treated as the settings say, and counted.
    Full,
    /// Too many connections from the peer's address or prefix have no complete head yet:
    /// [`Limits::pending_per_address`](crate::Limits::pending_per_address). Treated likewise.
    Crowded,
    /// The poll does not take it.
    Register(io::Error),
}

impl<H: Handler, T: Copy> Server<H, T> {
    /// Takes in a stream that was accepted elsewhere: a socket handed over by another process or
    /// loop, TLS, a pipe within the process. From here on it is a connection like all others, with
    /// its deadlines running from `now`.
    ///
    /// It may have ended by the time this returns, if all it had to say was there already.
    ///
    /// # Errors
    ///
    /// Why it was not taken in.
    ///
    /// ```
    /// # use std::io::{Read, Write};
    /// # use std::sync::Arc;
    /// # use std::time::Instant;
    /// # use netserver::{Handler, Host, Listener, Reply, Request, Response, Server, Status, Tokens};
    /// # struct Hello;
    /// # impl Handler for Hello {
    /// #     fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
    /// #         reply.send(Response::new(Status::OK).body(b"Hello, World!"));
    /// #     }
    /// # }
    /// # let poll = mio::Poll::new()?;
    /// # let now = Instant::now();
    /// # let mut timers = timerwheel::Timers::new(now);
    /// # let host = Host {
    /// #     registry: &Arc::new(poll.registry().try_clone()?),
    /// #     tokens: Tokens::new(0..1024),
    /// #     timers: &mut timers,
    /// #     timer: (),
    /// #     now,
    /// # };
    /// let mut server = Server::builder(Hello).listen_on(Listener::none(), host)?;
    ///
    /// let (mut client, ours) = std::os::unix::net::UnixStream::pair()?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: pipe\r\nConnection: close\r\n\r\n")?;
    /// ours.set_nonblocking(true)?;
    /// server.adopt(mio::net::UnixStream::from_std(ours), None, now)?;
    ///
    /// let mut answer = String::new();
    /// drop(server);
    /// client.read_to_string(&mut answer)?;
    /// assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn adopt(
        &mut self,
        stream: impl Into<Stream>,
        peer: Option<SocketAddr>,
        now: Instant,
    ) -> Result<ConnId, AdoptError> {
        if self.is_closing() {
            return Err(AdoptError::Closing);
        }
        let seat = self.take_seat();
        self.admit(stream.into(), peer, seat, false, true, now)
    }

    /// Says that a connection may be ready, for streams whose readiness does not come by the poll.
    /// False if it has ended. Beyond what a turn serves it stands in line, as after
    /// [`on_event`](Self::on_event).
    pub fn on_ready(&mut self, id: ConnId, ready: Ready, now: Instant) -> bool {
        let key = self.key_of(id);
        if let Some(key) = key {
            self.note_ready(key, ready, now);
        }
        key.is_some()
    }
}

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closing => f.write_str("the server is closing and takes no connections"),
            Self::Full => f.write_str("the server has as many connections as it may"),
            Self::Crowded => {
                f.write_str("too many connections from this address have sent no head")
            }
            Self::Register(error) => write!(f, "the poll does not take the stream: {error}"),
        }
    }
}

impl Error for AdoptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Register(error) => Some(error),
            Self::Closing | Self::Full | Self::Crowded => None,
        }
    }
}
