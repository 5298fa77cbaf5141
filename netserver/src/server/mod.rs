//! A server on somebody's event loop: glue between sockets, connections, tracking and one timer.
//!
//! ```text
//!  poll ──► on_event ──► read ──► Conn::receive ──► handler        inputs
//!                          │          │ output
//!                          ◄── write ─┘
//!                        Tracker::apply   which deadlines now run
//!  wheel ─► on_timer     the check: there may be who has run out of time
//!  loop ──► turn ──────► those who stand in line
//!             └────────► Tracker::expired ──► Conn::expire ──► 408, close
//! ```

mod accept;
mod admission;
mod adopt;
mod arrivals;
mod builder;
mod check;
mod close;
mod connection;
mod drive;
mod leases;
mod lines;
mod listening;
mod peak;
mod proxied;
mod timer;
mod waits;
mod work;

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(feature = "live")]
use std::sync::Arc;
use std::time::Instant;

#[cfg(feature = "live")]
use mio::Registry;
use mio::Token;
use slab::Slab;
use timerwheel::{TimerHandle, Timers};

pub use admission::Admission;
pub use adopt::AdoptError;
pub use builder::{BindError, Host, ServerBuilder};
pub use close::Report;
pub use connection::ConnectionInfo;

use crate::context::{ConnId, Context};
use crate::handler::Handler;
use crate::http::DateCache;
use crate::net::{Endpoint, ListenOptions, Ready, Tokens};
use crate::reply::{Reply, Ticket};
use crate::settings::Settings;
use crate::stats::Stats;
use crate::track::Tracker;
use arrivals::Arrivals;
use close::Drain;
use connection::Connection;
use leases::Leases;
use lines::{Line, Lines};
use listening::Listening;
use peak::Peak;
use timer::CheckTimer;
use work::{Until, Work};

/// A bound server. It exists only bound: what is not bound yet is a [`ServerBuilder`], which holds
/// no descriptor and no timer.
///
/// It is driven by the embedder's loop through [`on_event`](Self::on_event),
/// [`on_timer`](Self::on_timer) and [`turn`](Self::turn); for those who have no loop there is
/// [`EventLoop`](crate::EventLoop). Dropping it closes every socket and cancels its one timer, in
/// any state.
pub struct Server<H, T> {
    handler: H,
    settings: Settings,
    listen: ListenOptions,
    /// Connections that are accepted come by way of a proxy, which says whose they are.
    proxied: bool,
    tokens: Tokens,
    listening: Listening,
    /// The one entry in the wheel.
    check: CheckTimer<T>,
    connections: Slab<Connection>,
    admission: Admission,
    /// How often each slot has been used: what makes a [`ConnId`] one connection's for ever.
    generations: Vec<u32>,
    tracker: Tracker,
    peak: Peak,
    /// Connections with work left that no event will come for.
    lines: Lines,
    work: Work,
    /// The listener may have more.
    accepting: bool,
    arrivals: Arrivals,
    /// Accepting waits for descriptors, until the next check.
    exhausted: bool,
    /// More has expired than one turn could handle.
    expiring: bool,
    drain: Option<Drain>,
    /// Made with the first one.
    leases: Option<Leases>,
    date: DateCache,
    /// Both shared by all connections, and allocated with the first one.
    buffers: Buffers,
    stats: Stats,
}

/// What connections work in during their turn.
#[derive(Debug, Default)]
struct Buffers {
    read: Vec<u8>,
    output: Vec<u8>,
}

// The timer's type is that of the embedder, known at `bind`; a builder has none yet.
impl<H: Handler> Server<H, ()> {
    /// Describes a server. Plain data: no socket, no timer, nothing to undo.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::{Duration, Instant};
    /// use netserver::{Handler, Host, Reply, Request, Response, Server, Status, Tokens};
    /// use timerwheel::Timers;
    ///
    /// struct Hello;
    /// impl Handler for Hello {
    ///     fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
    ///         reply.send(Response::new(Status::OK).body(b"Hello, World!"));
    ///     }
    /// }
    ///
    /// let poll = mio::Poll::new()?;
    /// let now = Instant::now();
    /// let mut timers = Timers::new(now);
    /// let builder = Server::builder(Hello);
    /// assert_eq!(timers.len(), 0, "nothing is armed before there is anything to check");
    ///
    /// let host = Host {
    ///     registry: &Arc::new(poll.registry().try_clone()?),
    ///     tokens: Tokens::new(0..1024),
    ///     timers: &mut timers,
    ///     timer: "check connections",
    ///     now,
    /// };
    /// let server = builder.bind("127.0.0.1:0".parse()?, host)?;
    /// assert_eq!(timers.len(), 1);
    /// drop(server);
    /// assert_eq!(timers.len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(handler: H) -> ServerBuilder<H> {
        ServerBuilder::new(handler)
    }
}

impl<H: Handler, T: Copy> Server<H, T> {
    // Inputs, in the order in which a loop calls them.

    /// The poll says that something is ready. False if the token is not of this server's range.
    /// An event for a connection that has ended meanwhile is no harm. When the turn has served as
    /// much as it may, the connection stands in line until a [turn](Self::turn) comes to it.
    pub fn on_event(&mut self, token: Token, ready: Ready, now: Instant) -> bool {
        if !self.tokens.contains(token) {
            return false;
        }
        let Some(key) = self.tokens.key(token) else {
            self.accepting = true;
            self.accept(now);
            return true;
        };
        self.note_ready(key, ready, now);
        true
    }

    /// A timer has expired. False if it is not this server's, or of an earlier binding.
    ///
    /// This is the connection check: what has run out of time is answered `408` or closed, by the
    /// [turns](Self::turn) from this one on. Costs what has expired, whatever the number of
    /// connections.
    pub fn on_timer(&mut self, handle: TimerHandle, now: Instant) -> bool {
        let mine = self.check.take_expiry(handle);
        if mine {
            self.check(now);
        }
        mine
    }

    /// Goes on with work that is left over, ends the waiting of those who have run out of time at the
    /// last [check](Self::on_timer), and with
    /// [`ConnectionCheck::Exact`](crate::ConnectionCheck::Exact) arms the timer for what expires
    /// next. Call it last in every turn of the loop; while [`wants_turn`](Self::wants_turn), poll
    /// without sleeping.
    ///
    /// It does so much and no more, counted in work and not in time, over all connections. Those
    /// who are left over are served in the turns that follow, in the order in which they stand;
    /// those the poll tells of meanwhile before those who had a portion already, of whom each turn
    /// serves some in any case.
    pub fn turn(&mut self, timers: &mut Timers<T>, now: Instant) {
        self.serve(Line::News, self.work.rest_of_news(), now);
        self.serve(Line::Rest, self.work.part(), now);
        if self.accepting {
            self.accept(now);
        }
        if self.drain.is_some() {
            self.go_on_draining(now);
        }
        if self.leases.is_some() {
            self.collect_leases(now);
        }
        // Last, for its part is measured by what all the others have spent.
        if self.expiring {
            self.expire(now);
        }
        // Until all that has expired is told, each turn goes on with it anyway.
        if self.check.is_exact() && !self.expiring {
            self.check.arm_for(self.next_check(now), timers);
        }
        self.work.renew();
        self.arrivals.renew();
    }

    /// The turn is over, and this is the time: to be told right before the loop polls again.
    ///
    /// What was heard from peers in the turn, and said to them, came after the time that the turn
    /// was told, by as much as the turn took. Deadlines that began with it count from here, and so
    /// none is early by anybody's clock. Without this they count from the times told, which is early
    /// by up to the length of a turn. Costs what has begun in the turn.
    pub fn settle(&mut self, now: Instant) {
        self.tracker.settle(now);
    }

    /// Answers a request that was put off with [`Reply::later`]. False if the ticket is stale: the
    /// request was answered, or its connection has gone.
    pub fn answer(
        &mut self,
        ticket: Ticket,
        now: Instant,
        answer: impl FnOnce(&mut H, Reply<'_>),
    ) -> bool {
        self.with_ticket(ticket, now, |connection, handler, cx| {
            connection.conn.answer(ticket, handler, cx, answer)
        })
    }

    /// The time has come for a ticket: [`Handler::on_wake`], or
    /// [`Exchange::on_wake`](crate::Exchange::on_wake) if the request is streamed. False if stale.
    pub fn wake(&mut self, ticket: Ticket, now: Instant) -> bool {
        self.with_ticket(ticket, now, |connection, handler, cx| {
            connection.conn.wake(ticket, handler, cx)
        })
    }

    // Observers.

    /// What it listens on, or did until it was closed.
    pub fn endpoint(&self) -> &Endpoint {
        self.listening.endpoint()
    }

    /// The address it listens on, or did until it was closed; the port is the real one if 0 was
    /// asked for.
    ///
    /// # Errors
    ///
    /// If it listens on something that has none, a Unix socket for instance.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.endpoint().ip()
    }

    /// Whether there is work left over, so that the loop must not sleep.
    pub fn wants_turn(&self) -> bool {
        !self.lines.is_empty(Line::News)
            || !self.lines.is_empty(Line::Rest)
            || self.expiring
            || self.is_telling()
            || (self.accepting && !self.exhausted && self.may_accept())
    }

    /// The timer of the connection check, if it is armed.
    pub fn timer(&self) -> Option<TimerHandle> {
        self.check.handle()
    }

    /// Entries of this server in the wheel: 1 while there is anything to check, else 0.
    pub fn timer_entries(&self) -> usize {
        usize::from(self.check.handle().is_some())
    }

    /// Whether the request of this ticket is still to be answered, or streamed.
    pub fn awaits(&self, ticket: Ticket) -> bool {
        let key = self.key_of(ticket.connection());
        let connection = key.and_then(|key| self.connections.get(key as usize));
        connection.is_some_and(|connection| connection.conn.is_open(ticket))
    }

    /// Connections open.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Deadlines by class.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Up to where a job of the loop's own goes on in this turn, which the server does the work of.
    pub(crate) fn part_of_turn(&self) -> Until {
        self.work.part()
    }

    /// Whether it has come to its end.
    pub(crate) fn is_past(&self, until: Until) -> bool {
        self.work.is_past(until)
    }

    #[cfg(feature = "live")]
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        self.listening.registry()
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// The handler, to change it between events.
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    // Private.

    fn note_ready(&mut self, key: u32, ready: Ready, now: Instant) {
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        connection.note(ready);
        if self.lines.contains(key) {
            // It is about to have its turn.
        } else if self.lines.is_empty(Line::News) && !self.work.is_past(self.work.news()) {
            self.drive(key, now);
        } else {
            self.lines.push(key, Line::News);
        }
    }

    /// Gives those who stand in the line their turns.
    fn serve(&mut self, line: Line, until: Until, now: Instant) {
        while !self.work.is_past(until)
            && let Some(key) = self.lines.pop(line)
        {
            self.drive(key, now);
        }
    }

    fn with_ticket(
        &mut self,
        ticket: Ticket,
        now: Instant,
        act: impl FnOnce(&mut Connection, &mut H, &mut Context<'_>) -> bool,
    ) -> bool {
        let Some(key) = self.key_of(ticket.connection()) else { return false };
        self.drive_after(key, now, act).unwrap_or(false)
    }

    /// The key of a connection, if it is the one that was meant.
    fn key_of(&self, id: ConnId) -> Option<u32> {
        let connection = self.connections.get(id.index() as usize)?;
        (connection.id == id).then_some(id.index())
    }
}

impl<H, T> fmt::Debug for Server<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("endpoint", self.listening.endpoint())
            .field("connections", &self.connections.len())
            .field("timer", &self.check.handle())
            .finish_non_exhaustive()
    }
}
