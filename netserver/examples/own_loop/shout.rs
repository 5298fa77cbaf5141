//! A second protocol: whatever line a peer says is shouted back. Who says nothing for too long is
//! told so and cut off, by a timer for each peer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use slab::Slab;
use timerwheel::{TimerGuard, TimerHandle, Timers};

use super::Timer;

pub(crate) struct Shout {
    /// `None` once closed.
    listener: Option<TcpListener>,
    tokens: Range<usize>,
    peers: Slab<Peer>,
    idle: Duration,
}

struct Peer {
    stream: TcpStream,
    said: Vec<u8>,
    /// Cancelled when the peer is dropped: nothing to remember where a connection ends.
    idle: TimerGuard,
}

/// Longer lines end the connection.
const LINE_BYTES_MAX: usize = 1024;

impl Shout {
    pub(crate) fn bind(
        address: SocketAddr,
        tokens: Range<usize>,
        idle: Duration,
    ) -> io::Result<Self> {
        let listener = Some(TcpListener::bind(address)?);
        Ok(Self { listener, tokens, peers: Slab::new(), idle })
    }

    pub(crate) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        let Some(listener) = &mut self.listener else { return Ok(()) };
        registry.register(listener, Token(self.tokens.start), Interest::READABLE)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.as_ref().ok_or(ErrorKind::NotConnected)?.local_addr()
    }

    pub(crate) fn on_event(
        &mut self,
        token: Token,
        registry: &Registry,
        timers: &mut Timers<Timer>,
        now: Instant,
    ) {
        match token.0.checked_sub(self.tokens.start) {
            Some(0) => self.accept(registry, timers, now),
            Some(peer) => self.hear(peer - 1, timers, now),
            None => {}
        }
    }

    /// The deadline of a peer has passed. Its handle tells whether it is this peer's, and not that
    /// of one who had the place before.
    pub(crate) fn on_idle(&mut self, peer: usize, handle: TimerHandle) {
        if self.peers.get(peer).is_some_and(|peer| peer.idle.handle() == handle) {
            let mut peer = self.peers.remove(peer);
            // A courtesy: who is gone does not get it.
            let _ = peer.stream.write(b"BYE\n");
        }
    }

    pub(crate) fn close(&mut self) {
        self.listener = None;
        self.peers.clear();
    }

    fn accept(&mut self, registry: &Registry, timers: &mut Timers<Timer>, now: Instant) {
        // Until it would block; any other error is of one connection, or is met again.
        while let Some(Ok((mut stream, _))) = self.listener.as_ref().map(TcpListener::accept) {
            let place = self.peers.vacant_entry();
            let token = Token(self.tokens.start + 1 + place.key());
            // Too many are turned away; so is what the poll does not take.
            if !self.tokens.contains(&token.0)
                || registry.register(&mut stream, token, Interest::READABLE).is_err()
            {
                continue;
            }
            let idle = timers.insert(now + self.idle, Timer::Idle(place.key()));
            let idle = timers.guard(idle);
            place.insert(Peer { stream, said: Vec::new(), idle });
        }
    }

    fn hear(&mut self, key: usize, timers: &mut Timers<Timer>, now: Instant) {
        // An event of this turn may be of a peer that has ended in it.
        let Some(peer) = self.peers.get_mut(key) else { return };
        match peer.answer() {
            Ok(true) => _ = timers.reschedule(peer.idle.handle(), now + self.idle),
            Ok(false) => {}
            Err(_) => _ = self.peers.remove(key),
        }
    }
}

impl Peer {
    /// Reads all there is, and shouts back every whole line; whether there was one. An error is the
    /// end of the connection.
    fn answer(&mut self) -> io::Result<bool> {
        let mut shouted = false;
        let mut buffer = [0; 512];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.said.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(shouted),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            while let Some(end) = self.said.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.said.drain(..=end).collect();
                // Who does not read what was shouted is not worth a buffer: an error, and the end.
                self.stream.write_all(&line.to_ascii_uppercase())?;
                shouted = true;
            }
            if self.said.len() > LINE_BYTES_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
        }
    }
}
