//! Answers that take long are worked out by other threads, and the loop goes on meanwhile.
//!
//! ```sh
//! cargo run -p netserver --example workers_answer
//! curl 'http://127.0.0.1:8080/primes?below=1000000'
//! ```
//!
//! ```text
//!   loop     on_request ─► arm "give up" ─► job { ticket, result, timer } ─► queue
//!   worker                                  work it out ◄──────────────────────┘
//!                  arm Wake(ticket) for now ◄── fill in the result ◄── cancel "give up"
//!   loop     on_wake ─► is there a result? answer : 504, it took too long
//! ```
//!
//! Tickets and timers may go to any thread; the connection never leaves its loop. Of a connection
//! that has ended nothing is left behind. A job that takes too long is given up by its timer, which
//! its worker can see.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use netserver::{
    Closed, EventLoop, Handler, LoopLinks, LoopTimer, Reply, Request, Response, Server,
    ServerBuilder, Status, Ticket,
};
use timerwheel::{Remote, RemoteTimer};

fn main() -> io::Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], 8080));
    let event_loop = EventLoop::bind(address, |links| app(&links, Duration::from_secs(5)))?;
    println!("try http://{address}/primes?below=1000000");
    event_loop.run().map(drop)
}

/// A server whose requests two workers answer, within `patience` or not at all.
pub(crate) fn app(links: &LoopLinks, patience: Duration) -> ServerBuilder<Primes> {
    let (jobs, queue) = sync_channel(JOBS_WAITING);
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..WORKERS {
        let (queue, remote) = (Arc::clone(&queue), links.remote.clone());
        // They end when the server is dropped, and the queue with it.
        thread::spawn(move || work(&queue, &remote));
    }
    let remote = links.remote.clone();
    Server::builder(Primes { jobs, waiting: HashMap::new(), remote, patience })
}

const WORKERS: usize = 2;

/// Above it, requests are answered 503 at once.
const JOBS_WAITING: usize = 64;

pub(crate) struct Primes {
    jobs: SyncSender<Job>,
    /// Requests that are put off, each with the place where its result will be.
    waiting: HashMap<Ticket, Arc<OnceLock<usize>>>,
    remote: Remote<LoopTimer>,
    patience: Duration,
}

struct Job {
    below: u32,
    ticket: Ticket,
    result: Arc<OnceLock<usize>>,
    give_up: RemoteTimer<LoopTimer>,
}

impl Handler for Primes {
    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        let below = request.query().and_then(|query| query.strip_prefix("below="));
        let Some(below) = below.and_then(|number| number.parse().ok()) else {
            return reply.send(Response::new(Status::BAD_REQUEST).body(b"/primes?below=100\n"));
        };
        let ticket = reply.ticket();
        match self.queue(below, ticket) {
            Some(result) => _ = self.waiting.insert(reply.later(), result),
            None => reply.send(Response::new(Status::SERVICE_UNAVAILABLE).body(b"too busy\n")),
        }
    }

    /// There is a result, or it has taken too long.
    fn on_wake(&mut self, ticket: Ticket, reply: Reply<'_>) {
        let result = self.waiting.remove(&ticket);
        match result.as_deref().and_then(OnceLock::get) {
            Some(primes) => {
                let body = format!("{primes} primes\n");
                reply.send(Response::new(Status::OK).body(body.as_bytes()));
            }
            None => reply.send(Response::new(Status::GATEWAY_TIMEOUT).body(b"that took long\n")),
        }
    }

    /// Nobody waits for the answers to this client any more.
    fn on_close(&mut self, closed: &Closed) {
        self.waiting.retain(|ticket, _| ticket.connection() != closed.id);
    }
}

impl Primes {
    /// Gives it to the workers; `None` if they have enough to do.
    fn queue(&self, below: u32, ticket: Ticket) -> Option<Arc<OnceLock<usize>>> {
        let give_up = Instant::now() + self.patience;
        let give_up = self.remote.arm(give_up, LoopTimer::Wake(ticket)).ok()?;
        let result = Arc::new(OnceLock::new());
        let job = Job { below, ticket, result: Arc::clone(&result), give_up };
        match self.jobs.try_send(job) {
            Ok(()) => Some(result),
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                job.give_up.cancel();
                None
            }
        }
    }
}

/// The life of a worker.
fn work(queue: &Mutex<Receiver<Job>>, remote: &Remote<LoopTimer>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let primes = primes_below(job.below, &job.give_up);
        // Of this cancel and the expiry exactly one comes first. If it is not this one, the client
        // has been told that it took too long.
        if job.give_up.cancel().is_some() && job.result.set(primes).is_ok() {
            wake(remote, job.ticket);
        }
    }
}

/// Has the loop take the result up now, from whichever thread this is.
fn wake(remote: &Remote<LoopTimer>, ticket: Ticket) {
    let mut timer = LoopTimer::Wake(ticket);
    while let Err(refused) = remote.arm(Instant::now(), timer) {
        match refused.reason {
            // The loop is behind; it takes thousands at a time.
            timerwheel::ArmErrorReason::Full => thread::yield_now(),
            timerwheel::ArmErrorReason::ShutDown => return,
        }
        timer = refused.value;
    }
}

/// Counts, for as long as somebody waits for it.
fn primes_below(limit: u32, give_up: &RemoteTimer<LoopTimer>) -> usize {
    let is_prime = |n: &u32| (2..=n.isqrt()).all(|d| !n.is_multiple_of(d));
    let wanted = |n: &u32| !n.is_multiple_of(1024) || give_up.is_armed();
    (2..limit).take_while(wanted).filter(is_prime).count()
}
