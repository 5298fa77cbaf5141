//! From plain data to a listening server, in the one order that leaves nothing behind.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::Registry;
use slab::Slab;
use timerwheel::{Period, Timers};

use super::arrivals::Arrivals;
use super::lines::Lines;
use super::listening::Listening;
use super::peak::Peak;
use super::timer::CheckTimer;
use super::work::Work;
use super::{Admission, Buffers, Server};
use crate::clock;
use crate::handler::Handler;
use crate::http::DateCache;
use crate::net::{Endpoint, ListenOptions, Listener, Source, Tokens};
use crate::settings::{ConnectionCheck, Limits, SettingError, Settings, Timeouts};
use crate::stats::Stats;
use crate::trace;
use crate::track::Tracker;

/// What an embedder lends a server to be bound with.
///
/// The value in the wheel is the embedder's, and it is `Copy`: it cannot own anything, so no timer
/// can keep a server or a part of it alive. What owns something does not compile:
///
/// ```compile_fail
/// # use netserver::{Host, Tokens};
/// # use timerwheel::Timers;
/// fn host<'a>(
///     registry: &'a std::sync::Arc<mio::Registry>,
///     timers: &'a mut Timers<std::rc::Rc<String>>,
///     owner: std::rc::Rc<String>,
/// ) -> Host<'a, std::rc::Rc<String>> {
///     Host { registry, tokens: Tokens::new(0..8), timers, timer: owner, now: std::time::Instant::now() }
/// }
/// ```
#[derive(Debug)]
pub struct Host<'a, T: Copy + fmt::Debug> {
    /// Where sockets are registered: `Arc::new(poll.registry().try_clone()?)`, which is a descriptor
    /// for all servers of a poll, and none more for each.
    pub registry: &'a Arc<Registry>,
    /// The tokens the server may use: no other source of this poll may use them.
    pub tokens: Tokens,
    /// Where the connection check is armed.
    pub timers: &'a mut Timers<T>,
    /// What the embedder recognises that timer by.
    pub timer: T,
    /// The time.
    pub now: Instant,
}

/// A server that is not bound: a handler and settings, nothing else.
#[derive(Clone, Debug)]
#[must_use = "a server does nothing before it is bound"]
pub struct ServerBuilder<H> {
    pub(super) handler: H,
    pub(super) settings: Settings,
    pub(super) listen: ListenOptions,
    pub(super) proxied: bool,
    /// `None` is one of its own.
    pub(super) admission: Option<Admission>,
}

impl<H: Handler> ServerBuilder<H> {
    pub(super) fn new(handler: H) -> Self {
        let settings = Settings::default();
        let listen =
            ListenOptions { backlog: settings.limits.backlog, reuse_port: false, dual_stack: None };
        Self { handler, settings, listen, proxied: false, admission: None }
    }

    /// Sets all durations.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.timeouts = timeouts;
        self
    }

    /// Sets all limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.listen.backlog = limits.backlog;
        self.settings.limits = limits;
        self
    }

    /// Sets durations and limits together.
    pub fn settings(self, settings: Settings) -> Self {
        self.timeouts(settings.timeouts).limits(settings.limits)
    }

    /// Lets other sockets listen on the same address, among which the kernel shares connections
    /// out (`SO_REUSEPORT`): for one server per thread.
    pub fn reuse_port(mut self, reuse_port: bool) -> Self {
        self.listen.reuse_port = reuse_port;
        self
    }

    /// Whether an IPv6 address is to take IPv4 connections too; the system decides if not said.
    pub fn dual_stack(mut self, dual_stack: bool) -> Self {
        self.listen.dual_stack = Some(dual_stack);
        self
    }

    /// Expects a header of the PROXY protocol, version 1 or 2, before everything else on each
    /// connection that the listener accepts. The address that it names is the connection's peer
    /// from then on: in [`Request::peer`](crate::Request::peer), and for
    /// [`Limits::pending_per_address`]. Streams that are
    /// [adopted](Server::adopt) come with their peer's address, and without a header.
    ///
    /// Only for a listener that nobody but the proxy can reach: whoever speaks there can be anyone.
    /// A connection that begins otherwise, with a header longer than [`Limits::header_size`], or
    /// without a whole header by [`Timeouts::first_byte`] after the accept, is closed without a
    /// word: [`Cause::ProxyHeader`](crate::Cause::ProxyHeader).
    #[cfg(feature = "proxy-protocol")]
    pub fn proxy_protocol(mut self, expected: bool) -> Self {
        self.proxied = expected;
        self
    }

    /// Counts connections together with all servers that are given the same one, so that the limit
    /// of connections, and of those pending, holds for all of them together. Without it a server
    /// counts for itself. A server that is [paused](crate::OverLimit::Pause) because of the others
    /// looks again at every connection check.
    pub fn admission(mut self, admission: &Admission) -> Self {
        self.admission = Some(admission.clone());
        self
    }

    /// Checks the settings, as [`bind`](Self::bind) does first.
    ///
    /// # Errors
    ///
    /// The setting that breaks a rule, its value, and the rule.
    pub fn check(&self) -> Result<(), SettingError> {
        self.settings.check()
    }

    /// Binds, listens, registers, and then arms the connection check, which cannot fail.
    ///
    /// # Errors
    ///
    /// What went wrong, with this builder handed back to try again with. Nothing is left behind: no
    /// socket, no registration, no timer.
    pub fn bind<T: Copy + fmt::Debug>(
        self,
        address: SocketAddr,
        host: Host<'_, T>,
    ) -> Result<Server<H, T>, BindError<H>> {
        self.start(Source::Address(address), host)
    }

    /// The same with a listener that is there already: a Unix socket, one inherited from a
    /// supervisor, one of the embedder's making, or [none](Listener::none).
    ///
    /// # Errors
    ///
    /// As of [`bind`](Self::bind). The listener is closed.
    pub fn listen_on<T: Copy + fmt::Debug>(
        self,
        listener: Listener,
        host: Host<'_, T>,
    ) -> Result<Server<H, T>, BindError<H>> {
        self.start(Source::Listener(listener), host)
    }

    pub(crate) fn start<T: Copy + fmt::Debug>(
        self,
        source: Source,
        host: Host<'_, T>,
    ) -> Result<Server<H, T>, BindError<H>> {
        let endpoint = source.endpoint();
        match self.listen(source, &host) {
            Ok((listening, every)) => Ok(self.arm(listening, every, host)),
            Err(reason) => Err(BindError { endpoint, reason, builder: Box::new(self) }),
        }
    }

    /// All that can fail.
    fn listen<T: Copy + fmt::Debug>(
        &self,
        source: Source,
        host: &Host<'_, T>,
    ) -> Result<(Listening, Option<Period>), BindReason> {
        self.check()?;
        let every = match self.settings.timeouts.check {
            // The rule that it is not zero was checked right above.
            ConnectionCheck::Interval(interval) => Period::new(interval).ok(),
            ConnectionCheck::Exact => None,
        };
        let token = host.tokens.listener();
        Ok((Listening::start(source, self.listen, host.registry, token)?, every))
    }

    fn arm<T: Copy + fmt::Debug>(
        self,
        listening: Listening,
        every: Option<Period>,
        host: Host<'_, T>,
    ) -> Server<H, T> {
        let Host { tokens, timers, timer, now, .. } = host;
        trace::listening(listening.endpoint());
        Server {
            handler: self.handler,
            settings: self.settings,
            listen: self.listen,
            proxied: self.proxied,
            tokens,
            listening,
            check: CheckTimer::new(timer, every, timers, now),
            connections: Slab::new(),
            admission: self.admission.unwrap_or_default(),
            generations: Vec::new(),
            tracker: Tracker::new(),
            peak: Peak::default(),
            lines: Lines::new(),
            work: Work::new(),
            accepting: false,
            arrivals: Arrivals::default(),
            exhausted: false,
            expiring: false,
            drain: None,
            leases: None,
            date: DateCache::new(clock::wall(), now),
            buffers: Buffers::default(),
            stats: Stats::default(),
        }
    }
}

/// A server could not be bound.
pub struct BindError<H> {
    endpoint: Endpoint,
    reason: BindReason,
    builder: Box<ServerBuilder<H>>,
}

#[derive(Debug)]
enum BindReason {
    Settings(SettingError),
    Io(io::Error),
}

impl<H> BindError<H> {
    /// The builder, to try again with.
    pub fn into_builder(self) -> ServerBuilder<H> {
        *self.builder
    }

    /// The system's error; `None` if it was a setting that was wrong.
    pub fn io_error(&self) -> Option<&io::Error> {
        match &self.reason {
            BindReason::Io(error) => Some(error),
            BindReason::Settings(_) => None,
        }
    }
}

impl<H> fmt::Display for BindError<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            BindReason::Settings(error) => error.fmt(f),
            BindReason::Io(error) => write!(f, "cannot listen on {}: {error}", self.endpoint),
        }
    }
}

impl<H> fmt::Debug for BindError<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = f.debug_struct("BindError");
        error
            .field("endpoint", &self.endpoint)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<H> Error for BindError<H> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            BindReason::Settings(error) => Some(error),
            BindReason::Io(error) => Some(error),
        }
    }
}

impl<H> From<BindError<H>> for io::Error {
    /// The same text; `InvalidInput` if it was a setting.
    fn from(error: BindError<H>) -> Self {
        let kind = error.io_error().map_or(io::ErrorKind::InvalidInput, io::Error::kind);
        Self::new(kind, error.to_string())
    }
}

impl From<SettingError> for BindReason {
    fn from(error: SettingError) -> Self {
        Self::Settings(error)
    }
}

impl From<io::Error> for BindReason {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
