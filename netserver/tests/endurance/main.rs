//! The binary under those who mean no good, under faults of the machine, and for a long time: what
//! it takes of them, what others notice of it, and whether it is afterwards as it was before.
//!
//! By default in numbers that a small machine takes without a strain. In full, on a machine at rest
//! (20,000 descriptors, `ulimit -n`):
//!
//! - the table of attacks, by 5,000 attackers each:
//!   `cargo test --release -p netserver --test endurance -- --ignored --nocapture abuse`,
//!   of which `ABUSE=pipelines` before it runs those attacks that have this in their names
//! - half an hour of mixed load:
//!   `SOAK_TIME=1800 cargo test --release -p netserver --test endurance -- --nocapture soak`
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "../binary/process.rs"]
#[allow(dead_code)] // this program uses its part
mod process;

mod abuse;
mod crowd;
mod faults;
mod proxy;
mod soak;
mod vitals;

use std::sync::{Mutex, PoisonError};

/// These measure the whole process, and what others wait for, so they do not run beside each other.
fn alone() -> impl Drop {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
