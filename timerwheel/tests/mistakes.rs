//! Mistakes that compile, made on purpose: each shows in a figure, as `docs/EMBEDDING.md` says.
#![cfg(feature = "std")]

use std::time::{Duration, Instant};

use timerwheel::Timers;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Timers with one armed that is due in a millisecond, and the time.
fn armed() -> (Timers<&'static str>, Instant) {
    let now = Instant::now();
    let mut timers = Timers::new(now);
    timers.insert(now + millis(1), "job");
    (timers, now)
}

#[test]
fn never_advancing_is_a_timeout_of_zero_and_no_advances() {
    let (mut timers, now) = armed();
    for turn in 10..20 {
        assert_eq!(timers.timeout(now + millis(turn)), Some(Duration::ZERO), "it spins");
        assert!(timers.pop_expired().is_none(), "only `advance` makes timers due");
    }
    assert_eq!(timers.counters().advances, 0);
}

#[test]
fn not_popping_is_a_timeout_of_zero_and_advances_that_are_not_idle() {
    let (mut timers, now) = armed();
    for turn in 10..20 {
        timers.advance(now + millis(turn));
        assert_eq!(timers.timeout(now + millis(turn)), Some(Duration::ZERO), "it spins");
    }
    let counters = timers.counters();
    assert_eq!((counters.advances, counters.idle_advances, counters.fired), (10, 0, 0));
}

#[test]
fn asking_for_the_timeout_too_early_is_late_expiries() {
    let now = Instant::now();
    let mut timers = Timers::new(now);
    timers.insert(now + millis(500), "slow");
    let too_early = timers.timeout(now).expect("something is armed");
    timers.insert(now + millis(5), "quick");
    timers.advance(now + too_early);
    let quick = timers.pop_expired().expect("both are due");
    assert_eq!(quick.value, "quick");
    assert!(quick.late > millis(490), "by {:?}", quick.late);
}

#[test]
fn two_clocks_are_time_that_goes_backwards() {
    let (mut timers, now) = armed();
    for turn in 1..=10 {
        timers.advance(now + millis(100 * turn));
        // Another component's idea of the time.
        timers.advance(now + millis(100 * turn - 50));
    }
    assert_eq!(timers.counters().backward, 10);
}

#[test]
fn a_guard_that_is_not_kept_is_a_cancelled_timer() {
    let (mut timers, now) = armed();
    let handle = timers.insert(now + millis(1), "never");
    let _ = timers.guard(handle);
    timers.advance(now + millis(10));
    assert_eq!(timers.pop_expired().map(|expiry| expiry.value), Some("job"));
    assert!(timers.pop_expired().is_none());
    assert_eq!((timers.counters().armed, timers.counters().cancelled), (2, 1));
}
