//! The connection check over many connections: they are in memory, since a process may not hold a
//! million sockets, and all else is the real server.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::{Interest, Poll, Registry, Token};
use netserver::{
    ConnectionCheck, Handler, Host, Limits, Listener, Reply, Request, Server, Stream, Timeouts,
    Tokens, Transport,
};
use timerwheel::Timers;

struct Unasked;

impl Handler for Unasked {
    fn on_request(&mut self, _: &Request<'_>, _: Reply<'_>) {
        unreachable!("nobody asks");
    }
}

/// A peer that has sent the beginning of a head, and is silent from then on.
struct Silent(bool);

impl Read for Silent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const START: &[u8] = b"GET / HTTP/1.1\r\n";
        if std::mem::replace(&mut self.0, true) {
            return Err(ErrorKind::WouldBlock.into());
        }
        buffer[..START.len()].copy_from_slice(START);
        Ok(START.len())
    }
}

impl Write for Silent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Silent {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Silent {
    fn shut_down_writing(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the check costs.
#[derive(Debug)]
pub(crate) struct Check {
    /// With none due: the median of a hundred.
    pub(crate) none_due: Duration,
    /// With all due at once: the longest turn, and all of them together.
    pub(crate) longest_turn: Duration,
    pub(crate) all_due: Duration,
}

/// Measures it for so many connections.
pub(crate) fn check(connections: usize) -> Check {
    let poll = Poll::new().expect("a poll");
    let mut now = Instant::now();
    let mut timers = Timers::new(now);
    let interval = Duration::from_millis(100);
    let timeouts = Timeouts {
        headers: Duration::from_mins(1),
        check: ConnectionCheck::Interval(interval),
        ..Timeouts::default()
    };
    let host = Host {
        registry: &Arc::new(poll.registry().try_clone().expect("a descriptor")),
        tokens: Tokens::new(0..connections + 2),
        timers: &mut timers,
        timer: (),
        now,
    };
    let limits = Limits { connections: 0, ..Limits::default() };
    let builder = Server::builder(Unasked).timeouts(timeouts).limits(limits);
    let mut server = builder.listen_on(Listener::none(), host).expect("the settings are right");
    for _ in 0..connections {
        server.adopt(Stream::new(Silent(false)), None, now).expect("there is room");
    }
    assert_eq!(server.connections(), connections);

    let mut turn = |now: Instant| {
        let start = Instant::now();
        timers.advance(now);
        while let Some(expiry) = timers.pop_expired() {
            server.on_timer(expiry.handle, now);
        }
        server.turn(&mut timers, now);
        (start.elapsed(), server.wants_turn(), server.connections())
    };
    let mut checks: Vec<Duration> = (0..100)
        .map(|_| {
            now += interval;
            turn(now).0
        })
        .collect();
    checks.sort_unstable();

    now += Duration::from_mins(1);
    let (mut longest_turn, mut all_due) = (Duration::ZERO, Duration::ZERO);
    loop {
        let (time, goes_on, _) = turn(now);
        longest_turn = longest_turn.max(time);
        all_due += time;
        if !goes_on {
            break;
        }
    }
    Check { none_due: checks[checks.len() / 2], longest_turn, all_due }
}
