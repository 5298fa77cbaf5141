//! A server in a loop on smol's `polling`.
//!
//! ```sh
//! cargo run -p netserver --example in_polling
//! curl http://127.0.0.1:8080/
//! ```

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use netserver::{EventLoop, Handler, Reply, Request, Response, Server, Status};
use polling::{Event, Events, PollMode, Poller};

const HTTP: usize = 0;

struct Hello;

impl Handler for Hello {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"Hello from polling\n"));
    }
}

fn main() -> io::Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], 8080));
    let http = EventLoop::bind_at(address, |_| Server::builder(Hello), Instant::now())?;
    println!("listening on http://{address}");
    run(http)
}

/// The loop: serves until the server is closed.
#[allow(unsafe_code)] // polling wants a promise, see below
pub(crate) fn run<H: Handler>(mut http: EventLoop<H>) -> io::Result<()> {
    let poller = Poller::new()?;
    // SAFETY: a source must be taken out of the poller before it is closed, or outlive it. `http`
    // outlives it: of the two, the poller was made last and is dropped first.
    unsafe { poller.add_with_mode(&http, Event::readable(HTTP), PollMode::Level)? };
    let mut events = Events::new();
    while !http.is_done() {
        let timeout = http.timeout(Instant::now());
        events.clear();
        poller.wait(&mut events, timeout)?;
        // Here: `events`, for the sources of your own.
        http.turn(Instant::now())?;
    }
    poller.delete(&http)
}
