//! Responses leave in the order of the requests, and a connection takes on only so much.

mod support;

use netserver::conn::{How, Phase};
use netserver::track::Class;
use netserver::{Cause, ConnId};
use support::{GET, ID, body, end, get, ok, post, refused, routes, with};

#[test]
fn replies_given_in_any_order_leave_in_the_order_of_the_requests() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut peer = routes();
        peer.receive(&get("/later").repeat(3));
        let tickets = peer.handler.tickets.clone();
        assert_eq!((peer.conn.phase(), tickets.len()), (Phase::Handler, 3));
        for answer in order {
            assert!(peer.answer(tickets[answer], body(["a", "b", "c"][answer])));
        }
        assert_eq!(peer.written(), [ok("a", false), ok("b", false), ok("c", false)].concat());
        assert_eq!((peer.conn.phase(), peer.conn.requests()), (Phase::Idle, 3));
    }
}

#[test]
fn a_reply_at_once_waits_for_one_put_off() {
    let mut peer = routes();
    peer.receive(&[get("/later"), get("/2"), get("/stream"), get("/4")].concat());
    assert_eq!(peer.written(), "");
    let ticket = peer.handler.tickets[0];
    peer.answer(ticket, body("1"));
    let written = peer.written();
    let chunks = "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";
    assert!(written.starts_with(&[ok("1", false), ok("GET /2", false)].concat()));
    assert!(written.ends_with(&[chunks, &ok("GET /4", false)].concat()), "{written}");
}

#[test]
fn a_stale_ticket_does_nothing() {
    let mut peer = routes();
    peer.receive(&get("/later").repeat(2));
    let tickets = peer.handler.tickets.clone();
    assert!(peer.wake(tickets[1]));
    assert!(!peer.wake(tickets[1]), "answered already, though not sent");
    assert!(peer.answer(tickets[0], body("a")));
    assert!(!peer.answer(tickets[0], body("b")));
    assert_eq!(peer.written(), [ok("a", false), ok("woken", false)].concat());

    peer.receive(&get("/later"));
    let ticket = peer.handler.tickets[2];
    peer.input(|conn, handler, cx| {
        cx.id = ConnId::new(ID.index(), ID.generation() + 1);
        assert!(!conn.wake(ticket, handler, cx), "another connection's");
    });
}

#[test]
fn an_error_comes_after_the_responses_to_earlier_requests() {
    let mut peer = routes();
    peer.receive(&[&get("/later"), &b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"[..]].concat());
    assert_eq!((peer.written(), peer.end), (String::new(), None));
    let ticket = peer.handler.tickets[0];
    peer.answer(ticket, body("1"));
    assert_eq!(peer.written(), ok("1", false) + &refused("400 Bad Request"));
    assert_eq!(end(&peer), Some((Cause::ParseError, How::Linger)));
}

#[test]
fn a_deadline_of_the_second_request_waits_for_the_first_response() {
    let mut peer = routes();
    peer.receive(&[&get("/later"), &b"GET / HT"[..]].concat());
    assert_eq!(peer.classes(), [Class::Headers, Class::Receive]);
    peer.expire(Class::Headers);
    assert_eq!(peer.written(), "");
    let ticket = peer.handler.tickets[0];
    peer.answer(ticket, body("1"));
    assert_eq!(peer.written(), ok("1", false) + &refused("408 Request Timeout"));
    assert_eq!(end(&peer), Some((Cause::Headers, How::Linger)));
}

#[test]
fn a_response_that_closes_is_the_last_though_more_were_asked_for() {
    let mut peer = routes();
    peer.receive(&get("/later").repeat(3));
    let tickets = peer.handler.tickets.clone();
    peer.answer(tickets[2], body("3"));
    peer.answer(tickets[1], body("2").close());
    peer.answer(tickets[0], body("1"));
    assert_eq!(peer.written(), ok("1", false) + &ok("2", true));
    assert_eq!(peer.end.unwrap().cause, Cause::Handler);
}

#[test]
fn nothing_is_read_beyond_a_response_that_closes() {
    let mut peer = routes();
    peer.receive(&[get("/later").repeat(2), post("/", 5)].concat());
    assert!(peer.conn.wants_read());
    let tickets = peer.handler.tickets.clone();
    peer.answer(tickets[1], body("2").close());
    let requests = peer.conn.requests();
    peer.receive(&get("/"));
    assert_eq!((peer.conn.requests(), peer.classes()), (requests, vec![]), "it is dropped");

    let mut peer = routes();
    peer.receive(&[&get("/later").repeat(2), &GET[..10]].concat());
    let tickets = peer.handler.tickets.clone();
    peer.answer(tickets[1], body("2").close());
    peer.receive(&GET[10..]);
    assert_eq!((peer.conn.requests(), peer.classes()), (2, vec![]), "it is dropped");

    let mut peer = routes();
    peer.receive(&[get("/later"), post("/later-on-head", 5)].concat());
    let tickets = peer.handler.tickets.clone();
    peer.answer(tickets[1], body("2"));
    assert_eq!(peer.conn.phase(), Phase::Handler);
    peer.answer(tickets[0], body("1"));
    assert_eq!(peer.written(), ok("1", false) + &ok("2", true));
}

#[test]
fn what_fails_before_its_turn_is_an_error_in_its_turn() {
    let mut peer = routes();
    peer.receive(&[get("/later"), get("/stream-and-panic")].concat());
    let ticket = peer.handler.tickets[0];
    peer.answer(ticket, body("1"));
    assert_eq!(peer.written(), ok("1", false) + &refused("500 Internal Server Error"));
    assert_eq!(peer.end.unwrap().cause, Cause::Handler);
}

#[test]
fn another_protocol_begins_in_its_turn() {
    let upgrade =
        b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let mut peer = routes();
    peer.receive(&[&get("/later"), &upgrade[..], b"ping"].concat());
    assert_eq!((peer.written(), peer.conn.phase()), (String::new(), Phase::Handler));
    let ticket = peer.handler.tickets[0];
    peer.answer(ticket, body("1"));
    let written = peer.written();
    assert!(written.starts_with(&(ok("1", false) + "HTTP/1.1 101 ")), "{written}");
    assert!(written.ends_with("\r\n\r\nping"), "{written}");
    assert_eq!(peer.conn.phase(), Phase::Upgraded);
}

#[test]
fn half_closed_peers_get_what_they_asked_for() {
    let mut peer = routes();
    peer.receive(&get("/later").repeat(2));
    peer.eof();
    assert_eq!(peer.end, None);
    let tickets = peer.handler.tickets.clone();
    peer.answer(tickets[1], body("2"));
    peer.answer(tickets[0], body("1"));
    assert_eq!(peer.written(), ok("1", false) + &ok("2", true));
    assert_eq!(end(&peer), Some((Cause::PeerFin, How::Close)));
}

#[test]
fn the_last_request_of_a_connection_says_so() {
    let mut peer = with(|settings| settings.limits.requests_per_connection = 2);
    peer.receive(&GET.repeat(3));
    assert_eq!(peer.written(), ok("GET /", false) + &ok("GET /", true));
    assert_eq!(peer.handler.calls, 2);
    assert_eq!(end(&peer), Some((Cause::MaxRequests, How::Linger)), "more was on its way");
}

#[test]
fn reading_pauses_at_the_pipelining_limit() {
    let mut peer = with(|settings| settings.limits.pipelined = 2);
    peer.receive(&get("/later").repeat(4));
    assert_eq!((peer.handler.calls, peer.conn.wants_read()), (2, false));
    let tickets = peer.handler.tickets.clone();
    peer.answer(tickets[1], body("2"));
    assert_eq!(peer.handler.calls, 2, "the second waits for the first still");
    peer.answer(tickets[0], body("1"));
    assert_eq!(peer.handler.calls, 4);
    for ticket in peer.handler.tickets.split_off(2) {
        peer.answer(ticket, body("x"));
    }
    assert!(peer.conn.wants_read());
}

#[test]
fn a_peer_that_never_reads_is_not_read_from() {
    let mut peer = routes();
    peer.window = Some(0);
    let mut sent = 0;
    let pipeline = GET.repeat(1000);
    while peer.conn.wants_read() {
        peer.receive(&pipeline);
        sent += pipeline.len();
        assert!(sent < 1 << 20, "reading never stops");
    }
    assert!(peer.conn.output().len() < 66 * 1024, "{}", peer.conn.output().len());
    assert_eq!(peer.classes(), [Class::Write]);
    peer.expire(Class::Write);
    assert_eq!(end(&peer), Some((Cause::WriteStall, How::Close)));
    assert_eq!(peer.classes(), [], "what has ended is under no deadline");
}

#[test]
fn responses_that_wait_for_their_turn_count_until_they_are_sent() {
    let mut peer = routes();
    let large = "x".repeat(40_000);
    for _ in 0..10 {
        peer.receive(&get("/later").repeat(3));
        let tickets = std::mem::take(&mut peer.handler.tickets);
        peer.answer(tickets[2], body(&large));
        assert!(peer.conn.wants_read());
        peer.answer(tickets[1], body(&large));
        assert!(!peer.conn.wants_read(), "what waits is memory too");
        peer.answer(tickets[0], body("1"));
        assert!(peer.conn.wants_read());
    }
}

#[test]
fn what_was_held_back_is_served_when_the_peer_reads() {
    let mut peer = routes();
    peer.window = Some(0);
    peer.receive(&GET.repeat(2000));
    let calls = peer.handler.calls;
    assert!(calls < 2000);
    while peer.handler.calls < 2000 || !peer.conn.output().is_empty() {
        peer.take(10_000);
    }
    assert_eq!(peer.written(), ok("GET /", false).repeat(2000));
    assert_eq!(peer.classes(), [Class::Idle]);
}

/// Found by the simulation: a deadline wrote the last response, and the request that waited behind
/// the limit was run and answered after it.
#[test]
fn nothing_follows_a_last_response_that_no_bytes_have_brought() {
    let limited = || {
        let mut peer = with(|settings| {
            settings.limits.pipelined = 1;
            settings.timeouts.handler = std::time::Duration::from_secs(1);
        });
        peer.receive(&[get("/later"), get("/2")].concat());
        peer
    };
    let mut peer = limited();
    peer.expire(Class::Handler);
    assert_eq!(peer.written(), refused("503 Service Unavailable"));
    assert_eq!((peer.handler.calls, end(&peer)), (1, Some((Cause::Handler, How::Linger))));

    let mut peer = limited();
    let ticket = peer.handler.tickets[0];
    assert!(peer.answer(ticket, body("a").close()));
    assert_eq!(peer.written(), ok("a", true));
    assert_eq!(peer.handler.calls, 1, "the second request was run");
}

/// Found by the simulation: with the body that was given up its request was taken back, and the
/// server counted down.
#[test]
fn a_request_whose_body_is_given_up_has_been_one() {
    let mut peer = routes();
    peer.receive(&[&post("/", 100)[..], b"part"].concat());
    assert_eq!(peer.conn.requests(), 1);
    peer.input(|conn, _, _| conn.abort(Cause::PeerReset));
    assert_eq!(peer.conn.requests(), 1);
}

#[test]
fn of_a_read_so_much_is_run_and_no_more_is_read_before_the_rest_is() {
    let mut peer = routes();
    // More than has a turn of its own, and each is answered at once.
    let many = 1000;
    peer.input(|conn, handler, cx| {
        conn.receive(&get("/1").repeat(many), handler, cx);
        let mut seen = 0;
        while conn.wants_resume() {
            let run = conn.requests() - seen;
            assert!((1..100).contains(&run), "{run} of them in one go");
            assert!(!conn.wants_read(), "it would gather what it cannot use yet");
            seen = conn.requests();
            conn.wrote(conn.output().len());
            conn.resume(handler, cx);
        }
        assert!(conn.wants_read());
    });
    assert_eq!(peer.conn.requests(), many as u64);
    assert_eq!(peer.conn.phase(), Phase::Idle);
}
