//! What becomes of the connection that is one too many, by policy; and of accepting without
//! descriptors' worth of tokens.

mod common;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{Client, GET, OK, State, World, secs};
use mio::event::Source;
use mio::{Interest, Registry, Token};
use netserver::{Admission, Cause, Incoming, Listener, OverLimit, Ready, Stream};

fn world(over_limit: OverLimit) -> World {
    World::with(|_, limits| {
        limits.connections = 2;
        limits.over_limit = over_limit;
    })
}

#[test]
fn refused_it_is_closed_at_once() {
    let mut world = world(OverLimit::Refuse);
    let (mut first, mut second) = (world.client_sending(GET), world.client_sending(GET));
    let mut third = world.client();
    assert_eq!((third.state(), third.text().as_str()), (State::End, ""));
    assert_eq!((world.server.stats().refused, world.server.connections()), (1, 2));
    assert_eq!(world.server.stats().closed.count(Cause::OverLimit), 1);
    first.send(GET);
    second.send(GET);
    world.settle();
    assert_eq!((first.answers(), second.answers()), (2, 2), "the others go on");
    drop(first);
    world.settle();
    assert_eq!(world.client_sending(GET).text(), OK, "there is room again");
}

#[test]
fn told_that_it_is_one_too_many_it_reads_503() {
    let mut world = world(OverLimit::Unavailable);
    let kept = [world.client_sending(GET), world.client_sending(GET)];
    let mut third = world.client();
    let said = "HTTP/1.1 503 Service Unavailable\r\nDate: <D>\r\nConnection: close\r\n\r\n";
    assert_eq!((third.state(), third.text().as_str()), (State::End, said));
    drop(kept);
}

#[test]
fn left_waiting_it_is_served_when_there_is_room() {
    let mut world = world(OverLimit::Pause);
    let first = world.client_sending(GET);
    let second = world.client_sending(GET);
    let mut third = Client::connect(world.address());
    third.send(GET);
    world.settle();
    world.pass(secs(1));
    assert_eq!((third.state(), third.answers()), (State::Open, 0));
    assert_eq!((world.server.connections(), world.server.stats().refused), (2, 0));
    assert!(!world.server.wants_turn(), "waiting is no reason to spin");
    drop(first);
    world.settle();
    assert_eq!(third.answers(), 1);
    drop(second);
}

#[test]
fn the_longest_idle_one_goes_for_it() {
    let mut world = world(OverLimit::EvictIdle);
    let mut oldest = world.client_sending(GET);
    world.pass(secs(1));
    let mut newer = world.client_sending(GET);
    assert_eq!(world.client_sending(GET).answers(), 1);
    assert_eq!(oldest.state(), State::End);
    assert_eq!(newer.state(), State::Open);
    assert_eq!(world.seen.causes()[0], Cause::Evicted);

    // Nobody is idle: refused.
    let busy = b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    newer.send(busy);
    world.settle();
    let other = world.client_sending(busy);
    let mut one_more = world.client();
    assert_ne!(one_more.state(), State::Open);
    drop(other);
}

#[test]
fn a_burst_above_the_limit_is_turned_away_without_waiting_for_the_next_event() {
    // More than are accepted in one turn, so that the rest is left to turns without an event.
    let mut world = world(OverLimit::Refuse);
    let mut clients: Vec<_> = (0..400).map(|_| Client::connect(world.address())).collect();
    world.settle();
    assert_eq!((world.server.connections(), world.server.stats().refused), (2, 398));
    let states = clients.iter_mut().map(Client::state);
    assert_eq!(states.filter(|state| *state == State::Open).count(), 2);
}

/// A listener where nobody waits, which notes how many are in when it is asked.
struct Empty {
    admission: Admission,
    open: Arc<Mutex<Vec<usize>>>,
}

impl Incoming for Empty {
    fn accept(&mut self) -> io::Result<(Stream, Option<SocketAddr>)> {
        self.open.lock().expect("nobody panics").push(self.admission.open());
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Source for Empty {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

/// Another server, on another thread, would have turned a client away meanwhile.
#[test]
fn a_look_at_an_empty_listener_takes_nobodys_place() {
    let (admission, open) = (Admission::new(), Arc::default());
    let empty = Empty { admission: admission.clone(), open: Arc::clone(&open) };
    let mut world = World::built_by(
        Listener::new(empty),
        |_, limits| {
            limits.connections = 1;
            limits.over_limit = OverLimit::Refuse;
        },
        |builder| builder.admission(&admission),
    );
    world.server.on_event(Token(common::TOKENS.start), Ready::READABLE, world.now);
    assert_eq!(*open.lock().expect("nobody panics"), [0]);
}
