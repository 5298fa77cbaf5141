//! Slow clients: thousands that send a byte a second, half of them of a head and half of a body.
//! When are they closed, are they told why, and does a healthy client notice?

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::child::Running;
use super::load::{self, REQUEST};
use super::place;

/// How often the server looks for what has expired, if it does not do so exactly.
pub(crate) const INTERVAL: Duration = Duration::from_millis(500);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ";
const BODY: &[u8] = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n";

/// Set for the server: the timeout in milliseconds.
pub(crate) const TIMEOUT: &str = "SERVER_BENCH_TIMEOUT";

/// In a server: what a head, and a whole message, may take.
pub(crate) fn timeout() -> Duration {
    let millis = std::env::var(TIMEOUT).ok().and_then(|millis| millis.parse().ok());
    Duration::from_millis(millis.unwrap_or(10_000))
}

/// How it went for those who were slow in the same way.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// After how much of the timeout the first and the last of them got an answer.
    pub(crate) first: f64,
    pub(crate) last: f64,
    /// Those who read a 408 and then the end.
    pub(crate) told: usize,
    /// Those who met a reset, or something else.
    pub(crate) untold: usize,
}

impl Ends {
    /// Of several rounds: the first and the last of all, and all of them counted.
    pub(crate) fn of_all<'a>(rounds: impl Iterator<Item = &'a Self>) -> Self {
        rounds.fold(Self { first: f64::INFINITY, ..Self::default() }, |all, round| Self {
            first: all.first.min(round.first),
            last: all.last.max(round.last),
            told: all.told + round.told,
            untold: all.untold + round.untold,
        })
    }
}

/// What came of all of them.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) heads: Ends,
    pub(crate) bodies: Ends,
    /// The healthy client's 99th percentile: alone, and beside them from their first byte to the end
    /// of the last; and of that while they are slow, and while they are told, all of them within a
    /// second, and leave.
    pub(crate) alone: Duration,
    pub(crate) beside: Duration,
    pub(crate) while_slow: Duration,
    pub(crate) at_the_end: Option<Duration>,
}

struct Slow {
    stream: TcpStream,
    since: Instant,
    body: bool,
    got: Vec<u8>,
    answered: Option<Duration>,
    open: bool,
}

/// `each` of either kind, at a server that closes them after `timeout`, or at one that never does and
/// is left alone then.
pub(crate) fn clients(server: &Running, each: usize, timeout: Duration, closes: bool) -> Outcome {
    // On a thread of its own, which goes to another processor without this one. Three threads share
    // what may be two of them, and what is asked is whether the server keeps the healthy client
    // waiting, not whether the slow ones' thread does: that gives way.
    std::thread::scope(|scope| {
        let clients = scope.spawn(|| on_its_own(server, each, timeout, closes));
        clients.join().expect("they are served")
    })
}

fn on_its_own(server: &Running, each: usize, timeout: Duration, closes: bool) -> Outcome {
    let address = server.address;
    place::apart(std::slice::from_ref(server));
    let stop = AtomicBool::new(false);
    let healthy = || healthy(address, &stop);
    let alone = std::thread::scope(|scope| {
        let client = scope.spawn(healthy);
        std::thread::sleep(timeout / 2);
        stop.store(true, Ordering::Relaxed);
        client.join().expect("answers")
    });
    let mut poll = Poll::new().expect("a poll");
    let mut all: Vec<Slow> = (0..2 * each).map(|at| connect(address, at, &poll)).collect();
    stop.store(false, Ordering::Relaxed);
    let beside = std::thread::scope(|scope| {
        let client = scope.spawn(healthy);
        let slow = scope.spawn(|| {
            place::give_way();
            drip(&mut all, &mut poll, timeout, closes);
        });
        slow.join().expect("they end");
        stop.store(true, Ordering::Relaxed);
        client.join().expect("answers")
    });
    let ends = |body| summary(all.iter().filter(|slow| slow.body == body), timeout);
    let told = all.iter().filter_map(|slow| Some(slow.since + slow.answered?)).min();
    let (while_slow, at_the_end): (Vec<_>, Vec<_>) =
        beside.iter().partition(|(at, _)| !closes || told.is_none_or(|told| *at < told));
    Outcome {
        heads: ends(false),
        bodies: ends(true),
        alone: percentile_99(alone).expect("half a timeout is long enough to ask"),
        beside: percentile_99(beside).expect("a timeout is"),
        while_slow: percentile_99(while_slow).expect("most of it they are"),
        at_the_end: percentile_99(at_the_end),
    }
}

fn connect(address: SocketAddr, at: usize, poll: &Poll) -> Slow {
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    let body = at % 2 == 1;
    // Before the first byte is out, so that what seems early is early.
    let since = Instant::now();
    stream.write_all(if body { BODY } else { HEAD }).expect("room");
    stream.set_nonblocking(true).expect("a socket");
    let mut stream = TcpStream::from_std(stream);
    poll.registry().register(&mut stream, Token(at), Interest::READABLE).expect("register");
    Slow { stream, since, body, got: Vec::new(), answered: None, open: true }
}

/// A byte a second from each, evenly, until all have ended, or the time is over for a server that
/// does not end them.
fn drip(all: &mut [Slow], poll: &mut Poll, timeout: Duration, closes: bool) {
    let count = all.len();
    let (start, mut dripped, mut open) = (Instant::now(), 0, count);
    let mut events = Events::with_capacity(1024);
    while open > 0 && (closes || start.elapsed() < timeout) {
        assert!(
            start.elapsed() < timeout + Duration::from_mins(1),
            "{open} are open long after their time"
        );
        poll.poll(&mut events, Some(Duration::ZERO)).expect("poll");
        if events.is_empty() {
            std::thread::sleep(Duration::from_micros(100));
        }
        for event in &events {
            let slow = &mut all[event.token().0];
            if slow.open {
                slow.read();
                open -= usize::from(!slow.open);
            }
        }
        let micros = usize::try_from(start.elapsed().as_micros()).expect("seconds");
        let due = micros * count / 1_000_000;
        while dripped < due {
            let slow = &mut all[dripped % count];
            if slow.open && (slow.answered.is_none() || !closes) {
                // If it fails, the next read says why.
                let _ = slow.stream.write(b"x");
            }
            dripped += 1;
        }
    }
}

impl Slow {
    fn read(&mut self) {
        let mut buffer = [0; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return self.open = false,
                Ok(n) => {
                    self.answered.get_or_insert(self.since.elapsed());
                    self.got.extend_from_slice(&buffer[..n]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    // A reset: whatever was there to read is gone.
                    self.got.clear();
                    return self.open = false;
                }
            }
        }
    }
}

fn summary<'a>(all: impl Iterator<Item = &'a Slow>, timeout: Duration) -> Ends {
    let mut ends = Ends { first: f64::INFINITY, ..Ends::default() };
    for slow in all {
        if let Some(answered) = slow.answered {
            let share = answered.as_secs_f64() / timeout.as_secs_f64();
            ends.first = ends.first.min(share);
            ends.last = ends.last.max(share);
        }
        if slow.got.starts_with(b"HTTP/1.1 408 ") && slow.got.ends_with(b"\r\n\r\n") {
            ends.told += 1;
        } else {
            ends.untold += 1;
        }
    }
    ends
}

/// A request each millisecond, on one connection: when each began and how long it took.
fn healthy(address: SocketAddr, stop: &AtomicBool) -> Vec<(Instant, Duration)> {
    let mut answer = vec![0; load::answer_length(address)];
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        stream.write_all(REQUEST).expect("room");
        stream.read_exact(&mut answer).expect("an answer");
        times.push((start, start.elapsed()));
        std::thread::sleep(Duration::from_millis(1));
    }
    times
}

fn percentile_99(times: Vec<(Instant, Duration)>) -> Option<Duration> {
    let mut times: Vec<Duration> = times.into_iter().map(|(_, time)| time).collect();
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied()
}
