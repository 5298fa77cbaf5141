//! `Remote`: other threads arm and cancel; the value has exactly one taker.

#![cfg(feature = "std")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use timerwheel::{ArmErrorReason, RescheduleError, Timers};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A waker that counts.
fn counting() -> (Arc<AtomicUsize>, impl Fn() + Send + Sync + 'static) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    (wakes, move || _ = counter.fetch_add(1, Ordering::SeqCst))
}

#[test]
fn the_loop_is_woken_for_an_earlier_deadline_only() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let (wakes, wake) = counting();
    let remote = timers.remote(wake);
    let armed = |delay| drop(remote.arm(base + ms(delay), delay).unwrap());

    armed(100);
    assert_eq!(wakes.load(Ordering::SeqCst), 0, "the loop is awake and will ask");
    assert!(timers.timeout(base).is_some_and(|t| t >= ms(100)));
    armed(200);
    assert_eq!(wakes.load(Ordering::SeqCst), 0, "later than it sleeps");
    armed(50);
    armed(60);
    assert_eq!(wakes.load(Ordering::SeqCst), 1, "earlier, and told once");
    armed(40);
    assert_eq!(wakes.load(Ordering::SeqCst), 2, "earlier still");
    assert!(timers.timeout(base).is_some_and(|t| t <= ms(42)));
    timers.advance(base + ms(500));
    let order: Vec<_> =
        std::iter::from_fn(|| timers.pop_expired()).map(|expiry| expiry.value).collect();
    assert_eq!(order, [40, 50, 60, 100, 200]);
}

#[test]
fn a_full_inbox_hands_the_value_back() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    timers.set_inbox_limit(2);
    let remote = timers.remote(|| ());
    let first = remote.arm(base, 1).unwrap();
    remote.arm(base, 2).unwrap();
    let refused = remote.arm(base, 3).unwrap_err();
    assert_eq!((refused.value, refused.reason), (3, ArmErrorReason::Full));
    assert_eq!(refused.to_string(), "the inbox of the timers is full");
    assert_eq!(first.reschedule(base + ms(1)), Err(RescheduleError::Full));
    assert_eq!(timers.len(), 2);
    remote.arm(base, 3).expect("there is room again");
    assert_eq!(timers.len(), 3);
}

#[test]
fn shutting_down_hands_everything_back_and_refuses_what_comes_later() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let remote = timers.remote(|| ());
    timers.insert(base + ms(5), "local");
    let timer = remote.arm(base + ms(1), "taken up").unwrap();
    assert_eq!(timers.len(), 2);
    remote.arm(base + ms(9), "in the inbox").unwrap();
    assert_eq!(timers.shut_down(), ["taken up", "local", "in the inbox"]);
    let refused = remote.arm(base, "late").unwrap_err();
    assert_eq!((refused.value, refused.reason), ("late", ArmErrorReason::ShutDown));
    assert_eq!(timer.reschedule(base), Err(RescheduleError::ShutDown));
    assert_eq!(timer.cancel(), None, "it was handed back above");
}

#[test]
fn cancelling_and_moving_work_before_and_after_the_loop_has_taken_it_up() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let remote = timers.remote(|| ());
    let before = remote.arm(base + ms(1), "before").unwrap();
    assert_eq!(before.cancel(), Some("before"));
    assert_eq!(timers.len(), 0, "never armed");

    let after = remote.arm(base + ms(1), "after").unwrap();
    assert_eq!(timers.len(), 1);
    after.reschedule(base + ms(50)).unwrap();
    timers.advance(base + ms(20));
    assert!(timers.pop_expired().is_none());
    assert!(after.is_armed());
    assert_eq!(after.cancel(), Some("after"));
    assert_eq!(timers.len(), 0);

    let fired = remote.arm(base + ms(30), "fired").unwrap();
    timers.advance(base + ms(40));
    assert_eq!(timers.pop_expired().map(|expiry| expiry.value), Some("fired"));
    assert!(!fired.is_armed());
    assert_eq!(fired.cancel(), None);
    assert_eq!(timers.len(), 0);
}

#[test]
fn a_cancel_by_the_loop_takes_the_value_too() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let remote = timers.remote(|| ());
    let timer = remote.arm(base + ms(1), 7).unwrap();
    assert_eq!(timers.len(), 1);
    let (handle, value) =
        timers.iter().next().map(|(handle, value)| (handle, value.copied())).unwrap();
    assert_eq!(value, None, "shared with another thread, so not shown");
    assert_eq!(timers.cancel(handle), Some(7));
    assert_eq!(timer.cancel(), None);
}

/// Threads arm and cancel while the loop expires: each value is handed to exactly one side, and
/// none is lost. Bounded in work, not in time; no order of events is assumed.
#[test]
fn of_a_cancel_and_an_expiry_that_race_exactly_one_has_the_value() {
    const THREADS: usize = 3;
    const EACH: usize = 3_000;
    let base = Instant::now();
    let mut timers = Timers::<usize>::new(base);
    let remote = timers.remote(|| ());
    let (done, finished) = channel();
    let workers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (remote, done) = (remote.clone(), done.clone());
            thread::spawn(move || {
                let mut taken = Vec::new();
                let mut armed = Vec::new();
                for n in 0..EACH {
                    let value = thread * EACH + n;
                    let deadline = base + Duration::from_micros((n as u64 * 37) % 5_000);
                    // A full inbox is waited for: the loop is turning.
                    let timer = loop {
                        match remote.arm(deadline, value) {
                            Ok(timer) => break timer,
                            Err(refused) => assert_eq!(refused.reason, ArmErrorReason::Full),
                        }
                        thread::yield_now();
                    };
                    armed.push(timer);
                    if n % 3 == 0 {
                        let timer = armed.swap_remove((n * 7) % armed.len());
                        taken.extend(timer.cancel());
                    }
                    if let Some(timer) = armed.get((n * 11) % EACH) {
                        // A full inbox may refuse this one.
                        let _ = timer.reschedule(deadline);
                    }
                }
                for timer in armed.into_iter().step_by(2) {
                    taken.extend(timer.cancel());
                }
                done.send(taken).unwrap();
            })
        })
        .collect();
    drop(done);

    let mut seen = vec![0_u32; THREADS * EACH];
    let mut running = THREADS;
    let mut now = base;
    let begun = Instant::now();
    while running > 0 || !timers.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "a worker has died, or values are lost");
        now += Duration::from_micros(50);
        timers.advance(now);
        while let Some(expiry) = timers.pop_expired() {
            seen[expiry.value] += 1;
        }
        while let Ok(taken) = finished.try_recv() {
            running -= 1;
            for value in taken {
                seen[value] += 1;
            }
        }
    }
    for worker in workers {
        worker.join().unwrap();
    }
    assert!(seen.iter().all(|count| *count == 1), "each value once");
}
