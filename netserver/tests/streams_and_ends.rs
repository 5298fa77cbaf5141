//! Bodies in pieces, other protocols, and the ways to end.

mod support;

use netserver::conn::{How, Phase};
use netserver::track::Class;
use netserver::{Cause, Exchange, Handler, Pull, Reply, Request, Response, Sink, Status};
use support::probe::Probes;
use support::{GET, Peer, body, end, get, ok, post, refused, routes};

#[test]
fn a_client_that_expects_it_is_told_to_continue() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut peer = routes();
    peer.receive(head);
    assert_eq!(peer.written(), go_on);
    peer.receive(b"hi");
    assert_eq!(peer.written(), ok("POST / hi", false));

    peer.receive(&[&head[..], b"h"].concat());
    assert_eq!(peer.written(), "", "part of the body has arrived");
    peer.receive(b"i");
    peer.written();

    peer.receive(&[&get("/later"), &head[..]].concat());
    assert_eq!(peer.written(), "", "not its turn");
    assert_eq!(peer.classes(), [], "who waits to be told to go on is not late");
    let ticket = peer.handler.tickets[0];
    peer.answer(ticket, body("1"));
    assert_eq!(peer.written(), ok("1", false) + go_on);
}

#[test]
fn a_refused_body_is_not_asked_for() {
    let mut peer = routes();
    peer.receive(
        b"POST /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    assert!(peer.written().starts_with("HTTP/1.1 413 "));
    assert_eq!(end(&peer), Some((Cause::Handler, How::Linger)));
}

#[test]
fn a_handler_that_has_panicked_is_not_asked_again() {
    support::quiet_panics();
    let mut peer = routes();
    peer.receive(&[&post("/panic-on-head-too-late", 5), &b"hello"[..], GET].concat());
    assert_eq!(peer.written(), refused("500 Internal Server Error"));
    assert_eq!((peer.handler.calls, end(&peer)), (0, Some((Cause::Handler, How::Linger))));
}

#[test]
fn a_body_waits_while_the_handler_decides() {
    let mut peer = routes();
    peer.receive(&[&post("/later-on-head", 5), &b"hello"[..], GET].concat());
    assert!(!peer.conn.wants_read());
    let ticket = peer.handler.tickets[0];
    peer.input(|conn, handler, cx| {
        assert!(conn.answer(ticket, handler, cx, |_, reply| reply.buffer_body()));
    });
    assert_eq!(peer.written(), ok("POST /later-on-head hello", false) + &ok("GET /", false));

    peer.receive(&[&post("/later-on-head", 5), &b"hello"[..], GET].concat());
    let ticket = peer.handler.tickets[1];
    assert!(peer.answer(ticket, body("no")));
    assert_eq!(peer.written(), ok("no", true), "refused after all");
    assert_eq!(end(&peer), Some((Cause::Handler, How::Linger)));
}

#[test]
fn a_stream_is_pulled_as_the_peer_reads() {
    let mut peer = Peer::new(Probes { pieces: 100_000, ..Probes::default() });
    peer.window = Some(0);
    peer.receive(GET);
    for _ in 0..100 {
        assert!(peer.conn.output().len() < 66 * 1024, "{}", peer.conn.output().len());
        peer.take(300_000);
    }
    assert!(peer.classes().contains(&Class::Write));
    peer.expire(Class::Write);
    assert_eq!(end(&peer), Some((Cause::WriteStall, How::Close)));
    assert_eq!(peer.handler.seen(), ["aborted WriteStall"]);
}

#[test]
fn an_exchange_holds_its_body_back() {
    let mut peer = Peer::new(Probes::default());
    peer.receive(&post("/", 9));
    assert_eq!(peer.classes(), [Class::Receive, Class::MinRate]);
    peer.receive(b"abc");
    assert_eq!((peer.handler.seen(), peer.conn.wants_read()), (vec!["data 3".into()], false));
    assert_eq!(peer.classes(), [], "while the server does not read, nothing of the peer is due");
    peer.receive(b"defghi");
    assert_eq!(peer.handler.seen(), [""; 0]);
    let ticket = peer.handler.ticket.get().unwrap();
    assert!(peer.wake(ticket));
    assert_eq!(peer.handler.seen(), ["data 6"]);
    assert!(peer.wake(ticket));
    assert_eq!(peer.handler.seen(), ["end"]);
    assert!(peer.written().ends_with("chunked\r\n\r\n0\r\n\r\n"));
    assert_eq!(peer.classes(), [Class::Idle]);
}

#[test]
fn an_exchange_that_pushes_back_gets_all_of_its_body() {
    let whole = [post("/both", 5), b"hello".to_vec()].concat();
    for split in 1..whole.len() {
        let mut peer = routes();
        peer.receive(&whole[..split]);
        peer.receive(&whole[split..]);
        let written = peer.written();
        assert!(written.ends_with("\r\n0\r\n\r\n"), "split at {split}: {written}");
        assert_eq!(peer.classes(), [Class::Idle]);
    }

    let mut peer = routes();
    peer.window = Some(0);
    peer.receive(&post("/both", 1 << 20));
    let piece = vec![b'x'; 64 << 10];
    let mut sent = 0;
    while sent < 1 << 20 {
        while peer.conn.wants_read() {
            peer.receive(&piece);
            sent += piece.len();
            let kept = peer.conn.output().len();
            assert!(kept < 256 << 10, "{kept} bytes kept of {sent}");
        }
        peer.take(10_000);
    }
    peer.take(2 << 20);
    assert!(peer.written().ends_with("\r\n0\r\n\r\n"));
}

#[test]
fn an_exchange_gets_its_body_when_its_turn_has_come() {
    let mut peer = Peer::new(Probes::default());
    peer.receive(&[&get("/later"), &post("/", 3), &b"abc"[..]].concat());
    assert_eq!((peer.handler.seen(), peer.conn.wants_read()), (vec![], false));
    let ticket = peer.handler.ticket.get().unwrap();
    peer.answer(ticket, body("1"));
    assert_eq!(peer.handler.seen(), ["data 3"]);
}

#[test]
fn an_exchange_hears_of_the_end_of_its_connection_once() {
    let mut peer = Peer::new(Probes::default());
    peer.receive(&post("/", 9));
    peer.input(|conn, _, _| conn.abort(Cause::PeerReset));
    peer.input(|conn, _, _| conn.abort(Cause::Drain));
    assert_eq!(peer.handler.seen(), ["aborted PeerReset"]);
    assert_eq!(end(&peer), Some((Cause::PeerReset, How::Close)));

    let mut peer = Peer::new(Probes::default());
    peer.receive(GET);
    assert_eq!(peer.handler.seen(), [""; 0], "it was complete");
}

#[test]
fn lingering_ends_with_the_peer_or_with_the_budget() {
    let linger = || {
        let mut peer = routes();
        peer.receive(b"nonsense\r\n");
        assert_eq!(end(&peer), Some((Cause::ParseError, How::Linger)));
        peer.input(|conn, _, _| conn.shut_down());
        assert_eq!((peer.end, peer.conn.phase()), (None, Phase::Linger));
        assert_eq!(peer.classes(), [Class::Linger, Class::LingerTotal]);
        peer
    };
    let mut peer = linger();
    peer.receive(b"more of it");
    assert!(peer.conn.take_changes().restarted.contains(Class::Linger));
    assert_eq!(peer.end, None);
    peer.eof();
    assert_eq!(end(&peer), Some((Cause::ParseError, How::Close)));

    let mut peer = linger();
    peer.receive(&vec![0; 256 * 1024]);
    assert_eq!(peer.end, None);
    assert!(peer.conn.wants_read());
    peer.receive(&[0]);
    assert_eq!((peer.end, peer.conn.wants_read(), peer.conn.is_sated()), (None, false, true));
    peer.eof();
    assert_eq!(end(&peer), Some((Cause::ParseError, How::Close)));

    for class in [Class::Linger, Class::LingerTotal] {
        let mut peer = linger();
        peer.expire(class);
        assert_eq!(end(&peer), Some((Cause::Linger, How::Close)));
    }
}

#[test]
fn draining_ends_what_is_idle_and_finishes_what_is_not() {
    for before in [&b""[..], b"\r\n", GET] {
        let mut peer = routes();
        peer.receive(before);
        peer.written();
        peer.drain();
        assert_eq!(peer.written(), "");
        assert_eq!(end(&peer), Some((Cause::Drain, How::Close)), "{before:?}");
    }

    let mut peer = routes();
    peer.receive(&GET[..10]);
    peer.drain();
    assert_eq!(peer.end, None);
    peer.receive(&[&GET[10..], GET].concat());
    assert_eq!(peer.written(), ok("GET /", true), "half a head may complete, and no more");
    assert_eq!(peer.end.unwrap().cause, Cause::Drain);

    let mut peer = routes();
    peer.receive(&[&get("/later").repeat(2), &GET[..10]].concat());
    peer.drain();
    peer.receive(&GET[10..]);
    let tickets = peer.handler.tickets.clone();
    peer.answer(tickets[1], body("2"));
    peer.answer(tickets[0], body("1"));
    assert_eq!(peer.written(), ok("1", false) + &ok("2", true), "the last of those begun says so");
    assert_eq!((peer.end.unwrap().cause, peer.handler.calls), (Cause::Drain, 2));

    let mut peer = routes();
    peer.receive(&[&post("/", 5), &b"hel"[..]].concat());
    peer.drain();
    peer.receive(b"lo");
    assert_eq!(peer.written(), ok("POST / hello", true));
    assert_eq!(peer.end.unwrap().cause, Cause::Drain);
}

#[test]
fn deadlines_hold_while_draining() {
    let mut peer = routes();
    peer.receive(&GET[..10]);
    peer.drain();
    assert_eq!(peer.classes(), [Class::Headers, Class::Receive]);
    peer.expire(Class::Headers);
    assert_eq!(peer.written(), refused("408 Request Timeout"));
}

#[test]
fn an_upgraded_connection_is_asked_to_end_and_then_made_to() {
    let upgrade =
        b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: probe\r\n\r\n";
    let mut peer = routes();
    peer.receive(upgrade);
    peer.written();
    assert_eq!((peer.conn.phase(), peer.classes()), (Phase::Upgraded, vec![Class::Upgraded]));
    peer.receive(b"ping");
    assert_eq!(peer.written(), "ping");
    assert!(peer.conn.take_changes().restarted.contains(Class::Upgraded));
    peer.drain();
    assert_eq!(end(&peer), Some((Cause::Drain, How::Linger)), "the echo ends when asked");

    let mut peer = routes();
    peer.receive(&[&get("/later"), &upgrade[..]].concat());
    peer.drain();
    let ticket = peer.handler.tickets[0];
    peer.answer(ticket, body("1"));
    assert!(peer.written().contains("\r\nUpgrade: echo\r\n"), "begun before the drain");
    assert_eq!(peer.end.map(|end| end.cause), Some(Cause::Drain));

    let mut peer = Peer::new(Probes { pieces: usize::MAX, ..Probes::default() });
    peer.window = Some(1000);
    peer.receive(upgrade);
    peer.expire(Class::Upgraded);
    assert_eq!((peer.handler.seen(), peer.end), (vec!["drain".into()], None));
    peer.expire(Class::Upgraded);
    assert_eq!(peer.handler.seen(), ["aborted Idle"]);
    assert_eq!(end(&peer), Some((Cause::Idle, How::Close)));
}

#[test]
fn an_idle_connection_owns_no_buffer() {
    // One cache line more or less: what a hundred thousand idle connections cost.
    let size = size_of::<netserver::conn::Conn>();
    assert!(size <= 256, "{size} bytes");
}

/// Writes a byte at a time for as long as there is room.
struct ByteWise;

impl Exchange for ByteWise {
    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        while sink.room() > 0 {
            sink.write(b"x");
        }
        Pull::More
    }
}

struct ByteWiseHandler;

impl Handler for ByteWiseHandler {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.stream(Response::new(Status::OK), Box::new(ByteWise));
    }
}

#[test]
fn what_chunks_are_wrapped_in_takes_room_too() {
    let mut peer = Peer::new(ByteWiseHandler);
    peer.window = Some(0);
    peer.receive(GET);
    let unsent = peer.conn.output().len();
    assert!((64 << 10..65 << 10).contains(&unsent), "{unsent} bytes wait");
}
