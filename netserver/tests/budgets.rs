//! What concerns all connections at once is done a portion a turn, and the others are served in
//! between.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use common::{GET, World, secs};
use netserver::{ConnectionCheck, Listener};

const MANY: usize = 400;

/// A server with so many connections through pipes, each of which has sent this.
fn world_with(many: usize, sent: &[u8]) -> (World, Vec<UnixStream>) {
    let mut world = World::listening_on(Listener::none(), |timeouts, _| {
        timeouts.check = ConnectionCheck::Interval(secs(30));
    });
    let clients = (0..many).map(|_| adopt(&mut world, sent)).collect();
    world.settle();
    (world, clients)
}

fn adopt(world: &mut World, sent: &[u8]) -> UnixStream {
    let (mut client, ours) = UnixStream::pair().expect("descriptors");
    client.set_nonblocking(true).expect("nonblocking");
    ours.set_nonblocking(true).expect("nonblocking");
    client.write_all(sent).expect("room");
    world.server.adopt(mio::net::UnixStream::from_std(ours), None, world.now).expect("room");
    client
}

fn has_answer(client: &mut UnixStream) -> bool {
    client.read(&mut [0; 1024]).is_ok_and(|n| n > 0)
}

#[test]
fn a_close_tells_a_portion_of_the_connections_in_each_turn() {
    let (mut world, mut clients) = world_with(MANY, GET);
    assert!(clients.iter_mut().all(has_answer), "all are idle now");
    let last = clients.last_mut().expect("many");
    world.server.close(secs(10), world.now);
    let left = world.server.connections();
    assert!((1..MANY).contains(&left), "{left} of {MANY} after the first portion");
    assert!(world.server.wants_turn());

    // One that has not been told yet is served in between.
    last.write_all(GET).expect("room");
    world.turn();
    assert!(has_answer(last), "served while others are told");
    world.settle();
    assert_eq!((world.server.connections(), world.timers.len()), (0, 0));
    assert_eq!(world.server.report().expect("it closes").finished, MANY as u64);
}

#[test]
fn without_grace_all_are_cut_off_a_portion_a_turn() {
    let (mut world, clients) = world_with(MANY, b"GET / HT");
    world.server.close(secs(0), world.now);
    let left = world.server.connections();
    assert!((1..=MANY).contains(&left), "{left} of {MANY} after the first portion");
    world.settle();
    assert_eq!((world.server.connections(), world.timers.len()), (0, 0));
    assert_eq!(world.server.report().expect("it closes").forced, clients.len() as u64);
}

#[test]
fn what_expires_together_is_answered_a_portion_a_turn() {
    let (mut world, mut clients) = world_with(MANY, b"GET / HT");
    // All heads are too late at the same check.
    world.now += secs(61);
    world.timers.advance(world.now);
    let expiry = world.timers.pop_expired().expect("the check");
    assert!(world.server.on_timer(expiry.handle, world.now));
    let answered = clients.iter_mut().filter_map(|it| has_answer(it).then_some(())).count();
    assert!((1..MANY).contains(&answered), "{answered} of {MANY} by the check itself");
    assert!(world.server.wants_turn());

    let mut healthy = adopt(&mut world, GET);
    assert!(has_answer(&mut healthy), "served while others expire");
    world.settle();
    let rest = clients.iter_mut().filter_map(|it| has_answer(it).then_some(())).count();
    assert_eq!(answered + rest, MANY, "every one reads its 408");
}
