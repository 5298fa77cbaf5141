//! How many bytes does an armed timer take, and how many while the store grows?
//!
//! A program of its own, for counting allocations takes time from those that allocate.

mod shared;

use std::alloc::System;

use shared::peer::Peer;
use shared::{peers, workload};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A power of two and what comes just after it: where a `Vec` has just doubled.
const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 1_048_577];

fn main() {
    let _in_tokio = peers::tokio_time::enter();
    let sizes =
        if std::env::args().any(|argument| argument == "--quick") { &SIZES[..3] } else { &SIZES };
    println!("\n## Bytes per armed timer, value of 8 bytes included, handles not\n");
    print!("{:<30}", "");
    for size in sizes {
        print!("{size:>12}");
    }
    println!();
    row::<peers::wheel::Ours>(sizes);
    row::<peers::same_delay::Queue>(sizes);
    row::<peers::btree_map::Map>(sizes);
    row::<peers::binary_heap::LazyHeap>(sizes);
    row::<peers::orx::IndexedHeap>(sizes);
    row::<peers::tm_wheel::TmWheel>(sizes);
    row::<peers::nexus::Unbounded>(sizes);
    row::<peers::nexus::Bounded>(sizes);
    row::<peers::bitwheel::BitWheel>(sizes);
    row::<peers::hashed_wheel::HashedWheel>(sizes);
    row::<peers::tokio_queue::TokioQueue>(sizes);
    row::<peers::tokio_sleep::TokioSleep>(sizes);
    row::<peers::mio_extras::MioExtras>(sizes);
}

fn row<P: Peer>(sizes: &[usize]) {
    print!("{:<30}", P::NAME);
    for &size in sizes {
        let region = Region::new(ALLOCATOR);
        let armed: P = workload::filled(size);
        let change = region.change();
        let bytes = change.bytes_allocated - change.bytes_deallocated;
        print!("{:>12}", bytes.div_ceil(size));
        drop(armed);
    }
    println!();
}
