//! A server in a loop on `io_uring`: the descriptor by `POLL_ADD`, the deadline by the timeout of
//! the wait.
//!
//! ```sh
//! cargo run -p netserver --example in_io_uring
//! curl http://127.0.0.1:8080/
//! ```

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use io_uring::{IoUring, opcode, types};
use netserver::{EventLoop, Handler, Reply, Request, Response, Server, Status};
use rustix::event::PollFlags;
use rustix::io::Errno;

const HTTP: u64 = 0;

struct Hello;

impl Handler for Hello {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"Hello from io_uring\n"));
    }
}

fn main() -> io::Result<()> {
    let Some(ring) = ring()? else {
        println!("this kernel refuses io_uring, or is older than 5.11");
        return Ok(());
    };
    let address = SocketAddr::from(([127, 0, 0, 1], 8080));
    let http = EventLoop::bind_at(address, |_| Server::builder(Hello), Instant::now())?;
    println!("listening on http://{address}");
    run(http, ring)
}

/// A ring; `None` where the kernel refuses it, or is older than 5.11 and cannot wait with a timeout.
pub(crate) fn ring() -> io::Result<Option<IoUring>> {
    match IoUring::new(8) {
        Ok(ring) => Ok(Some(ring).filter(|ring| ring.params().is_feature_ext_arg())),
        Err(error) => match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::Unsupported => Ok(None),
            _ => Err(error),
        },
    }
}

/// The loop: serves until the server is closed.
#[allow(unsafe_code)] // submissions want a promise, see below
pub(crate) fn run<H: Handler>(mut http: EventLoop<H>, mut ring: IoUring) -> io::Result<()> {
    let descriptor = types::Fd(http.as_raw_fd());
    let mut waiting = false;
    while !http.is_done() {
        if !waiting {
            // Once, not multishot: asked anew after each turn, it is as good as level-triggered.
            let readable = opcode::PollAdd::new(descriptor, PollFlags::IN.bits().into())
                .build()
                .user_data(HTTP);
            // SAFETY: a submission's memory and descriptor must be there until it has completed.
            // This one has no memory, and the kernel holds on to what the descriptor names.
            unsafe { ring.submission().push(&readable) }.expect("room for the only submission");
            waiting = true;
        }
        wait(&ring, http.timeout(Instant::now()))?;
        for completed in ring.completion() {
            if completed.user_data() == HTTP {
                waiting = false;
            }
        }
        http.turn(Instant::now())?;
    }
    Ok(())
}

/// Submits, and waits for a completion but no longer than that.
fn wait(ring: &IoUring, timeout: Option<Duration>) -> io::Result<()> {
    let timespec = timeout.map(types::Timespec::from);
    let mut wait = types::SubmitArgs::new();
    if let Some(timespec) = &timespec {
        wait = wait.timespec(timespec);
    }
    match ring.submitter().submit_with_args(1, &wait) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        Err(error) if error.raw_os_error() == Some(Errno::TIME.raw_os_error()) => Ok(()),
        submitted => submitted.map(drop),
    }
}
