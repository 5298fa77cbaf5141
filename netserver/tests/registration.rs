//! When the one timer of a server is armed, and that nothing is left of it.

mod common;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{App, GET, OK, Seen, TOKENS, World, secs};
use mio::{Poll, Registry};
use netserver::{ConnectionCheck, Host, Server, Timeouts, Tokens};
use timerwheel::Timers;

/// The poll has to be there as long as it is used.
fn poll() -> (Poll, Arc<Registry>) {
    let poll = Poll::new().expect("a poll");
    let registry = Arc::new(poll.registry().try_clone().expect("a descriptor"));
    (poll, registry)
}

fn host<'a>(registry: &'a Arc<Registry>, timers: &'a mut Timers<u8>, now: Instant) -> Host<'a, u8> {
    Host { registry, tokens: Tokens::new(TOKENS), timers, timer: 7, now }
}

#[test]
fn ten_thousand_servers_that_never_listen_arm_nothing() {
    let mut timers = Timers::<u8>::new(Instant::now());
    let kept: Vec<_> = (0..10_000).map(|_| Server::builder(App(Seen::default()))).collect();
    assert_eq!(timers.len(), 0);
    drop(kept);
    assert_eq!((timers.len(), timers.counters().armed), (0, 0));
}

#[test]
fn a_failed_bind_leaves_nothing_and_the_builder_can_try_again() {
    let ((_poll, registry), now) = (poll(), Instant::now());
    let mut timers = Timers::new(now);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let builder = Server::builder(App(Seen::default()));
    let error = builder
        .bind(taken.local_addr().unwrap(), host(&registry, &mut timers, now))
        .expect_err("the port is taken");
    let said = error.to_string();
    let address = taken.local_addr().unwrap().to_string();
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
    assert_eq!((timers.len(), timers.counters().armed), (0, 0));
    let server = error
        .into_builder()
        .bind("127.0.0.1:0".parse().unwrap(), host(&registry, &mut timers, now))
        .expect("a free port");
    assert_eq!((timers.len(), server.timer_entries()), (1, 1));
}

#[test]
fn a_check_interval_of_zero_is_refused_before_anything_is_opened() {
    let ((_poll, registry), now) = (poll(), Instant::now());
    let mut timers = Timers::new(now);
    let check = ConnectionCheck::Interval(Duration::ZERO);
    let timeouts = Timeouts { check, ..Timeouts::default() };
    let error = Server::builder(App(Seen::default()))
        .timeouts(timeouts)
        .bind("127.0.0.1:0".parse().unwrap(), host(&registry, &mut timers, now))
        .expect_err("a rule is broken");
    assert_eq!(error.to_string(), "check_interval is 0s: it must be longer than 0");
    assert!(error.io_error().is_none());
    assert_eq!(timers.counters().armed, 0);
}

#[test]
fn dropping_a_listening_server_disarms_it_without_a_turn_of_the_loop() {
    let ((_poll, registry), now) = (poll(), Instant::now());
    let mut timers = Timers::new(now);
    for _ in 0..100 {
        let server = Server::builder(App(Seen::default()))
            .bind("127.0.0.1:0".parse().unwrap(), host(&registry, &mut timers, now))
            .expect("a free port");
        assert_eq!(timers.len(), 1);
        let address = server.local_addr().unwrap();
        drop(server);
        assert_eq!(timers.len(), 0);
        assert!(TcpListener::bind(address).is_ok(), "the port is free");
    }
}

#[test]
fn dropping_it_while_a_panic_unwinds_disarms_it_too() {
    let ((_poll, registry), now) = (poll(), Instant::now());
    let mut timers = Timers::new(now);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _server = Server::builder(App(Seen::default()))
            .bind("127.0.0.1:0".parse().unwrap(), host(&registry, &mut timers, now))
            .expect("a free port");
        panic!("as the test asked");
    }));
    assert!(outcome.is_err());
    assert_eq!(timers.len(), 0);
}

#[test]
fn a_server_can_be_closed_and_bound_again_and_its_deadlines_work() {
    let mut world = World::new();
    let address = world.address();
    for _ in 0..3 {
        world.server.close(secs(0), world.now);
        assert!(world.server.is_closed());
        assert_eq!(world.timers.len(), 0);
        let host = Host {
            registry: &Arc::new(world.poll.registry().try_clone().unwrap()),
            tokens: Tokens::new(TOKENS),
            timers: &mut world.timers,
            timer: "check",
            now: world.now,
        };
        let unbound = std::mem::replace(
            &mut world.server,
            Server::builder(App(world.seen.clone())).bind(address, host).expect("the port is free"),
        );
        drop(unbound);
        assert_eq!(world.timers.len(), 1);
        let mut client = world.client_sending(GET);
        assert_eq!(client.text(), OK);
        world.pass(Duration::from_millis(7_100));
        assert_eq!(client.state(), common::State::End, "idle");
    }
}

#[test]
fn an_expiry_that_was_popped_for_a_dropped_server_is_a_no_op() {
    let mut world = World::new();
    world.now += secs(2);
    world.timers.advance(world.now);
    let expiry = world.timers.pop_expired().expect("the check is due");
    let mut other = World::new();
    assert!(!other.server.on_timer(expiry.handle, other.now), "a stranger's timer");
    world.server.close(secs(0), world.now);
    assert!(!world.server.on_timer(expiry.handle, world.now), "it is gone");
}

#[test]
fn requests_cost_no_timer_operations() {
    let mut world = World::new();
    let mut client = world.client();
    let before = world.timers.counters();
    for _ in 0..1000 {
        client.send(GET);
        world.settle();
    }
    assert_eq!(client.answers(), 1000);
    let after = world.timers.counters();
    assert_eq!(
        (after.armed, after.cancelled, after.rescheduled_earlier + after.rescheduled_later),
        (before.armed, before.cancelled, before.rescheduled_earlier + before.rescheduled_later)
    );
}
