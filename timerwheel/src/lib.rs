//! Timers for event loops: a hierarchical timer wheel that is exact, ordered and sans-IO.
//!
//! One-shots and intervals are armed by handle, cancelled and moved in O(1), and handed out when
//! they are due, by deadline and then in the order of arming. The caller passes the time in and
//! takes expiries out; nothing here reads a clock, starts a thread or calls back. So it fits any
//! loop: mio, epoll, `io_uring`, an executor, a game, a simulation.
//!
//! - [`TimerWheel`] counts ticks of `u64`, whatever they are. `no_std` with `alloc`.
//! - [`SameDelay`] is for many timers of one delay: a queue, with an exact next deadline for free.
//! - [`Timers`] is the wheel in [`Instant`](std::time::Instant) and
//!   [`Duration`](std::time::Duration), with what a loop needs around it: a timeout for the
//!   poller, guards that cancel on drop, remotes for other threads, slack, intervals without
//!   drift.
//!
//! # A loop in fifteen lines
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use std::time::{Duration, Instant};
//! use timerwheel::Timers;
//!
//! # fn poll(timeout: Option<Duration>) { std::thread::sleep(timeout.unwrap()) }
//! let mut timers = Timers::new(Instant::now());
//! timers.insert(Instant::now() + Duration::from_millis(3), "hello");
//!
//! 'turns: loop {
//!     // Sleep until an event or the next deadline; `None` is for ever.
//!     poll(timers.timeout(Instant::now()));
//!     timers.advance(Instant::now());
//!     while let Some(expiry) = timers.pop_expired() {
//!         println!("{}, {:?} late", expiry.value, expiry.late);
//! #       break 'turns;
//!     }
//! }
//! # }
//! ```
//!
//! # How it works
//!
//! A deadline is read as digits of eight bits. The highest digit in which it differs from now is
//! its level, the value of that digit its slot:
//!
//! ```text
//!   now      = 0x…00_00_12_34            level 0   slots of 1 tick       ░░░░░░▓░░░  digit 0x34 → ahead
//!   deadline = 0x…00_00_12_90 → level 0, slot 0x90
//!   deadline = 0x…00_00_47_11 → level 1, slot 0x47   1   slots of 256 ticks    ░░▓░░░░░░░
//!   deadline = 0x…03_00_00_00 → level 3, slot 0x03   …
//!                                        level 7   slots of 2^56 ticks   ░░░░░░░░░░
//! ```
//!
//! Eight levels of 256 slots are all of `u64`: there is no longest delay, no overflow list, no
//! turning round. Occupied slots are strictly ahead of the cursor and lower levels come before
//! higher ones, so the next slot is the first bit of the lowest occupied level. When the cursor
//! enters a slot, its entries are handed out if due, or filed once more as seen from the new now:
//! twice in the life of most timers, seven times at the very most, and never per tick elapsed. The
//! slot that comes next on a level is sorted into the level below while the ticks before it have work
//! anyway, if any have, so that the tick that enters it has not to move all of it. If it holds but a few,
//! they are sorted by deadline instead, and wait beside the levels.
//!
//! # The contract
//!
//! 1. **Never early.** In real time, deadlines round up to a tick and now rounds down. Late by at
//!    most one tick plus the delay of the caller.
//! 2. **Total order.** Expiries come by deadline tick, and among equal ones in the order of arming;
//!    across levels, late polls and reschedules. A reschedule counts as arming.
//! 3. **All of `u64`.** No longest deadline, no panic, no clamp to an earlier time.
//! 4. **Two phases.** Only `advance` makes entries due. What is armed while expiries are handed
//!    out waits for the next `advance`, even with a deadline in the past, so arming again with no
//!    delay cannot starve the loop. What is due and not handed out can still be cancelled or moved.
//! 5. **Handles.** `Copy`, with a niche; stale use is `None` or `false` and never touches another
//!    timer. [`TimerHandle`] says what is detected, and how.
//! 6. **Cancel drops the value now**, not at the deadline. What cancelled and moved entries leave
//!    behind is four bytes each, and never more of them than live entries plus 16,384.
//! 7. **Intervals live in the wheel**: one handle, no drift, [`MissedTicks`]; every expiry says how
//!    many ticks were missed and how late it is. A period of 0 is an error when it is made.
//! 8. **Work.** `advance` costs the entries moved; with nothing due it is one comparison. Time that
//!    goes backwards is ignored.
//! 9. **No unsafe code**; the core is `no_std` + `alloc`.
//! 10. **No code of the caller's runs while the wheel is mid-change.** A panic in a consumer, in
//!     `Clone` of an interval's value or in `Drop` of a value leaves it consistent, and every value
//!     is dropped exactly once.
//!
//! # What it costs
//!
//! | | cost | |
//! |---|---|---|
//! | `insert`, `cancel` | O(1) | amortised: cancelled entries are swept up, a thousand at most with one cancel |
//! | `reschedule` | O(1) | to a later deadline: one store |
//! | `advance` | O(entries due or moved) | nothing due: one comparison |
//! | `pop_expired` | O(1) | |
//! | `next_wakeup`, `timeout` | O(1) | never late; early if the earliest timer was cancelled or moved |
//! | `next_deadline` | O(1) | or the records of the first slots, if the earliest was cancelled or moved |
//! | memory | 36 bytes and the value's less 8 | per timer; grows without copying; slots 16 KiB per level in use, and as much again if many come next |
//!
//! # When not to use it
//!
//! For a handful of timers a `BTreeMap` or a binary heap is smaller and as fast. For deadlines
//! finer than the tick nothing that counts in ticks will do. If the exact next deadline is wanted
//! after every operation under constant cancelling of the very next timer, a heap of indices
//! answers with less work.
//!
//! # Features
//!
//! - `std` (default): [`Timers`] and all around it; brings in crossbeam-channel. Without it the
//!   crate has no dependencies at all.
//! - `audit`: who armed what, when, how often it fired and how late. Off, it costs nothing.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod ahead;
#[cfg(feature = "audit")]
pub mod audit;
mod bottom;
mod chain;
#[cfg(feature = "std")]
mod clock;
mod due;
mod filing;
mod free;
mod full;
#[cfg(feature = "std")]
mod guard;
mod handle;
mod hint;
mod interval;
mod level;
mod pace;
mod radix;
#[cfg(feature = "std")]
mod remote;
mod same_delay;
mod segments;
mod slot;
mod store;
#[cfg(feature = "std")]
mod timers;
mod wheel;

#[cfg(feature = "std")]
pub use clock::Resolution;
pub use full::Full;
#[cfg(feature = "std")]
pub use guard::TimerGuard;
pub use handle::TimerHandle;
pub use interval::{Interval, MissedTicks, ZeroPeriod};
#[cfg(feature = "std")]
pub use remote::{ArmError, ArmErrorReason, Remote, RemoteTimer, RescheduleError};
pub use same_delay::SameDelay;
#[cfg(feature = "std")]
pub use timers::{Counters, Expiry, JumpPolicy, Jumps, Period, SlotPlace, TimerOptions, Timers};
pub use wheel::{Expired, TimerWheel};
