//! A server in a calloop, beside a timer of calloop's own.
//!
//! ```sh
//! cargo run -p netserver --example in_calloop
//! curl http://127.0.0.1:8080/
//! ```
//!
//! calloop lends callbacks what [`dispatch`](calloop::EventLoop::dispatch) is given, and the server
//! is part of that. What calloop owns is a duplicate of its descriptor, to wait on.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{Interest, Mode, PostAction};
use netserver::{EventLoop, Handler, Reply, Request, Response, Server, Status};

struct Hello;

impl Handler for Hello {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"Hello from calloop\n"));
    }
}

/// What callbacks may use.
pub(crate) struct App<H> {
    pub(crate) http: EventLoop<H>,
    pub(crate) ticks: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = SocketAddr::from(([127, 0, 0, 1], 8080));
    let http = EventLoop::bind_at(address, |_| Server::builder(Hello), Instant::now())?;
    println!("listening on http://{address}");
    run(&mut App { http, ticks: 0 })
}

/// The loop: serves until the server is closed.
pub(crate) fn run<H: Handler>(app: &mut App<H>) -> Result<(), Box<dyn std::error::Error>> {
    let mut calloop = calloop::EventLoop::<App<H>>::try_new()?;
    let readable =
        Generic::new(app.http.as_fd().try_clone_to_owned()?, Interest::READ, Mode::Level);
    calloop.handle().insert_source(readable, |_, _, app: &mut App<H>| {
        app.http.turn(Instant::now())?;
        Ok::<_, io::Error>(PostAction::Continue)
    })?;
    calloop.handle().insert_source(Timer::immediate(), |_, (), app: &mut App<H>| {
        app.ticks += 1;
        TimeoutAction::ToDuration(Duration::from_millis(50))
    })?;
    while !app.http.is_done() {
        let timeout = app.http.timeout(Instant::now());
        calloop.dispatch(timeout, app)?;
        // Its time may have come without anything to read.
        app.http.turn(Instant::now())?;
    }
    Ok(())
}
