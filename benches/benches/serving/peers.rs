//! The peers. Each binds to a free port of loopback, says which, and answers every request with the
//! same thirteen bytes, on one thread, until it is killed.

mod actix;
mod bare;
mod hyper;
mod netserver;

/// A server that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Serves; `announce` is to be called with the port.
    pub(crate) serve: fn(announce: fn(u16)),
}

/// The bare loop first: it is the floor that the others are measured against.
pub(crate) const ALL: [Peer; 4] = [
    Peer { name: "bare mio loop", serve: bare::serve },
    Peer { name: "netserver", serve: netserver::serve },
    Peer { name: "hyper", serve: hyper::serve },
    Peer { name: "actix-web", serve: actix::serve },
];

/// What all of them answer.
const BODY: &str = "Hello, World!";
