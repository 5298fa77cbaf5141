//! Ours, with all its timeouts on, and ours as it is measured beside itself.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Duration;

use netserver::{
    ConnectionCheck, EventLoop, Handler, Limits, Reply, Request, Response, Server, ServerBuilder,
    Status, Timeouts, Workers,
};

use crate::serving::slow;

struct Hello;

impl Handler for Hello {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        answer(reply);
    }
}

/// Takes a few hundred microseconds to answer, so that next to it a client costs little.
struct Thinker;

impl Handler for Thinker {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        let think = |so_far: u64, step| so_far.rotate_left(5) ^ black_box(step);
        black_box((0..500_000).fold(0, think));
        answer(reply);
    }
}

fn answer(reply: Reply<'_>) {
    let fields = [("Content-Type", "text/plain")];
    reply.send(Response::new(Status::OK).fields(&fields).body(super::BODY.as_bytes()));
}

pub(super) fn serve(announce: fn(u16)) {
    run(Server::builder(Hello), announce);
}

/// For slow clients, with a check at an interval.
pub(super) fn serve_slow(announce: fn(u16)) {
    run(with_slow_clients(ConnectionCheck::Interval(slow::INTERVAL)), announce);
}

/// For slow clients, with a check when the next deadline passes.
pub(super) fn serve_slow_exactly(announce: fn(u16)) {
    run(with_slow_clients(ConnectionCheck::Exact), announce);
}

fn with_slow_clients(check: ConnectionCheck) -> ServerBuilder<Hello> {
    let timeout = slow::timeout();
    let timeouts = Timeouts { headers: timeout, request: timeout, check, ..Timeouts::default() };
    // It is the time that is to end them, not that they are slow.
    let limits = Limits { min_body_rate: 0, connections: 0, ..Limits::default() };
    Server::builder(Hello).timeouts(timeouts).limits(limits)
}

fn run<H: Handler>(builder: ServerBuilder<H>, announce: fn(u16)) {
    let address = "127.0.0.1:0".parse().expect("an address");
    let event_loop = EventLoop::bind(address, |_| builder).expect("bind");
    announce(event_loop.local_addr().expect("a TCP listener").port());
    event_loop.run().expect("the loop");
}

pub(super) fn serve_one_loop(announce: fn(u16)) {
    think(1, announce);
}

pub(super) fn serve_two_loops(announce: fn(u16)) {
    think(2, announce);
}

fn think(loops: usize, announce: fn(u16)) {
    let workers = workers(loops);
    announce(workers.local_addr().expect("a TCP listener").port());
    std::thread::sleep(Duration::MAX);
}

/// So many loops, on a free port.
pub(crate) fn workers(loops: usize) -> Workers {
    let address = "127.0.0.1:0".parse().expect("an address");
    let loops = NonZeroUsize::new(loops).expect("at least one");
    Workers::start(address, loops, |_| Server::builder(Thinker), || ()).expect("a free port")
}
