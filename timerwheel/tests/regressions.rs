//! One test for each bug found, named for it.

use timerwheel::{Interval, TimerWheel};

/// Sweeping a slot noted the new deadline of an entry that had moved to a later slot as the
/// earliest of this one, and the wake-up for everything in between came too late.
#[test]
fn a_moved_entry_that_is_swept_does_not_delay_the_wakeup_of_others() {
    // The first tick of the slot behind, or far away.
    for (to, next) in [(512, 512), (10_000, 600)] {
        let mut wheel = TimerWheel::new(0);
        let moved = wheel.insert(300, "moved");
        wheel.insert(600, "waiting");
        assert!(wheel.reschedule(moved, to));
        wheel.refine_wakeup();
        wheel.check_invariants();
        assert_eq!(wheel.next_wakeup(), Some(next));
    }
}

/// The balance was looked at when timers were cancelled or moved, not when they fired: once the
/// many that had made the garbage bearable were gone, it stayed until its deadline.
#[test]
fn garbage_stays_bounded_when_the_timers_beside_it_fire() {
    let mut wheel = TimerWheel::new(0);
    let far: Vec<_> = (0..35_000).map(|n| wheel.insert((1 << 30) + n, n)).collect();
    for n in 0..40_000 {
        wheel.insert(10, n);
    }
    for handle in far {
        assert!(wheel.cancel(handle).is_some());
    }
    wheel.check_invariants();
    wheel.advance(10);
    while wheel.pop_expired().is_some() {
        if wheel.len().is_multiple_of(8_000) {
            wheel.check_invariants();
        }
    }
    wheel.check_invariants();
}

/// What was cancelled while it was due stayed in the queue until somebody popped: a loop that takes
/// a few expiries a turn, or none while it is overloaded, grew.
#[test]
fn the_queue_of_what_is_due_does_not_grow_with_what_was_cancelled_or_moved_in_it() {
    let mut wheel = TimerWheel::new(0);
    let moved = wheel.insert(0, u64::MAX);
    let mut most = 0;
    for now in 1..=50_000 {
        let cancelled = wheel.insert(0, now);
        wheel.advance(now);
        assert!(wheel.cancel(cancelled).is_some());
        assert!(wheel.reschedule(moved, now));
        most = most.max(wheel.heap_bytes());
    }
    assert!(most < 1 << 20, "{most} bytes for one timer");
    wheel.check_invariants();
    wheel.advance(50_000);
    assert_eq!(wheel.pop_expired().map(|expired| expired.value), Some(u64::MAX));
    assert!(wheel.pop_expired().is_none());
}

/// With all that was due cancelled, the wake-up was now, and stayed now through any number of
/// advances, until somebody popped.
#[test]
fn what_was_cancelled_while_it_was_due_asks_for_no_wakeup() {
    let mut wheel = TimerWheel::new(0);
    let due = wheel.insert(3, "due");
    wheel.insert(50, "later");
    wheel.advance(3);
    assert_eq!((wheel.next_wakeup(), wheel.due_len()), (Some(3), 1));
    assert_eq!(wheel.cancel(due), Some("due"));
    assert_eq!((wheel.next_wakeup(), wheel.due_len()), (Some(50), 0));
    wheel.advance(50);
    assert_eq!(wheel.pop_expired().map(|expired| expired.value), Some("later"));
}

/// A slot with nothing but the end of time in it had no note of that, for an empty one says the same:
/// each look at what comes next went over it again, as often as there was work allowed for it.
#[test]
fn a_timer_at_the_end_of_time_is_not_swept_at_every_look() {
    let mut wheel = TimerWheel::new(0);
    wheel.insert(u64::MAX, ());
    for _ in 0..10 {
        wheel.refine_wakeup();
        assert_eq!(wheel.next_deadline(), Some(u64::MAX));
    }
    assert_eq!(wheel.moved(), 0, "nothing to clear away");
}

/// A place counts its timers, and one that has been in use for long is far up. Places that were given
/// back went on counting from the highest of all, and wore out after a few timers each.
#[test]
fn what_is_given_back_by_an_empty_wheel_begins_anew_and_old_handles_stay_stale() {
    let mut wheel = TimerWheel::new(0);
    let mut old = Vec::new();
    for n in 0..1_000 {
        let handle = wheel.insert(10, n);
        assert_eq!(wheel.cancel(handle), Some(n));
        old.push(handle);
    }
    wheel.shrink_to_fit();
    let fresh = wheel.insert(10, 0);
    assert_eq!(fresh.to_words()[2], 1, "the first timer of its place");
    for handle in old {
        assert!(!wheel.contains(handle) && wheel.cancel(handle).is_none());
    }
    assert_eq!(wheel.cancel(fresh), Some(0));
    wheel.check_invariants();
}

/// Many intervals that are due are fetched together, and what was read of them was added up: their
/// periods can be more than a `u64` holds.
#[test]
fn many_intervals_of_the_longest_period_are_handed_out_together() {
    let mut wheel = TimerWheel::new(0);
    for n in 0..1_000_u64 {
        wheel.insert_interval(Interval::new(1, u64::MAX).expect("not zero"), n);
    }
    wheel.advance(1);
    for n in 0..1_000 {
        assert_eq!(wheel.pop_expired().map(|expired| expired.value), Some(n));
    }
    assert!(wheel.pop_expired().is_none());
    wheel.check_invariants();
}
