//! A server in a loop on plain `epoll` (through rustix), beside a socket of the loop's own.
//!
//! ```sh
//! cargo run -p netserver --example in_epoll
//! curl http://127.0.0.1:8080/
//! echo hello | nc -u -w 1 127.0.0.1 8080            # the loop's own socket echoes
//! ```
//!
//! The server is one descriptor and one deadline. Level-triggered, as here, nothing can be missed.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use netserver::{EventLoop, Handler, Reply, Request, Response, Server, Status};
use rustix::event::{Timespec, epoll};

const HTTP: u64 = 0;
const ECHO: u64 = 1;

struct Hello;

impl Handler for Hello {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"Hello from epoll\n"));
    }
}

fn main() -> io::Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], 8080));
    let http = EventLoop::bind_at(address, |_| Server::builder(Hello), Instant::now())?;
    println!("listening on http://{address}");
    run(http, &UdpSocket::bind(address)?)
}

/// The loop: serves until the server is closed.
pub(crate) fn run<H: Handler>(mut http: EventLoop<H>, echo: &UdpSocket) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &http, epoll::EventData::new_u64(HTTP), epoll::EventFlags::IN)?;
    epoll::add(&epoll, echo, epoll::EventData::new_u64(ECHO), epoll::EventFlags::IN)?;
    let mut events = Vec::with_capacity(64);
    while !http.is_done() {
        let timeout = http.timeout(Instant::now()).map(|timeout| Timespec {
            tv_sec: timeout.as_secs().cast_signed(),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        events.clear();
        match epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
            // A signal: there are no events, but time has passed.
            Err(rustix::io::Errno::INTR) => {}
            waited => _ = waited?,
        }
        for event in &events {
            if event.data.u64() == ECHO {
                send_back(echo)?;
            }
        }
        // Whether it was readable or its time has come. For nothing it costs one `epoll_wait`.
        http.turn(Instant::now())?;
    }
    Ok(())
}

fn send_back(echo: &UdpSocket) -> io::Result<()> {
    let mut datagram = [0; 1024];
    let (length, from) = echo.recv_from(&mut datagram)?;
    echo.send_to(&datagram[..length], from).map(drop)
}
