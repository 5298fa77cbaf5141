//! Several event loops: a thread for each, with a wheel and a listening socket of its own.
//! They share an address, among whose sockets the kernel spreads connections (`SO_REUSEPORT`), the
//! count of connections, and the gauges that each fills in for itself.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock;
use crate::event_loop::EventLoop;
use crate::gauges::Gauges;
use crate::handler::Handler;
use crate::loop_handle::LoopHandle;
use crate::loop_links::LoopLinks;
use crate::net::{Endpoint, Listener, Source};
use crate::server::{Admission, Report, ServerBuilder};

/// Event loops that run.
#[derive(Debug)]
#[must_use = "workers that are dropped stop"]
pub struct Workers {
    /// At least one.
    endpoints: Vec<Endpoint>,
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
        let sources = (0..threads.get()).map(|_| Source::Address(address)).collect();
        Self::launch(sources, move |links| build(links).reuse_port(several), on_end)
    }

    /// The same with listeners that are there already, and a loop for each. Several may listen by
    /// duplicates of one descriptor, as those of a Unix socket have to: all loops wake up for a
    /// connection then, and one of them gets it.
    ///
    /// # Errors
    ///
    /// As of [`start`](Self::start), and `InvalidInput` if there is no listener.
    pub fn listen_on<H: Handler>(
        listeners: Vec<Listener>,
        build: impl Fn(LoopLinks) -> ServerBuilder<H> + Send + Sync + 'static,
        on_end: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        if listeners.is_empty() {
            let reason = "there is nothing to listen on: at least one listener is needed";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Self::launch(listeners.into_iter().map(Source::Listener).collect(), build, on_end)
    }

    fn launch<H: Handler>(
        sources: Vec<Source>,
        build: impl Fn(LoopLinks) -> ServerBuilder<H> + Send + Sync + 'static,
        on_end: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let admission = Admission::new();
        let build = Arc::new(move |links| build(links).admission(&admission));
        let gauges = Gauges::new(sources.len());
        let running = Arc::new(AtomicUsize::new(0));
        let on_end = Arc::new({
            let running = Arc::clone(&running);
            move || {
                running.fetch_sub(1, Ordering::Release);
                on_end();
            }
        });
        let loops = Vec::with_capacity(sources.len());
        let mut workers = Self { endpoints: Vec::new(), gauges, running, loops };
        for (index, source) in sources.into_iter().enumerate() {
            let source = match (source, workers.endpoints.first()) {
                // The first one has found the port if 0 was asked for.
                (Source::Address(_), Some(Endpoint::Ip(address))) => Source::Address(*address),
                (source, _) => source,
            };
            workers.start_one(index, source, Arc::clone(&build), Arc::clone(&on_end))?;
        }
        Ok(workers)
    }

    /// The address they listen on, the first one if there are several.
    ///
    /// # Errors
    ///
    /// If it is not an IP address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.endpoints[0].ip()
    }

    /// All that they listen on, in the order of the listeners and each once.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
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

    /// Loops that were started.
    pub fn loops(&self) -> usize {
        self.loops.len()
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

    fn start_one<H, B, E>(
        &mut self,
        index: usize,
        source: Source,
        build: Arc<B>,
        on_end: Arc<E>,
    ) -> io::Result<()>
    where
        H: Handler,
        B: Fn(LoopLinks) -> ServerBuilder<H> + Send + Sync + 'static,
        E: Fn() + Send + Sync + 'static,
    {
        let (bound, outcome) = channel();
        let gauges = self.gauges.clone();
        let run = move || {
            // Declared first, so that it goes last, with the loop gone.
            let _ended = CallOnDrop(&*on_end);
            let event_loop =
                EventLoop::start(index, gauges, source, |links| build(links), clock::now());
            let event_loop = match event_loop {
                Ok(event_loop) => event_loop,
                Err(error) => {
                    // The receiver waits for exactly this.
                    let _ = bound.send(Err(error));
                    return Ok(Report::default());
                }
            };
            let endpoint = event_loop.server().endpoint().clone();
            let _ = bound.send(Ok((event_loop.handle(), endpoint)));
            event_loop.run()
        };
        self.running.fetch_add(1, Ordering::Relaxed);
        let thread = thread::Builder::new().name(format!("loop {index}")).spawn(run)?;
        let died = || io::Error::other("the thread of an event loop died while it started");
        let (handle, endpoint) = outcome.recv().map_err(|_| died())??;
        if !self.endpoints.contains(&endpoint) {
            self.endpoints.push(endpoint);
        }
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

/// Fails if somebody listens on the address, whether they would share it or not.
fn ensure_free(address: SocketAddr) -> io::Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
        }
    }
}
