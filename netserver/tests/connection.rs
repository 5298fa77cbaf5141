//! One connection: order, deadlines, pushing back, and the ways to end.

mod support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use netserver::conn::{How, Phase};
use netserver::http::Fields;
use netserver::track::Class;
use netserver::{
    Cause, Exchange, Flow, Handler, Head, Pull, Reply, Request, Response, Settings, Sink, Status,
    Ticket,
};
use support::{DATE, ID, Peer, Routes};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

fn post(path: &str, length: usize) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

fn routes() -> Peer<Routes> {
    Peer::new(Routes::default())
}

fn with(change: impl FnOnce(&mut Settings)) -> Peer<Routes> {
    let mut settings = Settings::default();
    change(&mut settings);
    Peer::with_settings(Routes::default(), settings)
}

fn refused(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nDate: {DATE}\r\nConnection: close\r\n\r\n")
}

fn ok(body: &str, close: bool) -> String {
    let connection = if close { "close" } else { "keep-alive\r\nKeep-Alive: timeout=5" };
    format!(
        "HTTP/1.1 200 OK\r\nDate: {DATE}\r\nConnection: {connection}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn body<'a>(text: &'a str) -> Response<'a> {
    Response::new(Status::OK).body(text.as_bytes())
}

/// Cause and manner of the end.
fn end<H>(peer: &Peer<H>) -> Option<(Cause, How)> {
    peer.end.map(|end| (end.cause, end.how))
}

// Order.

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
        cx.id = netserver::ConnId::new(ID.index(), ID.generation() + 1);
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
    assert_eq!((peer.conn.wants_read(), peer.classes()), (false, vec![]));

    let mut peer = routes();
    peer.receive(&[get("/later"), post("/later-on-head", 5)].concat());
    let tickets = peer.handler.tickets.clone();
    peer.answer(tickets[1], body("2"));
    assert_eq!((peer.conn.wants_read(), peer.conn.phase()), (false, Phase::Handler));
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

// Limits.

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

// Deadlines.

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

// Bodies and streams.

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

/// What happened to an exchange.
type Log = Rc<RefCell<Vec<String>>>;

/// Streams so many pieces of a kilobyte; pauses its request body until it is woken.
struct Probe {
    log: Log,
    pieces: usize,
    ticket: Rc<Cell<Option<Ticket>>>,
}

impl Exchange for Probe {
    fn on_data(&mut self, data: &[u8], flow: &mut Flow<'_>) {
        self.log.borrow_mut().push(format!("data {}", data.len()));
        self.ticket.set(Some(flow.ticket()));
        flow.pause();
    }

    fn on_end(&mut self, _: Fields<'_>, flow: &mut Flow<'_>) {
        self.log.borrow_mut().push("end".to_owned());
        flow.stream(Response::new(Status::OK));
    }

    fn on_drain(&mut self, _: &mut Flow<'_>) {
        self.log.borrow_mut().push("drain".to_owned());
    }

    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        assert!(sink.room() > 0);
        if self.pieces == 0 {
            return Pull::End;
        }
        self.pieces -= 1;
        sink.write(&[b'x'; 1000]);
        Pull::More
    }

    fn aborted(&mut self, cause: Cause) {
        self.log.borrow_mut().push(format!("aborted {cause:?}"));
    }
}

#[derive(Default)]
struct Probes {
    log: Log,
    pieces: usize,
    ticket: Rc<Cell<Option<Ticket>>>,
}

impl Probes {
    fn probe(&self) -> Box<Probe> {
        Box::new(Probe {
            log: Rc::clone(&self.log),
            pieces: self.pieces,
            ticket: Rc::clone(&self.ticket),
        })
    }

    fn seen(&self) -> Vec<String> {
        self.log.take()
    }
}

impl Handler for Probes {
    fn on_head(&mut self, _: &Head<'_>, reply: Reply<'_>) {
        reply.stream_body(self.probe());
    }

    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        match request.path() {
            "/later" => self.ticket.set(Some(reply.later())),
            "/upgrade" => reply.upgrade(&[("Upgrade", "probe")], self.probe()),
            _ => reply.stream(Response::new(Status::OK), self.probe()),
        }
    }
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

// Ends.

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
    peer.receive(&[0]);
    assert_eq!(end(&peer), Some((Cause::Linger, How::Close)));

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
