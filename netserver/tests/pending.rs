//! Who opens connections and says nothing on them can have only so many: from one address, and
//! from one prefix.

mod common;

use common::{Client, GET, OK, State, TIMEOUT, World, secs};
use netserver::{AdoptError, Cause, Listener, OverLimit};

#[test]
fn an_address_has_only_so_many_connections_without_a_head() {
    let mut world = World::with(|_, limits| limits.pending_per_address = 2);
    let mut first = world.client();
    let mut second = world.client_sending(b"GET / HTTP/1.1\r\nHost");
    let mut third = world.client();
    assert_eq!((third.state(), third.text().as_str()), (State::End, ""));
    let stats = world.server.stats();
    assert_eq!((stats.refused, stats.refused_pending, stats.accepted), (1, 1, 2));
    assert_eq!((first.state(), second.state()), (State::Open, State::Open), "the others stay");

    second.send(b": a\r\n\r\n");
    world.settle();
    assert_eq!(second.text(), OK);
    let mut fourth = world.client();
    assert_eq!(fourth.state(), State::Open, "who has sent a head counts no more");
    assert_eq!(world.client().state(), State::End);

    // Nor does who has gone; and a second head is not the first one.
    second.send(b"GET / HT");
    drop(first);
    world.settle();
    assert_eq!(world.client_sending(GET).text(), OK);
}

#[test]
fn a_refused_head_is_no_head() {
    let mut world = World::with(|_, limits| limits.pending_per_address = 1);
    let mut noise = world.client_sending(b"noise\r\n\r\n");
    assert!(noise.text().starts_with("HTTP/1.1 400 "), "{}", noise.text());
    // It has had its answer, and lingers until the client has closed.
    assert_eq!(world.server.stats().phases.linger, 1);
    assert_eq!(world.client().state(), State::End);
    drop(noise);
    world.settle();
    assert_eq!(world.client_sending(GET).text(), OK);
}

#[test]
fn told_that_they_are_too_many_they_read_503() {
    let mut world = World::with(|_, limits| {
        limits.pending_per_address = 1;
        limits.over_limit = OverLimit::Unavailable;
    });
    let _silent = world.client();
    let mut other = world.client();
    let said = "HTTP/1.1 503 Service Unavailable\r\nDate: <D>\r\nConnection: close\r\n\r\n";
    assert_eq!((other.state(), other.text().as_str()), (State::End, said));
}

#[test]
fn a_prefix_has_its_own_limit_and_its_neighbours_are_not_in_it() {
    let mut world = World::listening_on(Listener::none(), |_, limits| {
        limits.pending_per_address = 2;
        limits.pending_per_prefix = 3;
    });
    let mut clients = Vec::new();
    let mut adopt = |peer: &str| {
        let (client, ours) = mio::net::UnixStream::pair().expect("a pair of sockets");
        clients.push(client);
        world.server.adopt(ours, Some(peer.parse().expect(peer)), world.now)
    };
    for peer in ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1"] {
        adopt(peer).expect("there is room");
    }
    let error = adopt("10.0.0.3:1").expect_err("the prefix is full");
    assert!(matches!(error, AdoptError::Crowded), "{error}");
    adopt("10.0.1.1:1").expect("another prefix");
    for port in 1..=2 {
        adopt(&format!("[2001:db8::1]:{port}")).expect("there is room");
    }
    adopt("[2001:db8::1]:3").expect_err("the address is full");
    adopt("[2001:db8::2]:1").expect("another address");
    adopt("[2001:db8::3]:1").expect_err("the prefix is full");
    adopt("[2001:db8:0:1::1]:1").expect("another prefix");
}

#[test]
fn the_silent_ones_go_by_their_timeout_and_make_room() {
    let mut world = World::with(|timeouts, limits| {
        timeouts.headers = secs(2);
        limits.pending_per_address = 1;
    });
    let mut silent = world.client();
    assert_eq!(world.client().state(), State::End);
    world.pass(secs(3));
    assert_eq!(silent.text(), TIMEOUT);
    drop(silent);
    world.settle();
    assert_eq!(world.seen.causes(), [Cause::FirstByte]);
    let mut client = Client::connect(world.address());
    client.send(GET);
    world.settle();
    assert_eq!(client.text(), OK);
}
