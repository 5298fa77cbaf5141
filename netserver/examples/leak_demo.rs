//! Does anything keep a server that nobody uses any more?
//!
//! In Node.js the timer of the connection check once did: it was started for every server that was
//! made, whether it listened or not, and its list reached the server. Node 20.3.1 keeps 839 bytes
//! for each server created and 2,685 for each listen that fails; every Node up to 24 keeps 1,100
//! bytes and a descriptor for each server that is dropped while it listens.
//!
//! This does the same in every reading of it, and prints after each tenth what there is more than
//! at the start: bytes on the heap, open descriptors, armed timers. It fails if anything stays.
//!
//! ```sh
//! cargo run --release --example leak_demo
//! ```

use std::alloc::System;
use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Sub;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Poll, Registry};
use netserver::{Handler, Host, Reply, Request, Response, Server, ServerBuilder, Status, Tokens};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use timerwheel::Timers;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut world = World::new()?;
    let kept: Vec<&str> = READINGS
        .iter()
        .map(|reading| Ok((reading.title, world.perform(reading)?)))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?
        .into_iter()
        .filter_map(|(title, kept)| (kept != Holdings::default()).then_some(title))
        .collect();
    if kept.is_empty() {
        println!("\nNothing was kept.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nSomething was kept: {}.", kept.join("; "));
    Ok(ExitCode::FAILURE)
}

/// One way to make a server and lose it.
struct Reading {
    title: &'static str,
    servers: usize,
    once: fn(&mut World) -> Result<(), Box<dyn Error>>,
}

const READINGS: [Reading; 6] = [
    Reading { title: "a server built and dropped unbound", servers: 1_000_000, once: World::build },
    Reading {
        title: "a server built and kept, then all dropped together",
        servers: 100_000,
        once: World::build_and_keep,
    },
    Reading {
        title: "a server bound and dropped while listening: no close, no turn of the loop",
        servers: 20_000,
        once: World::bind_and_drop,
    },
    Reading { title: "a server bound and closed", servers: 20_000, once: World::bind_and_close },
    Reading { title: "the same server bound and closed", servers: 20_000, once: World::rebind },
    Reading {
        title: "a bind that fails, as the port is taken",
        servers: 20_000,
        once: World::fail,
    },
];

const STEPS: usize = 10;

/// The event loop that all the servers are on: a poll, of which this is the registry, and a wheel,
/// which are never turned.
struct World {
    registry: Arc<Registry>,
    timers: Timers<&'static str>,
    now: Instant,
    kept: Vec<ServerBuilder<Hello>>,
    again: Option<ServerBuilder<Hello>>,
    taken: TcpListener,
}

impl World {
    fn new() -> Result<Self, Box<dyn Error>> {
        let now = Instant::now();
        Ok(Self {
            registry: Arc::new(Poll::new()?.registry().try_clone()?),
            timers: Timers::new(now),
            now,
            kept: Vec::new(),
            again: Some(Server::builder(Hello::new())),
            taken: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        })
    }

    /// Does it so many times, and says what there is more than at the start.
    fn perform(&mut self, reading: &Reading) -> Result<Holdings, Box<dyn Error>> {
        println!("\n{} × {}\n", Grouped(reading.servers), reading.title);
        println!("{:>12} {:>16} {:>12} {:>8}", "servers", "heap bytes", "descriptors", "timers");
        // Tables that grow with the first use and stay are not what is counted here.
        (reading.once)(self)?;
        self.kept = Vec::new();
        let start = self.holdings()?;
        for step in 1..=STEPS {
            for _ in 0..reading.servers / STEPS {
                (reading.once)(self)?;
            }
            println!(
                "{:>12} {}",
                Grouped(reading.servers / STEPS * step),
                self.holdings()? - start
            );
        }
        if !self.kept.is_empty() {
            self.kept = Vec::new();
            println!("{:>12} {}", "dropped", self.holdings()? - start);
        }
        let kept = self.holdings()? - start;
        let per_server = kept.heap / reading.servers.cast_signed();
        println!("kept: {} bytes in all, {per_server} per server", kept.heap);
        Ok(kept)
    }

    fn holdings(&mut self) -> Result<Holdings, Box<dyn Error>> {
        let timers = self.timers.len();
        let descriptors = std::fs::read_dir("/dev/fd")?.count();
        let heap = HEAP.stats();
        Ok(Holdings {
            heap: heap.bytes_allocated.cast_signed() - heap.bytes_deallocated.cast_signed(),
            descriptors: descriptors.cast_signed(),
            timers: timers.cast_signed(),
        })
    }

    fn build(&mut self) -> Result<(), Box<dyn Error>> {
        let builder = Server::builder(Hello::new());
        builder.check()?;
        drop(builder);
        assert_eq!(self.timers.len(), 0);
        Ok(())
    }

    fn build_and_keep(&mut self) -> Result<(), Box<dyn Error>> {
        let builder = Server::builder(Hello::new());
        builder.check()?;
        self.kept.push(builder);
        Ok(())
    }

    fn bind_and_drop(&mut self) -> Result<(), Box<dyn Error>> {
        let server = self.bind(Server::builder(Hello::new()), ANY_PORT)?;
        assert_eq!(server.timer_entries(), 1);
        drop(server);
        Ok(())
    }

    fn bind_and_close(&mut self) -> Result<(), Box<dyn Error>> {
        let mut server = self.bind(Server::builder(Hello::new()), ANY_PORT)?;
        server.close(Duration::from_secs(10), self.now);
        assert!(server.is_closed(), "there was no connection to wait for");
        Ok(())
    }

    fn rebind(&mut self) -> Result<(), Box<dyn Error>> {
        let builder = self.again.take().ok_or("the builder was lost")?;
        let mut server = self.bind(builder, ANY_PORT)?;
        server.close(Duration::from_secs(10), self.now);
        self.again = Some(server.into_builder());
        Ok(())
    }

    fn fail(&mut self) -> Result<(), Box<dyn Error>> {
        let taken = self.taken.local_addr()?;
        match self.bind(Server::builder(Hello::new()), taken) {
            Ok(_) => Err("bound to a port that is taken".into()),
            Err(_) => Ok(()),
        }
    }

    fn bind(
        &mut self,
        builder: ServerBuilder<Hello>,
        address: SocketAddr,
    ) -> Result<Server<Hello, &'static str>, Box<dyn Error>> {
        let host = Host {
            registry: &self.registry,
            tokens: Tokens::new(0..1024),
            timers: &mut self.timers,
            timer: "check connections",
            now: self.now,
        };
        Ok(builder.bind(address, host)?)
    }
}

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A handler that holds something, so that it would show if it were kept.
struct Hello {
    greeting: String,
}

impl Hello {
    fn new() -> Self {
        Self { greeting: "Hello, World!".to_owned() }
    }
}

impl Handler for Hello {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(self.greeting.as_bytes()));
    }
}

/// What a process holds; of two, the difference.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Holdings {
    heap: isize,
    descriptors: isize,
    timers: isize,
}

impl Sub for Holdings {
    type Output = Self;

    fn sub(self, start: Self) -> Self {
        Self {
            heap: self.heap - start.heap,
            descriptors: self.descriptors - start.descriptors,
            timers: self.timers - start.timers,
        }
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>16} {:>12} {:>8}", self.heap, self.descriptors, self.timers)
    }
}

/// A number with a comma between thousands.
struct Grouped(usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (thousands, rest) = (self.0 / 1000, self.0 % 1000);
        let text = match thousands {
            0 => rest.to_string(),
            _ => format!("{},{rest:03}", Grouped(thousands)),
        };
        f.pad(&text)
    }
}
