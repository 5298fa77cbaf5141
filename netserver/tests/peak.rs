//! What an idle connection takes, and that what a peak of them took is given back.

mod common;

use std::alloc::System;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{GET, World, secs};
use mio::event::Source;
use mio::{Interest, Registry, Token};
use netserver::{ConnId, Listener, Ready, Stream, Transport};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MANY: usize = 4_096;

/// A peer in memory that has sent one request, and closes when all of them are told to.
struct Peer {
    has_asked: bool,
    closes: Arc<AtomicBool>,
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.has_asked, true) {
            buffer[..GET.len()].copy_from_slice(GET);
            return Ok(GET.len());
        }
        if self.closes.load(Ordering::Relaxed) { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) }
    }
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Peer {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Peer {
    fn shut_down_writing(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes allocated and not freed since.
fn held(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change.bytes_allocated.saturating_sub(change.bytes_deallocated)
}

fn adopt(world: &mut World, closes: &Arc<AtomicBool>) -> ConnId {
    let stream = Stream::new(Peer { has_asked: false, closes: Arc::clone(closes) });
    world.server.adopt(stream, None, world.now).expect("room")
}

#[test]
fn an_idle_connection_takes_little_and_a_peak_is_given_back() {
    let mut world = World::listening_on(Listener::none(), |_, _| {});
    let closes = Arc::new(AtomicBool::new(false));
    // The first one makes what all of them share.
    adopt(&mut world, &closes);
    let mut ids = Vec::with_capacity(MANY);
    let region = Region::new(ALLOCATOR);
    for _ in 1..MANY {
        ids.push(adopt(&mut world, &closes));
        // The test's own notes are not the server's.
        world.seen.requests();
    }
    world.settle();
    let each = held(&region) / MANY - size_of::<Peer>();
    assert!(each <= 500, "an idle connection takes {each} bytes");

    closes.store(true, Ordering::Relaxed);
    for id in ids {
        world.server.on_ready(id, Ready { read_closed: true, ..Ready::READABLE }, world.now);
        if world.server.wants_turn() {
            world.turn();
        }
        world.seen.causes();
        world.seen.ended();
    }
    assert_eq!(world.server.connections(), 1, "but for the first");
    // Those that have not earned it are seen to by the check.
    world.now += secs(30);
    world.settle();
    // How often each slot has been used is remembered, so that no name is ever used again.
    let left = held(&region) / MANY;
    assert!(left <= 16, "{left} bytes are left of each");
}
