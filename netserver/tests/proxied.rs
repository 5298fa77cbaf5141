//! Behind a proxy that says first whose connection it passes on.
#![cfg(feature = "proxy-protocol")]

mod common;

use common::{GET, OK, State, World, secs};
use netserver::{Cause, Limits, Listener, Timeouts};

const PEER: &[u8] = b"GET /peer HTTP/1.1\r\nHost: a\r\n\r\n";

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n";

fn behind_a_proxy(set: impl FnOnce(&mut Timeouts, &mut Limits)) -> World {
    World::built_by(common::listener(), set, |builder| builder.proxy_protocol(true))
}

#[test]
fn the_peer_is_whom_the_proxy_names_for_the_whole_connection() {
    let mut world = behind_a_proxy(|_, _| ());
    let mut client = world.client_sending(&[HEADER, PEER, PEER].concat());
    client.send(PEER);
    world.settle();
    assert_eq!(client.text().matches("\r\n\r\n192.0.2.1:4000").count(), 3, "{}", client.text());
    let info = world.server.iter(world.now).next().expect("a connection");
    assert_eq!(info.peer, Some("192.0.2.1:4000".parse().expect("an address")));
}

#[test]
fn it_may_come_in_single_bytes_and_with_the_request() {
    let mut world = behind_a_proxy(|_, _| ());
    let mut client = world.client();
    for byte in [HEADER, PEER].concat() {
        client.send(&[byte]);
        world.settle();
    }
    assert!(client.text().ends_with("\r\n\r\n192.0.2.1:4000"), "{}", client.text());
}

#[test]
fn who_begins_otherwise_is_closed_without_a_word() {
    let mut world = behind_a_proxy(|_, _| ());
    let mut client = world.client_sending(GET);
    assert_ne!(client.state(), State::Open);
    assert_eq!(client.text(), "");
    assert_eq!(world.seen.causes(), [Cause::ProxyHeader]);
    assert_eq!(world.server.stats().closed.count(Cause::ProxyHeader), 1);
    world.assert_empty();
}

#[test]
fn who_does_not_finish_the_header_goes_at_the_first_byte_timeout_without_a_word() {
    let mut world = behind_a_proxy(|timeouts, _| timeouts.first_byte = Some(secs(3)));
    let mut silent = world.client();
    let mut halting = world.client_sending(&HEADER[..20]);
    world.pass(secs(2));
    halting.send(&HEADER[20..30]);
    world.pass(secs(3));
    for client in [&mut silent, &mut halting] {
        assert_eq!((client.state(), client.text().as_str()), (State::End, ""));
    }
    assert_eq!(world.seen.causes(), [Cause::ProxyHeader; 2]);
    world.assert_empty();
}

#[test]
fn the_clock_of_the_first_byte_goes_on_after_the_header() {
    let mut world = behind_a_proxy(|timeouts, _| timeouts.first_byte = Some(secs(3)));
    let mut client = world.client_sending(HEADER);
    world.pass(secs(4));
    assert_eq!((client.state(), client.text().as_str()), (State::End, common::TIMEOUT));
    assert_eq!(world.seen.causes(), []);
    client.shut_down_writing();
    world.settle();
    assert_eq!(world.seen.causes(), [Cause::FirstByte]);
}

#[test]
fn a_health_check_is_the_proxys_own() {
    let mut world = behind_a_proxy(|_, _| ());
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0";
    let mut client = world.client_sending(&[local, PEER].concat());
    assert!(client.text().contains("\r\n\r\n127.0.0.1:"), "{}", client.text());
}

#[test]
fn pending_is_counted_by_whom_the_proxy_names() {
    let mut world = behind_a_proxy(|_, limits| limits.pending_per_address = 1);
    // The proxy itself may have as many as it likes.
    let _waiting = [world.client(), world.client()];
    let first = world.client_sending(HEADER);
    let mut second = world.client_sending(HEADER);
    assert_eq!((second.state(), second.text().as_str()), (State::End, ""));
    let stats = world.server.stats();
    assert_eq!((stats.refused_pending, stats.closed.count(Cause::OverLimit)), (1, 1));
    let mut other = world.client_sending(b"PROXY TCP4 192.0.2.9 192.0.2.2 4000 80\r\n");
    assert_eq!(other.state(), State::Open);
    drop(first);
    world.settle();
    assert_eq!(world.client_sending(&[HEADER, GET].concat()).text(), OK);
}

#[test]
fn closing_does_not_wait_for_a_header() {
    let mut world = behind_a_proxy(|_, _| ());
    let mut client = world.client_sending(&HEADER[..20]);
    world.server.close(secs(10), world.now);
    world.settle();
    assert!(world.server.is_closed());
    assert_ne!(client.state(), State::Open);
}

#[test]
fn a_stream_that_is_adopted_has_no_header() {
    let mut world =
        World::built_by(Listener::none(), |_, _| (), |builder| builder.proxy_protocol(true));
    let (mut client, ours) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
    std::io::Write::write_all(&mut client, PEER).expect("room");
    ours.set_nonblocking(true).expect("nonblocking");
    let peer = "192.0.2.7:1".parse().expect("an address");
    let ours = mio::net::UnixStream::from_std(ours);
    world.server.adopt(ours, Some(peer), world.now).expect("there is room");
    world.settle();
    drop(world);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut client, &mut text).expect("text");
    assert!(text.ends_with("\r\n\r\n192.0.2.7:1"), "{text}");
}
