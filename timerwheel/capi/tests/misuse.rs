//! What is wrong has an answer.
#![allow(unsafe_code)] // it calls what C calls

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use timerwheel_capi::*;

const NONE: TimerwheelHandle = TimerwheelHandle { words: [0; 3] };

/// A wheel for a test, freed at its end.
struct Wheel(*mut Timerwheel);

impl Wheel {
    fn new() -> Self {
        Self(timerwheel_new(0))
    }

    fn pop(&self) -> Option<TimerwheelExpired> {
        let mut expired = TimerwheelExpired::default();
        // SAFETY: both are there.
        unsafe { timerwheel_pop_expired(self.0, &raw mut expired) }.then_some(expired)
    }
}

impl Drop for Wheel {
    fn drop(&mut self) {
        // SAFETY: it is from `timerwheel_new`.
        unsafe { timerwheel_free(self.0) }
    }
}

#[test]
fn a_null_wheel_answers_nothing_everywhere() {
    let (mut word, mut expired) = (7, TimerwheelExpired::default());
    let handle = TimerwheelHandle { words: [1, 2, 3] };
    let word: *mut u64 = &raw mut word;
    // SAFETY: null is allowed, and `word` and `expired` are there.
    unsafe {
        assert_eq!(timerwheel_insert(null_mut(), 1, 2), NONE);
        assert_eq!(timerwheel_insert_interval(null_mut(), 1, 2, TIMERWHEEL_SKIP, 3), NONE);
        assert!(!timerwheel_reschedule(null_mut(), handle, 1));
        assert!(!timerwheel_cancel(null_mut(), handle, word));
        timerwheel_advance(null_mut(), 1);
        timerwheel_set_limit(null_mut(), 1);
        assert!(!timerwheel_pop_expired(null_mut(), &raw mut expired));
        timerwheel_drain(null_mut(), None, null_mut());
        assert_eq!(timerwheel_timeout(null(), 0), -1);
        assert!(!timerwheel_next_wakeup(null(), word));
        assert!(!timerwheel_next_deadline(null(), word));
        assert!(!timerwheel_deadline_of(null(), handle, word));
        assert!(!timerwheel_get(null(), handle, word));
        assert!(!timerwheel_set(null_mut(), handle, 1));
        assert!(!timerwheel_contains(null(), handle));
        assert_eq!((timerwheel_len(null()), timerwheel_now(null())), (0, 0));
        timerwheel_free(null_mut());
        assert_eq!(*word, 7, "nothing is written where there is no answer");
    }
}

#[test]
fn handles_that_are_stale_made_up_or_zero_do_nothing() {
    let (wheel, other) = (Wheel::new(), Wheel::new());
    // SAFETY: the wheels are there, and null is allowed for values.
    unsafe {
        let stale = timerwheel_insert(wheel.0, 5, 50);
        assert!(timerwheel_cancel(wheel.0, stale, null_mut()));
        let armed = timerwheel_insert(wheel.0, 6, 60);
        let made_up = TimerwheelHandle { words: [u32::MAX; 3] };
        for handle in [stale, made_up, NONE] {
            assert!(!timerwheel_cancel(wheel.0, handle, null_mut()));
            assert!(!timerwheel_reschedule(wheel.0, handle, 1));
            assert!(!timerwheel_set(wheel.0, handle, 1));
            assert!(!timerwheel_contains(wheel.0, handle));
        }
        assert!(!timerwheel_cancel(other.0, armed, null_mut()), "of another wheel");
        assert_eq!(timerwheel_len(wheel.0), 1);
        timerwheel_advance(wheel.0, 6);
    }
    let expired = wheel.pop().expect("it is due");
    assert_eq!((expired.value, expired.deadline, expired.late), (60, 6, 0));
    assert_eq!(wheel.pop(), None);
}

#[test]
fn what_cannot_be_armed_is_no_timer() {
    let wheel = Wheel::new();
    // SAFETY: the wheel is there.
    unsafe {
        assert_eq!(timerwheel_insert_interval(wheel.0, 1, 0, TIMERWHEEL_SKIP, 3), NONE, "period 0");
        assert_eq!(timerwheel_insert_interval(wheel.0, 1, 1, 3, 3), NONE, "no such behaviour");
        assert_eq!(timerwheel_len(wheel.0), 0);
    }
}

#[test]
fn above_the_limit_nothing_is_armed() {
    let wheel = Wheel::new();
    // SAFETY: the wheel is there, and null is allowed for values.
    unsafe {
        timerwheel_set_limit(wheel.0, 2);
        let first = timerwheel_insert(wheel.0, 1, 10);
        timerwheel_insert_interval(wheel.0, 1, 1, TIMERWHEEL_BURST, 20);
        assert_eq!(timerwheel_insert(wheel.0, 1, 30), NONE);
        assert_eq!(timerwheel_insert_interval(wheel.0, 1, 1, TIMERWHEEL_DELAY, 30), NONE);
        assert_eq!(timerwheel_len(wheel.0), 2);
        assert!(timerwheel_cancel(wheel.0, first, null_mut()), "and there is room again");
        assert_ne!(timerwheel_insert(wheel.0, 1, 30), NONE);
    }
}

#[test]
fn nowhere_to_write_an_expiry_to_loses_none() {
    let wheel = Wheel::new();
    // SAFETY: the wheel is there, and null is allowed.
    unsafe {
        timerwheel_insert(wheel.0, 1, 10);
        timerwheel_advance(wheel.0, 1);
        assert!(!timerwheel_pop_expired(wheel.0, null_mut()));
    }
    assert_eq!(wheel.pop().map(|expired| expired.value), Some(10));
}

#[test]
fn an_interval_keeps_its_handle_and_says_what_it_missed() {
    let wheel = Wheel::new();
    // SAFETY: the wheel is there.
    let beat = unsafe { timerwheel_insert_interval(wheel.0, 10, 10, TIMERWHEEL_SKIP, 1) };
    // SAFETY: the wheel is there.
    unsafe { timerwheel_advance(wheel.0, 45) };
    let expired = wheel.pop().expect("it is due");
    assert_eq!((expired.handle, expired.late, expired.missed), (beat, 35, 3));
    let mut value = 0;
    // SAFETY: the wheel and the value are there.
    unsafe {
        assert_eq!(timerwheel_timeout(wheel.0, 45), 5, "in phase");
        assert!(timerwheel_cancel(wheel.0, beat, &raw mut value));
        assert_eq!((value, timerwheel_timeout(wheel.0, 45)), (1, -1));
    }
}

#[test]
fn a_timeout_fits_into_an_int() {
    let wheel = Wheel::new();
    // SAFETY: the wheel is there.
    unsafe {
        let far = timerwheel_insert(wheel.0, u64::MAX, 0);
        assert_eq!(timerwheel_timeout(wheel.0, 0), i32::MAX);
        assert!(timerwheel_reschedule(wheel.0, far, 3));
        assert_eq!(timerwheel_timeout(wheel.0, 9), 0, "overdue");
    }
}

/// A time older than that of the last advance counted: a loop slept beside what was due.
#[test]
fn a_timeout_asked_with_an_old_now_counts_from_the_last_advance() {
    let wheel = Wheel::new();
    // SAFETY: the wheel is there.
    unsafe {
        timerwheel_insert(wheel.0, 100, 1);
        timerwheel_insert(wheel.0, 300, 3);
        timerwheel_advance(wheel.0, 200);
        assert_eq!(timerwheel_timeout(wheel.0, 0), 0, "something is due");
    }
    assert!(wheel.pop().is_some());
    // SAFETY: the wheel is there.
    unsafe {
        assert_eq!(timerwheel_timeout(wheel.0, 0), 100);
        assert_eq!(timerwheel_timeout(wheel.0, 250), 50);
    }
}

/// What `take` is given: where to note values, and the wheel.
struct Taken {
    values: Vec<u64>,
    wheel: *mut Timerwheel,
}

unsafe extern "C" fn take(value: u64, deadline: u64, context: *mut c_void) {
    // SAFETY: it is what the test passes.
    let taken = unsafe { &mut *context.cast::<Taken>() };
    // The wheel may be used meanwhile: it is empty, but for what is armed here.
    // SAFETY: the wheel is there.
    unsafe {
        assert_eq!(timerwheel_len(taken.wheel), taken.values.len() as u64);
        timerwheel_insert(taken.wheel, deadline, value);
    }
    taken.values.push(value);
}

#[test]
fn drain_hands_over_what_is_armed_in_order_and_leaves_the_wheel_usable() {
    let wheel = Wheel::new();
    let mut taken = Taken { values: Vec::new(), wheel: wheel.0 };
    // SAFETY: the wheel and the context are there.
    unsafe {
        for (deadline, value) in [(30, 3), (10, 1), (20, 2)] {
            timerwheel_insert(wheel.0, deadline, value);
        }
        timerwheel_drain(wheel.0, Some(take), (&raw mut taken).cast());
        assert_eq!(taken.values, [1, 2, 3]);
        assert_eq!(timerwheel_len(wheel.0), 3, "what was armed from inside");
    }
}
