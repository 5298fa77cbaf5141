//! What the benchmark programs share: the peers behind one trait, the workloads, the model.
//!
//! ```text
//!   timers ── instructions ── memory        the programs, one question each
//!        \         |         /
//!      workload   model                     what is run · what is right
//!            \     /
//!             peer ── peers::*              one trait · an adapter per peer
//! ```
//!
//! A module and not a library, so that the peers stay development dependencies: whoever builds or
//! runs the crates never compiles one of them.

// Each program uses its part of this.
#![allow(dead_code)]

pub(crate) mod contender;
pub(crate) mod inputs;
pub(crate) mod meter;
pub(crate) mod model;
pub(crate) mod peer;
pub(crate) mod peers;
pub(crate) mod workload;
