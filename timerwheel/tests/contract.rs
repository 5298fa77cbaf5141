//! The ten promises of the crate's manual, in its order: each a test of its name.

mod common;

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

use common::{Op, Pair, Random};
use timerwheel::{Expired, Interval, MissedTicks, TimerHandle, TimerWheel, ZeroPeriod};

fn values<T>(wheel: &mut TimerWheel<T>) -> Vec<T> {
    std::iter::from_fn(|| wheel.pop_expired()).map(|expired| expired.value).collect()
}

// 1. Never early: also in `timers.rs`, for real time.

#[test]
fn never_early_at_any_edge_of_any_level_from_any_phase_of_the_cursor() {
    for level in 0..8 {
        let edge = 1_u64 << (8 * level);
        for phase in (0..256).step_by(5) {
            let start = edge.saturating_mul(phase);
            for delay in [edge.saturating_sub(1), edge, edge.saturating_add(1)] {
                let deadline = start.saturating_add(delay);
                if deadline == start {
                    continue;
                }
                let mut wheel = TimerWheel::new(start);
                wheel.insert(deadline, ());
                wheel.advance(deadline - 1);
                assert!(wheel.pop_expired().is_none(), "{delay} after {start}");
                wheel.advance(deadline);
                assert_eq!(wheel.pop_expired().map(|e| e.deadline), Some(deadline));
            }
        }
    }
}

// 2. Total order.

#[test]
fn expiries_come_by_deadline_and_then_by_arming_across_levels_and_late_polls() {
    for late in [0, 1, 255, 256, 70_000, 1 << 40] {
        let mut wheel = TimerWheel::new(0);
        let mut random = Random(late);
        let mut expected = Vec::new();
        for number in 0..2000_u64 {
            let deadline = 1 + random.skewed(24);
            wheel.insert(deadline, number);
            expected.push((deadline, number));
            if number % 100 == 0 {
                // Some are armed from another point of view.
                wheel.advance(wheel.now().max(number / 100));
                while let Some(expired) = wheel.pop_expired() {
                    expected.retain(|(_, number)| *number != expired.value);
                }
            }
        }
        expected.sort_unstable();
        wheel.advance((1 << 24) + late);
        let order = values(&mut wheel);
        assert_eq!(order, expected.into_iter().map(|(_, number)| number).collect::<Vec<_>>());
    }
}

#[test]
fn a_rescheduled_timer_counts_as_armed_at_the_reschedule() {
    for near in [1, 300, 70_000] {
        let mut wheel = TimerWheel::new(0);
        let first = wheel.insert(near + 10, 'a');
        wheel.insert(near + 20, 'b');
        wheel.insert(near + 20, 'c');
        // To a later deadline and to an earlier one: last among its equals either way.
        assert!(wheel.reschedule(first, near + 20));
        let early = wheel.insert(near + 500, 'd');
        assert!(wheel.reschedule(early, near + 20));
        wheel.advance(1 << 20);
        assert_eq!(values(&mut wheel), ['b', 'c', 'a', 'd']);
    }
}

#[test]
fn equal_deadlines_are_fifo_through_any_number_of_cascades() {
    for level in 0..8_u32 {
        let deadline = (3_u64 << (8 * level)) | 1;
        for cascades in 0..=3_u64 {
            let mut wheel = TimerWheel::new(0);
            for value in ['a', 'b', 'c'] {
                wheel.insert(deadline, value);
            }
            for step in (1..=cascades).rev() {
                wheel.advance(deadline - (deadline / 4).min(step));
            }
            wheel.advance(deadline);
            assert_eq!(values(&mut wheel), ['a', 'b', 'c'], "level {level}, {cascades} steps");
        }
    }
}

// 3. All of u64.

#[test]
fn the_ends_of_time_are_ordinary_deadlines() {
    for start in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
        let mut wheel = TimerWheel::new(start);
        wheel.insert(u64::MAX, 'z');
        wheel.insert(0, 'a');
        wheel.check_invariants();
        wheel.advance(u64::MAX - 1);
        let due: &[char] = if start == u64::MAX { &['a', 'z'] } else { &['a'] };
        assert_eq!(values(&mut wheel), due, "from {start}");
        wheel.advance(u64::MAX);
        assert_eq!(values(&mut wheel).len(), 2 - due.len());
        assert!(wheel.is_empty());
    }
}

// 4. Two phases.

#[test]
fn what_is_armed_while_popping_waits_for_the_next_advance() {
    let mut wheel = TimerWheel::new(0);
    wheel.insert(5, 0_u32);
    for turn in 0..100 {
        wheel.advance(10);
        let mut fired = 0;
        while let Some(expired) = wheel.pop_expired() {
            fired += 1;
            // With no delay at all, and in the past.
            wheel.insert(if turn % 2 == 0 { 10 } else { 3 }, expired.value + 1);
        }
        assert_eq!(fired, 1, "one per advance, or the loop would never end");
        assert_eq!(wheel.next_wakeup(), Some(10), "and the next turn is due at once");
    }
}

#[test]
fn what_is_due_and_not_popped_can_be_cancelled_and_moved() {
    let mut wheel = TimerWheel::new(0);
    let handles = [1, 2, 3].map(|deadline| wheel.insert(deadline, deadline));
    wheel.advance(5);
    assert_eq!(wheel.cancel(handles[0]), Some(1));
    assert!(wheel.reschedule(handles[1], 8));
    assert_eq!(values(&mut wheel), [3]);
    wheel.advance(7);
    assert_eq!(values(&mut wheel), []);
    wheel.advance(8);
    assert_eq!(values(&mut wheel), [2]);
}

// 5. Handles.

#[test]
fn a_stale_handle_never_touches_another_timer() {
    let mut wheel = TimerWheel::new(0);
    let old = wheel.insert(1, "old");
    wheel.advance(1);
    assert_eq!(values(&mut wheel), ["old"]);
    let new = wheel.insert(2, "new");
    assert_ne!(old, new);
    assert_eq!((wheel.cancel(old), wheel.reschedule(old, 9), wheel.get(old)), (None, false, None));
    assert_eq!((wheel.contains(old), wheel.deadline_of(old)), (false, None));
    assert_eq!(wheel.deadline_of(new), Some(2));

    let mut other = TimerWheel::new(0);
    let first = other.insert(1, "first");
    other.cancel(first);
    let foreign = other.insert(1, "other");
    assert_eq!(foreign.to_words()[1..], new.to_words()[1..], "the same place, as often used");
    assert_eq!((wheel.cancel(foreign), wheel.reschedule(foreign, 9)), (None, false));
    wheel.clear();
    assert!(!wheel.contains(new), "cleared");
    let again = wheel.insert(2, "again");
    assert_eq!((wheel.cancel(new), wheel.len()), (None, 1));
    assert_eq!(wheel.cancel(again), Some("again"));
}

#[test]
fn handles_differ_through_any_reuse_and_shrinking() {
    let mut wheel = TimerWheel::new(0);
    let mut seen: HashSet<TimerHandle> = HashSet::new();
    for round in 0..200_u64 {
        let handles: Vec<_> = (0..20).map(|n| wheel.insert(round + n, n)).collect();
        for handle in handles {
            assert!(seen.insert(handle), "{handle:?} comes twice");
            wheel.cancel(handle);
        }
        if round % 10 == 0 {
            wheel.shrink_to_fit();
        }
    }
}

#[test]
fn a_handle_reads_as_its_place_and_how_often_that_was_used() {
    let mut wheel = TimerWheel::new(0);
    let first = wheel.insert(1, ());
    wheel.cancel(first);
    let second = wheel.insert(1, ());
    assert!(format!("{first:?}").starts_with("0v1@"), "{first:?}");
    assert!(format!("{second:?}").starts_with("0v2@"), "{second:?}");
}

#[test]
fn a_wheel_tells_of_its_time_and_what_comes_next() {
    let mut wheel = TimerWheel::new(3);
    wheel.insert(10, "anything");
    assert_eq!(format!("{wheel:?}"), "TimerWheel { now: 3, len: 1, next_wakeup: Some(10), .. }");
}

#[test]
fn an_option_of_a_handle_is_no_larger() {
    assert_eq!(size_of::<Option<TimerHandle>>(), size_of::<TimerHandle>());
    assert!(size_of::<TimerHandle>() <= 16);
}

// 6. Cancel drops the value now: the rest of it is in `memory.rs`.

#[test]
fn cancel_hands_the_value_back_at_once() {
    let mut wheel = TimerWheel::new(0);
    let value = Rc::new(());
    let handle = wheel.insert(1 << 40, Rc::clone(&value));
    assert_eq!(Rc::strong_count(&value), 2);
    drop(wheel.cancel(handle));
    assert_eq!(Rc::strong_count(&value), 1, "long before the deadline");
}

// 7. Intervals.

#[test]
fn an_interval_keeps_its_handle_and_its_phase() {
    let mut wheel = TimerWheel::new(0);
    let handle = wheel.insert_interval(Interval::new(7, 10).unwrap(), ());
    let mut expected = 7;
    for late in [0, 3, 9, 1, 0, 8] {
        wheel.advance(expected + late);
        let Expired { handle: same, deadline, late: told, missed, .. } =
            wheel.pop_expired().unwrap();
        assert_eq!((same, deadline, told, missed), (handle, expected, late, 0));
        expected += 10;
        assert_eq!(wheel.deadline_of(handle), Some(expected), "armed before it is handed out");
    }
}

/// Moved to a whole tick, it is no longer between two of them.
#[test]
fn an_interval_that_is_moved_begins_a_new_phase() {
    let half = 1 << 31;
    for to in [5, 20] {
        let mut wheel = TimerWheel::new(0);
        let every = Interval::new(10, 10).expect("not zero").fraction(half).phase(half);
        let handle = wheel.insert_interval(every, ());
        assert!(wheel.reschedule(handle, to));
        for expected in [to, to + 11, to + 21, to + 32] {
            assert_eq!(wheel.next_deadline(), Some(expected), "moved to {to}");
            wheel.advance(expected);
            assert!(wheel.pop_expired().is_some());
        }
    }
}

#[test]
fn missed_ticks_are_made_up_for_left_out_or_put_off() {
    let run = |missed| {
        let mut wheel = TimerWheel::new(0);
        wheel.insert_interval(Interval::new(10, 10).unwrap().missed(missed), ());
        let mut told = Vec::new();
        for _ in 0..6 {
            // A loop that comes back at once, as `next_wakeup` says.
            wheel.advance(45);
            while let Some(e) = wheel.pop_expired() {
                told.push((e.deadline, e.missed));
            }
        }
        (told, wheel.next_deadline())
    };
    assert_eq!(run(MissedTicks::Burst), (vec![(10, 0), (20, 0), (30, 0), (40, 0)], Some(50)));
    assert_eq!(run(MissedTicks::Skip), (vec![(10, 3)], Some(50)));
    assert_eq!(run(MissedTicks::Delay), (vec![(10, 3)], Some(55)));
}

#[test]
fn an_interval_can_be_cancelled_and_moved_from_inside() {
    let mut wheel = TimerWheel::new(0);
    let handle = wheel.insert_interval(Interval::new(1, 1).unwrap(), ());
    wheel.advance(1);
    assert!(wheel.pop_expired().is_some());
    assert!(wheel.reschedule(handle, 100));
    wheel.advance(100);
    assert_eq!(wheel.pop_expired().map(|e| e.deadline), Some(100));
    assert_eq!(wheel.deadline_of(handle), Some(101), "its period goes on from there");
    assert_eq!(wheel.cancel(handle), Some(()));
    wheel.advance(1000);
    assert!(wheel.pop_expired().is_none());
}

#[test]
fn a_period_of_zero_is_an_error_when_it_is_made() {
    assert_eq!(Interval::new(3, 0), Err(ZeroPeriod));
    let said = ZeroPeriod.to_string();
    assert_eq!(said, "the period of an interval must be longer than zero");
}

// 8. Work. Counted in clones of an interval's value and in expiries, not in time: a jump that
// walked the ticks would not end within the life of this test.

#[test]
fn a_jump_costs_what_is_moved_not_what_has_elapsed() {
    let mut wheel = TimerWheel::new(0);
    for n in 0..10 {
        wheel.insert(1 << (4 * n), n);
    }
    for interval in 1..=3 {
        let missed = [MissedTicks::Skip, MissedTicks::Delay, MissedTicks::Burst][interval - 1];
        wheel.insert_interval(Interval::new(1, 1).unwrap().missed(missed), 100);
    }
    wheel.advance(1 << 60);
    assert_eq!(values(&mut wheel).len(), 13, "each once");
    for jump in 0..1000 {
        wheel.advance((1 << 60) + (jump << 50));
        assert!(values(&mut wheel).len() <= 3);
    }
}

#[test]
fn time_that_goes_backwards_is_ignored() {
    let mut wheel = TimerWheel::new(1000);
    wheel.insert(1500, ());
    wheel.advance(1400);
    wheel.advance(3);
    assert_eq!(wheel.now(), 1400);
    assert!(wheel.pop_expired().is_none());
    wheel.advance(1500);
    assert!(wheel.pop_expired().is_some());
}

// 9. No unsafe code, no std in the core: `forbid` and the build without default features say so.

// 10. Consistency: see `drops.rs` for values.

#[test]
fn a_consumer_that_panics_leaves_the_rest_due_and_in_order() {
    let mut wheel = TimerWheel::new(0);
    for n in 0..10 {
        wheel.insert(n, n);
    }
    wheel.advance(20);
    let popped = Cell::new(0);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        while let Some(expired) = wheel.pop_expired() {
            popped.set(popped.get() + 1);
            assert!(expired.value != 2, "as the test asked");
        }
    }));
    assert!(outcome.is_err());
    assert_eq!((popped.get(), wheel.len()), (3, 7));
    wheel.check_invariants();
    assert_eq!(values(&mut wheel), [3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn the_wheel_goes_where_its_values_may_go() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<TimerWheel<u64>>();
}

#[test]
fn draining_hands_everything_over_in_the_order_of_expiry() {
    let mut pair = Pair::<8>::at(0);
    for deadline in [9, 3, 3, 70_000, 1 << 40, 5] {
        pair.apply(Op::Insert { deadline });
    }
    pair.apply(Op::Advance { now: 4 });
    let drained: Vec<_> = pair.wheel.drain().map(|(_, deadline, name)| (deadline, name)).collect();
    assert_eq!(drained, [(3, 1), (3, 2), (5, 5), (9, 0), (70_000, 3), (1 << 40, 4)]);
    assert!(pair.wheel.is_empty());
    assert!(pair.wheel.pop_expired().is_none());
    pair.wheel.check_invariants();
}
