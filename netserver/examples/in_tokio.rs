//! A server in tokio, on a current-thread runtime, beside a task of tokio's own.
//!
//! ```sh
//! cargo run -p netserver --example in_tokio
//! curl http://127.0.0.1:8080/
//! echo hello | nc -u -w 1 127.0.0.1 8080            # a task of tokio's echoes
//! ```

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use netserver::{EventLoop, Handler, Reply, Request, Response, Server, Status};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UdpSocket;

struct Hello;

impl Handler for Hello {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"Hello from tokio\n"));
    }
}

fn main() -> io::Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], 8080));
    let http = EventLoop::bind_at(address, |_| Server::builder(Hello), Instant::now())?;
    println!("listening on http://{address}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::spawn(echo(UdpSocket::bind(address).await?));
        run(http).await
    })
}

/// The server as a future: it ends when the server is closed. It is awaited where it was made, as
/// a handler need not be `Send`.
#[allow(unsafe_code)] // tokio wants a promise, see below
pub(crate) async fn run<H: Handler>(http: EventLoop<H>) -> io::Result<()> {
    // SAFETY: the descriptor must stay the same, and open, for as long as tokio has it. It is that
    // of the poll in `http`, which tokio owns from here on.
    let mut http = unsafe { AsyncFd::register_with_interest(http, Interest::READABLE)? };
    while !http.get_ref().is_done() {
        let timeout = http.get_mut().timeout(Instant::now());
        let readable = http.readable();
        let ready = match timeout {
            Some(timeout) => tokio::time::timeout(timeout, readable).await.ok(),
            None => Some(readable.await),
        };
        if let Some(ready) = ready {
            // Before the turn: tokio is told of edges, and one that comes during the turn must
            // not be cleared away with the one that led to it.
            ready?.clear_ready();
        }
        http.get_mut().turn(Instant::now())?;
    }
    Ok(())
}

/// Beside it: sends datagrams back.
pub(crate) async fn echo(socket: UdpSocket) -> io::Result<()> {
    let mut datagram = [0; 1024];
    loop {
        let (length, from) = socket.recv_from(&mut datagram).await?;
        socket.send_to(&datagram[..length], from).await?;
    }
}
