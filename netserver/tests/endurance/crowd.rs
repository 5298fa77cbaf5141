//! Attackers by the thousand, on one thread, and a healthy client beside them.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::process::Binary;

/// What each attacker does.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Sent when it has connected, as far as it goes.
    pub(crate) first: Vec<u8>,
    /// Sent now and then after that.
    pub(crate) drip: Vec<u8>,
    pub(crate) every: Duration,
    pub(crate) reads: bool,
}

struct Attacker {
    stream: TcpStream,
    /// Bytes of `first` sent.
    sent: usize,
    next: Instant,
}

/// Keeps so many attackers connected until it is over; who has been thrown out comes again.
pub(crate) fn attack(
    attack: &Attack,
    address: SocketAddr,
    many: usize,
    over: &AtomicBool,
    held: &AtomicU64,
) {
    let mut poll = Poll::new().expect("a poll");
    let mut events = Events::with_capacity(1024);
    let mut attackers: Vec<Option<Attacker>> = (0..many).map(|_| None).collect();
    let mut buffer = vec![0; 64 << 10];
    let mut place = 0;
    while !over.load(Ordering::Relaxed) {
        // A portion at a time, round and round.
        for _ in 0..many.min(100) {
            place = (place + 1) % many;
            let attacker = &mut attackers[place];
            if attacker.is_none() {
                let Ok(mut stream) = TcpStream::connect(address) else { continue };
                let both = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, Token(place), both).expect("room");
                *attacker = Some(Attacker { stream, sent: 0, next: Instant::now() + attack.every });
            } else if attacker.as_mut().is_some_and(|it| it.drips(attack).is_err()) {
                *attacker = None;
            }
        }
        poll.poll(&mut events, Some(Duration::from_millis(2))).expect("a poll");
        for event in &events {
            let attacker = &mut attackers[event.token().0];
            let Some(it) = attacker.as_mut() else { continue };
            if it.goes_on(attack, &mut buffer).is_err() {
                *attacker = None;
            }
        }
        let there = attackers.iter().flatten().count() as u64;
        held.store(there, Ordering::Relaxed);
    }
}

impl Attacker {
    fn goes_on(&mut self, attack: &Attack, buffer: &mut [u8]) -> std::io::Result<()> {
        while self.sent < attack.first.len() {
            match self.stream.write(&attack.first[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(error) if is_no_end(&error) => break,
                Err(error) => return Err(error),
            }
        }
        if !attack.reads {
            return Ok(());
        }
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if is_no_end(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn drips(&mut self, attack: &Attack) -> std::io::Result<()> {
        if self.sent < attack.first.len() || attack.drip.is_empty() || self.next > Instant::now() {
            return Ok(());
        }
        self.next = Instant::now() + attack.every;
        match self.stream.write(&attack.drip) {
            Err(error) if !is_no_end(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_no_end(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

/// How long a client that means well waits for each of its answers, in order of length.
pub(crate) fn healthy(binary: &Binary, over: &AtomicBool) -> Vec<Duration> {
    let mut waits = Vec::new();
    let mut client = binary.client();
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, body) = client.response();
        assert!(head.starts_with("HTTP/1.1 200 ") && body == b"Hello, World!", "{head}");
        waits.push(asked.elapsed());
        thread::sleep(Duration::from_millis(2));
    }
    waits.sort_unstable();
    waits
}
