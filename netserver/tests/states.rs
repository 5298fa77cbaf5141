//! Whatever happens to a connection, in whatever order: it never gets stuck, it is under the right
//! deadlines, and it ends at most once.

mod support;

use proptest::prelude::*;

use netserver::conn::{How, Phase};
use netserver::track::Class;
use netserver::{Cause, Response, Settings, Status};
use support::{Peer, Routes, get, post};

/// Something that happens to a connection.
#[derive(Clone, Debug)]
enum Event {
    Receive(Vec<u8>),
    Eof,
    /// The peer takes so many bytes.
    Take(usize),
    /// Some open ticket is answered, perhaps with a close, or woken.
    Answer(usize, bool),
    Wake(usize),
    Expire(Class),
    Drain,
    Abort,
}

fn event() -> impl Strategy<Value = Event> {
    let upgrade = b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let expect =
        b"PUT /up HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let chunked = b"PUT /both HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let pieces: Vec<Vec<u8>> = vec![
        get("/"),
        get("/later"),
        get("/stream"),
        get("/close"),
        get("/panic"),
        get("/short"),
        post("/", 3),
        post("/both", 3),
        post("/up-at-once", 3),
        post("/later-on-head", 3),
        post("/refuse", 3),
        b"GET /later HTTP/1.0\r\n\r\n".to_vec(),
        b"CONNECT refused:1 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        upgrade.to_vec(),
        expect.to_vec(),
        chunked.to_vec(),
        b"3\r\nabc\r\n".to_vec(),
        b"0\r\n\r\n".to_vec(),
        b"abc".to_vec(),
        b"GET / HT".to_vec(),
        b"\r\n".to_vec(),
        b"\0".to_vec(),
    ];
    prop_oneof![
        8 => proptest::sample::select(pieces).prop_map(Event::Receive),
        4 => (1_usize..600).prop_map(Event::Take),
        4 => (0_usize..8, any::<bool>()).prop_map(|(n, close)| Event::Answer(n, close)),
        1 => (0_usize..8).prop_map(Event::Wake),
        2 => proptest::sample::select(&Class::ALL[..]).prop_map(Event::Expire),
        1 => Just(Event::Eof),
        1 => Just(Event::Drain),
        1 => prop_oneof![9 => Just(Event::Drain), 1 => Just(Event::Abort)],
    ]
}

/// Classes that exclude each other.
const GROUPS: [&[Class]; 4] = [
    &[Class::FirstByte, Class::Headers, Class::Idle, Class::Linger, Class::Upgraded],
    &[Class::Receive, Class::LingerTotal],
    &[Class::MinRate, Class::Handler],
    &[Class::Write],
];

/// The classes of what the connection is doing, said once more and from outside: by its phase, and
/// by whether it would read and has something to write.
fn classes_of_its_phase(peer: &Peer<Routes>, found: &[Class]) -> Vec<Class> {
    let reads = peer.conn.wants_read();
    let mut classes = match peer.conn.phase() {
        Phase::FirstByte => vec![Class::FirstByte, Class::Receive],
        Phase::Headers if reads => vec![Class::Headers, Class::Receive],
        Phase::Body if reads => vec![Class::Receive, Class::MinRate],
        Phase::Headers | Phase::Body | Phase::Handler | Phase::Write => vec![],
        Phase::Idle => vec![Class::Idle],
        Phase::Upgraded => vec![Class::Upgraded],
        Phase::Linger => vec![Class::Linger, Class::LingerTotal],
    };
    // Beside all that, the handler may be awaited, whose pace then counts and not the peer's.
    let timed = !peer.settings.timeouts.handler.is_zero();
    if timed && (peer.conn.phase() == Phase::Handler || found.contains(&Class::Handler)) {
        classes.retain(|class| *class != Class::MinRate);
        classes.push(Class::Handler);
    }
    if !peer.conn.output().is_empty() {
        classes.push(Class::Write);
    }
    classes
}

fn happen(peer: &mut Peer<Routes>, event: Event) {
    let count = peer.handler.tickets.len().max(1);
    let ticket = |peer: &Peer<Routes>, n: usize| peer.handler.tickets.get(n % count).copied();
    match event {
        Event::Receive(bytes) if peer.conn.wants_read() => peer.receive(&bytes),
        Event::Receive(_) => {}
        Event::Eof => peer.eof(),
        Event::Take(bytes) => peer.take(bytes),
        Event::Answer(n, close) => {
            if let Some(ticket) = ticket(peer, n) {
                let response = Response::new(Status::OK).body(b"later");
                peer.answer(ticket, if close { response.close() } else { response });
            }
        }
        Event::Wake(n) => {
            if let Some(ticket) = ticket(peer, n) {
                peer.wake(ticket);
            }
        }
        Event::Expire(class) => peer.expire(class),
        Event::Drain => peer.drain(),
        Event::Abort => peer.input(|conn, _, _| conn.abort(Cause::Evicted)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_connection_never_gets_stuck(
        events in proptest::collection::vec(event(), 1..40),
        pipelined in 1_usize..4,
        handler_is_timed: bool,
    ) {
        support::quiet_panics();
        let mut settings = Settings::default();
        settings.limits.pipelined = pipelined;
        settings.timeouts.handler = std::time::Duration::from_secs(u64::from(handler_is_timed));
        let mut peer = Peer::with_settings(Routes::default(), settings);
        peer.window = Some(0);
        let mut requests = 0;
        for event in events {
            happen(&mut peer, event);
            prop_assert!(peer.conn.requests() >= requests, "a request is gone: {:?}", peer.conn);
            requests = peer.conn.requests();
            if let Some(end) = peer.end {
                prop_assert!(end.how == How::Close || peer.conn.output().is_empty());
                if end.how == How::Close {
                    break;
                }
                peer.input(|conn, _, _| conn.shut_down());
                prop_assert_eq!(peer.end, None);
            }
            prop_assert!(!peer.conn.wants_resume(), "{:?}", peer.conn);
            let classes = peer.classes();
            for group in GROUPS {
                let count = classes.iter().filter(|class| group.contains(class)).count();
                prop_assert!(count <= 1, "{classes:?}");
            }
            prop_assert_eq!(&classes, &classes_of_its_phase(&peer, &classes), "{:?}", peer.conn);
            // Somebody has the next move: the peer, who can send or take, or the handler.
            let owed = peer.handler.tickets.clone().into_iter().any(|t| peer.conn.is_open(t));
            let peers_move = peer.conn.wants_read() || !peer.conn.output().is_empty();
            prop_assert!(peers_move || owed, "nobody can move: {:?}", peer.conn);
            // And if it is the peer's, there is a deadline for it.
            prop_assert!(!peers_move || owed || !classes.is_empty(), "{:?}", peer.conn);
        }
        // Answered and read to the end, any connection comes to rest or to its end.
        for _ in 0..8 {
            let tickets = std::mem::take(&mut peer.handler.tickets);
            for ticket in tickets {
                peer.answer(ticket, Response::new(Status::OK));
            }
            peer.take(1 << 20);
        }
        prop_assert!(peer.end.is_some() || peer.conn.wants_read(), "{:?}", peer.conn);
        let responses = String::from_utf8_lossy(&peer.output).matches("HTTP/1.1 200").count();
        prop_assert!(responses as u64 <= peer.conn.requests(), "an answer nobody asked for");
    }
}
