//! Mistakes that compile, made on purpose: each shows in a figure, as `docs/EMBEDDING.md` says.

mod asking;
mod common;

use std::sync::Arc;
use std::time::Instant;

use asking::localhost;
use common::{App, Client, GET, OK, Seen, World, millis, secs};
use mio::{Events, Poll};
use netserver::{Cause, ConnectionCheck, EventLoop, Host, Limits, Ready, Server, Timeouts, Tokens};
use timerwheel::Timers;

/// A poll with servers whose range of tokens is this, and nobody who turns them.
struct Bare {
    poll: Poll,
    timers: Timers<usize>,
    servers: Vec<Server<App, usize>>,
    now: Instant,
}

impl Bare {
    fn new(tokens: &[std::ops::Range<usize>], check: ConnectionCheck) -> Self {
        let (poll, now) = (Poll::new().expect("a poll"), Instant::now());
        let registry = Arc::new(poll.registry().try_clone().expect("a descriptor"));
        let mut timers = Timers::new(now);
        let servers = tokens.iter().enumerate().map(|(timer, tokens)| {
            let host = Host {
                registry: &registry,
                tokens: Tokens::new(tokens.clone()),
                timers: &mut timers,
                timer,
                now,
            };
            let timeouts = Timeouts { check, ..Timeouts::default() };
            let builder = Server::builder(App(Seen::default())).timeouts(timeouts);
            builder.bind(localhost(), host).expect("a port")
        });
        let servers = servers.collect();
        Self { poll, timers, servers, now }
    }

    fn alone(tokens: std::ops::Range<usize>, check: ConnectionCheck) -> Self {
        Self::new(std::slice::from_ref(&tokens), check)
    }

    fn connect(&self, server: usize) -> Client {
        Client::connect(self.servers[server].local_addr().expect("bound"))
    }

    /// Passes one round of events on, each to the first server that takes it; whether there were
    /// any.
    fn pass_events(&mut self) -> bool {
        let mut events = Events::with_capacity(64);
        self.poll.poll(&mut events, Some(millis(0))).expect("the poll works");
        for event in &events {
            let (token, ready, now) = (event.token(), Ready::from(event), self.now);
            let known = self.servers.iter_mut().any(|server| server.on_event(token, ready, now));
            assert!(known, "{token:?}");
        }
        !events.is_empty()
    }

    fn settle(&mut self) {
        for _ in 0..1000 {
            // Twice: loopback delivers what was sent when the sender's call is over, at the latest.
            if !self.pass_events() && !self.pass_events() {
                return;
            }
        }
        panic!("the loop does not come to rest");
    }
}

const CHECK: ConnectionCheck = ConnectionCheck::Interval(std::time::Duration::from_secs(1));

#[test]
fn no_on_timer_is_no_checks() {
    let mut bare = Bare::alone(10..100, CHECK);
    let _silent = bare.connect(0);
    bare.settle();
    for _ in 0..200 {
        bare.now += secs(1);
        bare.timers.advance(bare.now);
        while let Some(expiry) = bare.timers.pop_expired() {
            assert_eq!(expiry.value, 0, "the embedder has forgotten whose it is");
        }
        bare.servers[0].turn(&mut bare.timers, bare.now);
    }
    assert_eq!(bare.servers[0].connections(), 1, "no deadline is enforced");
    assert_eq!(bare.servers[0].stats().checks, 0);
}

#[test]
fn no_turn_is_no_exact_timer() {
    let mut bare = Bare::alone(10..100, ConnectionCheck::Exact);
    let _silent = bare.connect(0);
    bare.settle();
    let server = &bare.servers[0];
    assert_eq!((server.connections(), server.timer_entries()), (1, 0));
    // And what makes it right.
    bare.servers[0].turn(&mut bare.timers, bare.now);
    assert_eq!(bare.servers[0].timer_entries(), 1);
}

#[test]
fn no_turn_is_work_that_stays_left_over() {
    let mut bare = Bare::alone(10..10_000, CHECK);
    // More than are accepted, or served, in one go.
    let mut clients: Vec<Client> = (0..400).map(|_| bare.connect(0)).collect();
    for _ in 0..100 {
        bare.pass_events();
    }
    assert!(bare.servers[0].wants_turn(), "{} accepted", bare.servers[0].connections());
    // And what makes it right.
    for _ in 0..1000 {
        bare.servers[0].turn(&mut bare.timers, bare.now);
        bare.pass_events();
    }
    assert!(!bare.servers[0].wants_turn());
    assert_eq!(bare.servers[0].connections(), 400);
    for client in &mut clients {
        client.send(GET);
    }
    bare.settle();
}

#[test]
fn waiting_only_for_readability_is_checks_that_stand_still() {
    let mut now = Instant::now();
    let build = |_| Server::builder(App(Seen::default()));
    let mut http = EventLoop::bind_at(localhost(), build, now).expect("a port");
    // Nothing is readable, so the carrier never calls; time passes, and the timeout says so.
    now += secs(100);
    assert_eq!(http.timeout(now), Some(millis(0)));
    assert_eq!(http.server().stats().checks, 0);
    http.turn(now).expect("the poll works");
    assert_eq!(http.server().stats().checks, 1);
}

#[test]
fn shared_tokens_are_a_server_that_accepts_nobody() {
    let mut bare = Bare::new(&[10..100, 10..100], CHECK);
    let mut client = bare.connect(1);
    client.send(GET);
    bare.settle();
    assert_eq!(client.text(), "", "it hangs");
    assert_eq!(bare.servers[1].stats().accepted, 0);
}

#[test]
fn a_small_range_of_tokens_is_refused_connections() {
    let mut bare = Bare::alone(10..12, CHECK);
    let _clients = [bare.connect(0), bare.connect(0), bare.connect(0)];
    bare.settle();
    for _ in 0..10 {
        bare.servers[0].turn(&mut bare.timers, bare.now);
        bare.settle();
    }
    let stats = bare.servers[0].stats();
    assert_eq!((stats.open, stats.refused), (1, 2));
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "Only a single `Waker`")]
fn a_second_waker_is_a_panic_in_debug_builds() {
    let poll = Poll::new().expect("a poll");
    let _first = mio::Waker::new(poll.registry(), mio::Token(0)).expect("descriptors");
    let _second = mio::Waker::new(poll.registry(), mio::Token(1));
}

#[test]
fn a_dropped_reply_is_a_500_and_counted() {
    let mut world = World::new();
    let mut client = world.client_sending(b"GET /drop HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.text().starts_with("HTTP/1.1 500 "), "{}", client.text());
    drop(client);
    world.settle();
    assert_eq!(world.server.stats().closed.count(Cause::Handler), 1);
}

#[test]
fn closing_without_turning_is_connections_that_stay() {
    let mut world = World::with(|_, limits: &mut Limits| limits.connections = 0);
    let mut client = world.client_sending(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    world.server.close(secs(1), world.now);
    world.block(secs(100));
    assert!(!world.server.is_closed() && world.server.connections() == 1);
    // And what makes it right.
    world.settle();
    assert!(world.server.is_closed());
    assert_ne!(client.text(), OK);
}

#[test]
fn an_expiry_of_a_dropped_server_is_nobodys() {
    let mut bare = Bare::new(&[10..100, 100..200], CHECK);
    bare.now += secs(2);
    bare.timers.advance(bare.now);
    let first = bare.timers.pop_expired().expect("both are due");
    assert_eq!(first.value, 0);
    drop(bare.servers.remove(0));
    assert!(!bare.servers[0].on_timer(first.handle, bare.now), "the other one does not take it");
}
