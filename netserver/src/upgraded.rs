//! A connection that has left the server: its socket is the handler's, and it counts all the same.
//!
//! ```text
//!  Reply::hand_over ─► 101 is written ─► Handler::on_upgrade(Upgraded { stream, read, lease })
//!  Server::close ──────► Lease::is_draining, on_drain                            │
//!  grace has passed ───► both directions are shut down                           ▼
//!  Server::turn ◄─────── the connection has ended ◄────────────────── the lease is dropped
//! ```

use std::fmt;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket2::SockRef;

use crate::context::ConnId;
use crate::net::Stream;
use crate::reply::{Ticket, guarded};

/// A connection that is the handler's: what [`Reply::hand_over`](crate::Reply::hand_over) leads to.
///
/// It stays among the server's connections, with its seat under the limit and in the phase
/// [`Upgraded`](crate::Phase::Upgraded), until the lease is dropped. The server has no deadline for
/// it: what is silent for too long is for the owner to see.
#[derive(Debug)]
#[non_exhaustive]
pub struct Upgraded {
    /// What [`Reply::hand_over`](crate::Reply::hand_over) has returned.
    pub ticket: Ticket,
    /// The peer's address, where the transport has one.
    pub peer: Option<SocketAddr>,
    /// The socket. It does not block, and is registered with no poll.
    pub stream: Stream,
    /// What the peer has sent after its request, and the server has read: the first bytes of the
    /// other protocol.
    pub read: Vec<u8>,
    /// Keep it as long as the stream.
    pub lease: Lease,
}

/// Keeps an upgraded connection among those of its server. Drop it when the stream is closed: on
/// the server's thread this is noticed in the same turn, otherwise at the next connection check.
#[must_use = "dropping it tells the server that the connection has ended"]
pub struct Lease(Arc<Leased>);

/// The server's side of a lease.
pub(crate) struct Leased {
    id: ConnId,
    ended: Sender<ConnId>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    draining: bool,
    on_drain: Option<Box<dyn FnOnce() + Send>>,
    /// A second descriptor of the socket, to shut it down by.
    socket: Option<OwnedFd>,
}

impl Lease {
    /// The connection, as the server names it.
    pub fn connection(&self) -> ConnId {
        self.0.id
    }

    /// Whether the server is closing, and waits for this connection to end.
    pub fn is_draining(&self) -> bool {
        self.0.state().draining
    }

    /// Calls this when the server begins to close, on its thread; now if it has begun. It replaces
    /// what was to be called before. Something short, such as to wake the owner's loop.
    pub fn on_drain(&self, call: impl FnOnce() + Send + 'static) {
        let mut state = self.0.state();
        if state.draining {
            drop(state);
            return call();
        }
        state.on_drain = Some(Box::new(call));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let state = std::mem::take(&mut *self.0.state());
        // The server may have gone before.
        let _ = self.0.ended.send(self.0.id);
        drop(state);
    }
}

impl Leased {
    /// Leases the stream out. The server can shut down a socket, but not a stream of another kind,
    /// nor if it is out of descriptors: then the owner is only told.
    pub(crate) fn new(id: ConnId, stream: &Stream, ended: Sender<ConnId>) -> (Arc<Self>, Lease) {
        let socket = stream.descriptor().and_then(|fd| fd.try_clone_to_owned().ok());
        let state = Mutex::new(State { socket, ..State::default() });
        let leased = Arc::new(Self { id, ended, state });
        (Arc::clone(&leased), Lease(leased))
    }

    /// The server is closing.
    pub(crate) fn drain(&self) {
        let mut state = self.state();
        state.draining = true;
        let on_drain = state.on_drain.take();
        drop(state);
        if let Some(call) = on_drain {
            // A panic is reported by the hook, and the server closes all the same.
            let _ = guarded(call);
        }
    }

    /// The server waits no longer.
    pub(crate) fn force(&self) {
        self.drain();
        if let Some(socket) = self.state().socket.take() {
            // Fails only if the connection is gone already.
            let _ = SockRef::from(&socket).shutdown(Shutdown::Both);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody else's code runs while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("connection", &self.0.id)
            .field("draining", &self.is_draining())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Leased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased").field("id", &self.id).finish_non_exhaustive()
    }
}
