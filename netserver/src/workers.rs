//! Several event loops: a thread for each, with a wheel and a listening socket of its own.
//! They share nothing but an address, among whose sockets the kernel spreads connections
//! (`SO_REUSEPORT`), and the gauges that each fills in for itself.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::event_loop::{EventLoop, LoopLinks};
use crate::gauges::Gauges;
use crate::handler::Handler;
use crate::loop_handle::LoopHandle;
use crate::net::Source;
use crate::server::{Admission, Report, ServerBuilder};

/// Event loops that run.
#[derive(Debug)]
#[must_use = "workers that are dropped stop"]
pub struct Workers {
    address: SocketAddr,
    gauges: Gauges,
    running: Arc<AtomicUsize>,
    loops: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    handle: LoopHandle,
    thread: JoinHandle<io::Result<Report>>,
}

impl Workers {
    /// Starts `threads` loops. `build` is called once on each thread, so that handlers need not be
    /// `Send`. When this returns, all of them listen.
    ///
    /// The limit of connections, and of those pending, holds for all loops together.
    ///
    /// `on_end` is called on the thread of each loop when it has ended, however it did, and is no
    /// longer counted as [running](Self::running).
    ///
    /// # Errors
    ///
    /// What kept one of them from listening; the others are stopped again. An address on which
    /// somebody listens already is an error, though `SO_REUSEPORT` as such would allow it among
    /// processes of one user.
    pub fn start<H: Handler>(
        address: SocketAddr,
        threads: NonZeroUsize,
        build: impl Fn(LoopLinks) -> ServerBuilder<H> + Send + Sync + 'static,
        on_end: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let several = threads.get() > 1;
        if several && address.port() != 0 {
            ensure_free(address)?;
        }
        let admission = Admission::new();
        let build = Arc::new(move |links| build(links).reuse_port(several).admission(&admission));
        let gauges = Gauges::new(threads.get());
        let running = Arc::new(AtomicUsize::new(0));
        let on_end = Arc::new({
            let running = Arc::clone(&running);
            move || {
                running.fetch_sub(1, Ordering::Release);
                on_end();
            }
        });
        let loops = Vec::with_capacity(threads.get());
        let mut workers = Self { address, gauges, running, loops };
        for index in 0..threads.get() {
            // The first one finds the port if 0 was asked for.
            workers.start_one(index, Arc::clone(&build), Arc::clone(&on_end))?;
        }
        Ok(workers)
    }

    /// Where they listen.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What they count.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Drains all of them: see [`Server::close`](crate::Server::close).
    pub fn close(&self, grace: Duration) {
        for worker in &self.loops {
            worker.handle.close(grace);
        }
    }

    /// Loops that have not ended.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Acquire)
    }

    /// Waits until all of them have ended.
    ///
    /// # Errors
    ///
    /// The first error that ended a loop.
    ///
    /// # Panics
    ///
    /// If a loop has panicked, with its panic.
    pub fn join(mut self) -> io::Result<Report> {
        let mut total = Report::default();
        for worker in std::mem::take(&mut self.loops) {
            match worker.thread.join() {
                Ok(report) => total += report?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(total)
    }

    fn start_one<H, B, E>(&mut self, index: usize, build: Arc<B>, on_end: Arc<E>) -> io::Result<()>
    where
        H: Handler,
        B: Fn(LoopLinks) -> ServerBuilder<H> + Send + Sync + 'static,
        E: Fn() + Send + Sync + 'static,
    {
        let (bound, outcome) = channel();
        let (address, gauges) = (self.address, self.gauges.clone());
        let run = move || {
            // Declared first, so that it goes last, with the loop gone.
            let _ended = CallOnDrop(&*on_end);
            let source = Source::Address(address);
            let event_loop = EventLoop::start(index, gauges, source, |links| build(links));
            let (event_loop, address) = match event_loop.and_then(with_address) {
                Ok(bound) => bound,
                Err(error) => {
                    // The receiver waits for exactly this.
                    let _ = bound.send(Err(error));
                    return Ok(Report::default());
                }
            };
            let _ = bound.send(Ok((event_loop.handle(), address)));
            event_loop.run()
        };
        self.running.fetch_add(1, Ordering::Relaxed);
        let thread = thread::Builder::new().name(format!("loop {index}")).spawn(run)?;
        let died = || io::Error::other("the thread of an event loop died while it started");
        let (handle, address) = outcome.recv().map_err(|_| died())??;
        self.address = address;
        self.loops.push(Worker { handle, thread });
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in self.loops.drain(..) {
            worker.handle.stop();
            // Its panic was reported where it happened.
            let _ = worker.thread.join();
        }
    }
}

/// Calls on the way out, by return or by panic.
struct CallOnDrop<'a, F: Fn()>(&'a F);

impl<F: Fn()> Drop for CallOnDrop<'_, F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn with_address<H: Handler>(event_loop: EventLoop<H>) -> io::Result<(EventLoop<H>, SocketAddr)> {
    let address = event_loop.local_addr()?;
    Ok((event_loop, address))
}

/// Fails if somebody listens on the address, whether they would share it or not.
fn ensure_free(address: SocketAddr) -> io::Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
        }
    }
}
