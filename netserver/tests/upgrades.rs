//! A handler that takes the socket: it gets all that was sent after the request, and the
//! connection stays one of the server's.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Client, GET, OK, State, World, millis, secs};
use netserver::{Cause, ConnectionCheck, Phase};

const UPGRADE: &str =
    "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n";

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nDate: <D>\r\n\
                         Connection: Upgrade\r\n\r\n";

#[test]
fn the_handler_gets_the_socket_and_what_was_sent_after_the_request() {
    let mut world = World::new();
    let mut client = world.client_sending(&[UPGRADE.as_bytes(), b"first bytes"].concat());
    assert_eq!(client.text(), SWITCHING);
    let mut upgraded = world.seen.upgraded();
    assert_eq!(upgraded.ticket, world.seen.ticket());
    assert_eq!(upgraded.read, b"first bytes");
    assert!(upgraded.peer.is_some_and(|peer| peer.ip().is_loopback()));

    // From here on it is a socket between the two of them.
    client.send(b"more");
    world.settle();
    let mut more = [0; 16];
    let n = upgraded.stream.read(&mut more).expect("what the client has sent");
    assert_eq!(&more[..n], b"more");
    let error = upgraded.stream.read(&mut more).expect_err("nothing is there");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    upgraded.stream.write_all(b"welcome").expect("room");
    assert_eq!(client.text(), SWITCHING.to_owned() + "welcome");

    assert_eq!(world.server.connections(), 1, "it counts");
    let info = world.server.iter(world.now).next().expect("a connection");
    assert_eq!((info.phase, info.deadline), (Phase::Upgraded, None));
    drop(upgraded);
    world.settle();
    assert_eq!(client.state(), State::End);
    assert_eq!(world.seen.causes(), [Cause::Handler]);
    world.assert_empty();
}

#[test]
fn what_follows_in_a_later_segment_is_not_read_by_the_server() {
    let mut world = World::new();
    let mut client = world.client_sending(UPGRADE.as_bytes());
    client.send(b"GET / HTTP/1.1\r\nHost: not http\r\n\r\n");
    world.settle();
    assert_eq!(client.text(), SWITCHING, "it is not answered as a request");
    let mut upgraded = world.seen.upgraded();
    assert!(upgraded.read.is_empty());
    let mut read = [0; 64];
    let n = upgraded.stream.read(&mut read).expect("what the client has sent");
    assert!(read[..n].starts_with(b"GET / HTTP/1.1"));
}

#[test]
fn a_tunnel_is_handed_over_likewise() {
    let mut world = World::new();
    let connect = b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\ntunnelled";
    let mut client = world.client_sending(connect);
    assert_eq!(client.text(), "HTTP/1.1 200 OK\r\nDate: <D>\r\n\r\n");
    assert_eq!(world.seen.upgraded().read, b"tunnelled");
}

#[test]
fn it_waits_for_its_turn() {
    let mut world = World::new();
    let first = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut client = world.client_sending([first, UPGRADE, "x"].concat().as_bytes());
    assert_eq!(client.text(), "");
    let ticket = world.seen.ticket();
    world.answer(ticket);
    assert_eq!(client.text(), OK.to_owned() + SWITCHING);
    assert_eq!(world.seen.upgraded().read, b"x");
}

#[test]
fn who_did_not_ask_for_it_is_not_given_away() {
    let mut world = World::new();
    let mut client = world.client_sending(b"GET /socket HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.text().starts_with("HTTP/1.1 500 "), "{}", client.text());
    assert_eq!(client.state(), State::End);
}

#[test]
fn at_close_the_owner_is_told_and_the_server_waits_for_it() {
    let mut world = World::new();
    let mut client = world.client_sending(UPGRADE.as_bytes());
    let upgraded = world.seen.upgraded();
    let told = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&told);
    upgraded.lease.on_drain(move || tell.store(true, Ordering::Relaxed));
    assert!(!upgraded.lease.is_draining());

    world.server.close(secs(10), world.now);
    assert!(upgraded.lease.is_draining() && told.load(Ordering::Relaxed));
    world.pass(secs(5));
    assert_eq!((world.server.connections(), client.state()), (1, State::Open));
    drop(upgraded);
    world.settle();
    assert!(world.server.is_closed());
    assert_eq!(world.timers.len(), 0);
    let report = world.server.report().expect("closed");
    assert_eq!((report.finished, report.forced, report.upgraded), (1, 0, 0));
}

#[test]
fn who_takes_it_while_the_server_closes_is_told_at_once() {
    let mut world = World::new();
    let first = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    let _client = world.client_sending([first, UPGRADE].concat().as_bytes());
    world.server.close(secs(10), world.now);
    let ticket = world.seen.ticket();
    world.answer(ticket);
    let upgraded = world.seen.upgraded();
    let told = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&told);
    upgraded.lease.on_drain(move || tell.store(true, Ordering::Relaxed));
    assert!(told.load(Ordering::Relaxed) && upgraded.lease.is_draining());
}

#[test]
fn when_grace_has_passed_the_socket_is_shut_down_under_its_owner() {
    let mut world = World::new();
    let mut client = world.client_sending(UPGRADE.as_bytes());
    let mut upgraded = world.seen.upgraded();
    world.server.close(secs(10), world.now);
    world.pass(secs(11));
    assert!(world.server.is_closed());
    let report = world.server.report().expect("closed");
    assert_eq!((report.forced, report.upgraded), (1, 1));
    assert_eq!(world.seen.causes(), [Cause::Drain]);
    assert_eq!(client.text(), SWITCHING);
    assert_eq!(client.state(), State::End, "the client sees the end");
    assert_eq!(upgraded.stream.read(&mut [0; 1]).expect("an end"), 0, "so does the owner");
    upgraded.stream.write_all(b"late").expect_err("it is shut down");
    // What is given back late is nobody's.
    drop(upgraded);
    world.settle();
    assert_eq!(world.timers.len(), 0);
}

#[test]
fn a_lease_that_another_thread_ends_is_noticed_by_the_check() {
    for check in [ConnectionCheck::Interval(secs(1)), ConnectionCheck::Exact] {
        let mut world = World::with(|timeouts, _| timeouts.check = check);
        let _client = world.client_sending(UPGRADE.as_bytes());
        let upgraded = world.seen.upgraded();
        thread::spawn(move || drop(upgraded)).join().expect("no panic");
        // Nothing tells the loop, which sleeps until its next deadline.
        world.now += world.timers.timeout(world.now).expect("a check is armed") + millis(1);
        world.turn();
        world.assert_empty();
    }
}

#[test]
fn a_server_that_is_dropped_shuts_down_what_it_has_given_away() {
    let mut world = World::new();
    let mut client = world.client_sending(UPGRADE.as_bytes());
    let upgraded = world.seen.upgraded();
    drop(world);
    assert_eq!(client.text(), SWITCHING);
    assert_eq!(client.state(), State::End);
    assert!(upgraded.lease.is_draining(), "its owner is told");
}

#[test]
fn an_owner_that_is_given_it_may_use_it_as_the_socket_it_is() {
    let mut world = World::new();
    let mut client = world.client_sending(UPGRADE.as_bytes());
    let upgraded = world.seen.upgraded();
    let socket = mio::net::TcpStream::try_from(upgraded.stream).expect("a TCP socket");
    let mut socket = std::net::TcpStream::from(socket);
    socket.write_all(b"hello").expect("room");
    assert_eq!(client.text(), SWITCHING.to_owned() + "hello");
    drop(socket);
    assert_eq!(client.state(), State::Open, "the lease holds it");
    drop(upgraded.lease);
    assert_eq!(client.state(), State::End);
}

#[test]
fn a_seat_that_is_given_away_is_taken() {
    let mut world = World::with(|_, limits| limits.connections = 1);
    let _client = world.client_sending(UPGRADE.as_bytes());
    let upgraded = world.seen.upgraded();
    assert_eq!(world.client().state(), State::End, "one too many");
    drop(upgraded);
    world.settle();
    let mut client = Client::connect(world.address());
    client.send(GET);
    world.settle();
    assert_eq!(client.text(), OK);
}

#[test]
fn a_closed_server_has_no_timer_though_its_sockets_are_still_with_others() {
    for check in [ConnectionCheck::Exact, ConnectionCheck::Interval(secs(1))] {
        let mut world = World::with(|timeouts, _| timeouts.check = check);
        let _client = world.client_sending(UPGRADE.as_bytes());
        let _kept = world.seen.upgraded();
        world.server.close(secs(0), world.now);
        world.settle();
        assert!(world.server.is_closed());
        assert_eq!((world.server.timer_entries(), world.timers.len()), (0, 0), "{check:?}");
    }
}
