//! `Remote` under real threads: bounded in work, no order of events assumed, no sleeping. A wait
//! that takes long means that something was lost, and fails.

#![cfg(feature = "std")]

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use timerwheel::{ArmErrorReason, Remote, RemoteTimer, RescheduleError, TimerGuard, Timers};

const LOST: Duration = Duration::from_secs(10);

/// tokio#6682: a loop slept on although a timer was armed that was due earlier. Each worker arms
/// one timer at a time and waits for it to fire; the loop sleeps whenever it may, so that each of
/// these arms races its falling asleep.
#[test]
fn no_wakeup_is_lost_when_an_arm_races_the_loop_falling_asleep() {
    const WORKERS: usize = 2;
    const EACH: usize = 80_000;
    let base = Instant::now();
    let far = base + Duration::from_secs(3600);
    let mut timers = Timers::<usize>::new(base);
    let (waker, sleep) = sync_channel(1);
    let remote = timers.remote(move || _ = waker.try_send(()));
    let (acks, workers): (Vec<_>, Vec<_>) = (0..WORKERS)
        .map(|name| {
            let fired = Arc::new(AtomicUsize::new(0));
            let ack = Arc::clone(&fired);
            let remote = remote.clone();
            let worker = thread::spawn(move || {
                for n in 0..EACH {
                    // Now sooner, now later after the loop has handed the last one out, while it
                    // is about to sleep.
                    (0..n * 7 % 61).for_each(|_| spin_loop());
                    // Due at once, or made so by a second command.
                    let timer = remote.arm(if n % 2 == 0 { base } else { far }, name).unwrap();
                    if n % 2 == 1 {
                        timer.reschedule(base).unwrap();
                    }
                    let waiting = Instant::now();
                    for spins in 0_u64.. {
                        if fired.load(Ordering::Acquire) > n {
                            break;
                        }
                        if spins % 512 == 511 {
                            assert!(waiting.elapsed() < 2 * LOST, "the timer fires");
                            thread::yield_now();
                        }
                    }
                    assert_eq!(timer.cancel(), None, "it has fired");
                }
            });
            (ack, worker)
        })
        .unzip();

    let (mut fired, mut slept) = (0, 0);
    while fired < WORKERS * EACH {
        if timers.timeout(base).is_none_or(|timeout| !timeout.is_zero()) {
            sleep.recv_timeout(LOST).expect("a wake-up was lost");
            slept += 1;
        }
        timers.advance(base);
        while let Some(expiry) = timers.pop_expired() {
            acks[expiry.value].fetch_add(1, Ordering::Release);
            fired += 1;
        }
    }
    for worker in workers {
        worker.join().unwrap();
    }
    assert!(timers.is_empty());
    assert!(slept > 0, "it never slept, so nothing was tried");
    let counters = timers.counters();
    assert_eq!((counters.armed, counters.fired), (fired as u64, fired as u64));
}

/// Linux `timer_shutdown`, libuv#2416: what was armed while all shut down was neither refused nor
/// handed back. Of the armer, a canceller and the shutdown, exactly one has each value.
#[test]
fn a_shutdown_that_races_arms_and_cancels_loses_no_value_and_doubles_none() {
    const WORKERS: usize = 3;
    const EACH: usize = 200;
    for round in 0..40 {
        let base = Instant::now();
        let mut timers = Timers::<usize>::new(base);
        let remote = timers.remote(|| ());
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let remote = remote.clone();
                thread::spawn(move || {
                    let mut mine = Vec::new();
                    let mut refused = false;
                    for n in 0..EACH {
                        let value = worker * EACH + n;
                        match remote.arm(base, value) {
                            Ok(timer) if n % 2 == 0 => mine.extend(timer.cancel()),
                            Ok(timer) => {
                                let moved = timer.reschedule(base + Duration::from_millis(1));
                                assert!(!refused, "armed after it was refused");
                                assert_ne!(moved, Err(RescheduleError::Full));
                            }
                            Err(error) => {
                                assert_eq!(error.reason, ArmErrorReason::ShutDown);
                                refused = true;
                                mine.push(error.value);
                            }
                        }
                    }
                    mine
                })
            })
            .collect();
        // The shutdown comes at another point of the work each round; expiries before it.
        let mut seen = vec![0; WORKERS * EACH];
        for _ in 0..round * 5 {
            timers.advance(base);
            while let Some(expiry) = timers.pop_expired() {
                seen[expiry.value] += 1;
            }
        }
        // Handing these over takes a while, with the inbox still open.
        for _ in 0..4_000 {
            timers.insert(base, usize::MAX);
        }
        for value in timers.shut_down() {
            if value != usize::MAX {
                seen[value] += 1;
            }
        }
        for worker in workers {
            for value in worker.join().unwrap() {
                seen[value] += 1;
            }
        }
        let wrong = seen.iter().enumerate().find(|(_, count)| **count != 1);
        assert_eq!(wrong, None, "round {round}: (value, how often it was handed to somebody)");
    }
}

/// Commands of another thread beside a shutdown, in many rounds: what they came to, and all that was
/// handed back, in order.
fn beside_a_shutdown<R: Send>(
    command: impl Fn(&Remote<&'static str>, &RemoteTimer<&'static str>) -> R + Sync,
    check: impl Fn(R, Vec<&'static str>),
) {
    let base = Instant::now();
    for round in 0..4_000 {
        let mut timers = Timers::new(base);
        let remote = timers.remote(|| ());
        let first = remote.arm(base, "first").unwrap();
        assert_eq!(timers.len(), 1);
        timers.insert(base + Duration::from_secs(1), "second");
        let begun = AtomicBool::new(false);
        let (came_to, handed_back) = thread::scope(|scope| {
            let other = scope.spawn(|| {
                begun.store(true, Ordering::Release);
                command(&remote, &first)
            });
            while !begun.load(Ordering::Acquire) {
                thread::yield_now();
            }
            // What was sent by then is taken up, so that only the last command is in the balance.
            (0..round % 50).for_each(|_| assert!(!timers.is_empty()));
            let handed_back = timers.shut_down();
            (other.join().unwrap(), handed_back)
        });
        check(came_to, handed_back);
    }
}

/// A command was sent, and not yet posted: the shutdown did not look, and the armer was told that
/// all was well.
#[test]
fn a_shutdown_that_races_arms_hands_back_each_that_went_well() {
    let now = Instant::now();
    beside_a_shutdown(
        |remote, _| (0..100).filter(|_| remote.arm(now, "third").is_ok()).count(),
        |armed, handed_back| {
            let there = handed_back.iter().filter(|value| **value == "third").count();
            assert_eq!(armed, there, "timers armed, and handed back");
        },
    );
}

/// Nor did it move what was told to be moved.
#[test]
fn a_shutdown_that_races_a_reschedule_heeds_it_or_refuses_it() {
    let late = Instant::now() + Duration::from_secs(3600);
    beside_a_shutdown(
        |_, first| first.reschedule(late),
        |moved, handed_back| match moved {
            Ok(()) => assert_eq!(handed_back, ["second", "first"], "it was moved"),
            Err(error) => assert_eq!(error, RescheduleError::ShutDown),
        },
    );
}

/// Guards dropped on other threads while the loop arms, fires and finally goes: each timer is
/// cancelled or fires, and nothing panics on either side.
#[test]
fn guards_dropped_on_other_threads_race_the_loop_and_its_end() {
    const TIMERS: usize = 20_000;
    let base = Instant::now();
    let mut timers = Timers::<usize>::new(base);
    let (guards, dropper) = channel::<TimerGuard>();
    let other = thread::spawn(move || dropper.into_iter().map(drop).count());
    let mut fired = 0;
    for n in 0..TIMERS {
        let handle = timers.insert(base, n);
        guards.send(timers.guard(handle)).unwrap();
        if n % 10 == 0 {
            timers.advance(base);
            fired += std::iter::from_fn(|| timers.pop_expired()).count() as u64;
        }
    }
    let (left, counters) = (timers.len() as u64, timers.counters());
    assert_eq!(counters.armed, counters.fired + counters.cancelled + left);
    assert_eq!(counters.fired, fired);
    drop(timers);
    drop(guards);
    assert_eq!(other.join().unwrap(), TIMERS);
}
