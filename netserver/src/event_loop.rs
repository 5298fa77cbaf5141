//! A poll, a wheel and a server on one thread: an event loop for those who have none, and one
//! descriptor with one deadline for those who have one.
//!
//! ```text
//!   run:  read the clock: the last turn is over       (Server::settle)
//!         sleep until an event or the next deadline    (mio::Poll, Timers::timeout)
//!         read the clock: the next one begins
//!        ┌─────────────────────────── turn(now) ──────────────────────┐
//!   events    ── WAKE ──► commands of handles          (close, stop)
//!             └─ else ──► Server::on_event
//!   deadlines ── Check ─► Server::on_timer
//!             └─ Wake ──► Server::wake                 (requests put off)
//!   leftovers ──────────► Server::turn
//! ```

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use timerwheel::Timers;

use crate::clock;
use crate::gauges::{Gauges, LoopStats};
use crate::handler::Handler;
use crate::loop_handle::{Command, LoopHandle};
use crate::loop_links::{LoopLinks, LoopTimer};
use crate::net::{Listener, Ready, Source, Tokens};
use crate::server::{Host, Report, Server, ServerBuilder};
use crate::trace;

/// A server with a loop of its own.
///
/// ```no_run
/// use netserver::{EventLoop, Handler, Reply, Request, Response, Server, Status};
///
/// struct Hello;
/// impl Handler for Hello {
///     fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
///         reply.send(Response::new(Status::OK).body(b"Hello, World!"));
///     }
/// }
///
/// let event_loop = EventLoop::bind("127.0.0.1:8080".parse()?, |_| Server::builder(Hello))?;
/// println!("listening on http://{}", event_loop.local_addr()?);
/// event_loop.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A loop of another kind can carry it: wait until its [descriptor](AsFd) is readable, but no
/// longer than [`timeout`](Self::timeout), and then call [`turn`](Self::turn). Both are told the time:
/// a turn when it begins, and the timeout after it, from which the deadlines count that began in
/// the turn. Made by [`bind_at`](Self::bind_at) and carried so, it reads no clock for what it does:
/// all its time is the `now` of the carrier (the Date field alone is the system's).
///
/// ```
/// use std::os::fd::AsFd;
/// use std::time::{Duration, Instant};
/// use netserver::{EventLoop, Server};
/// # use netserver::{Handler, Reply, Request, Response, Status};
/// # struct Hello;
/// # impl Handler for Hello {
/// #     fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
/// #         reply.send(Response::new(Status::OK).body(b"Hello, World!"));
/// #     }
/// # }
///
/// let mut now = Instant::now();
/// let mut http = EventLoop::bind_at("127.0.0.1:0".parse()?, |_| Server::builder(Hello), now)?;
/// let _poll_this = http.as_fd();
/// let sleep = http.timeout(now).expect("the connection check is armed");
/// assert!(sleep <= Duration::from_millis(1002), "once a second");
/// now += sleep;                                     // time is what the carrier says it is
/// http.turn(now)?;
/// assert_eq!(http.server().stats().checks, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EventLoop<H> {
    // The order of dropping: the server cancels its timer while the wheel is there to hear of it.
    server: Server<H, LoopTimer>,
    #[cfg(feature = "live")]
    live: crate::live::LiveLoop<LoopTimer>,
    timers: Timers<LoopTimer>,
    commands: Receiver<Command>,
    handle: LoopHandle,
    gauges: Gauges,
    /// Which of the gauges is this loop's.
    index: usize,
    /// Turns and lateness; the rest is filled in when it is published.
    stats: LoopStats,
    events: Events,
    poll: Poll,
    /// The poll may have more than it has said.
    more: bool,
    now: Instant,
    publish_at: Instant,
    /// Something has been counted since figures were published.
    unpublished: bool,
    stopped: bool,
}

/// Events taken from the poll at once. More wait in the kernel, in their order.
const EVENTS_PER_TURN: usize = 1024;

/// Timers that handlers and other threads have armed and the loop has not taken up, which it does
/// after every event. Above it, [`Remote::arm`] gives the ticket back.
const COMMANDS_WAITING: usize = 4096;

/// How often figures are published at most: a busy loop has better things to do after every turn.
/// What the last turn of a busy time has counted is published when this has passed once more.
const PUBLISH_EVERY: Duration = Duration::from_millis(10);

const WAKE: Token = Token(0);

impl<H: Handler> EventLoop<H> {
    /// Makes a loop, and binds the server that `build` describes. The server listens from here on;
    /// it answers once the loop [runs](Self::run).
    ///
    /// # Errors
    ///
    /// `InvalidInput` if a setting breaks a rule; otherwise the system's error. Nothing is left
    /// behind.
    pub fn bind(
        address: SocketAddr,
        build: impl FnOnce(LoopLinks) -> ServerBuilder<H>,
    ) -> io::Result<Self> {
        Self::bind_at(address, build, clock::now())
    }

    /// [`bind`](Self::bind) for a loop of another kind, whose time it is from here on.
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind).
    pub fn bind_at(
        address: SocketAddr,
        build: impl FnOnce(LoopLinks) -> ServerBuilder<H>,
        now: Instant,
    ) -> io::Result<Self> {
        Self::start(0, Gauges::new(1), Source::Address(address), build, now)
    }

    /// The same with a listener that is there already: see [`ServerBuilder::listen_on`].
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind).
    pub fn listen_on(
        listener: Listener,
        build: impl FnOnce(LoopLinks) -> ServerBuilder<H>,
    ) -> io::Result<Self> {
        Self::listen_on_at(listener, build, clock::now())
    }

    /// [`listen_on`](Self::listen_on) for a loop of another kind, whose time it is from here on.
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind).
    pub fn listen_on_at(
        listener: Listener,
        build: impl FnOnce(LoopLinks) -> ServerBuilder<H>,
        now: Instant,
    ) -> io::Result<Self> {
        Self::start(0, Gauges::new(1), Source::Listener(listener), build, now)
    }

    /// As one of several loops.
    pub(crate) fn start(
        index: usize,
        gauges: Gauges,
        source: Source,
        build: impl FnOnce(LoopLinks) -> ServerBuilder<H>,
        now: Instant,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut timers = Timers::new(now);
        timers.set_inbox_limit(COMMANDS_WAITING);
        let remote = timers.remote({
            let waker = Arc::clone(&waker);
            // Fails only if the poll is gone, and then nobody sleeps there.
            move || drop(waker.wake())
        });
        #[cfg(feature = "live")]
        gauges.hub().set_wake(index, {
            let waker = Arc::clone(&waker);
            move || drop(waker.wake())
        });
        let (sender, commands) = channel();
        let handle = LoopHandle::new(sender, waker);
        let links = LoopLinks {
            remote,
            gauges: gauges.clone(),
            handle: handle.clone(),
            #[cfg(feature = "live")]
            index,
        };
        #[cfg(feature = "live")]
        let live = crate::live::LiveLoop::linked(links.live(), LoopTimer::Live, LoopTimer::purpose);
        let host = Host {
            registry: &Arc::new(poll.registry().try_clone()?),
            tokens: Tokens::new(WAKE.0 + 1..usize::MAX),
            timers: &mut timers,
            timer: LoopTimer::Check,
            now,
        };
        let server = build(links).start(source, host)?;
        let events = Events::with_capacity(EVENTS_PER_TURN);
        let stats = LoopStats::default();
        let mut it = Self {
            server,
            #[cfg(feature = "live")]
            live,
            timers,
            commands,
            handle,
            gauges,
            index,
            stats,
            events,
            poll,
            more: false,
            now,
            publish_at: now,
            unpublished: false,
            stopped: false,
        };
        // Or its server would not be counted before its first turn.
        it.publish();
        Ok(it)
    }

    // Inputs.

    /// Serves until the server is [closed](LoopHandle::close) and its last connection has ended,
    /// or until it is [stopped](LoopHandle::stop).
    ///
    /// # Errors
    ///
    /// The poll's, which come of misuse only.
    pub fn run(mut self) -> io::Result<Report> {
        while !self.is_done() {
            let timeout = self.timeout(clock::now());
            self.gather(timeout)?;
            self.work(clock::now());
        }
        Ok(self.server.report().unwrap_or_default())
    }

    /// Sleeps for `timeout` at most, for any time if that is `None`, and does a turn. Reads the
    /// clock before and after that sleep, as [`run`](Self::run) does for each turn.
    ///
    /// # Errors
    ///
    /// The poll's, which come of misuse only.
    pub fn run_once(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.server.settle(clock::now());
        self.gather(timeout)?;
        self.work(clock::now());
        Ok(())
    }

    /// One turn: does what there is to do at `now`, and never sleeps. One `epoll_wait` if there is
    /// nothing.
    ///
    /// # Errors
    ///
    /// The poll's, which come of misuse only.
    pub fn turn(&mut self, now: Instant) -> io::Result<()> {
        self.gather(Some(Duration::ZERO))?;
        self.work(now);
        Ok(())
    }

    /// How long after `now` the next [`turn`](Self::turn) is due if the descriptor is not readable
    /// before: `None` is at no time, zero is without sleeping. O(what the last turn has begun).
    ///
    /// Ask right before sleeping, with the time of then: deadlines that began in the last turn
    /// count from it, so that none is early however long the turn took. Who does not ask between
    /// two turns has them count from the beginning of the second.
    #[must_use = "the loop has to wake up by then"]
    pub fn timeout(&mut self, now: Instant) -> Option<Duration> {
        self.server.settle(now);
        #[cfg(feature = "live")]
        if self.live.wants_turn() {
            return Some(Duration::ZERO);
        }
        if self.more || self.server.wants_turn() {
            return Some(Duration::ZERO);
        }
        let timers = self.timers.timeout(now);
        if self.unpublished {
            return Some(timers.map_or(PUBLISH_EVERY, |timers| timers.min(PUBLISH_EVERY)));
        }
        timers
    }

    // Observers.

    /// Whether there is nothing more to do: [`run`](Self::run) would return.
    pub fn is_done(&self) -> bool {
        self.stopped || self.server.is_closed()
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// If it listens on something that has no address, a Unix socket for instance.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.server.local_addr()
    }

    /// What closes or stops it from elsewhere.
    pub fn handle(&self) -> LoopHandle {
        self.handle.clone()
    }

    /// The server.
    pub fn server(&self) -> &Server<H, LoopTimer> {
        &self.server
    }

    /// The server, to change it between turns.
    pub fn server_mut(&mut self) -> &mut Server<H, LoopTimer> {
        &mut self.server
    }

    /// The timers: the server's one, and those of requests put off.
    pub fn timers_mut(&mut self) -> &mut Timers<LoopTimer> {
        &mut self.timers
    }

    // Private.

    fn gather(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            // A signal ended the sleep, and there is nothing in `events`.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    fn work(&mut self, now: Instant) {
        self.server.settle(now);
        self.now = now;
        let (mut woken, mut handled) = (false, 0);
        for event in &self.events {
            handled += 1;
            match event.token() {
                WAKE => woken = true,
                token => _ = self.server.on_event(token, Ready::from(event), now),
            }
            // Takes up what handlers have armed by their remote, of which only so many can wait.
            // Two loads if there is nothing.
            let _ = self.timers.len();
        }
        // A carrier that is told of edges would hear no more of those that did not fit.
        self.more = handled == EVENTS_PER_TURN;
        if woken {
            self.obey(now);
        }
        self.timers.advance(now);
        let until = self.server.part_of_turn();
        // Those that are not handed out now are due still, so the loop does not sleep.
        while !self.server.is_past(until)
            && let Some(expiry) = self.timers.pop_expired()
        {
            self.stats.note_expiry(expiry.late);
            trace::timer(&expiry.value, expiry.late);
            match expiry.value {
                LoopTimer::Check => {
                    self.stats.note_check(expiry.late);
                    self.server.on_timer(expiry.handle, now);
                }
                LoopTimer::Wake(ticket) => _ = self.server.wake(ticket, now),
                LoopTimer::Live => {
                    #[cfg(feature = "live")]
                    self.live.on_timer(expiry.handle, &mut self.server, &mut self.timers, now);
                }
            }
        }
        #[cfg(feature = "live")]
        self.live.turn(&mut self.server, &mut self.timers, now);
        self.server.turn(&mut self.timers, now);
        self.stats.turns += 1;
        self.publish();
    }

    fn obey(&mut self, now: Instant) {
        for command in self.commands.try_iter() {
            match command {
                Command::Close(grace) => self.server.close(grace, now),
                Command::Stop => self.stopped = true,
            }
        }
    }

    fn publish(&mut self) {
        self.unpublished = self.now < self.publish_at && !self.is_done();
        if self.unpublished {
            return;
        }
        self.publish_at = self.now + PUBLISH_EVERY;
        self.stats.server = self.server.stats();
        self.stats.timers = self.timers.len() as u64;
        self.stats.servers = u64::from(!self.server.is_closed());
        self.stats.server_timers = self.server.timer_entries() as u64;
        self.gauges.publish(self.index, &mut self.stats);
        #[cfg(feature = "live")]
        self.gauges.hub().published(&self.gauges, self.now);
    }
}

impl<H> AsFd for EventLoop<H> {
    /// The descriptor of the poll, which can be polled itself: an epoll instance is readable while
    /// one of its sources has something to tell. To be waited on, and for nothing else.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}

impl<H> AsRawFd for EventLoop<H> {
    /// The same, for loops that take a number.
    fn as_raw_fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}

impl<H> std::fmt::Debug for EventLoop<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLoop").field("server", &self.server).finish_non_exhaustive()
    }
}
