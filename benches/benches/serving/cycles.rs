//! What it costs to build a server, and to bind one and close it again: on a loop that is there.

use std::hint::black_box;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Poll;
use netserver::{Handler, Host, Reply, Request, Server, Tokens};
use timerwheel::Timers;

struct Unasked;

impl Handler for Unasked {
    fn on_request(&mut self, _: &Request<'_>, _: Reply<'_>) {
        unreachable!("nobody asks");
    }
}

/// Time per server that is built and dropped, never bound.
pub(crate) fn build(times: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        drop(black_box(Server::builder(Unasked)));
    }
    start.elapsed() / times
}

/// A port that is free, for those who bind it again and again.
pub(crate) fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// Cycles of bind and close in a second. Nothing may be left of them.
pub(crate) fn ours(address: SocketAddr, time: Duration) -> f64 {
    let poll = Poll::new().expect("a poll");
    let registry = Arc::new(poll.registry().try_clone().expect("a descriptor"));
    let now = Instant::now();
    let mut timers = Timers::new(now);
    let per_second = per_second(time, || {
        let host = Host {
            registry: &registry,
            tokens: Tokens::new(0..1000),
            timers: &mut timers,
            timer: (),
            now,
        };
        drop(Server::builder(Unasked).bind(address, host).expect("its port"));
    });
    assert_eq!(timers.len(), 0, "a server has left a timer behind");
    per_second
}

/// The same of hyper's usual set-up: a listener of tokio's, on a reactor that runs.
pub(crate) fn hyper(address: SocketAddr, time: Duration) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        per_second(time, || {
            let listener = TcpListener::bind(address).expect("its port");
            listener.set_nonblocking(true).expect("nonblocking");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a reactor");
            let builder = hyper::server::conn::http1::Builder::new();
            drop(black_box((listener, builder)));
        })
    })
}

fn per_second(time: Duration, mut cycle: impl FnMut()) -> f64 {
    let (start, mut cycles) = (Instant::now(), 0_u32);
    while start.elapsed() < time {
        cycle();
        cycles += 1;
    }
    f64::from(cycles) / start.elapsed().as_secs_f64()
}
