//! `Timers`: real time on a clock that the test moves.

#![cfg(feature = "std")]

use std::time::{Duration, Instant};

use timerwheel::{
    JumpPolicy, Jumps, MissedTicks, Period, Resolution, TimerOptions, Timers, ZeroPeriod,
};

const TICK: Duration = Duration::from_nanos(1 << 20);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn pop<T>(timers: &mut Timers<T>) -> Vec<T> {
    std::iter::from_fn(|| timers.pop_expired()).map(|expiry| expiry.value).collect()
}

fn every(period: Duration) -> Period {
    Period::new(period).expect("longer than zero")
}

#[test]
fn never_early_and_late_by_a_tick_at_most() {
    let base = Instant::now();
    for resolution in [Resolution::FINEST, Resolution::default(), Resolution::COARSEST] {
        let tick = resolution.tick();
        // Deadlines at odd places within a tick, polls a little before and after.
        for part in [0.0, 0.1, 0.5, 0.9, 1.0, 1.9] {
            let mut timers = Timers::with_resolution(resolution, base);
            let deadline = base + 3 * tick + tick.mul_f64(part);
            timers.insert(deadline, ());
            if let Some(before) = deadline.checked_sub(Duration::from_nanos(1)) {
                timers.advance(before);
                assert!(timers.pop_expired().is_none(), "early by a nanosecond at {part} ticks");
            }
            timers.advance(deadline + tick);
            assert!(timers.pop_expired().is_some(), "late by more than a tick at {part} ticks");
        }
    }
}

#[test]
fn armed_within_a_tick_for_one_tick_waits_for_the_tick_after() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    timers.advance(base + TICK.mul_f64(0.9));
    timers.insert_after(TICK, (), base + TICK.mul_f64(0.9));
    for silent in [1.0, 1.89] {
        timers.advance(base + TICK.mul_f64(silent));
        assert!(timers.pop_expired().is_none(), "at {silent} ticks");
    }
    timers.advance(base + TICK * 2);
    assert!(timers.pop_expired().is_some());
}

#[test]
fn any_delay_will_do() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    timers.insert_after(Duration::MAX, "for ever", base);
    timers.insert_after(Duration::ZERO, "now", base);
    timers.insert(base.checked_sub(ms(500)).unwrap_or(base), "before the beginning");
    assert_eq!(timers.timeout(base), Some(Duration::ZERO));
    timers.advance(base);
    assert_eq!(pop(&mut timers), ["now", "before the beginning"]);
    assert_eq!(timers.timeout(base), Some(ms(i32::MAX as u64)), "what a poller takes at most");
    timers.advance(base + Duration::from_secs(1 << 32));
    assert_eq!(pop(&mut timers), [""; 0]);
}

#[test]
fn the_timeout_rounds_up_and_never_spins() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    assert_eq!(timers.timeout(base), None);
    timers.insert(base + ms(5), ());
    let mut now = base;
    let mut waits = 0;
    while timers.pop_expired().is_none() {
        let timeout = timers.timeout(now).expect("armed");
        assert_eq!(timeout.subsec_nanos() % 1_000_000, 0, "whole milliseconds: {timeout:?}");
        assert!(!timeout.is_zero(), "a wait of nothing would spin");
        // Sleeps end a little early on some systems.
        now += timeout.saturating_sub(Duration::from_micros(600));
        timers.advance(now);
        waits += 1;
        assert!(waits <= 3);
    }
    assert_eq!(timers.timeout(now), None);
}

#[test]
fn a_wakeup_for_a_cancelled_timer_is_not_asked_for() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    for delay in 1..50 {
        let handle = timers.insert(base + ms(delay), ());
        timers.cancel(handle);
    }
    timers.insert(base + ms(1_000), ());
    assert!(timers.timeout(base).is_some_and(|timeout| timeout >= ms(1_000)));
}

#[test]
fn intervals_do_not_drift_in_real_time() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    // No whole number of ticks; every wake-up is late by 0.3 ms.
    let period = Duration::from_micros(10_007);
    timers.insert_interval(base + period, every(period), MissedTicks::Skip, ());
    let late = Duration::from_micros(300);
    for n in 1..=100_000_u32 {
        let due = base + period * n;
        timers.advance(due.checked_sub(Duration::from_nanos(1)).unwrap());
        assert!(timers.pop_expired().is_none(), "tick {n} is early");
        timers.advance(due + TICK + late);
        let expiry = timers.pop_expired().expect("due");
        assert_eq!(expiry.missed, 0);
        assert!(expiry.late >= late && expiry.late <= late + TICK, "{:?}", expiry.late);
    }
}

#[test]
fn a_period_shorter_than_a_tick_ticks_with_every_tick() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    timers.insert_interval(base, every(Duration::from_nanos(1)), MissedTicks::Skip, ());
    for n in 0..10 {
        timers.advance(base + TICK * n);
        assert_eq!(pop(&mut timers).len(), 1);
    }
    assert_eq!(Period::new(Duration::ZERO), Err(ZeroPeriod));
}

#[test]
fn slack_lets_timers_share_a_wakeup_and_is_never_early() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let relaxed = TimerOptions::new().slack(ms(100));
    for delay in [1_000, 1_010, 1_033] {
        timers.insert_with(base + ms(delay), relaxed, delay);
    }
    let mut wakeups = Vec::new();
    let mut now = base;
    while let Some(timeout) = timers.timeout(now) {
        now += timeout;
        timers.advance(now);
        for delay in pop(&mut timers) {
            let late = (now - base).checked_sub(ms(delay)).expect("not early");
            assert!(late <= ms(102), "{late:?}");
        }
        wakeups.push(now - base);
    }
    assert_eq!(wakeups.len(), 1, "{wakeups:?}");
    assert_eq!(timers.counters().coalesced, 2, "wake-ups saved");
}

#[test]
fn only_timers_that_keep_it_alive_keep_it_alive() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    assert!(!timers.keeps_alive());
    let quiet = timers.insert_with(base + ms(5), TimerOptions::new().unref(), 'q');
    assert!(!timers.keeps_alive());
    assert!(timers.set_ref(quiet, true) && timers.keeps_alive());
    assert!(timers.set_ref(quiet, true), "twice counts once");
    assert!(timers.set_ref(quiet, false));
    assert!(!timers.keeps_alive());
    assert_eq!(timers.cancel(quiet), Some('q'));
    let loud = timers.insert(base + ms(1), 'l');
    let beat = timers.insert_interval(base, every(ms(1)), MissedTicks::Skip, 'b');
    assert_eq!(timers.cancel(loud), Some('l'));
    timers.advance(base + ms(9));
    assert_eq!(pop(&mut timers), ['b']);
    assert!(timers.keeps_alive(), "the interval goes on");
    assert_eq!(timers.cancel(beat), Some('b'));
    assert!(!timers.keeps_alive());
    assert!(!timers.set_ref(quiet, true), "stale");
    timers.insert(base, 'x');
    timers.clear();
    assert!(!timers.keeps_alive());
}

#[test]
fn guards_cancel_in_any_order_on_any_thread_and_after_the_timers_are_gone() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let guards: Vec<_> = (0..8)
        .map(|n| {
            let handle = timers.insert(base + ms(n), n);
            timers.guard(handle)
        })
        .collect();
    let mut guards = guards.into_iter();
    drop(guards.next_back());
    drop(guards.next());
    assert_eq!(timers.len(), 6);
    let other = guards.next().unwrap();
    std::thread::spawn(move || drop(other)).join().unwrap();
    assert_eq!(timers.len(), 5);
    let kept = guards.next().unwrap().disarm();
    assert!(timers.contains(kept));
    // A guard whose timer has fired, and whose place is another's by now.
    timers.advance(base + ms(20));
    assert_eq!(pop(&mut timers).len(), 5);
    let stranger = timers.insert(base + ms(50), 99);
    drop(guards.next());
    assert!(timers.contains(stranger));
    drop(timers);
    drop(guards);
}

#[test]
fn a_dropped_guard_counts_before_anything_else_does() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let handle = timers.insert(base, ());
    let guard = timers.guard(handle);
    timers.advance(base);
    drop(guard);
    assert!(timers.pop_expired().is_none(), "due, but cancelled before it was handed out");
    assert_eq!(timers.timeout(base), None);
}

#[test]
fn a_loop_that_never_turns_stays_flat() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    for _ in 0..100_000 {
        let handle = timers.insert_interval(base, every(ms(1)), MissedTicks::Skip, [0_u8; 64]);
        drop(timers.guard(handle));
        assert!(timers.counters().armed - timers.counters().cancelled <= 2);
    }
    assert_eq!(timers.len(), 0);
}

#[test]
fn time_that_goes_backwards_is_ignored_and_counted() {
    let base = Instant::now() + Duration::from_secs(7200);
    let mut timers = Timers::new(base);
    timers.insert(base + ms(10), ());
    timers.advance(base + ms(5));
    timers.advance(base.checked_sub(Duration::from_secs(3600)).unwrap());
    assert!(timers.pop_expired().is_none());
    assert_eq!(timers.counters().backward, 1);
    timers.advance(base + ms(12));
    assert!(timers.pop_expired().is_some());
}

fn after_a_jump(policy: JumpPolicy) -> (Timers<&'static str>, Vec<&'static str>, Instant) {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    timers.set_jumps(Some(Jumps { longer_than: Duration::from_secs(60), policy }));
    timers.insert(base + Duration::from_secs(600), "once");
    let first = base + Duration::from_secs(1);
    timers.insert_interval(first, every(Duration::from_secs(1)), MissedTicks::Burst, "beat");
    let mut now = base;
    for _ in 0..10 {
        now += timers.timeout(now).unwrap();
        timers.advance(now);
        assert_eq!(pop(&mut timers), ["beat"]);
    }
    now += Duration::from_secs(1800);
    let mut fired = Vec::new();
    for _ in 0..3 {
        timers.advance(now);
        fired.extend(pop(&mut timers));
    }
    assert_eq!(timers.counters().jumps, 1);
    (timers, fired, now)
}

#[test]
fn after_a_jump_everything_fires_by_default() {
    let (_, fired, _) = after_a_jump(JumpPolicy::FireAll);
    assert_eq!(fired, ["beat", "once", "beat", "beat"], "a burst makes up, one per turn");
}

#[test]
fn after_a_jump_intervals_can_be_let_off_what_they_missed() {
    let (mut timers, fired, now) = after_a_jump(JumpPolicy::SkipIntervals);
    assert_eq!(fired, ["beat", "once"]);
    assert!(timers.timeout(now).is_some_and(|t| !t.is_zero() && t <= Duration::from_secs(1)));
}

#[test]
fn after_a_jump_delays_can_be_as_they_were() {
    let (mut timers, fired, now) = after_a_jump(JumpPolicy::ShiftDelays);
    assert!(fired.len() <= 1 && !fired.contains(&"once"), "{fired:?}");
    let mut later = now;
    let mut seconds = 0;
    'turns: loop {
        later += Duration::from_secs(1);
        seconds += 1;
        timers.advance(later);
        for value in pop(&mut timers) {
            if value == "once" {
                break 'turns;
            }
        }
    }
    assert!((588..=591).contains(&seconds), "590 s were left, and are: {seconds}");
}

#[test]
fn the_counters_tell_what_has_happened() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let first = timers.insert(base + ms(600), 1);
    let second = timers.insert(base + ms(700), 2);
    assert!(timers.reschedule(first, base + ms(800)));
    assert!(timers.reschedule(first, base + ms(500)));
    assert_eq!(timers.cancel(second), Some(2));
    for millis in [100, 400, 502] {
        timers.advance(base + ms(millis));
    }
    assert_eq!(pop(&mut timers), [1]);
    let counters = timers.counters();
    assert_eq!((counters.armed, counters.cancelled, counters.fired), (2, 1, 1));
    assert_eq!((counters.rescheduled_earlier, counters.rescheduled_later), (1, 1));
    assert_eq!((counters.advances, counters.idle_advances), (3, 2));
    assert!((1..=2).contains(&counters.cascaded), "filed anew on its way: {}", counters.cascaded);
}

/// Nanoseconds in 64 bits end after 584 years; timers do not.
#[test]
fn timers_go_on_after_centuries() {
    let base = Instant::now();
    let year = Duration::from_secs(31_557_600);
    let mut timers = Timers::new(base);
    let (near, far) = (base + year * 583, base + year * 1_200);
    timers.insert(near, "near");
    timers.insert(far, "far");
    for (due, name) in [(near, "near"), (far, "far")] {
        let before = due.checked_sub(Duration::from_millis(100)).unwrap();
        timers.advance(before);
        assert!(timers.pop_expired().is_none(), "{name} is early");
        let sleep = timers.timeout(before).expect("armed");
        assert!((100..=102).contains(&sleep.as_millis()), "{name}: {sleep:?}");
        timers.advance(before + sleep);
        assert_eq!(timers.pop_expired().map(|expiry| expiry.value), Some(name));
    }
    assert_eq!(timers.timeout(far), None);
}

/// Two looks within one tick: a late interval that goes on from now goes on from the later one, in
/// whatever order they come.
#[test]
fn a_delayed_interval_goes_on_from_the_latest_time_within_a_tick() {
    for parts in [[0.25, 0.75], [0.75, 0.25]] {
        let base = Instant::now();
        let mut timers = Timers::new(base);
        let period = every(5 * TICK + TICK / 2);
        timers.insert_interval(base + 2 * TICK, period, MissedTicks::Delay, ());
        for part in parts {
            timers.advance(base + 9 * TICK + TICK.mul_f64(part));
        }
        assert_eq!(timers.pop_expired().expect("late").missed, 1);
        // 9.75 and 5.5 ticks are 15.25.
        timers.advance(base + 15 * TICK + TICK / 8);
        assert_eq!(pop(&mut timers).len(), 0, "early after {parts:?}");
        timers.advance(base + 16 * TICK);
        assert_eq!(pop(&mut timers).len(), 1, "late after {parts:?}");
    }
}
