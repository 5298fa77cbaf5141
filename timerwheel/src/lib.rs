//! A hierarchical timer wheel.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod due;
mod filing;
mod handle;
mod interval;
mod level;
mod segments;
mod slot;
mod store;
mod wheel;

pub use handle::TimerHandle;
pub use interval::{Interval, MissedTicks, ZeroPeriod};
pub use wheel::{Expired, TimerWheel};
