//! Both crates in a loop of one's own: one `mio::Poll`, one `Timers`, an HTTP server, and a second
//! protocol with timers of its own beside it.
//!
//! ```sh
//! cargo run -p netserver --example own_loop
//! curl http://127.0.0.1:8080/
//! nc 127.0.0.1 8081                                 # shouts back what you say
//! ```
//!
//! ```text
//!             tokens                        timers
//!   0         the loop's own waker          CheckConnections   the HTTP server's one
//!   1..1000   the shouting protocol         Idle(peer)         one for each who may shout
//!   1000..    the HTTP server
//! ```

mod shout;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use netserver::{
    Handler, Host, Ready, Reply, Report, Request, Response, Server, ServerBuilder, Status, Tokens,
};
use timerwheel::Timers;

use shout::Shout;

/// What the timers of this program are for. Plain data: it owns nothing, so no timer keeps
/// anything alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    CheckConnections,
    Idle(usize),
}

const WAKE: Token = Token(0);
const SHOUT: std::ops::Range<usize> = 1..1000;
const HTTP: std::ops::Range<usize> = 1000..1_000_000;

const GRACE: Duration = Duration::from_secs(10);

struct Hello;

impl Handler for Hello {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"Hello from a loop of one's own\n"));
    }
}

fn main() -> io::Result<()> {
    let shout = shout(([127, 0, 0, 1], 8081).into(), Duration::from_secs(60))?;
    let own = OwnLoop::bind(Server::builder(Hello), ([127, 0, 0, 1], 8080).into(), shout)?;
    println!("listening on http://{}, shouting on {}", own.http_addr()?, own.shout_addr()?);
    println!("the end of input (Ctrl-D) ends it");
    let waker = own.waker();
    thread::spawn(move || {
        // Whether it ends or fails: nothing more comes.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        waker.wake()
    });
    own.run().map(drop)
}

pub(crate) fn shout(address: SocketAddr, idle: Duration) -> io::Result<Shout> {
    Shout::bind(address, SHOUT, idle)
}

pub(crate) struct OwnLoop<H> {
    // The order of dropping: the server cancels its timer while the timers are there.
    http: Server<H, Timer>,
    shout: Shout,
    timers: Timers<Timer>,
    waker: Arc<Waker>,
    poll: Poll,
    /// The time of this turn, told to everybody.
    now: Instant,
}

impl<H: Handler> OwnLoop<H> {
    pub(crate) fn bind(
        http: ServerBuilder<H>,
        address: SocketAddr,
        mut shout: Shout,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        // A poll has one waker, and it is ours; the server needs none.
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let now = Instant::now();
        let mut timers = Timers::new(now);
        let host = Host {
            registry: &Arc::new(poll.registry().try_clone()?),
            tokens: Tokens::new(HTTP),
            timers: &mut timers,
            timer: Timer::CheckConnections,
            now,
        };
        let http = http.bind(address, host)?;
        shout.register(poll.registry())?;
        Ok(Self { http, shout, timers, waker, poll, now })
    }

    pub(crate) fn run(mut self) -> io::Result<Report> {
        let mut events = Events::with_capacity(1024);
        while !self.http.is_closed() {
            self.turn(&mut events)?;
        }
        Ok(self.http.report().unwrap_or_default())
    }

    /// One turn of the loop: all there is to embedding.
    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        let now = Instant::now();
        // What the server heard of in the last turn came by now, and not before: no deadline is early.
        self.http.settle(now);
        let timeout = if self.http.wants_turn() {
            Some(Duration::ZERO) // work is left over from the last turn
        } else {
            self.timers.timeout(now)
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            polled => polled?,
        }
        let now = Instant::now();
        self.now = now;
        for event in &*events {
            match event.token() {
                WAKE => self.close(),
                token if self.http.on_event(token, Ready::from(event), now) => {}
                token => self.shout.on_event(token, self.poll.registry(), &mut self.timers, now),
            }
        }
        self.timers.advance(now);
        while let Some(expiry) = self.timers.pop_expired() {
            match expiry.value {
                Timer::CheckConnections => _ = self.http.on_timer(expiry.handle, now),
                Timer::Idle(peer) => self.shout.on_idle(peer, expiry.handle),
            }
        }
        self.http.turn(&mut self.timers, now);
        Ok(())
    }

    /// Drains the server, and the loop with it.
    fn close(&mut self) {
        self.http.close(GRACE, self.now);
        self.shout.close();
    }

    /// Waking it closes the loop, from any thread.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    pub(crate) fn http_addr(&self) -> io::Result<SocketAddr> {
        self.http.local_addr()
    }

    pub(crate) fn shout_addr(&self) -> io::Result<SocketAddr> {
        self.shout.local_addr()
    }
}
