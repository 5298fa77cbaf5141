//! Traps that other timers fell into, each a test; where it happened stands beside it.

mod common;

use common::{Op, Pair, Random};
use timerwheel::{Interval, MissedTicks, TimerWheel};

fn values<T>(wheel: &mut TimerWheel<T>) -> Vec<T> {
    std::iter::from_fn(|| wheel.pop_expired()).map(|expired| expired.value).collect()
}

// Range.

/// node#4541, tokio#5536, kube#1772: timers an odd power of two away fired at once.
#[test]
fn delays_around_powers_of_two_fire_at_their_tick() {
    for power in [8, 16, 31, 32, 36, 48, 56, 63] {
        for deadline in [(1_u64 << power) - 1, 1 << power, (1 << power) + 1] {
            let mut wheel = TimerWheel::new(0);
            wheel.insert(deadline, ());
            assert_eq!(wheel.next_deadline(), Some(deadline));
            for early in [1, deadline / 2, deadline - 1] {
                wheel.advance(early);
                assert!(early == deadline || wheel.pop_expired().is_none(), "{early}");
            }
            wheel.advance(deadline);
            assert!(wheel.pop_expired().is_some(), "at {deadline}");
        }
    }
}

/// tokio#6612, #6487, #4495; netty 48df2f66b8: the farthest deadline panicked or wrapped.
#[test]
fn the_farthest_deadline_is_accepted_and_never_early() {
    let mut wheel = TimerWheel::new(1);
    let far = wheel.insert(u64::MAX, ());
    assert_eq!((wheel.next_wakeup(), wheel.next_deadline()), (Some(u64::MAX), Some(u64::MAX)));
    wheel.advance(u64::MAX - 1);
    assert!(wheel.pop_expired().is_none() && wheel.contains(far));
}

/// folly 055fce5f7, caffeine 88226ef5c: a deadline in the past wrapped around.
#[test]
fn a_deadline_in_the_past_fires_once_on_the_next_advance() {
    let mut wheel = TimerWheel::new(1000);
    for deadline in [0, 1, 999, 1000] {
        wheel.insert(deadline, deadline);
    }
    assert!(wheel.pop_expired().is_none(), "not before an advance");
    assert_eq!(wheel.next_wakeup(), Some(1000));
    wheel.advance(1000);
    assert_eq!(values(&mut wheel), [0, 1, 999, 1000]);
    wheel.advance(1000);
    assert!(wheel.pop_expired().is_none());
}

/// folly c53bda788, 67cb8eed5: a delay of a whole turn fired in the running slot.
#[test]
fn delays_around_a_whole_turn_from_every_phase_are_exact() {
    for phase in 0..256_u64 {
        for delay in [1, 254, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537] {
            let mut wheel = TimerWheel::new(phase);
            wheel.insert(phase + delay, ());
            wheel.advance(phase + delay - 1);
            assert!(wheel.pop_expired().is_none(), "{delay} from {phase}");
            wheel.advance(phase + delay);
            assert!(wheel.pop_expired().is_some(), "{delay} from {phase}");
        }
    }
}

// Next wake-up.

/// tokio#854, #1700, maitake#446: the sleep was not cut short for an earlier timer.
#[test]
fn an_earlier_timer_brings_the_wakeup_forward() {
    let mut wheel = TimerWheel::new(0);
    for deadline in [1 << 40, 70_000, 300, 5] {
        wheel.insert(deadline, ());
        assert_eq!(wheel.next_wakeup(), Some(deadline));
    }
}

/// tokio#4161, #6752: after cancelling the earliest, the wake-up was late, or never none.
#[test]
fn cancelling_the_earliest_never_makes_the_wakeup_late() {
    let mut wheel = TimerWheel::new(0);
    let handles: Vec<_> = [5, 300, 301, 70_000].map(|deadline| wheel.insert(deadline, ())).into();
    for (handle, next) in handles.into_iter().zip([Some(300), Some(301), Some(70_000), None]) {
        wheel.cancel(handle);
        assert_eq!(wheel.next_deadline(), next);
        assert!(wheel.next_wakeup() <= next);
        wheel.refine_wakeup();
        assert_eq!(wheel.next_wakeup(), next, "refined, it is exact");
    }
}

/// glommio#44, timeout#20: a loop spun on a wake-up that fired nothing.
#[test]
fn a_wakeup_that_fires_nothing_is_followed_by_a_later_one() {
    let mut wheel = TimerWheel::new(0);
    let early: Vec<_> = (1..200).map(|n| wheel.insert(n * 400, n)).collect();
    wheel.insert(1 << 30, 0);
    for handle in early {
        assert!(wheel.reschedule(handle, 1 << 30));
    }
    let mut wakeups = 0;
    loop {
        let wakeup = wheel.next_wakeup().expect("armed");
        assert!(wakeup > wheel.now(), "it moves on");
        wheel.advance(wakeup);
        wakeups += 1;
        if wheel.pop_expired().is_some() {
            break;
        }
    }
    assert!(wakeups < 210, "{wakeups}");
    assert_eq!((wheel.now(), values(&mut wheel).len()), (1 << 30, 199));
}

/// tokio#8274: a reschedule into the past did not wake.
#[test]
fn a_reschedule_into_the_past_is_due_now() {
    let mut wheel = TimerWheel::new(100);
    let handle = wheel.insert(500, ());
    assert!(wheel.reschedule(handle, 50));
    assert_eq!((wheel.next_wakeup(), wheel.next_deadline()), (Some(100), Some(50)));
    wheel.advance(100);
    assert_eq!(wheel.pop_expired().map(|e| (e.deadline, e.late)), Some((50, 50)));
}

/// tokio#8320: clearing left a wake-up behind.
#[test]
fn clearing_leaves_no_wakeup() {
    let mut wheel = TimerWheel::new(0);
    for deadline in [0, 5, 1 << 20] {
        wheel.insert(deadline, ());
    }
    wheel.advance(5);
    wheel.clear();
    assert_eq!((wheel.next_wakeup(), wheel.next_deadline(), wheel.due_len()), (None, None, 0));
}

// Handles.

/// tokio#3558, netty#14959: a handle whose place was used again; a double cancel.
#[test]
fn cancelling_twice_or_late_counts_once() {
    let mut wheel = TimerWheel::new(0);
    let first = wheel.insert(10, 'a');
    assert_eq!((wheel.cancel(first), wheel.cancel(first), wheel.len()), (Some('a'), None, 0));
    let second = wheel.insert(10, 'b');
    assert_eq!((wheel.cancel(first), wheel.len()), (None, 1));
    assert_eq!(wheel.cancel(second), Some('b'));
}

/// bitwheel, glommio#44: a recorded position was trusted after a cascade had moved the entry.
#[test]
fn cancelling_after_cascades_takes_the_right_one() {
    let mut wheel = TimerWheel::new(0);
    let handles: Vec<_> = (0..100).map(|n| wheel.insert(200_000 + n, n)).collect();
    for now in [131_072, 196_608, 199_936] {
        wheel.advance(now);
        wheel.check_invariants();
    }
    for (n, handle) in (0..).zip(&handles).step_by(2) {
        assert_eq!(wheel.cancel(*handle), Some(n));
    }
    wheel.advance(300_000);
    assert_eq!(values(&mut wheel), (0..100).filter(|n| n % 2 == 1).collect::<Vec<_>>());
}

/// tokio#2473, #3270: due, and cancelled or moved before it was collected.
#[test]
fn a_sibling_that_is_due_can_be_cancelled_or_moved_by_a_consumer() {
    let mut wheel = TimerWheel::new(0);
    let handles: Vec<_> = (0..4).map(|n| wheel.insert(7, n)).collect();
    wheel.advance(7);
    assert_eq!(wheel.pop_expired().map(|e| e.value), Some(0));
    assert_eq!(wheel.cancel(handles[1]), Some(1));
    assert!(wheel.reschedule(handles[2], 7), "to the very tick: it waits for the next advance");
    assert_eq!(values(&mut wheel), [3]);
    wheel.advance(7);
    assert_eq!(values(&mut wheel), [2]);
}

/// calloop 0f906b2: an interval that cancelled itself came back.
#[test]
fn an_interval_that_cancels_itself_does_not_come_back() {
    let mut wheel = TimerWheel::new(0);
    let handle = wheel.insert_interval(Interval::new(1, 1).unwrap(), ());
    wheel.advance(5);
    assert_eq!(wheel.pop_expired().map(|e| e.handle), Some(handle));
    assert_eq!(wheel.cancel(handle), Some(()));
    wheel.advance(50);
    assert!(wheel.pop_expired().is_none() && wheel.is_empty());
}

/// tokio's `process_expiration`, moka#248, bngblaster#361: arming into the slot being emptied.
#[test]
fn arming_into_a_slot_that_is_being_emptied_loses_nothing_and_ends() {
    let mut wheel = TimerWheel::new(0);
    for n in 0..50_u64 {
        wheel.insert(256, n);
    }
    let mut fired = 0;
    for now in 256..260 {
        wheel.advance(now);
        while let Some(expired) = wheel.pop_expired() {
            fired += 1;
            if expired.value < 50 {
                wheel.insert(256 + expired.value % 4, 100);
            }
        }
        wheel.check_invariants();
    }
    assert_eq!((fired, wheel.len()), (100, 0));
}

// Clock.

/// HHWT, ratas, agrona#73: eight hours at once.
#[test]
fn a_jump_of_eight_hours_fires_everything_once_and_in_order() {
    let mut wheel = TimerWheel::new(0);
    let mut random = Random(8);
    for _ in 0..10_000 {
        let deadline = 1 + random.below(28_800_000);
        wheel.insert(deadline, deadline);
    }
    let beat = Interval::new(1000, 1000).unwrap().missed(MissedTicks::Skip);
    wheel.insert_interval(beat, 1000);
    wheel.advance(28_800_000);
    let fired: Vec<_> = std::iter::from_fn(|| wheel.pop_expired()).collect();
    assert_eq!(fired.len(), 10_001);
    assert!(fired.is_sorted_by_key(|expired| expired.deadline));
    assert_eq!(fired.iter().map(|expired| expired.missed).sum::<u64>(), 28_799);
    assert_eq!(wheel.next_deadline(), Some(28_801_000));
}

/// camunda#767, theine-go#64: polls that skip ticks left entries behind.
#[test]
fn coarse_polls_leave_nothing_behind() {
    for stride in [7, 100, 255, 256, 257, 1000, 65_537] {
        let mut pair = Pair::<8>::at(3);
        let mut random = Random(stride);
        for _ in 0..40 {
            let deadline = 3 + random.skewed(20);
            pair.apply(Op::Insert { deadline });
        }
        for n in 1..20 {
            pair.apply(Op::Advance { now: 3 + n * stride });
            pair.apply(Op::PopAll);
        }
        pair.finish();
    }
}

// Intervals.

/// tokio#6487: the next tick overflowed.
#[test]
fn a_huge_period_parks_at_the_end_of_time() {
    let mut wheel = TimerWheel::new(10);
    let handle = wheel.insert_interval(Interval::new(11, u64::MAX - 3).unwrap(), ());
    wheel.advance(11);
    assert!(wheel.pop_expired().is_some());
    assert_eq!(wheel.deadline_of(handle), Some(u64::MAX));
}

/// libuv#2259, node#21822: a little late each time, and a drift in the end.
#[test]
fn a_million_late_ticks_leave_no_phase_error() {
    for missed in [MissedTicks::Skip, MissedTicks::Burst] {
        let mut wheel = TimerWheel::new(0);
        wheel.insert_interval(Interval::new(10, 10).unwrap().missed(missed), ());
        for n in 1..=1_000_000 {
            wheel.advance(10 * n + 3);
            assert_eq!(wheel.pop_expired().map(|e| e.deadline), Some(10 * n));
        }
    }
}

/// gateway-x#730: the first tick, at once or after a period.
#[test]
fn the_first_tick_is_where_it_is_asked_for() {
    let mut wheel = TimerWheel::new(50);
    wheel.insert_interval(Interval::new(50, 10).unwrap(), "at once");
    wheel.insert_interval(Interval::new(60, 10).unwrap(), "after a period");
    wheel.advance(50);
    assert_eq!(values(&mut wheel), ["at once"]);
    wheel.advance(60);
    assert_eq!(values(&mut wheel), ["after a period", "at once"], "by arming, at one tick");
}

// Load.

/// glommio#44: fifty thousand equal deadlines, taken with a budget.
#[test]
fn a_budget_takes_equal_deadlines_in_order_and_the_rest_stays_due() {
    let mut wheel = TimerWheel::new(0);
    for n in 0..50_000_u32 {
        wheel.insert(1000, n);
    }
    let mut next = 0;
    for turn in 1000.. {
        wheel.advance(turn);
        for _ in 0..1000 {
            let Some(expired) = wheel.pop_expired() else { break };
            assert_eq!(expired.value, next);
            next += 1;
        }
        if wheel.is_empty() {
            break;
        }
        assert_eq!(wheel.next_wakeup(), Some(turn), "there is more");
    }
    assert_eq!((next, wheel.now()), (50_000, 1049));
}

/// netty#5647, bitwheel: one too many was dropped in silence.
#[test]
fn one_above_the_limit_is_handed_back_and_nothing_is_lost() {
    let mut wheel = TimerWheel::new(0);
    wheel.set_limit(2);
    let first = wheel.try_insert(5, 'a').unwrap();
    wheel.try_insert(6, 'b').unwrap();
    let full = wheel.try_insert(7, 'c').unwrap_err();
    assert_eq!(
        (full.value, full.to_string().as_str()),
        ('c', "the wheel is at its limit of timers")
    );
    assert_eq!(wheel.cancel(first), Some('a'));
    wheel.try_insert(7, 'c').expect("there is room again");
    wheel.advance(9);
    assert_eq!(values(&mut wheel), ['b', 'c']);
}
