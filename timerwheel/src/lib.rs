//! A hierarchical timer wheel.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "audit")]
pub mod audit;
#[cfg(feature = "std")]
mod clock;
mod due;
mod filing;
#[cfg(feature = "std")]
mod guard;
mod handle;
mod interval;
mod level;
#[cfg(feature = "std")]
mod remote;
mod segments;
mod slot;
mod store;
#[cfg(feature = "std")]
mod timers;
mod wheel;

#[cfg(feature = "std")]
pub use clock::Resolution;
#[cfg(feature = "std")]
pub use guard::TimerGuard;
pub use handle::TimerHandle;
pub use interval::{Interval, MissedTicks, ZeroPeriod};
#[cfg(feature = "std")]
pub use remote::{ArmError, ArmErrorReason, Remote, RemoteTimer, RescheduleError};
#[cfg(feature = "std")]
pub use timers::{Counters, Expiry, JumpPolicy, Jumps, Period, TimerOptions, Timers};
pub use wheel::{Expired, TimerWheel};
