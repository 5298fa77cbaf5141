//! Traps around the wheel in real time, on a virtual clock; where they were met stands beside.

#![cfg(feature = "std")]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use timerwheel::{
    JumpPolicy, Jumps, MissedTicks, Period, Remote, RemoteTimer, Resolution, TimerGuard,
    TimerOptions, Timers,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn every(period: Duration) -> Period {
    Period::new(period).unwrap()
}

fn pop<T>(timers: &mut Timers<T>) -> Vec<T> {
    std::iter::from_fn(|| timers.pop_expired()).map(|expiry| expiry.value).collect()
}

/// netty#1246, glommio#44: with less than a millisecond left, a poller of milliseconds was told 0,
/// and the loop spun.
#[test]
fn the_last_fraction_of_a_millisecond_is_slept_not_spun() {
    let base = Instant::now();
    for micros in [1, 400, 999] {
        let mut timers = Timers::with_resolution(Resolution::FINEST, base);
        timers.insert(base + Duration::from_micros(micros), ());
        assert_eq!(timers.timeout(base), Some(ms(1)), "{micros} µs left");
    }
}

/// libuv 9b619396d: what is left overflowed an `i32` and was negative.
#[test]
fn a_timeout_is_never_more_than_a_poller_takes() {
    let base = Instant::now();
    let most = ms(i32::MAX as u64);
    for delay in [most, most + ms(1), most * 2, most * 4 + ms(3), Duration::MAX] {
        let mut timers = Timers::new(base);
        timers.insert_after(delay, (), base);
        let timeout = timers.timeout(base).expect("armed");
        assert_eq!(timeout, most, "for {delay:?}");
    }
}

/// tokio#6487: an interval whose next tick is past the end of time.
#[test]
fn the_longest_period_ticks_once_and_waits_for_ever() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    timers.insert_interval(base, every(Duration::MAX), MissedTicks::Burst, ());
    for now in [base, base + ms(5), base + Duration::from_secs(1 << 33)] {
        timers.advance(now);
        assert_eq!(pop(&mut timers).len(), usize::from(now == base), "at {:?}", now - base);
    }
    assert!(timers.keeps_alive());
}

/// tokio#5553: an interval that had ticked left a wake-up behind beside its next one.
#[test]
fn an_interval_leaves_one_wakeup_and_a_cancelled_one_none() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let beat = timers.insert_interval(base + ms(10), every(ms(100)), MissedTicks::Skip, ());
    let mut now = base + ms(12);
    for _ in 0..50 {
        timers.advance(now);
        assert_eq!(pop(&mut timers).len(), 1);
        let timeout = timers.timeout(now).expect("armed");
        assert!(timeout > ms(90) && timeout <= ms(102), "{timeout:?}");
        now += timeout;
    }
    assert_eq!(timers.cancel(beat), Some(()));
    assert_eq!(timers.timeout(now), None);
}

/// gateway-x#730: whether the first tick comes at once or after a period.
#[test]
fn the_first_tick_is_at_once_or_after_a_period_as_asked() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    timers.insert_interval(base, every(ms(50)), MissedTicks::Skip, "at once");
    timers.insert_interval(base + ms(50), every(ms(50)), MissedTicks::Skip, "after a period");
    timers.advance(base);
    assert_eq!(pop(&mut timers), ["at once"]);
    timers.advance(base + ms(51));
    // The first of them was armed again when it ticked, so it comes second.
    assert_eq!(pop(&mut timers), ["after a period", "at once"]);
}

/// Timers that were due and those that allow slack come in the order of the ticks they are armed
/// for, and none before its deadline.
#[test]
fn slack_never_reorders_into_the_past() {
    let base = Instant::now();
    let tick = Resolution::default().tick();
    for slack in 0..40 {
        let mut timers = Timers::new(base);
        let relaxed = TimerOptions::new().slack(tick * slack);
        for delay in 1..60 {
            timers.insert_with(base + tick * delay, relaxed, delay);
        }
        let mut fired = 0;
        for now in 0..100 {
            timers.advance(base + tick * now);
            for delay in pop(&mut timers) {
                assert!(delay <= now && now <= delay + slack, "{delay} with {slack} at {now}");
                fired += 1;
            }
        }
        assert_eq!(fired, 59);
        let saved = timers.counters().coalesced;
        assert_eq!(saved > 0, slack > 0, "slack of {slack} ticks saved {saved}");
    }
}

/// Slack that reaches past the end of time.
#[test]
fn boundless_slack_is_harmless() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let relaxed = TimerOptions::new().slack(Duration::MAX);
    timers.insert_with(base + ms(1), relaxed, ());
    timers.advance(base + Duration::from_secs(1 << 32));
    assert!(pop(&mut timers).is_empty(), "it may wait that long, and does");
    assert_eq!(timers.len(), 1);
}

/// Values that own timers: a guard in a value, whose drop panics on the way. What one panic left
/// undone is done by the next call, and everything is dropped once.
#[test]
fn a_drop_that_panics_while_guards_are_settled_loses_nothing() {
    struct Owner(Rc<Cell<u32>>, bool, #[allow(dead_code)] Option<TimerGuard>);
    impl Drop for Owner {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(!self.1 || std::thread::panicking(), "as the test asked");
        }
    }
    let base = Instant::now();
    let dropped = Rc::new(Cell::new(0));
    let mut timers = Timers::new(base);
    let mut guards = Vec::new();
    for n in 0..10 {
        let handle = timers.insert(base + ms(n), Owner(Rc::clone(&dropped), n == 4, guards.pop()));
        guards.push(timers.guard(handle));
        if n % 3 == 2 {
            let handle = timers.insert(base, Owner(Rc::clone(&dropped), false, None));
            guards.push(timers.guard(handle));
        }
    }
    let armed = timers.len();
    drop(guards);
    let outcome = catch_unwind(AssertUnwindSafe(|| timers.len()));
    assert!(outcome.is_err(), "the panic gets out");
    assert_eq!(timers.len(), 0, "and the next call finishes");
    assert_eq!(dropped.get() as usize, armed);
    assert!(!timers.keeps_alive());
    assert_eq!(timers.counters().cancelled, armed as u64);
}

/// A value whose `Clone` panics leaves the interval due, and the books as they were.
#[test]
fn a_clone_that_panics_leaves_the_interval_due_and_uncounted() {
    #[derive(Debug)]
    struct Value(Rc<Cell<bool>>);
    impl Clone for Value {
        fn clone(&self) -> Self {
            assert!(!self.0.get(), "as the test asked");
            Self(Rc::clone(&self.0))
        }
    }
    let base = Instant::now();
    let panics = Rc::new(Cell::new(true));
    let mut timers = Timers::new(base);
    let value = Value(Rc::clone(&panics));
    let handle = timers.insert_interval(base, every(ms(10)), MissedTicks::Skip, value);
    timers.advance(base);
    assert!(catch_unwind(AssertUnwindSafe(|| timers.pop_expired().is_some())).is_err());
    assert_eq!((timers.counters().fired, timers.len(), timers.keeps_alive()), (0, 1, true));
    panics.set(false);
    assert_eq!(timers.pop_expired().map(|expiry| expiry.handle), Some(handle));
    assert_eq!(timers.counters().fired, 1);
    assert_eq!(timers.timeout(base), Some(ms(11)), "on its phase");
}

/// A suspend of half an hour, with all that can be armed: with the delays shifted, what was left
/// of each is left of it, to the tick; and what is armed afterwards is not shifted.
#[test]
fn after_a_suspend_every_remaining_delay_is_what_it_was() {
    let base = Instant::now();
    let tick = Resolution::default().tick();
    let mut timers = Timers::new(base);
    let jumps = Jumps { longer_than: Duration::from_secs(10), policy: JumpPolicy::ShiftDelays };
    timers.set_jumps(Some(jumps));
    for seconds in [60, 100, 4000] {
        timers.insert(base + Duration::from_secs(seconds), seconds);
    }
    assert!(timers.timeout(base).is_some());
    // Woken up by something else, and asleep again.
    let asleep = base + Duration::from_secs(50);
    timers.advance(asleep);
    assert!(timers.timeout(asleep).is_some());
    let suspended = Duration::from_secs(1800);
    // It was to wake up at 60 s, and does so half an hour late.
    let awake = base + Duration::from_secs(60) + suspended;
    timers.advance(awake);
    let _ = pop(&mut timers);
    timers.insert(awake + Duration::from_secs(1), 1);
    let mut told = Vec::new();
    for step in 0..5_000 {
        let now = awake + Duration::from_secs(step);
        timers.advance(now + tick);
        told.extend(pop(&mut timers).into_iter().map(|seconds| (seconds, step)));
    }
    told.retain(|(seconds, _)| *seconds != 60);
    assert_eq!(told, [(1, 1), (100, 40), (4000, 3940)]);
    assert_eq!(timers.counters().jumps, 1);
}

/// Which threads what may go to, held by the compiler.
#[test]
fn what_may_cross_threads_does() {
    fn is_send<T: Send>() {}
    fn is_send_and_sync<T: Send + Sync>() {}
    // A value that is `Send` only.
    type Value = Cell<u8>;
    is_send::<Timers<Value>>();
    is_send_and_sync::<Remote<Value>>();
    is_send_and_sync::<RemoteTimer<Value>>();
    is_send_and_sync::<TimerGuard>();
}
