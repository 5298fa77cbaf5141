//! The network of the simulation: pipes with room for so much, that take and give a part at a time,
//! break, and tell of what has changed once; and a listener that runs out of descriptors.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use mio::event::Source;
use mio::{Interest, Registry, Token};
use netserver::{Incoming, Ready, Stream, Transport};

use crate::answers::Answers;

/// What time it is for everybody.
#[derive(Clone)]
pub(crate) struct Clock {
    start: Instant,
    nanos: Arc<AtomicU64>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), nanos: Arc::default() }
    }

    pub(crate) fn now(&self) -> Instant {
        self.start + Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, now: Instant) {
        let nanos = u64::try_from((now - self.start).as_nanos()).expect("centuries");
        self.nanos.store(nanos, Ordering::Relaxed);
    }

    /// Time passes, also for a loop in the middle of a turn, which does not look.
    pub(crate) fn pass(&self, time: Duration) {
        self.set(self.now() + time);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now() - self.start
    }
}

/// What has happened to wires and is still to be looked at, by number. With room made before.
#[derive(Clone)]
pub(crate) struct Notes(Arc<Mutex<Lists>>);

pub(crate) struct Lists {
    /// The poll has something to tell of these.
    pub(crate) edges: Vec<u32>,
    /// The server has used these.
    pub(crate) touched: Vec<u32>,
}

impl Notes {
    pub(crate) fn new(connections: u32) -> Self {
        let list = || Vec::with_capacity(connections as usize + 1);
        Self(Arc::new(Mutex::new(Lists { edges: list(), touched: list() })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the client's side has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Fin,
    Reset,
}

/// One connection, as the kernel would hold it.
pub(crate) struct Wire {
    pub(crate) number: u32,
    clock: Clock,
    rng: Rng,
    notes: Notes,
    touched: bool,
    listed: bool,
    /// Reads and writes come in parts.
    pub(crate) partial: bool,
    pub(crate) token: Option<Token>,
    /// What the poll has not told of yet.
    ready: Ready,

    /// Arrived, and not read.
    inbound: VecDeque<u8>,
    pub(crate) ending: Option<Ending>,
    /// The server has read the end.
    pub(crate) end_seen: bool,
    /// Bytes that have arrived, and bytes read of them.
    pub(crate) arrived: u64,
    pub(crate) read: u64,
    /// Up to which offset the server had read, and when.
    pub(crate) reads: VecDeque<(u64, Instant)>,
    forgot_reads: bool,

    /// Written, and not taken by the client.
    outbound: VecDeque<u8>,
    room: usize,
    /// How much of `outbound` has been looked at.
    seen: usize,
    pub(crate) written: u64,
    pub(crate) answers: Answers,
    /// Since when the server has been told that there is no room.
    pub(crate) blocked: Option<Instant>,
    pub(crate) last_write: Option<Instant>,
    /// What had arrived when the server had something to say and could not: all it knew of.
    known: Option<u64>,

    pub(crate) accepted: Option<Instant>,
    pub(crate) shut: Option<Instant>,
    /// The server has let go of it, when so much had arrived.
    pub(crate) dropped: Option<(Instant, u64)>,
    /// What a kernel would have taken back from the client then, by answering with a reset what the
    /// server had been told of and had not read.
    pub(crate) destroyed: usize,
    /// When the server began to close, it had read so much and was not reading: something was under
    /// way. What it has read since was to see whether the client is sending still.
    pub(crate) held_at_close: Option<u64>,
    pub(crate) arrived_at_close: u64,
    /// The poll refuses to watch it.
    pub(crate) unwatchable: bool,
    /// What a server must not do with a stream, and did.
    pub(crate) fault: Option<&'static str>,
}

/// More than a slow client has to say.
const READS_KEPT: usize = 256;

pub(crate) type Shared = Arc<Mutex<Wire>>;

pub(crate) fn lock(wire: &Shared) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    pub(crate) fn new(
        number: u32,
        room: usize,
        clock: &Clock,
        notes: &Notes,
        rng: &mut Rng,
    ) -> Self {
        Self {
            number,
            notes: notes.clone(),
            touched: false,
            listed: false,
            clock: clock.clone(),
            rng: rng.fork(),
            partial: rng.bool(),
            token: None,
            ready: Ready::default(),
            inbound: VecDeque::new(),
            ending: None,
            end_seen: false,
            arrived: 0,
            read: 0,
            reads: VecDeque::with_capacity(READS_KEPT),
            forgot_reads: false,
            // All at once, so that what the server writes allocates nothing.
            outbound: VecDeque::with_capacity(room),
            room,
            seen: 0,
            written: 0,
            answers: Answers::default(),
            blocked: None,
            last_write: None,
            known: None,
            accepted: None,
            shut: None,
            dropped: None,
            destroyed: 0,
            held_at_close: None,
            arrived_at_close: 0,
            unwatchable: rng.u32(..500) == 0,
            fault: None,
        }
    }

    /// Bytes of the client's arrive. An edge, whatever was there before.
    pub(crate) fn arrive(&mut self, bytes: &[u8]) {
        if self.ending != Some(Ending::Reset) && self.dropped.is_none() {
            self.inbound.extend(bytes);
            self.arrived += bytes.len() as u64;
            self.tell(Ready::READABLE);
        }
    }

    /// An edge for the poll to tell of.
    fn tell(&mut self, ready: Ready) {
        self.ready.readable |= ready.readable;
        self.ready.writable |= ready.writable;
        self.ready.read_closed |= ready.read_closed;
        if !self.listed {
            self.listed = true;
            self.notes.lock().edges.push(self.number);
        }
    }

    /// The edge, told.
    pub(crate) fn take_edge(&mut self) -> Option<(Token, Ready)> {
        self.listed = false;
        let ready = std::mem::take(&mut self.ready);
        Some((self.token?, ready))
    }

    /// Whether the poll has told of everything.
    pub(crate) fn is_told(&self) -> bool {
        !self.listed
    }

    fn touch(&mut self) {
        if !self.touched {
            self.touched = true;
            self.notes.lock().touched.push(self.number);
        }
    }

    pub(crate) fn end(&mut self, ending: Ending) {
        if self.ending == Some(Ending::Reset) {
            return;
        }
        self.ending = Some(ending);
        let reset = ending == Ending::Reset;
        if reset {
            self.inbound.clear();
            self.outbound.clear();
            self.seen = 0;
        }
        self.tell(Ready { readable: true, writable: reset, read_closed: true });
    }

    pub(crate) fn unread(&self) -> usize {
        self.inbound.len()
    }

    pub(crate) fn untaken(&self) -> usize {
        self.outbound.len()
    }

    /// The client takes so many bytes, and there is room for more.
    pub(crate) fn take(&mut self, bytes: usize) {
        assert_eq!(self.seen, self.outbound.len(), "looked at before it is taken");
        let bytes = bytes.min(self.outbound.len());
        self.outbound.drain(..bytes);
        self.seen -= bytes;
        if bytes > 0 && self.blocked.is_some() {
            self.tell(Ready::WRITABLE);
        }
    }

    /// Looks at what has been written since this was last asked.
    pub(crate) fn look(&mut self) {
        self.touched = false;
        let arrived = self.known.unwrap_or(self.arrived);
        let now = self.clock.now();
        let said = self.outbound.range(self.seen..).copied();
        self.answers.feed(said, arrived, self.read, now);
        self.seen = self.outbound.len();
        if self.blocked.is_none() {
            self.known = None;
        }
    }

    /// The server calls, which takes a moment.
    fn is_called(&mut self) {
        self.touch();
        self.clock.pass(Duration::from_nanos(self.rng.u64(..2_000)));
    }

    fn reset() -> io::Error {
        ErrorKind::ConnectionReset.into()
    }

    fn part(&mut self, most: usize) -> usize {
        if self.partial { self.rng.usize(1..=most) } else { most }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_called();
        if self.ending == Some(Ending::Reset) {
            self.end_seen = true;
            return Err(Self::reset());
        }
        let there = self.inbound.len().min(buffer.len());
        if there == 0 {
            self.end_seen = self.ending.is_some();
            return if self.end_seen { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let n = self.part(there);
        for (to, from) in buffer.iter_mut().zip(self.inbound.drain(..n)) {
            *to = from;
        }
        self.read += n as u64;
        let now = self.clock.now();
        match self.reads.back_mut() {
            Some((offset, at)) if *at == now => *offset = self.read,
            _ => {
                if self.reads.len() == READS_KEPT {
                    self.reads.pop_front();
                    self.forgot_reads = true;
                }
                self.reads.push_back((self.read, now));
            }
        }
        Ok(n)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_called();
        if self.ending == Some(Ending::Reset) {
            return Err(Self::reset());
        }
        if self.shut.is_some() {
            self.fault = Some("written after the write side was shut");
        }
        let now = self.clock.now();
        let room = self.room - self.outbound.len();
        // Now and then there is no room for a moment, and an edge when there is.
        let hiccup = self.partial && self.blocked.is_none() && self.rng.u32(..16) == 0;
        if room == 0 || hiccup {
            self.blocked.get_or_insert(now);
            self.known.get_or_insert(self.arrived);
            if room > 0 {
                self.tell(Ready::WRITABLE);
            }
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = self.part(room.min(bytes.len()));
        self.outbound.extend(&bytes[..n]);
        self.written += n as u64;
        self.last_write = Some(now);
        self.blocked = (n == room && n < bytes.len()).then_some(now);
        Ok(n)
    }

    /// When the byte at this offset was read, if that is still known.
    pub(crate) fn read_at(&self, offset: u64) -> Option<Instant> {
        let place = self.reads.iter().position(|(read, _)| *read > offset)?;
        (place > 0 || !self.forgot_reads).then(|| self.reads[place].1)
    }
}

/// The server's end.
struct End(Shared);

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        lock(&self.0).read(buffer)
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for End {
    fn register(&mut self, _: &Registry, token: Token, _: Interest) -> io::Result<()> {
        let mut wire = lock(&self.0);
        if wire.unwatchable {
            return Err(ErrorKind::OutOfMemory.into());
        }
        if wire.token.replace(token).is_some() {
            wire.fault = Some("registered twice");
        }
        // As epoll does, for what is there already.
        if wire.unread() > 0 || wire.ending.is_some() {
            let read_closed = wire.ending.is_some();
            wire.tell(Ready { readable: true, writable: true, read_closed });
        }
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        unreachable!("a stream is registered once")
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        lock(&self.0).token = None;
        Ok(())
    }
}

impl Transport for End {
    fn shut_down_writing(&mut self) -> io::Result<()> {
        let mut wire = lock(&self.0);
        wire.is_called();
        let now = wire.clock.now();
        wire.shut.get_or_insert(now);
        Ok(())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut wire = lock(&self.0);
        if wire.token.is_some() {
            wire.fault = Some("let go of while it was watched");
        }
        wire.dropped = Some((wire.clock.now(), wire.arrived));
        if wire.unread() > 0 && wire.is_told() && wire.ending.is_none() {
            wire.destroyed = wire.untaken();
        }
        wire.inbound.clear();
        wire.touch();
    }
}

/// Who waits to be accepted.
#[derive(Default)]
pub(crate) struct Backlog {
    pub(crate) waiting: VecDeque<Shared>,
    /// There are no descriptors.
    pub(crate) exhausted: bool,
    pub(crate) token: Option<Token>,
    pub(crate) ready: bool,
    pub(crate) aborts: u32,
}

#[derive(Clone, Default)]
pub(crate) struct Door(pub(crate) Arc<Mutex<Backlog>>);

impl Door {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Backlog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's number, as the address of its peer.
pub(crate) fn address(number: u32) -> SocketAddr {
    (Ipv4Addr::from(0x0a00_0000 + number), 1).into()
}

impl Incoming for Door {
    fn accept(&mut self) -> io::Result<(Stream, Option<SocketAddr>)> {
        let mut backlog = self.lock();
        if backlog.exhausted {
            // EMFILE, whose kind has no stable name; said before it is looked who waits.
            return Err(io::Error::from_raw_os_error(24));
        }
        if backlog.aborts > 0 {
            backlog.aborts -= 1;
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let wire = backlog.waiting.pop_front().ok_or(ErrorKind::WouldBlock)?;
        let number = {
            let mut wire = lock(&wire);
            wire.is_called();
            wire.accepted = Some(wire.clock.now());
            wire.number
        };
        Ok((Stream::new(End(wire)), Some(address(number))))
    }
}

impl Source for Door {
    fn register(&mut self, _: &Registry, token: Token, _: Interest) -> io::Result<()> {
        self.lock().token = Some(token);
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        unreachable!("a listener is registered once")
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        self.lock().token = None;
        Ok(())
    }
}
