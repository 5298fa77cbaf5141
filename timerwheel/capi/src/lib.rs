//! The timer wheel for programs in C.
//!
//! What is here is declared in `include/timerwheel.h`, which is generated from this file: see there,
//! and `timerwheel/capi/README.md` for how to build and link.
//!
//! Unsafe code is here and nowhere else in the project's libraries: it turns the caller's pointers
//! into references, by the few helpers at the end. What every call promises:
//!
//! - a null wheel, a null place to write to, a handle that is stale, made up or all zero: each has
//!   an answer, and none is undefined;
//! - no panic crosses into C: it is caught, and the call answers as for a null wheel;
//! - a value is a number of the caller's: the wheel copies it, and neither reads through it nor
//!   frees it.
//!
//! What stays undefined is what C leaves undefined: a pointer to something else than a wheel, a
//! wheel that was freed, a wheel used by two threads at a time.
#![deny(unsafe_op_in_unsafe_fn)]
#![allow(unsafe_code)] // by the contract above
// Which is the safety contract of every function.
#![allow(clippy::missing_safety_doc)]

mod handle;
mod pointers;

use std::ffi::{c_int, c_void};

use timerwheel::{Interval, MissedTicks, TimerWheel};

pub use handle::{TimerwheelExpired, TimerwheelHandle};
use pointers::{contained, on_wheel, on_wheel_mut, write_to};

/// A wheel. Ticks are whatever the caller says they are: milliseconds, frames, steps.
///
/// A wheel belongs to one thread at a time. It is made by `timerwheel_new` and ended by
/// `timerwheel_free`; all that is between takes it first.
#[derive(Debug)]
pub struct Timerwheel {
    wheel: TimerWheel<u64>,
    limit: u64,
}

/// Make up for all missed ticks of an interval, one for each `timerwheel_advance`.
pub const TIMERWHEEL_BURST: u32 = 0;
/// Leave missed ticks of an interval out, and go on in phase.
pub const TIMERWHEEL_SKIP: u32 = 1;
/// Leave missed ticks of an interval out; the next one comes a whole period from now.
pub const TIMERWHEEL_DELAY: u32 = 2;

/// The most timers that a wheel takes, unless `timerwheel_set_limit` says less: above it, arming
/// answers with the handle of no timer.
// Not as a shift, which C would take for one of an int.
pub const TIMERWHEEL_TIMERS_MAX: u64 = 2_147_483_648;

/// Takes over what was still armed, as `timerwheel_drain` hands it out.
pub type TimerwheelTake =
    Option<unsafe extern "C" fn(value: u64, deadline: u64, context: *mut c_void)>;

/// An empty wheel that stands at tick `now`. Null only if something is badly wrong.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn timerwheel_new(now: u64) -> *mut Timerwheel {
    contained(std::ptr::null_mut(), || {
        let wheel = TimerWheel::new(now);
        Box::into_raw(Box::new(Timerwheel { wheel, limit: TIMERWHEEL_TIMERS_MAX }))
    })
}

/// Ends a wheel. Values that are still armed are forgotten: whoever owns something by them calls
/// `timerwheel_drain` first. Null is allowed and does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_free(wheel: *mut Timerwheel) {
    contained((), || {
        if !wheel.is_null() {
            // SAFETY: the caller has it from `timerwheel_new`, and does not use it any more.
            drop(unsafe { Box::from_raw(wheel) });
        }
    });
}

/// Lets a wheel take no more than so many timers. Those that are armed stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_set_limit(wheel: *mut Timerwheel, limit: u64) {
    // SAFETY: as the module says.
    unsafe { on_wheel_mut(wheel, |it| it.limit = limit.min(TIMERWHEEL_TIMERS_MAX)) };
}

/// Arms a one-shot for the tick `deadline`: due at the first `timerwheel_advance` to it or past it.
/// A deadline that has passed is due at the next one. O(1).
///
/// Answers with the handle of no timer, all zero, if the wheel is null or full.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_insert(
    wheel: *mut Timerwheel,
    deadline: u64,
    value: u64,
) -> TimerwheelHandle {
    // SAFETY: as the module says.
    let armed = unsafe {
        on_wheel_mut(wheel, |it| it.has_room().then(|| it.wheel.insert(deadline, value)))
    };
    TimerwheelHandle::of(armed.flatten())
}

/// Arms an interval that ticks at `first` and then every `period` ticks, without drift, under one
/// handle until it is cancelled. `missed` is `TIMERWHEEL_BURST`, `TIMERWHEEL_SKIP` or
/// `TIMERWHEEL_DELAY`. O(1).
///
/// Answers with the handle of no timer, all zero, if the wheel is null or full, the period is 0 or
/// `missed` is none of these.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_insert_interval(
    wheel: *mut Timerwheel,
    first: u64,
    period: u64,
    missed: u32,
    value: u64,
) -> TimerwheelHandle {
    let missed = match missed {
        TIMERWHEEL_BURST => MissedTicks::Burst,
        TIMERWHEEL_SKIP => MissedTicks::Skip,
        TIMERWHEEL_DELAY => MissedTicks::Delay,
        _ => return TimerwheelHandle::NONE,
    };
    let Ok(interval) = Interval::new(first, period) else { return TimerwheelHandle::NONE };
    // SAFETY: as the module says.
    let armed = unsafe {
        on_wheel_mut(wheel, |it| {
            it.has_room().then(|| it.wheel.insert_interval(interval.missed(missed), value))
        })
    };
    TimerwheelHandle::of(armed.flatten())
}

/// Moves a timer to another deadline under the same handle; an interval goes on from there. It
/// counts as armed now: among equal deadlines it comes last. O(1). False if the handle is stale.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_reschedule(
    wheel: *mut Timerwheel,
    handle: TimerwheelHandle,
    deadline: u64,
) -> bool {
    let Some(handle) = handle.get() else { return false };
    // SAFETY: as the module says.
    unsafe { on_wheel_mut(wheel, |it| it.wheel.reschedule(handle, deadline)) }.unwrap_or(false)
}

/// Takes a timer out, and writes its value to `value`, which may be null. O(1). False, and nothing
/// written, if the handle is stale: the timer has fired or was cancelled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_cancel(
    wheel: *mut Timerwheel,
    handle: TimerwheelHandle,
    value: *mut u64,
) -> bool {
    let Some(handle) = handle.get() else { return false };
    // SAFETY: as the module says.
    unsafe {
        let cancelled = on_wheel_mut(wheel, |it| it.wheel.cancel(handle));
        write_to(value, cancelled.flatten())
    }
}

/// Moves the time on to `now` and collects what is due. Costs what is due or moved, never the ticks
/// elapsed. A `now` before the last one is taken as the last one.
///
/// Only this makes timers due: what is armed while they are handed out waits for the next call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_advance(wheel: *mut Timerwheel, now: u64) {
    // SAFETY: as the module says.
    unsafe { on_wheel_mut(wheel, |it| it.wheel.advance(now)) };
}

/// Hands out the next timer that is due: by deadline, and among equal ones in the order of arming.
/// O(1). False, and nothing written, if there is none, or `expired` is null.
///
/// An interval is armed again before it is handed out, and may be cancelled by its handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_pop_expired(
    wheel: *mut Timerwheel,
    expired: *mut TimerwheelExpired,
) -> bool {
    if expired.is_null() {
        return false;
    }
    // SAFETY: as the module says.
    unsafe {
        let popped = on_wheel_mut(wheel, |it| it.wheel.pop_expired());
        write_to(expired, popped.flatten().map(TimerwheelExpired::of))
    }
}

/// Takes all timers out, in the order of their deadlines, and calls `take` for each with its value,
/// its deadline and `context`. Handles from before are stale. `take` may use the wheel, which is
/// empty by then, but not free it; if it is null, the values are forgotten. O(n log n).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_drain(
    wheel: *mut Timerwheel,
    take: TimerwheelTake,
    context: *mut c_void,
) {
    // SAFETY: as the module says. What comes back borrows nothing of the wheel.
    let Some(drained) = (unsafe { on_wheel_mut(wheel, |it| it.wheel.drain()) }) else { return };
    if let Some(take) = take {
        for (_, deadline, value) in drained {
            // SAFETY: the caller says that it can be called with this.
            unsafe { take(value, deadline, context) };
        }
    }
}

/// How long a loop whose ticks are milliseconds may sleep at `now`, as `epoll_wait` and `poll` take
/// it: -1 if nothing is armed, 0 if something is due, `INT_MAX` at most. O(1).
///
/// Never late. Early if the earliest timer was cancelled or moved since: then nothing is due, and
/// the next timeout is longer. Ask right before sleeping, with the time of then. A `now` before that
/// of the last `timerwheel_advance` is taken as that one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_timeout(wheel: *const Timerwheel, now: u64) -> c_int {
    let left =
        |it: &Timerwheel| Some(it.wheel.next_wakeup()?.saturating_sub(now.max(it.wheel.now())));
    // SAFETY: as the module says.
    match unsafe { on_wheel(wheel, left) }.flatten() {
        Some(ticks) => c_int::try_from(ticks).unwrap_or(c_int::MAX),
        None => -1,
    }
}

/// Writes the tick to wake up at to `tick`: that of `timerwheel_timeout`. O(1). False if nothing is
/// armed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_next_wakeup(wheel: *const Timerwheel, tick: *mut u64) -> bool {
    // SAFETY: as the module says.
    unsafe { write_to(tick, on_wheel(wheel, |it| it.wheel.next_wakeup()).flatten()) }
}

/// Writes the exact earliest deadline to `tick`; it may be in the past. False if nothing is armed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_next_deadline(
    wheel: *const Timerwheel,
    tick: *mut u64,
) -> bool {
    // SAFETY: as the module says.
    unsafe { write_to(tick, on_wheel(wheel, |it| it.wheel.next_deadline()).flatten()) }
}

/// Writes the deadline of a timer to `tick`; of an interval, its next one. False if it is stale.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_deadline_of(
    wheel: *const Timerwheel,
    handle: TimerwheelHandle,
    tick: *mut u64,
) -> bool {
    let Some(handle) = handle.get() else { return false };
    // SAFETY: as the module says.
    unsafe { write_to(tick, on_wheel(wheel, |it| it.wheel.deadline_of(handle)).flatten()) }
}

/// Writes the value of a timer to `value`. False if it is stale.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_get(
    wheel: *const Timerwheel,
    handle: TimerwheelHandle,
    value: *mut u64,
) -> bool {
    let Some(handle) = handle.get() else { return false };
    // SAFETY: as the module says.
    unsafe { write_to(value, on_wheel(wheel, |it| it.wheel.get(handle).copied()).flatten()) }
}

/// Gives a timer another value. False if it is stale.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_set(
    wheel: *mut Timerwheel,
    handle: TimerwheelHandle,
    value: u64,
) -> bool {
    let Some(handle) = handle.get() else { return false };
    // SAFETY: as the module says.
    let place =
        unsafe { on_wheel_mut(wheel, |it| it.wheel.get_mut(handle).map(|place| *place = value)) };
    place.flatten().is_some()
}

/// Whether a timer is armed, or due and not handed out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_contains(
    wheel: *const Timerwheel,
    handle: TimerwheelHandle,
) -> bool {
    let Some(handle) = handle.get() else { return false };
    // SAFETY: as the module says.
    unsafe { on_wheel(wheel, |it| it.wheel.contains(handle)) }.unwrap_or(false)
}

/// Timers armed, those that are due and not handed out included. 0 if the wheel is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_len(wheel: *const Timerwheel) -> u64 {
    // SAFETY: as the module says.
    unsafe { on_wheel(wheel, |it| it.wheel.len() as u64) }.unwrap_or(0)
}

/// The tick of the last `timerwheel_advance`. 0 if the wheel is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerwheel_now(wheel: *const Timerwheel) -> u64 {
    // SAFETY: as the module says.
    unsafe { on_wheel(wheel, |it| it.wheel.now()) }.unwrap_or(0)
}

impl Timerwheel {
    fn has_room(&self) -> bool {
        (self.wheel.len() as u64) < self.limit
    }
}
