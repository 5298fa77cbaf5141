//! One test for each bug found in `Timers` and around it, named for it.

#![cfg(feature = "std")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use timerwheel::{
    ArmErrorReason, JumpPolicy, Jumps, MissedTicks, Period, Remote, RescheduleError, Resolution,
    TimerGuard, TimerOptions, Timers,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn every(period: Duration) -> Period {
    Period::new(period).unwrap()
}

fn pop<T>(timers: &mut Timers<T>) -> Vec<T> {
    std::iter::from_fn(|| timers.pop_expired()).map(|expiry| expiry.value).collect()
}

/// The value of a remote timer outlived `clear` in the hand of the other thread, which was told
/// that its timer was armed, and could cancel it once more.
#[test]
fn clear_takes_the_values_of_remote_timers_too() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let remote = timers.remote(|| ());
    let value = Arc::new(());
    let timer = remote.arm(base + ms(5), Arc::clone(&value)).unwrap();
    let waiting = remote.arm(base + ms(9), Arc::clone(&value)).unwrap();
    timers.clear();
    assert_eq!(Arc::strong_count(&value), 1, "dropped by clear");
    assert!(!timer.is_armed() && !waiting.is_armed());
    assert_eq!((timer.cancel(), waiting.cancel()), (None, None));
}

/// A limit set after the inbox was made was how many commands were taken up at a time: with 0,
/// `timeout` waited for an inbox that it never emptied, and shutting down lost values.
#[test]
fn a_limit_that_comes_after_the_inbox_changes_nothing() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let remote = timers.remote(|| ());
    timers.set_inbox_limit(1);
    for n in 0..3 {
        remote.arm(base + ms(n), n).unwrap();
    }
    assert_eq!(timers.len(), 3, "all that is in the inbox is taken up");
    for n in 3..6 {
        remote.arm(base + ms(n), n).unwrap();
    }
    assert_eq!(timers.shut_down(), [0, 1, 2, 3, 4, 5]);
}

/// Two intervals that meet, and two remote timers moved to the same deadline, were counted as
/// wake-ups that slack had saved.
#[test]
fn only_slack_saves_wakeups() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    for first in [10, 20] {
        timers.insert_interval(base + ms(first), every(ms(10)), MissedTicks::Skip, first);
    }
    let remote = timers.remote(|| ());
    for delay in [100, 200] {
        let timer = remote.arm(base + ms(delay), delay).unwrap();
        timer.reschedule(base + ms(25)).unwrap();
    }
    for now in 0..60 {
        timers.advance(base + ms(now));
        pop(&mut timers);
    }
    assert_eq!(timers.counters().coalesced, 0);
    assert_eq!(timers.counters().rescheduled_earlier, 2);
}

/// A guard inside of the value that another guard's drop takes along was seen one call late.
#[test]
fn guards_held_by_the_values_of_guarded_timers_are_settled_in_one_go() {
    let base = Instant::now();
    let mut timers: Timers<Option<TimerGuard>> = Timers::new(base);
    let mut guard = None;
    for n in 0..100 {
        let handle = timers.insert(base + ms(n), guard.take());
        guard = Some(timers.guard(handle));
    }
    assert_eq!(timers.len(), 100);
    drop(guard);
    assert_eq!(timers.len(), 0, "a chain of owners goes at once");
}

/// The new phase of a late `Delay` was counted from the tick that now is in, which began before
/// now: the next tick came less than a period later.
#[test]
fn a_delayed_interval_waits_a_whole_period_from_now_and_not_from_its_tick() {
    let base = Instant::now();
    let tick = Resolution::default().tick();
    let period = tick * 10;
    let mut timers = Timers::new(base);
    timers.insert_interval(base + period, every(period), MissedTicks::Delay, ());
    // Late by two periods and nine tenths of a tick.
    let now = base + period * 3 + tick * 9 / 10;
    timers.advance(now);
    assert_eq!(timers.pop_expired().map(|expiry| expiry.missed), Some(2));
    timers.advance((now + period).checked_sub(Duration::from_nanos(1)).unwrap());
    assert!(timers.pop_expired().is_none(), "before a period is over");
    timers.advance(now + period + tick);
    assert!(timers.pop_expired().is_some(), "and within a tick after");
}

/// An interval that was moved kept the rounding of its new deadline for good, and each further tick
/// was rounded up on top of it: late by up to two ticks.
#[test]
fn a_moved_interval_is_late_by_a_tick_at_most() {
    let base = Instant::now();
    let tick = Resolution::default().tick();
    let period = tick * 5 / 2;
    let mut timers = Timers::new(base);
    let handle = timers.insert_interval(base + period, every(period), MissedTicks::Skip, ());
    let first = base + tick / 10;
    assert!(timers.reschedule(handle, first));
    for n in 0..20 {
        let due = first + period * n;
        timers.advance(due.checked_sub(Duration::from_nanos(1)).unwrap());
        assert!(timers.pop_expired().is_none(), "tick {n} is early");
        timers.advance(due + tick);
        assert!(timers.pop_expired().is_some(), "tick {n} is late by more than a tick");
    }
}

/// A moved interval was compared with its first tick, not with the one it was armed for.
#[test]
fn an_interval_is_moved_earlier_or_later_than_its_next_tick() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let beat = timers.insert_interval(base + ms(10), every(ms(10)), MissedTicks::Skip, ());
    timers.advance(base + ms(32));
    assert!(timers.pop_expired().is_some());
    assert!(timers.reschedule(beat, base + ms(35)));
    let counters = timers.counters();
    assert_eq!((counters.rescheduled_earlier, counters.rescheduled_later), (1, 0));
}

/// Whatever becomes of a timer that was armed is counted, also if another thread took its value
/// while it was being handed out.
#[test]
fn what_is_armed_is_fired_or_cancelled_or_still_there() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let remote = timers.remote(|| ());
    let cancelled = remote.arm(base, 'c').unwrap();
    remote.arm(base, 'f').unwrap();
    let waiting = remote.arm(base, 'w').unwrap();
    timers.advance(base);
    assert_eq!(cancelled.cancel(), Some('c'));
    assert_eq!(pop(&mut timers), ['f', 'w']);
    assert_eq!(waiting.cancel(), None);
    let counters = timers.counters();
    assert_eq!((counters.armed, counters.fired, counters.cancelled), (3, 2, 1));
}

/// What the timers of one tick had asked for was kept in a sorted array: bringing many together by
/// slack, latest first, took time with the square of their number. Minutes for these.
#[test]
fn slack_brings_many_together_without_going_quadratic() {
    const MANY: u32 = 400_000;
    let base = Instant::now();
    let tick = Resolution::default().tick();
    let mut timers = Timers::new(base);
    let relaxed = TimerOptions::new().slack(tick * 2 * MANY);
    for n in (1..=MANY).rev() {
        timers.insert_with(base + tick * n, relaxed, n);
    }
    timers.advance(base + tick * 3 * MANY);
    let values = pop(&mut timers);
    assert_eq!(values.len(), MANY as usize);
    let saved = timers.counters().coalesced;
    assert!(saved >= u64::from(MANY) - 64, "{saved} wake-ups saved");
}

/// A value that does this when it is dropped.
struct OnDrop(Option<Box<dyn FnOnce()>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

/// What guards and remotes had sent beside a value whose `Drop` panics was forgotten until somebody
/// sent something else: a loop with a timer armed from elsewhere slept for ever.
#[test]
fn a_panic_in_the_drop_of_a_guarded_value_loses_no_command_and_no_other_guard() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let remote = timers.remote(|| ());
    let panics =
        || OnDrop(Some(Box::new(|| assert!(std::thread::panicking(), "as the test asked"))));
    let guards: Vec<_> = [panics(), panics(), OnDrop(None)]
        .into_iter()
        .map(|value| {
            let handle = timers.insert(base + seconds(60), value);
            timers.guard(handle)
        })
        .collect();
    drop(guards);
    let timer = remote.arm(base + ms(5), OnDrop(None)).ok().unwrap();
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| timers.advance(base))).is_err());
    }
    assert_eq!(timers.timeout(base).map(|timeout| timeout <= ms(7)), Some(true), "it is armed");
    assert_eq!(timers.len(), 1, "and what was guarded is gone");
    timers.advance(base + ms(7));
    assert_eq!(pop(&mut timers).len(), 1);
    assert!(!timer.is_armed());
}

/// Commands for later than the loop sleeps did not wake it, however many: an hour of sleep with the
/// inbox full, and an urgent one was refused.
#[test]
fn an_inbox_that_fills_up_wakes_the_loop_once() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    let remote = timers.remote(move || _ = counter.fetch_add(1, Ordering::SeqCst));
    let woken = || wakes.swap(0, Ordering::SeqCst);
    let later = base + seconds(7200);
    timers.insert(base + seconds(3600), 0);
    for _ in 0..2 {
        assert!(timers.timeout(base).is_some_and(|timeout| timeout > seconds(3000)));
        for n in 0..512 {
            assert_eq!(remote.arm(later, n).unwrap().cancel(), Some(n));
        }
        assert_eq!(woken(), 0, "there is as much room as is taken");
        let timer = remote.arm(later, 512).unwrap();
        assert_eq!(woken(), 1, "it is time");
        for n in 513..1024 {
            remote.arm(later, n).unwrap();
        }
        assert_eq!(remote.arm(base, 0).unwrap_err().reason, ArmErrorReason::Full);
        assert_eq!(timer.reschedule(base), Err(RescheduleError::Full));
        assert_eq!(woken(), 0, "it is awake already");
        timers.advance(base);
        assert_eq!(timers.len(), 1 + 512, "all is taken up");
        timer.reschedule(later).expect("and there is room again");
        timers.clear();
        timers.insert(base + seconds(3600), 0);
    }
}

/// A `now` older than the last one of `advance` counted for the timeout: a loop slept beside what
/// was due.
#[test]
fn a_timeout_asked_with_an_old_now_counts_from_the_last_advance() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    timers.insert(base + ms(100), "due");
    let later = timers.insert(base + ms(300), "later");
    timers.advance(base + ms(200));
    assert_eq!(timers.timeout(base), Some(Duration::ZERO), "something is due");
    assert_eq!(pop(&mut timers), ["due"]);
    assert!(timers.timeout(base).is_some_and(|timeout| timeout <= ms(102)));
    // Centuries away another way of counting is used.
    let century = seconds(100 * 366 * 86_400);
    assert!(timers.reschedule(later, base + century * 6));
    timers.advance(base + (century * 6).checked_sub(ms(50)).unwrap());
    assert!(timers.timeout(base).is_some_and(|timeout| timeout <= ms(52)));
    timers.advance(base + century * 7);
    assert_eq!(timers.timeout(base), Some(Duration::ZERO), "due and not handed out");
}

/// Timers with one armed a minute from now, a jump being ten seconds, and the time.
fn with_jumps(policy: JumpPolicy) -> (Timers<&'static str>, Instant) {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    timers.set_jumps(Some(Jumps { longer_than: seconds(10), policy }));
    timers.insert(base + seconds(60), "minute");
    (timers, base)
}

/// What was armed or moved while the loop slept was taken for what it slept for: waking up as early
/// as it had said was a jump, and all remaining delays were put off.
#[test]
fn what_is_armed_during_a_sleep_makes_no_jump_of_its_end() {
    let arm: [fn(&mut Timers<&'static str>, Instant); 3] = [
        |timers, base| {
            timers.remote(|| ()).arm(base + seconds(10), "remote").unwrap();
        },
        |timers, base| {
            timers.insert(base + seconds(10), "local");
        },
        |timers, base| {
            let (handle, _) = timers.iter().next().unwrap();
            assert!(timers.reschedule(handle, base + seconds(10)));
        },
    ];
    for arm in arm {
        let (mut timers, base) = with_jumps(JumpPolicy::ShiftDelays);
        assert!(timers.timeout(base).is_some_and(|timeout| timeout >= seconds(60)));
        arm(&mut timers, base);
        timers.advance(base + seconds(30));
        assert_eq!((timers.counters().jumps, pop(&mut timers).len()), (0, 1));
        assert!(timers.timeout(base + seconds(30)).is_none_or(|timeout| timeout < seconds(31)));
    }
}

/// With nothing armed a loop sleeps for as long as it likes. What it was woken for at last was
/// taken for what it had slept for.
#[test]
fn a_sleep_without_end_is_no_jump() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let policy = JumpPolicy::ShiftDelays;
    timers.set_jumps(Some(Jumps { longer_than: seconds(10), policy }));
    assert_eq!(timers.timeout(base), None);
    timers.insert(base + seconds(60), "overdue when the loop comes to it");
    timers.advance(base + seconds(3600));
    assert_eq!((timers.counters().jumps, pop(&mut timers).len()), (0, 1));
}

/// As long as nothing was due, a loop that was not asleep could be away for any time.
#[test]
fn a_loop_that_is_not_asleep_jumps_from_its_last_now() {
    let (mut timers, base) = with_jumps(JumpPolicy::ShiftDelays);
    timers.advance(base + seconds(5));
    assert_eq!(timers.counters().jumps, 0);
    timers.advance(base + seconds(45));
    assert_eq!(timers.counters().jumps, 1);
    timers.advance(base + seconds(45));
    let left = timers.timeout(base + seconds(45)).unwrap();
    assert!(left >= seconds(55) && left < seconds(56), "{left:?}, as before the jump");
    // It says so itself when it sleeps, and is late then by what it slept for longer.
    timers.advance(base + seconds(45) + left + seconds(20));
    assert_eq!((timers.counters().jumps, pop(&mut timers)), (2, vec!["minute"]));
}

/// A job that can arm others.
struct Job {
    _remote: Option<Remote<Job>>,
    _value: Arc<()>,
}

/// What was in the inbox was kept with it, for as long as there was a `Remote` anywhere: for ever if
/// one of the values there had it.
#[test]
fn what_is_in_the_inbox_goes_with_the_timers() {
    let base = Instant::now();
    let value = Arc::new(());
    let mut timers = Timers::new(base);
    let remote = timers.remote(|| ());
    for own in [Some(remote.clone()), None] {
        let job = Job { _remote: own, _value: Arc::clone(&value) };
        assert!(remote.arm(base, job).is_ok());
    }
    drop(timers);
    assert_eq!(Arc::strong_count(&value), 1, "both are dropped");
    let late = remote.arm(base, Job { _remote: None, _value: Arc::clone(&value) });
    assert_eq!(late.err().map(|error| error.reason), Some(ArmErrorReason::ShutDown));
    assert_eq!(Arc::strong_count(&value), 1);
}
