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

/// Ours with deadlines that slow clients miss.
pub(crate) const WITH_SLOW_CLIENTS: [Peer; 2] = [
    Peer { name: "interval", serve: netserver::serve_slow },
    Peer { name: "exact", serve: netserver::serve_slow_exactly },
];

/// Ours on as many threads, with a handler that has something to do.
pub(crate) const LOOPS: [Peer; 2] = [
    Peer { name: "one loop", serve: netserver::serve_one_loop },
    Peer { name: "two loops", serve: netserver::serve_two_loops },
];

pub(crate) use netserver::workers;

/// One of them all, by its name.
pub(crate) fn find(name: &str) -> Option<Peer> {
    let all = ALL.into_iter().chain(WITH_SLOW_CLIENTS).chain(LOOPS);
    all.into_iter().find(|peer| peer.name == name)
}

/// The floor.
pub(crate) const BARE: Peer = ALL[0];

/// Ours.
pub(crate) const NETSERVER: Peer = ALL[1];

/// What all of them answer.
const BODY: &str = "Hello, World!";
