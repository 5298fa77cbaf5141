//! No descriptor is kept. One test, as it counts those of the whole process.

mod common;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use common::{App, GET, Seen, TOKENS, World, secs};
use mio::Poll;
use netserver::{Host, Server, Tokens};
use timerwheel::Timers;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("proc").count()
}

#[test]
fn descriptors_are_back_at_baseline_after_every_way_to_end() {
    let (poll, now) = (Poll::new().unwrap(), Instant::now());
    let registry = Arc::new(poll.registry().try_clone().unwrap());
    let mut timers = Timers::new(now);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = |timers: &mut Timers<u8>, address| {
        let host = Host { registry: &registry, tokens: Tokens::new(TOKENS), timers, timer: 7, now };
        Server::builder(App(Seen::default())).bind(address, host)
    };

    let before = descriptors();
    for _ in 0..50 {
        bind(&mut timers, taken.local_addr().unwrap()).expect_err("the port is taken");
        assert_eq!(descriptors(), before, "a failed bind");
        let server = bind(&mut timers, "127.0.0.1:0".parse().unwrap()).expect("a free port");
        assert_eq!(descriptors(), before + 1, "the listener, and the poll is shared");
        drop(server);
        assert_eq!(descriptors(), before, "dropped while listening");
    }

    let mut world = World::new();
    let listening = descriptors();
    let mut clients: Vec<_> = (0..50).map(|_| world.client_sending(GET)).collect();
    clients
        .extend((0..50).map(|_| world.client_sending(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n")));
    assert_eq!(descriptors(), listening + 200, "both ends of each connection");
    world.server.close(secs(1), world.now);
    world.pass(secs(3));
    drop(clients);
    world.settle();
    world.assert_empty();
    assert!(descriptors() < listening, "the listener is gone too");
    drop(world);
    assert_eq!(descriptors(), before);
}
