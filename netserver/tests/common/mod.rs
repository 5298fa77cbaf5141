//! A server over real loopback sockets on a virtual clock: time passes when a test says so, and
//! production values of minutes cost nothing.

#![allow(dead_code)] // each test program uses its part

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use netserver::http::Fields;
use netserver::{
    Cause, Closed, ConnId, Exchange, Flow, Handler, Head, Host, Limits, ListenOptions, Listener,
    Pull, Ready, Reply, Request, Response, Server, ServerBuilder, Sink, Status, Ticket, Timeouts,
    Tokens, Upgraded,
};
use timerwheel::Timers;

/// What the test's handler has seen, shared with the test.
#[derive(Clone, Default)]
pub(crate) struct Seen(Rc<RefCell<Log>>);

#[derive(Default)]
pub(crate) struct Log {
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) closed: Vec<Cause>,
    /// The connections that have ended, in that order.
    pub(crate) ended: Vec<ConnId>,
    pub(crate) requests: Vec<String>,
    pub(crate) gone: Vec<Ticket>,
    pub(crate) upgraded: Vec<Upgraded>,
    pub(crate) deadlines: Vec<Option<Instant>>,
}

impl Seen {
    pub(crate) fn ticket(&self) -> Ticket {
        self.0.borrow_mut().tickets.remove(0)
    }

    /// The oldest ticket, if there is one.
    pub(crate) fn next_ticket(&self) -> Option<Ticket> {
        let tickets = &mut self.0.borrow_mut().tickets;
        (!tickets.is_empty()).then(|| tickets.remove(0))
    }

    pub(crate) fn causes(&self) -> Vec<Cause> {
        std::mem::take(&mut self.0.borrow_mut().closed)
    }

    /// The deadlines of the requests that were put off, as those see them.
    pub(crate) fn deadlines(&self) -> Vec<Option<Instant>> {
        std::mem::take(&mut self.0.borrow_mut().deadlines)
    }

    /// The requests that were told that their client is gone.
    pub(crate) fn gone(&self) -> Vec<Ticket> {
        std::mem::take(&mut self.0.borrow_mut().gone)
    }

    /// The connections that have ended, in that order.
    pub(crate) fn ended(&self) -> Vec<ConnId> {
        std::mem::take(&mut self.0.borrow_mut().ended)
    }

    /// The oldest socket that was given away, if there is one.
    pub(crate) fn next_upgraded(&self) -> Option<Upgraded> {
        let upgraded = &mut self.0.borrow_mut().upgraded;
        (!upgraded.is_empty()).then(|| upgraded.remove(0))
    }

    pub(crate) fn upgraded(&self) -> Upgraded {
        self.0.borrow_mut().upgraded.remove(0)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().requests)
    }
}

/// `/` says ok, `/later` keeps its ticket, `/echo` gives the body back, `/refuse` takes none,
/// `/stream` never ends, `/fail` fails in its middle, `/fragile` when it is let go of, `/socket` takes
/// the socket,
/// `/hold` takes its body a piece at a time, `/panic` panics, `/drop` drops its reply.
pub(crate) struct App(pub(crate) Seen);

impl Handler for App {
    fn on_head(&mut self, head: &Head<'_>, reply: Reply<'_>) {
        match head.path() {
            "/hold" => {
                self.0.0.borrow_mut().tickets.push(reply.ticket());
                reply.stream_body(Box::new(Hold));
            }
            "/both" => reply.stream(Response::new(Status::OK), Box::new(Watch::default())),
            "/refuse" => reply.send(Response::new(Status::CONTENT_TOO_LARGE).body(b"too large")),
            _ => reply.buffer_body(),
        }
    }

    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        let log = &self.0.0;
        log.borrow_mut().requests.push(request.target().to_owned());
        match request.path() {
            "/later" => {
                log.borrow_mut().deadlines.push(request.deadline());
                let ticket = reply.later();
                log.borrow_mut().tickets.push(ticket);
            }
            "/echo" => reply.send(Response::new(Status::OK).body(request.body())),
            "/stream" => reply.stream(Response::new(Status::OK), Box::new(Endless)),
            "/fail" => reply.stream(Response::new(Status::OK), Box::new(Failing::default())),
            "/fragile" => reply.stream(Response::new(Status::OK), Box::new(Fragile)),
            _ if request.method() == "CONNECT" => _ = reply.hand_over(&[]),
            "/socket" => {
                let ticket = reply.hand_over(&[("Upgrade", "raw")]);
                log.borrow_mut().tickets.push(ticket);
            }
            "/peer" => {
                let peer = request.peer().map_or("nobody".to_owned(), |peer| peer.to_string());
                reply.send(Response::new(Status::OK).body(peer.as_bytes()));
            }
            "/events" => reply.stream(Response::new(Status::OK), Box::new(Watch::default())),
            "/panic" => panic!("the handler panics, as the test asked"),
            "/drop" => drop(reply),
            _ => reply.send(Response::new(Status::OK).body(b"ok")),
        }
    }

    fn on_client_gone(&mut self, ticket: Ticket) {
        self.0.0.borrow_mut().gone.push(ticket);
    }

    fn on_upgrade(&mut self, upgraded: Upgraded) {
        self.0.0.borrow_mut().upgraded.push(upgraded);
    }

    fn on_close(&mut self, closed: &Closed) {
        let mut log = self.0.0.borrow_mut();
        log.closed.push(closed.cause);
        log.ended.push(closed.id);
    }
}

struct Endless;

impl Exchange for Endless {
    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        sink.write(&[b'x'; 1024]);
        Pull::More
    }
}

/// Says a piece, and then panics.
#[derive(Default)]
struct Failing {
    said: bool,
}

impl Exchange for Failing {
    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        assert!(!self.said, "the exchange panics, as the test asked");
        self.said = true;
        sink.write(b"the first half");
        Pull::More
    }
}

/// Panics when it is dropped.
struct Fragile;

impl Exchange for Fragile {
    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        sink.write(b"ok");
        Pull::End
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("the exchange panics when it is dropped, as the test asked");
    }
}

/// Says nothing until the client is gone.
#[derive(Default)]
struct Watch {
    client_gone: bool,
}

impl Exchange for Watch {
    fn on_client_gone(&mut self, _: &mut Flow<'_>) {
        self.client_gone = true;
    }

    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        if !self.client_gone {
            return Pull::Wait;
        }
        sink.write(b"bye");
        Pull::End
    }
}

/// Takes one piece of its body at a time, and the next one when it is woken.
struct Hold;

impl Exchange for Hold {
    fn on_data(&mut self, _: &[u8], flow: &mut Flow<'_>) {
        flow.pause();
    }

    fn on_end(&mut self, _: Fields<'_>, flow: &mut Flow<'_>) {
        flow.send(Response::new(Status::OK).body(b"ok"));
    }
}

/// Poll, timers, a server and the time.
pub(crate) struct World {
    pub(crate) poll: Poll,
    events: Events,
    pub(crate) timers: Timers<&'static str>,
    pub(crate) server: Server<App, &'static str>,
    pub(crate) seen: Seen,
    pub(crate) now: Instant,
    pub(crate) started: Instant,
}

pub(crate) const TOKENS: std::ops::Range<usize> = 100..20_000;

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_, _| {})
    }

    pub(crate) fn with(set: impl FnOnce(&mut Timeouts, &mut Limits)) -> Self {
        Self::listening_on(listener(), set)
    }

    pub(crate) fn listening_on(
        listener: Listener,
        set: impl FnOnce(&mut Timeouts, &mut Limits),
    ) -> Self {
        Self::built_by(listener, set, |builder| builder)
    }

    pub(crate) fn built_by(
        listener: Listener,
        set: impl FnOnce(&mut Timeouts, &mut Limits),
        build: impl FnOnce(ServerBuilder<App>) -> ServerBuilder<App>,
    ) -> Self {
        let (mut timeouts, mut limits) = (Timeouts::default(), Limits::default());
        set(&mut timeouts, &mut limits);
        let poll = Poll::new().expect("a poll");
        let now = Instant::now();
        let mut timers = Timers::new(now);
        let seen = Seen::default();
        let host = Host {
            registry: &Arc::new(poll.registry().try_clone().expect("a descriptor")),
            tokens: Tokens::new(TOKENS),
            timers: &mut timers,
            timer: "check",
            now,
        };
        let builder = Server::builder(App(seen.clone())).timeouts(timeouts).limits(limits);
        let server = build(builder).listen_on(listener, host).expect("the settings are right");
        let events = Events::with_capacity(1024);
        Self { poll, events, timers, server, seen, now, started: now }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr().expect("a TCP listener")
    }

    /// A client that the server has accepted.
    pub(crate) fn client(&mut self) -> Client {
        let client = Client::connect(self.address());
        self.settle();
        client
    }

    /// A client that has sent this, and the server has seen it.
    pub(crate) fn client_sending(&mut self, bytes: &[u8]) -> Client {
        let mut client = self.client();
        client.send(bytes);
        self.settle();
        client
    }

    /// Answers what was put off.
    pub(crate) fn answer(&mut self, ticket: Ticket) {
        let ok = |_: &mut App, reply: Reply<'_>| {
            reply.send(Response::new(Status::OK).body(b"ok"));
        };
        assert!(self.server.answer(ticket, self.now, ok), "{ticket:?} is stale");
        self.settle();
    }

    /// One turn of the loop, at the time it is; whether anything happened.
    pub(crate) fn turn(&mut self) -> bool {
        self.poll.poll(&mut self.events, Some(Duration::ZERO)).expect("poll");
        let mut busy = !self.events.is_empty();
        for event in &self.events {
            self.server.on_event(event.token(), Ready::from(event), self.now);
        }
        self.timers.advance(self.now);
        while let Some(expiry) = self.timers.pop_expired() {
            busy |= self.server.on_timer(expiry.handle, self.now);
        }
        busy |= self.server.wants_turn();
        self.server.turn(&mut self.timers, self.now);
        busy
    }

    /// Turns until nothing happens any more.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.turn() && !self.turn() {
                return;
            }
        }
        panic!("the loop does not come to rest");
    }

    /// Lets time pass, from timer to timer.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while self.now < end {
            let left = end - self.now;
            self.now += self.timers.timeout(self.now).map_or(left, |next| next.min(left));
            self.settle();
        }
    }

    /// Lets time pass without a turn of the loop: it was blocked.
    pub(crate) fn block(&mut self, time: Duration) {
        self.now += time;
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.started
    }

    /// Nothing is left of any connection.
    pub(crate) fn assert_empty(&self) {
        assert_eq!(self.server.connections(), 0, "connections");
        assert!(self.server.tracker().is_empty(), "connections are tracked");
    }
}

impl Drop for World {
    /// Whatever a test was about: once the server is closed there is no connection in any class,
    /// and the wheel is as long as it was before bind.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.server.close(Duration::ZERO, self.now);
        self.settle();
        assert!(self.server.is_closed());
        self.assert_empty();
        assert_eq!((self.timers.len(), self.server.timer_entries()), (0, 0), "timers");
    }
}

/// Listens on a free port.
pub(crate) fn listener() -> Listener {
    let options = ListenOptions { backlog: 511, reuse_port: false, dual_stack: None };
    Listener::bind("127.0.0.1:0".parse().expect("an address"), options).expect("a free port")
}

/// A raw client: what it sends and reads is bytes.
pub(crate) struct Client {
    stream: TcpStream,
    /// Everything read so far.
    pub(crate) read: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nonblocking(true).expect("nonblocking");
        stream.set_nodelay(true).expect("nodelay");
        Self { stream, read: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        assert_eq!(self.send_some(bytes), bytes.len(), "the socket takes it at once");
    }

    /// How much the socket took.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("the client cannot send: {error}"),
            }
        }
        sent
    }

    /// Ends the connection by a reset.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("a connected socket");
    }

    pub(crate) fn shut_down_writing(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("a connected socket");
    }

    /// Reads what is there; the state of the connection as the client sees it.
    pub(crate) fn state(&mut self) -> State {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return State::End,
                Ok(n) => self.read.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return State::Open,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return State::Reset,
                Err(error) => panic!("the client cannot read: {error}"),
            }
        }
    }

    /// All that was read so far, the date replaced by `<D>`.
    pub(crate) fn text(&mut self) -> String {
        self.state();
        let text = String::from_utf8_lossy(&self.read).into_owned();
        without_dates(&text)
    }

    /// The number of responses read so far that say 200.
    pub(crate) fn answers(&mut self) -> usize {
        self.text().matches("HTTP/1.1 200 OK\r\n").count()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Open,
    End,
    Reset,
}

fn without_dates(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split("\r\n") {
        let date = line.strip_prefix("Date: ").filter(|date| httpdate(date));
        lines.push(if date.is_some() { "Date: <D>".into() } else { line.into() });
    }
    lines.join("\r\n")
}

/// Whether this is an IMF-fixdate, by its shape: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn httpdate(date: &str) -> bool {
    let shape: String = date
        .chars()
        .map(|c| match c {
            'A'..='Z' => 'A',
            'a'..='z' => 'a',
            '0'..='9' => '9',
            other => other,
        })
        .collect();
    shape == "Aaa, 99 Aaa 9999 99:99:99 AAA"
}

pub(crate) const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nDate: <D>\r\nConnection: keep-alive\r\n\
                             Keep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok";

pub(crate) const TIMEOUT: &str =
    "HTTP/1.1 408 Request Timeout\r\nDate: <D>\r\nConnection: close\r\n\r\n";

pub(crate) const BAD_REQUEST: &str =
    "HTTP/1.1 400 Bad Request\r\nDate: <D>\r\nConnection: close\r\n\r\n";

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
