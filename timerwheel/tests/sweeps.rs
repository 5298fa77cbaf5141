//! Sweeping a slot goes on over many cancels: none of them waits for all of it, and whatever happens
//! in the middle of it, the wheel agrees with the model. And none looks at more than it has to, where
//! timers are cancelled in the order in which they were armed.

mod common;

use std::collections::VecDeque;

use common::{Op, Pair, Random};
use timerwheel::{TimerHandle, TimerWheel};

/// What one cancel or move looks at in a sweep, at most: 128 records for each of 8, in sets of nine.
const MOST: u64 = 114 * 9;

const CROWD: u64 = 200_000;
/// All deadlines of the crowd are in this slot of level 2, and as long as that.
const SLOT: u64 = 65_536;

/// A wheel with all timers in one slot, and their handles in random order.
fn crowd(random: &mut Random) -> (TimerWheel<u64>, Vec<TimerHandle>) {
    let mut wheel = TimerWheel::new(0);
    let insert = |n| wheel.insert(SLOT + n * 7_919 % SLOT, n);
    let mut handles: Vec<_> = (0..CROWD).map(insert).collect();
    for n in (1..handles.len()).rev() {
        let other = usize::try_from(random.below(n as u64 + 1)).unwrap();
        handles.swap(n, other);
    }
    (wheel, handles)
}

/// Does that to the wheel, which may not look at more records than one cancel may; says whether it
/// swept.
fn bounded(wheel: &mut TimerWheel<u64>, change: impl FnOnce(&mut TimerWheel<u64>) -> bool) -> bool {
    let before = wheel.moved();
    assert!(change(wheel));
    let moved = wheel.moved() - before;
    assert!(moved <= MOST, "{moved} records looked at by one call");
    moved > 0
}

/// What is left expires in time and in order: so many timers.
fn expire(wheel: &mut TimerWheel<u64>, left: usize) {
    wheel.check_invariants();
    wheel.advance(10 * SLOT);
    assert_eq!(wheel.due_len(), left);
    let mut last = 0;
    while let Some(expired) = wheel.pop_expired() {
        assert!(last <= expired.deadline, "out of order");
        last = expired.deadline;
    }
}

#[test]
fn no_cancel_sweeps_all_of_a_crowded_slot() {
    let (mut wheel, handles) = crowd(&mut Random(1));
    for (n, handle) in handles.into_iter().enumerate() {
        bounded(&mut wheel, |wheel| wheel.cancel(handle).is_some());
        if n % 25_000 == 0 {
            wheel.check_invariants();
        }
    }
    assert!(wheel.moved() > CROWD, "it was swept more than once: {}", wheel.moved());
    expire(&mut wheel, 0);
}

#[test]
fn nor_does_a_move_out_of_it_or_within_it() {
    let mut random = Random(2);
    let (mut wheel, mut handles) = crowd(&mut random);
    let stay = handles.split_off(150_000);
    let mut left = stay.len();
    for (n, handle) in handles.into_iter().enumerate() {
        bounded(&mut wheel, |wheel| match n % 4 {
            // Out of the slot, and back into it later on.
            0 => wheel.reschedule(handle, 1 + random.below(SLOT - 1)),
            1 => wheel.reschedule(handle, SLOT + random.below(SLOT)),
            _ => wheel.cancel(handle).is_some(),
        });
        left += usize::from(n % 4 < 2);
    }
    for handle in stay {
        bounded(&mut wheel, |wheel| wheel.reschedule(handle, SLOT + random.below(SLOT)));
    }
    assert!(wheel.moved() > CROWD, "it was swept: {}", wheel.moved());
    expire(&mut wheel, left);
}

/// Steps of the wheel sort the front of the slot ahead of time while it is half swept; the last step
/// enters it then.
#[test]
fn a_half_swept_slot_is_sorted_ahead_and_entered() {
    for enter_after in [1, 20, 60] {
        let (mut wheel, handles) = crowd(&mut Random(enter_after));
        wheel.advance(SLOT - 4_000);
        let (mut swept, mut left) = (0, handles.len());
        for handle in handles {
            left -= 1;
            if bounded(&mut wheel, |wheel| wheel.cancel(handle).is_some()) {
                swept += 1;
                let now = wheel.now() + 50;
                wheel.insert(now, CROWD);
                wheel.advance(now);
                assert!(wheel.pop_expired().is_some_and(|expired| expired.late == 0));
            }
            if swept == enter_after {
                break;
            }
        }
        assert_eq!(swept, enter_after, "swept, and not to its end");
        assert_eq!(wheel.len(), left);
        wheel.check_invariants();
        wheel.advance(SLOT);
        expire(&mut wheel, left);
    }
}

/// A crowd in what comes next on a level, some of it sorted ahead, which is cancelled; and after each
/// step of the sweep that this brings about, one of all that may come in the middle of it.
fn crowd_and_sweep<const BITS: u32>(seed: u64) {
    let mut random = Random(seed);
    let level = 1 + u32::try_from(random.below(3)).unwrap();
    let slot = 1 << (level * BITS);
    let start = random.below(1 << (4 * BITS));
    let mut pair = Pair::<BITS>::at(start);
    for _ in 0..3 {
        let next = (pair.now() / slot + 1) * slot;
        let before = next - 1 - random.below(slot.min(8));
        pair.apply(Op::Advance { now: before });
        let crowd = pair.armed_so_far()..pair.armed_so_far() + (128 << BITS);
        let lowest = random.below(slot);
        for _ in crowd.clone() {
            pair.apply(Op::Insert { deadline: next + lowest + random.below(slot - lowest) });
        }
        for _ in 0..random.below(8) {
            step(&mut pair, next);
        }
        for timer in crowd {
            let moved = pair.wheel.moved();
            pair.apply(Op::Cancel { timer });
            if pair.wheel.moved() > moved {
                happen(&mut pair, &mut random, next, slot);
            }
        }
    }
    pair.finish();
}

/// To the next tick, with something due in it.
fn step<const BITS: u32>(pair: &mut Pair<BITS>, end: u64) {
    let now = pair.now() + 1;
    if now < end {
        pair.apply(Op::Insert { deadline: now });
        pair.apply(Op::Advance { now });
    }
}

fn happen<const BITS: u32>(pair: &mut Pair<BITS>, random: &mut Random, next: u64, slot: u64) {
    let now = pair.now();
    let timer = pair.armed_so_far() - 1 - usize::try_from(random.below(100)).unwrap();
    match random.below(12) {
        0 => pair.apply(Op::Insert { deadline: next + random.below(slot) }),
        1 => pair.apply(Op::Reschedule { timer, deadline: next + random.below(slot) }),
        2 => pair.apply(Op::Reschedule { timer, deadline: next + slot + random.below(slot) }),
        3 => {
            // A small slot is swept in between, if one comes before.
            let timer = pair.armed_so_far();
            pair.apply(Op::Insert { deadline: now + 1 });
            pair.apply(Op::Cancel { timer });
            pair.apply(Op::Refine);
        }
        4 | 5 => step(pair, next),
        6 => pair.apply(Op::Advance { now: next }),
        7 => {
            // The slot is emptied, and so many come into it when it comes round again.
            let level = (next ^ (next - 1)).ilog2() / BITS;
            let again = next + (1 << ((level + 1) * BITS));
            pair.apply(Op::Advance { now: next });
            pair.apply(Op::Advance { now: again - 1 });
            for _ in 0..90 {
                pair.apply(Op::Insert { deadline: again + random.below(slot) });
            }
        }
        8 => pair.apply(Op::Advance { now: now + random.below(3 * slot) }),
        9 if random.below(4) == 0 => pair.apply(Op::Shrink),
        10 if random.below(4) == 0 => pair.apply(Op::Clear),
        _ => pair.apply(Op::PopAll),
    }
}

/// What is overdue is taken in the middle of its sweep, and as much is overdue then.
fn overdue_and_sweep<const BITS: u32>(seed: u64) {
    let mut random = Random(seed);
    let mut pair = Pair::<BITS>::at(1_000);
    let overdue = |pair: &mut Pair<BITS>, random: &mut Random| {
        (0..128 << BITS).for_each(|_| pair.apply(Op::Insert { deadline: random.below(1_000) }));
    };
    overdue(&mut pair, &mut random);
    for timer in 0..128 << BITS {
        let moved = pair.wheel.moved();
        pair.apply(Op::Cancel { timer });
        if pair.wheel.moved() > moved && random.below(4) == 0 {
            pair.apply(Op::Advance { now: 1_000 });
            overdue(&mut pair, &mut random);
        }
    }
    for timer in 128 << BITS..pair.armed_so_far() {
        pair.apply(Op::Cancel { timer });
    }
    pair.finish();
}

#[test]
fn what_is_overdue_and_half_swept_agrees_with_the_model() {
    (0..10).for_each(overdue_and_sweep::<1>);
}

#[test]
fn a_half_swept_slot_agrees_with_the_model() {
    (0..60).for_each(crowd_and_sweep::<1>);
    (0..20).for_each(crowd_and_sweep::<2>);
}

#[test]
fn a_slot_that_comes_first_is_refined_in_the_middle_of_its_sweep() {
    let mut in_the_middle = 0;
    for first in 12..=22_u64 {
        let mut wheel = TimerWheel::new(0);
        let mut firsts = Vec::new();
        // Sixty timers in each of forty slots: a step of a sweep, of 114 sets, ends within one of them.
        for slot in 1..=40 {
            firsts.push(wheel.insert(slot * 256, 0));
            (0..59).for_each(|n| _ = wheel.insert(slot * 256 + 100, n));
        }
        let far: Vec<_> = (0..60_000).map(|n| wheel.insert((1 << 40) + n, n)).collect();
        let moved = wheel.moved();
        for handle in far {
            wheel.cancel(handle);
            if wheel.moved() > moved {
                break;
            }
        }
        wheel.advance(first * 256 - 1);
        // Not handed out: that would sweep on.
        let due = wheel.due_len();
        let cancelled = usize::try_from(first).unwrap() - 1;
        wheel.cancel(firsts[cancelled]);
        let before = wheel.moved();
        wheel.refine_wakeup();
        in_the_middle += u32::from(wheel.moved() > before);
        wheel.check_invariants();
        wheel.advance(first * 256 + 100);
        assert_eq!(wheel.due_len() - due, 59, "slot {first}");
    }
    assert!(in_the_middle > 0, "no slot was refined");
}

/// Timeouts, all with the same delay: so many are armed at a time, and each is cancelled before its time.
/// Says how many records a sweep looked at for each.
fn swept_for_each_timeout(armed: u64) -> u64 {
    let mut wheel = TimerWheel::new(0);
    let mut handles: VecDeque<_> = (0..armed).map(|n| wheel.insert(30_000, n)).collect();
    let cancelled = 10 * armed.max(10_000);
    for n in 0..cancelled {
        handles.push_back(wheel.insert(wheel.now() + 30_000, n));
        assert!(handles.pop_front().is_some_and(|oldest| wheel.cancel(oldest).is_some()));
        if n.is_multiple_of(16) {
            wheel.advance(wheel.now() + 1);
        }
        if n.is_multiple_of(cancelled / 10) {
            wheel.check_invariants();
        }
    }
    100 * wheel.moved() / cancelled
}

#[test]
fn timeouts_that_are_cancelled_in_order_are_swept_once() {
    // More than once only where a slot of level 2 holds the last ones too.
    for armed in [30_000, 100_000] {
        let swept = swept_for_each_timeout(armed);
        assert!(swept < 140, "{swept} % of {armed}");
    }
}

/// A cancel that tries fronts looks at as many sets less in the slots behind them.
#[test]
fn the_fronts_that_are_tried_count() {
    let mut wheel = TimerWheel::new(0);
    // Nine sets each: one look goes over eleven slots at least.
    let slots = (1..=250).flat_map(|slot| [slot * 256, slot * 65_536]);
    let insert =
        |wheel: &mut TimerWheel<u64>, slot| (0..81).map(|n| wheel.insert(slot, n)).collect();
    let handles: Vec<TimerHandle> =
        slots.flat_map(|slot| -> Vec<_> { insert(&mut wheel, slot) }).collect();
    let mut most = 0;
    for handle in handles {
        let before = wheel.moved();
        assert!(wheel.cancel(handle).is_some());
        most = most.max(wheel.moved() - before);
    }
    assert!(most > MOST / 2, "it was swept: {most}");
    assert!(most <= MOST - 11 * 9, "{most} records beside the fronts");
}

/// The front of a slot says nothing about the rest of it.
#[test]
fn what_is_cancelled_behind_timers_that_stay_is_swept_too() {
    for stay in [9, 100] {
        let mut wheel = TimerWheel::new(0);
        let mut cancelled = Vec::new();
        for n in 0..600 {
            for slot in 1..=200 {
                let handle = wheel.insert(slot * 256 + n % 256, n);
                if n >= stay {
                    cancelled.push(handle);
                }
            }
        }
        let count = cancelled.len() as u64;
        for (n, handle) in cancelled.into_iter().enumerate() {
            bounded(&mut wheel, |wheel| wheel.cancel(handle).is_some());
            if n % 10_000 == 0 {
                wheel.check_invariants();
            }
        }
        wheel.check_invariants();
        assert!(wheel.moved() < 2 * count, "{} for {count}", wheel.moved());
    }
}

/// And where it misleads altogether: a round sweeps what is armed and passes over what is not. Then garbage is
/// most while the second one is under way.
#[test]
fn garbage_is_bounded_where_the_front_of_each_slot_misleads() {
    let mut wheel = TimerWheel::new(0);
    let (mut fronts, mut rests) = (Vec::new(), Vec::new());
    for n in 0..2_600 {
        for slot in 1..=200 {
            let stays_behind_its_front = slot % 2 == 0;
            if stays_behind_its_front && n >= 2_000 {
                continue;
            }
            let handle = wheel.insert(slot * 256 + n % 256, n);
            if n < 9 && stays_behind_its_front {
                fronts.push(handle);
            } else if n >= 9 && !stays_behind_its_front {
                rests.push(handle);
            }
        }
    }
    for (n, handle) in fronts.into_iter().chain(rests).enumerate() {
        bounded(&mut wheel, |wheel| wheel.cancel(handle).is_some());
        if wheel.moved() > 0 && n % 2_500 == 0 {
            wheel.check_invariants();
        }
    }
    assert!(wheel.moved() > 2 * CROWD, "two rounds: {}", wheel.moved());
}

/// The same with one timer in the first slot of each level, and the garbage in that of the last: the least levels
/// have the most slots for what is allowed.
#[test]
fn garbage_is_bounded_on_levels_of_two_slots() {
    let mut wheel = TimerWheel::<u64, 1>::with_levels(0);
    for level in 0..63 {
        wheel.insert(1 << level, level);
    }
    let last: Vec<_> = (0..1_389).map(|n| wheel.insert(1 << 63, n)).collect();
    for handle in last.into_iter().skip(9) {
        assert!(wheel.cancel(handle).is_some());
        wheel.check_invariants();
    }
}

/// Garbage behind timers that stay left each round just enough, and the next one swept all small slots again.
#[test]
fn small_slots_are_not_swept_for_what_is_cancelled_elsewhere() {
    let mut wheel = TimerWheel::new(0);
    let mut behind = Vec::new();
    for slot in 1..=10 {
        (0..9).for_each(|n| _ = wheel.insert(slot << 32, n));
        (0..2_910).for_each(|n| behind.push(wheel.insert(slot << 32, n)));
    }
    let in_small_slots = |n: u64| {
        let level_1 = (1 + n % 254) * 256;
        level_1 + if n.is_multiple_of(2) { 0 } else { (1 + n / 254 % 254) * 65_536 }
    };
    let mut handles: VecDeque<_> =
        (0..18_000).map(|n| wheel.insert(in_small_slots(n), n)).collect();
    for handle in behind {
        assert!(wheel.cancel(handle).is_some());
    }
    let before = wheel.moved();
    let cancelled = 100_000;
    for n in 0..cancelled {
        assert!(handles.pop_front().is_some_and(|oldest| wheel.cancel(oldest).is_some()));
        handles.push_back(wheel.insert(in_small_slots(18_000 + n), n));
    }
    let swept = wheel.moved() - before;
    assert!(swept < 3 * cancelled, "{swept} for {cancelled}");
}
