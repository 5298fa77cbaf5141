//! A connection without a socket, a handler that does as the request says, and a virtual clock.
// Each test file compiles this for itself and uses a part of it.
#![allow(dead_code, unreachable_pub)]

pub mod agree;
pub mod differential;
pub mod probe;

use std::time::{Duration, Instant, SystemTime};

use netserver::conn::{Conn, End, How};
use netserver::http::{DateCache, Fields, Head};
use netserver::track::Class;
use netserver::{
    Cause, ConnId, Context, Exchange, Flow, Handler, Pull, Reply, Request, Response, Settings,
    Sink, Status, Ticket,
};

/// What every Date field says, as the virtual clock stands still unless a test moves it.
pub const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A connection with all it needs.
pub struct Peer<H> {
    pub conn: Conn,
    pub handler: H,
    pub settings: Settings,
    pub date: DateCache,
    pub now: Instant,
    /// All that was written.
    pub output: Vec<u8>,
    /// What the peer takes at a time; `None`: everything.
    pub window: Option<usize>,
    pub scratch: Vec<u8>,
    /// How the connection ended.
    pub end: Option<End>,
}

impl<H: Handler> Peer<H> {
    pub fn new(handler: H) -> Peer<H> {
        Peer::with_settings(handler, Settings::default())
    }

    pub fn with_settings(handler: H, settings: Settings) -> Peer<H> {
        let now = Instant::now();
        let system = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        Peer {
            conn: Conn::new(),
            handler,
            settings,
            date: DateCache::new(system, now),
            now,
            output: Vec::new(),
            window: None,
            scratch: Vec::with_capacity(256 * 1024),
            end: None,
        }
    }

    /// Runs one input, then writes and goes on until the connection has nothing more to do.
    pub fn input(&mut self, input: impl FnOnce(&mut Conn, &mut H, &mut Context<'_>)) {
        let mut cx = Context {
            settings: &self.settings,
            date: &mut self.date,
            now: self.now,
            id: ID,
            peer: None,
        };
        self.conn.lend_output(&mut self.scratch);
        input(&mut self.conn, &mut self.handler, &mut cx);
        for turn in 0.. {
            assert!(turn < 1_000_000, "the connection never rests");
            let unsent = self.conn.output();
            let taken = unsent.len().min(self.window.unwrap_or(usize::MAX));
            self.output.extend_from_slice(&unsent[..taken]);
            if let Some(window) = &mut self.window {
                *window -= taken;
            }
            if taken > 0 {
                self.conn.wrote(taken);
            }
            if !self.conn.wants_resume() {
                break;
            }
            self.conn.resume(&mut self.handler, &mut cx);
            if taken == 0 && self.conn.output().len() == self.scratch.len() {
                break;
            }
        }
        self.conn.take_output(&mut self.scratch);
        self.end = self.conn.end();
    }

    pub fn receive(&mut self, bytes: &[u8]) {
        self.input(|conn, handler, cx| conn.receive(bytes, handler, cx));
    }

    pub fn eof(&mut self) {
        self.input(Conn::receive_eof);
    }

    pub fn expire(&mut self, class: Class) {
        self.input(|conn, handler, cx| conn.expire(class, handler, cx));
    }

    pub fn drain(&mut self) {
        self.input(|conn, _, cx| conn.drain(cx));
    }

    pub fn answer(&mut self, ticket: Ticket, response: Response<'_>) -> bool {
        let mut fresh = false;
        self.input(|conn, handler, cx| {
            fresh = conn.answer(ticket, handler, cx, |_, reply| reply.send(response));
        });
        fresh
    }

    pub fn wake(&mut self, ticket: Ticket) -> bool {
        let mut fresh = false;
        self.input(|conn, handler, cx| fresh = conn.wake(ticket, handler, cx));
        fresh
    }

    /// Lets the peer take so many more bytes.
    pub fn take(&mut self, bytes: usize) {
        self.window = Some(self.window.unwrap_or(0) + bytes);
        self.input(Conn::resume);
    }

    /// What was written since this was last asked.
    pub fn written(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.output)).into_owned()
    }

    /// The classes the connection is in, in their order.
    pub fn classes(&mut self) -> Vec<Class> {
        self.conn.take_changes().active.iter().collect()
    }
}

pub const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

pub fn post(path: &str, length: usize) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

pub fn routes() -> Peer<Routes> {
    Peer::new(Routes::default())
}

pub fn with(change: impl FnOnce(&mut Settings)) -> Peer<Routes> {
    let mut settings = Settings::default();
    change(&mut settings);
    Peer::with_settings(Routes::default(), settings)
}

/// A refusal, as the server writes it.
pub fn refused(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nDate: {DATE}\r\nConnection: close\r\n\r\n")
}

/// A whole response, as the server writes it.
pub fn ok(body: &str, close: bool) -> String {
    let connection = if close { "close" } else { "keep-alive\r\nKeep-Alive: timeout=5" };
    format!(
        "HTTP/1.1 200 OK\r\nDate: {DATE}\r\nConnection: {connection}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub fn body(text: &str) -> Response<'_> {
    Response::new(Status::OK).body(text.as_bytes())
}

/// Cause and manner of the end.
pub fn end<H>(peer: &Peer<H>) -> Option<(Cause, How)> {
    peer.end.map(|end| (end.cause, end.how))
}

/// Keeps the panics that tests ask for out of what they print.
pub fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<String>().is_none_or(|text| text != ASKED) {
                default(info);
            }
        }));
    });
}

const ASKED: &str = "as the test asked";

pub const ID: ConnId = ConnId::new(3, 17);

/// Does what the path says, and else tells what it was asked.
#[derive(Default)]
pub struct Routes {
    pub tickets: Vec<Ticket>,
    pub calls: usize,
}

impl Handler for Routes {
    fn on_head(&mut self, head: &Head<'_>, reply: Reply<'_>) {
        match head.path() {
            "/refuse" => reply.send(Response::new(Status::CONTENT_TOO_LARGE)),
            "/up" => reply.stream_body(Box::new(Upload::default())),
            "/up-at-once" => reply.stream_body(Box::new(AtOnce)),
            "/both" => reply.stream(Response::new(Status::OK), Box::new(Echo::default())),
            "/small" => reply.body_limit(3).buffer_body(),
            "/panic-on-head" => panic!("{ASKED}"),
            "/panic-on-head-too-late" => {
                reply.buffer_body();
                panic!("{ASKED}");
            }
            "/panic-in-stream-on-head" => {
                reply.stream(Response::new(Status::OK), Box::new(Echo::default()));
                panic!("{ASKED}");
            }
            "/drop-on-head" => drop(reply),
            "/later-on-head" => self.tickets.push(reply.later()),
            _ => reply.buffer_body(),
        }
    }

    fn on_request(&mut self, request: &Request<'_>, mut reply: Reply<'_>) {
        self.calls += 1;
        let ok = Response::new(Status::OK);
        match request.path() {
            "/204" => reply.send(Response::new(Status::NO_CONTENT).body(b"never sent")),
            "/205" => reply.send(Response::new(Status::RESET_CONTENT).body(b"never sent")),
            "/304" => reply.send(Response::new(Status::NOT_MODIFIED)),
            "/close" => reply.send(ok.close()),
            "/split" => reply.send(ok.fields(&[("X", "a\r\nY: b")])),
            "/hints" => {
                let hints = Response::new(Status::EARLY_HINTS).fields(&[("Link", "</a>")]);
                reply.informational(hints);
                reply.send(ok);
            }
            "/stream" => reply.stream(ok, Box::new(Pieces::of(&["one", "two"]))),
            "/sized" => reply.stream(ok.length(6), Box::new(Pieces::of(&["one", "two"]))),
            "/short" => reply.stream(ok.length(7), Box::new(Pieces::of(&["one", "two"]))),
            "/long" => reply.stream(ok.length(5), Box::new(Pieces::of(&["one", "two"]))),
            "/trailers" => {
                let pieces = Pieces { trailer: Some(("Sum", "6")), ..Pieces::of(&["onetwo"]) };
                reply.stream(ok, Box::new(pieces));
            }
            "/upgrade" => reply.upgrade(&[("Upgrade", "echo")], Box::new(Echo::default())),
            "/panic" => panic!("{ASKED}"),
            "/panic-sent" => {
                reply.send(ok);
                panic!("{ASKED}");
            }
            "/panic-stream" => reply.stream(ok, Box::new(Panics)),
            "/stream-and-panic" => {
                reply.stream(ok, Box::new(Pieces::of(&["one"])));
                panic!("{ASKED}");
            }
            "/drop" => drop(reply),
            "/later" => self.tickets.push(reply.later()),
            _ if request.method() == "CONNECT" => {
                if request.target() == "refused:1" {
                    reply.send(Response::new(Status::FORBIDDEN));
                } else {
                    reply.upgrade(&[], Box::new(Echo::default()));
                }
            }
            _ => reply.send(ok.body(describe(request).as_bytes())),
        }
    }

    fn on_wake(&mut self, _: Ticket, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"woken"));
    }
}

fn describe(request: &Request<'_>) -> String {
    let mut text = format!("{} {}", request.method(), request.target());
    if !request.body().is_empty() {
        text = text + " " + &String::from_utf8_lossy(request.body());
    }
    for (name, value) in request.trailers().iter() {
        text = text + " " + name + "=" + &String::from_utf8_lossy(value);
    }
    text
}

/// Produces the given pieces.
pub struct Pieces {
    pub pieces: Vec<&'static str>,
    pub trailer: Option<(&'static str, &'static str)>,
}

impl Pieces {
    pub fn of(pieces: &[&'static str]) -> Pieces {
        Pieces { pieces: pieces.iter().rev().copied().collect(), trailer: None }
    }
}

impl Exchange for Pieces {
    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        if let Some(piece) = self.pieces.pop() {
            sink.write(piece.as_bytes());
            return Pull::More;
        }
        if let Some((name, value)) = self.trailer {
            sink.trailer(name, value);
        }
        Pull::End
    }
}

struct Panics;

impl Exchange for Panics {
    fn pull(&mut self, _: &mut Sink<'_>) -> Pull {
        panic!("{ASKED}");
    }
}

/// Collects a body and tells its length at the end.
#[derive(Default)]
struct Upload {
    length: usize,
}

impl Exchange for Upload {
    fn on_data(&mut self, data: &[u8], _: &mut Flow<'_>) {
        self.length += data.len();
    }

    fn on_end(&mut self, _: Fields<'_>, flow: &mut Flow<'_>) {
        let text = format!("got {}", self.length);
        assert!(flow.send(Response::new(Status::OK).body(text.as_bytes())));
    }
}

/// Answers at the first piece of a body.
struct AtOnce;

impl Exchange for AtOnce {
    fn on_data(&mut self, _: &[u8], flow: &mut Flow<'_>) {
        flow.send(Response::new(Status::OK).body(b"enough"));
    }
}

/// Sends back what comes, as it comes, and takes no more before that has gone.
#[derive(Default)]
pub struct Echo {
    pending: Vec<u8>,
    ended: bool,
}

impl Exchange for Echo {
    fn on_data(&mut self, data: &[u8], flow: &mut Flow<'_>) {
        self.pending.extend_from_slice(data);
        flow.pause();
    }

    fn on_end(&mut self, _: Fields<'_>, _: &mut Flow<'_>) {
        self.ended = true;
    }

    fn on_drain(&mut self, _: &mut Flow<'_>) {
        self.ended = true;
    }

    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        sink.write(&std::mem::take(&mut self.pending));
        sink.resume();
        if self.ended { Pull::End } else { Pull::Wait }
    }
}
