//! Which deadlines a connection is under, and what happens when one passes.

mod support;

use std::time::Duration;

use netserver::Cause;
use netserver::conn::{How, Phase};
use netserver::track::Class;
use support::{GET, Peer, Routes, body, end, get, post, refused, routes, with};

#[test]
fn each_phase_has_its_classes() {
    let mut peer = routes();
    assert_eq!(peer.classes(), [Class::FirstByte, Class::Receive]);
    peer.receive(b"\r\n");
    assert_eq!(peer.classes(), [Class::FirstByte, Class::Receive], "an empty line is nothing");
    peer.receive(b"P");
    assert_eq!(peer.classes(), [Class::Headers, Class::Receive]);
    peer.receive(&post("/", 5)[1..]);
    assert_eq!(
        (peer.classes(), peer.conn.phase()),
        (vec![Class::Receive, Class::MinRate], Phase::Body)
    );
    peer.window = Some(0);
    peer.receive(b"hello");
    assert_eq!((peer.classes(), peer.conn.phase()), (vec![Class::Write], Phase::Write));
    peer.take(usize::MAX);
    assert_eq!((peer.classes(), peer.conn.phase()), (vec![Class::Idle], Phase::Idle));
    peer.receive(b"\r\n");
    assert_eq!(peer.classes(), [Class::Idle]);
}

#[test]
fn what_starts_afresh_is_said() {
    let mut peer = routes();
    let restarted =
        |peer: &mut Peer<Routes>| peer.conn.take_changes().restarted.iter().collect::<Vec<_>>();
    restarted(&mut peer);
    peer.receive(b"\r\n");
    assert_eq!(restarted(&mut peer), [], "an empty line refreshes nothing");
    peer.receive(b"G");
    assert_eq!(restarted(&mut peer), [Class::Headers, Class::Receive]);
    peer.receive(b"E");
    assert_eq!(restarted(&mut peer), [], "no byte of a head does either");
    peer.receive(&GET[2..]);
    assert_eq!(restarted(&mut peer), [Class::Idle]);
    peer.receive(b"\r\n");
    assert_eq!(restarted(&mut peer), []);
    peer.receive(GET);
    assert_eq!(restarted(&mut peer), [Class::Idle], "a request in one read");
    peer.receive(&[GET, &GET[..4]].concat());
    assert_eq!(restarted(&mut peer), [Class::Headers, Class::Receive]);
}

#[test]
fn a_silent_connection_is_told_or_not_as_set() {
    let mut peer = routes();
    peer.expire(Class::FirstByte);
    assert_eq!(peer.written(), refused("408 Request Timeout"));
    assert_eq!(end(&peer), Some((Cause::FirstByte, How::Linger)));

    let mut peer = with(|settings| settings.timeouts.first_byte_silent = true);
    peer.expire(Class::Receive);
    assert_eq!((peer.written(), end(&peer)), (String::new(), Some((Cause::FirstByte, How::Close))));
}

#[test]
fn an_idle_connection_ends_in_silence() {
    let mut peer = routes();
    peer.receive(GET);
    peer.written();
    peer.expire(Class::Idle);
    assert_eq!((peer.written(), end(&peer)), (String::new(), Some((Cause::Idle, How::Close))));
}

#[test]
fn a_body_that_stalls_gets_408() {
    for part in [&b""[..], b"hel"] {
        let mut peer = routes();
        peer.receive(&post("/", 5));
        peer.receive(part);
        peer.expire(Class::Receive);
        assert_eq!(peer.written(), refused("408 Request Timeout"));
        assert_eq!(end(&peer), Some((Cause::Body, How::Linger)));
    }
    let mut peer = routes();
    peer.receive(&post("/up", 5));
    peer.receive(b"hel");
    peer.expire(Class::Receive);
    assert_eq!(peer.written(), refused("408 Request Timeout"), "a streamed one too");
}

#[test]
fn a_body_that_stalls_under_its_response_is_cut() {
    let mut peer = routes();
    peer.receive(&post("/both", 5));
    peer.receive(b"hel");
    let written = peer.written();
    assert!(written.ends_with("\r\n\r\n3\r\nhel\r\n"), "{written}");
    peer.expire(Class::Receive);
    assert_eq!((peer.written(), end(&peer)), (String::new(), Some((Cause::Body, How::Linger))));
}

#[test]
fn a_body_must_keep_its_rate() {
    let mut peer = routes();
    peer.receive(&post("/", 10_000));
    peer.receive(&[b'x'; 1200]);
    peer.classes();
    peer.expire(Class::MinRate);
    assert_eq!(peer.end, None, "240 bytes a second for 5 seconds");
    assert!(peer.conn.take_changes().restarted.contains(Class::MinRate));
    peer.receive(&[b'x'; 1199]);
    peer.expire(Class::MinRate);
    assert_eq!(peer.written(), refused("408 Request Timeout"));
    assert_eq!(end(&peer), Some((Cause::MinRate, How::Linger)));
}

#[test]
fn a_handler_that_does_not_answer_is_answered_for() {
    let mut peer = with(|settings| settings.timeouts.handler = Duration::from_secs(1));
    peer.receive(&get("/later").repeat(2));
    assert_eq!(peer.classes(), [Class::Handler]);
    peer.expire(Class::Handler);
    assert_eq!(peer.written(), refused("503 Service Unavailable"));
    assert_eq!(end(&peer), Some((Cause::Handler, How::Linger)));
    let ticket = peer.handler.tickets[0];
    assert!(!peer.answer(ticket, body("too late")));
    assert_eq!(routes().classes().len(), 2, "off by default");
}

#[test]
fn each_request_has_the_handlers_time_for_itself() {
    let mut peer = with(|settings| settings.timeouts.handler = Duration::from_secs(1));
    let restarted =
        |peer: &mut Peer<Routes>| peer.conn.take_changes().restarted.contains(Class::Handler);
    peer.receive(&get("/later"));
    assert!(restarted(&mut peer));
    peer.receive(&get("/later"));
    assert!(!restarted(&mut peer), "a second request does not prolong the first");
    let tickets = peer.handler.tickets.clone();
    peer.answer(tickets[0], body("1"));
    assert!(restarted(&mut peer), "the second has not used its time before");
}

#[test]
fn the_handler_is_not_timed_while_the_peer_sends() {
    let timed = || with(|settings| settings.timeouts.handler = Duration::from_secs(1));
    let mut peer = timed();
    peer.receive(&post("/up", 5));
    assert_eq!(peer.classes(), [Class::Receive, Class::MinRate]);

    let mut peer = timed();
    peer.receive(&post("/later-on-head", 5));
    assert_eq!(peer.classes(), [Class::Handler], "nothing is read until it has decided");
    let ticket = peer.handler.tickets[0];
    peer.input(|conn, handler, cx| {
        assert!(conn.answer(ticket, handler, cx, |_, reply| reply.buffer_body()));
    });
    assert_eq!(peer.classes(), [Class::Receive, Class::MinRate]);
}
