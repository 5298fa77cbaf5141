//! Several servers and several other sources beside each other: one poll, one set of timers, one
//! clock, and nobody takes what is another's.

mod asking;

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use asking::{LIMIT, answer, ask, connect, localhost};
use mio::net::{UdpSocket, UnixStream};
use mio::{Events, Interest, Poll, Token, Waker};
use netserver::{
    ConnectionCheck, Handler, Host, Ready, Reply, Request, Response, Server, Status, Timeouts,
    Tokens,
};
use timerwheel::{MissedTicks, Period, Timers};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Timer {
    /// The connection check of this server.
    Check(usize),
    Beat,
    Once,
}

const WAKE: Token = Token(0);
const ECHO: Token = Token(1);
const PIPE: Token = Token(2);
const SERVERS: usize = 3;

/// The tokens of a server: a thousand, next to each other.
fn tokens(server: usize) -> std::ops::Range<usize> {
    (server + 1) * 1000..(server + 2) * 1000
}

/// Says which server it is of.
struct Named(usize);

impl Handler for Named {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        let body = format!("server {}", self.0);
        reply.send(Response::new(Status::OK).body(body.as_bytes()));
    }
}

/// The whole loop, as an embedder would have it.
struct Street {
    servers: Vec<Server<Named, Timer>>,
    timers: Timers<Timer>,
    echo: UdpSocket,
    pipe: UnixStream,
    heard: Vec<u8>,
    beats: u64,
    once: u64,
    closing: bool,
    poll: Poll,
}

impl Street {
    fn new(pipe: UnixStream) -> (Self, Arc<Waker>) {
        let poll = Poll::new().expect("a poll");
        let registry = Arc::new(poll.registry().try_clone().expect("a descriptor"));
        let now = Instant::now();
        let mut timers = Timers::new(now);
        let servers = (0..SERVERS).map(|name| {
            let host = Host {
                registry: &registry,
                tokens: Tokens::new(tokens(name)),
                timers: &mut timers,
                timer: Timer::Check(name),
                now,
            };
            // Each has its own idea of patience, and of when to look.
            let headers = Duration::from_millis(50 * (name as u64 + 1));
            let check = match name {
                0 => ConnectionCheck::Exact,
                _ => ConnectionCheck::Interval(Duration::from_millis(20)),
            };
            let timeouts =
                Timeouts { headers, check, first_byte: Some(LIMIT), ..Timeouts::default() };
            Server::builder(Named(name)).timeouts(timeouts).bind(localhost(), host).expect("a port")
        });
        let servers = servers.collect();
        let mut echo = UdpSocket::bind(localhost()).expect("a port");
        let mut pipe = pipe;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).expect("descriptors"));
        poll.registry().register(&mut echo, ECHO, Interest::READABLE).expect("pollable");
        poll.registry().register(&mut pipe, PIPE, Interest::READABLE).expect("pollable");
        let beat = Period::new(Duration::from_millis(10)).expect("longer than zero");
        timers.insert_interval(now + beat.duration(), beat, MissedTicks::Skip, Timer::Beat);
        timers.insert(now + Duration::from_millis(5), Timer::Once);
        let (heard, beats, once, closing) = (Vec::new(), 0, 0, false);
        (Self { servers, timers, echo, pipe, heard, beats, once, closing, poll }, waker)
    }

    fn turn(&mut self, events: &mut Events) {
        let timeout = if self.servers.iter().any(Server::wants_turn) {
            Some(Duration::ZERO)
        } else {
            self.timers.timeout(Instant::now())
        };
        self.poll.poll(events, timeout).expect("the poll works");
        let now = Instant::now();
        for event in &*events {
            let (token, ready) = (event.token(), Ready::from(event));
            let takers = self.servers.iter_mut().map(|server| server.on_event(token, ready, now));
            match (token, takers.filter(|taken| *taken).count()) {
                (WAKE, 0) => self.closing = true,
                (ECHO, 0) => self.send_back(),
                (PIPE, 0) => self.hear(),
                (_, takers) => assert_eq!(takers, 1, "{token:?} is one server's and no more"),
            }
        }
        self.timers.advance(now);
        while let Some(expiry) = self.timers.pop_expired() {
            match expiry.value {
                // Offered to all: only the one that was meant takes it.
                Timer::Check(name) => {
                    for (index, server) in self.servers.iter_mut().enumerate() {
                        assert_eq!(server.on_timer(expiry.handle, now), index == name);
                    }
                }
                Timer::Beat => self.beats += 1 + expiry.missed,
                Timer::Once => self.once += 1,
            }
        }
        for server in &mut self.servers {
            if self.closing && server.report().is_none() {
                server.close(Duration::from_secs(10), now);
            }
            server.turn(&mut self.timers, now);
        }
    }

    fn send_back(&mut self) {
        let mut datagram = [0; 64];
        while let Ok((length, from)) = self.echo.recv_from(&mut datagram) {
            self.echo.send_to(&datagram[..length], from).expect("loopback");
        }
    }

    fn hear(&mut self) {
        let mut byte = [0; 64];
        loop {
            match self.pipe.read(&mut byte) {
                Ok(0) => return,
                Ok(length) => self.heard.extend_from_slice(&byte[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// What the loop had seen when it ended.
struct Seen {
    heard: Vec<u8>,
    beats: u64,
    once: u64,
    timers_left: usize,
}

/// The ways to a loop on another thread.
struct Ways {
    servers: Vec<SocketAddr>,
    echo: SocketAddr,
    pipe: UnixStream,
    waker: Arc<Waker>,
    ended: Receiver<Seen>,
}

fn start() -> Ways {
    let (mine, theirs) = UnixStream::pair().expect("descriptors");
    let (sender, receiver) = channel();
    let (ends, ended) = channel();
    thread::spawn(move || {
        let (mut street, waker) = Street::new(theirs);
        let servers = street.servers.iter().map(|server| server.local_addr().expect("bound"));
        let servers: Vec<_> = servers.collect();
        let echo = street.echo.local_addr().expect("bound");
        sender.send((servers, echo, waker)).expect("the test waits");
        let mut events = Events::with_capacity(64);
        while !street.servers.iter().all(Server::is_closed) {
            street.turn(&mut events);
        }
        street.servers.clear();
        let Street { heard, beats, once, mut timers, .. } = street;
        let seen = Seen { heard, beats, once, timers_left: timers.len() };
        ends.send(seen).expect("the test waits");
    });
    let (servers, echo, waker) = receiver.recv_timeout(LIMIT).expect("it starts");
    Ways { servers, echo, pipe: mine, waker, ended }
}

#[test]
fn servers_and_other_sources_share_a_poll_and_timers() {
    let Ways { servers, echo, mut pipe, waker, ended } = start();
    for round in 0..5 {
        for (name, address) in servers.iter().enumerate() {
            let mut client = connect(*address);
            ask(&mut client, "/");
            let answer = answer(&mut client);
            assert!(answer.ends_with(&format!("server {name}")), "round {round}: {answer}");
        }
        pipe.write_all(&[b'0' + round]).expect("room");
    }
    let client = std::net::UdpSocket::bind(localhost()).expect("a port");
    client.set_read_timeout(Some(LIMIT)).expect("not zero");
    client.send_to(b"anybody?", echo).expect("loopback");
    let mut datagram = [0; 64];
    assert_eq!(client.recv_from(&mut datagram).expect("an echo").0, 8);
    // All at once, and each by the deadline of its own server.
    let mut slow: Vec<_> = servers.iter().map(|address| connect(*address)).collect();
    for client in &mut slow {
        client.write_all(b"GET / HT").expect("room");
    }
    for client in &mut slow {
        assert!(answer(client).starts_with("HTTP/1.1 408 "));
    }
    // What has been told why is waited for, until it closes too.
    drop(slow);
    waker.wake().expect("the poll is there");
    let Seen { heard, beats, once, timers_left } =
        ended.recv_timeout(LIMIT).expect("the loop ends");
    assert_eq!(heard, b"01234");
    assert_eq!(once, 1);
    assert!(beats >= 14, "150 ms in beats of 10: {beats}, with those that were missed");
    assert_eq!(timers_left, 1, "the beat: no server has left a timer behind");
}
