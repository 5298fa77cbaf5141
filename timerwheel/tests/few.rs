//! Where timers are sparse, the few that come next are sorted at the bottom, beside the slots: held against
//! the model while anything happens to them there.

mod common;

use common::{Op, Pair, Random};
use timerwheel::TimerWheel;

/// A few timers at a time over a slot of any level, with all that can happen to one of them before it
/// is due; among them some in the same ticks, as there are from slots beside the bottom.
fn few<const BITS: u32>(seed: u64) {
    let mut random = Random(seed);
    let mut pair = Pair::<BITS>::at(random.below(1 << 40));
    for _ in 0..12 {
        let reach = 1 << (BITS * (1 + u32::try_from(random.below(4)).unwrap()));
        for _ in 0..random.below(40) {
            let deadline = pair.now() + reach + random.below(reach);
            pair.apply(Op::Insert { deadline });
        }
        for _ in 0..random.below(60) {
            let now = pair.now();
            let recent = 1 + random.below(40.min(pair.armed_so_far() as u64).max(1));
            let timer = pair.armed_so_far().saturating_sub(usize::try_from(recent).unwrap());
            let soon = now + random.below(reach / 8 + 2);
            pair.apply(match random.below(20) {
                0..3 => Op::Cancel { timer },
                3..5 => Op::Reschedule { timer, deadline: soon },
                5 => Op::Reschedule { timer, deadline: now + 2 * reach + random.below(reach) },
                6 => Op::Reschedule { timer, deadline: now + 9 },
                7 => Op::Insert { deadline: now + 9 },
                8 => Op::Insert { deadline: soon },
                9 => Op::Refine,
                10 if random.below(9) == 0 => Op::Shrink,
                10..12 => Op::Pop,
                12..18 => Op::Advance { now: now + random.below(reach / 8 + 2) },
                _ => Op::PopAll,
            });
        }
        let now = pair.now();
        pair.apply(Op::Advance { now: now + random.below(3 * reach) });
    }
    pair.finish();
}

/// The same beside a crowd that is sorted ahead of time, with steps of a tick or two over the borders: a few in
/// some slots, many in others.
fn few_beside_a_crowd(seed: u64) {
    let (mut random, block) = (Random(seed), 1 << 6);
    let mut pair = Pair::<6>::at(random.below(1 << 18));
    for _ in 0..3 {
        let border = (pair.now() / block / block + 1) * block * block;
        for slot in 0..4 {
            let many = if random.below(2) == 0 { 60 } else { 6 };
            for _ in 0..random.below(many) {
                let deadline = border + slot * block + random.below(block);
                pair.apply(Op::Insert { deadline });
            }
        }
        pair.apply(Op::Advance { now: border - 1 - random.below(90) });
        while pair.now() < border + 4 * block {
            let now = pair.now() + 1 + random.below(3) * random.below(3);
            let timer = usize::try_from(random.below(pair.armed_so_far() as u64 + 1)).unwrap();
            let soon = now + random.below(3 * block);
            pair.apply(match random.below(16) {
                0 => Op::Cancel { timer },
                1 => Op::Reschedule { timer, deadline: soon },
                2 | 3 => Op::Insert { deadline: soon },
                4 => Op::Insert { deadline: now + 1 },
                5 => Op::Refine,
                _ => Op::PopAll,
            });
            pair.apply(Op::Advance { now });
        }
    }
    pair.finish();
}

#[test]
fn a_few_timers_beside_a_crowd_agree_with_the_model() {
    for seed in 0..60 {
        few_beside_a_crowd(seed);
    }
}

#[test]
fn a_few_timers_agree_with_the_model_whatever_happens_to_them() {
    for seed in 0..100 {
        few::<8>(seed);
        few::<6>(seed);
        few::<4>(seed);
        few::<3>(seed);
    }
}

/// In one wheel, `n` timers of 300 ticks that are at the bottom.
fn at_the_bottom(n: usize) -> (TimerWheel<usize>, Vec<timerwheel::TimerHandle>) {
    let mut wheel = TimerWheel::new(0);
    let handles = (0..n).map(|n| wheel.insert(300 + n as u64, n)).collect();
    wheel.advance(256);
    assert_eq!(wheel.moved(), n as u64, "taken out of their slot");
    (wheel, handles)
}

#[test]
fn equal_deadlines_at_the_bottom_and_in_a_slot_come_in_the_order_of_arming() {
    let (mut wheel, handles) = at_the_bottom(3);
    wheel.insert(301, 10);
    // Counts as armed now, and moves on without leaving the bottom.
    assert!(wheel.reschedule(handles[0], 301));
    wheel.insert(301, 11);
    wheel.advance(400);
    wheel.check_invariants();
    let order: Vec<_> = core::iter::from_fn(|| wheel.pop_expired()).map(|due| due.value).collect();
    assert_eq!(order, [1, 10, 0, 11, 2]);
}

#[test]
fn what_is_cancelled_or_put_off_at_the_bottom_wakes_nobody_who_asks() {
    let (mut wheel, handles) = at_the_bottom(4);
    assert_eq!((wheel.next_wakeup(), wheel.next_deadline()), (Some(300), Some(300)));
    assert_eq!(wheel.cancel(handles[0]), Some(0));
    assert!(wheel.reschedule(handles[1], 90_000));
    assert_eq!((wheel.next_wakeup(), wheel.next_deadline()), (Some(300), Some(302)));
    wheel.refine_wakeup();
    wheel.check_invariants();
    assert_eq!((wheel.next_wakeup(), wheel.next_deadline()), (Some(302), Some(302)));
    assert_eq!(wheel.cancel(handles[2]), Some(2));
    assert_eq!(wheel.cancel(handles[3]), Some(3));
    assert_eq!(wheel.refine_deadline(), Some(90_000));
    assert_eq!(wheel.next_wakeup(), Some(90_000));
}

/// The record of who was cancelled comes up and finds another timer under that number, which has a record of
/// its own there: it was taken out, and moved once more.
#[test]
fn a_record_of_who_had_the_number_before_moves_nobody() {
    let mut wheel = TimerWheel::new(0);
    let before = wheel.insert(126_236, "before");
    wheel.advance(65_536);
    assert_eq!(wheel.cancel(before), Some("before"));
    wheel.insert(126_436, "after");
    wheel.advance(126_208);
    assert_eq!(wheel.moved(), 2, "both at the bottom");
    wheel.advance(126_300);
    wheel.check_invariants();
    assert_eq!((wheel.next_wakeup(), wheel.refine_deadline()), (Some(126_436), Some(126_436)));
    wheel.advance(126_436);
    assert_eq!(wheel.pop_expired().map(|due| due.value), Some("after"));
    assert_eq!((wheel.moved(), wheel.cascaded()), (4, 2), "each record once");
}

/// An earlier timer in a slot comes before the bottom, and the other way round.
#[test]
fn the_next_deadline_is_the_earlier_of_the_bottom_and_the_slots() {
    let (mut wheel, _) = at_the_bottom(2);
    let sooner = wheel.insert(270, 7);
    assert_eq!((wheel.next_wakeup(), wheel.next_deadline()), (Some(270), Some(270)));
    wheel.insert(70_000, 8);
    assert_eq!(wheel.cancel(sooner), Some(7));
    wheel.refine_wakeup();
    assert_eq!((wheel.next_wakeup(), wheel.next_deadline()), (Some(300), Some(300)));
}

/// Else those that are put off all the time would leave no room there for others.
#[test]
fn what_was_put_off_goes_back_to_a_far_slot_and_not_to_the_bottom() {
    let mut wheel = TimerWheel::new(0);
    let put_off: Vec<_> = (0..32).map(|n| wheel.insert(70_000 + n, ())).collect();
    for handle in put_off {
        assert!(wheel.reschedule(handle, 10_000_000));
    }
    for n in 0..32 {
        wheel.insert(140_000 + n, ());
    }
    for tick in [1 << 16, 2 << 16, 140_000 >> 8 << 8, 140_100] {
        wheel.advance(tick);
        wheel.check_invariants();
    }
    assert_eq!(wheel.due_len(), 32);
    assert_eq!(wheel.moved(), 32 + 2 * 32, "the others were moved to the bottom and to the queue");
}

/// Sorted into the level below, each would be moved once more.
#[test]
fn a_few_are_not_sorted_ahead_of_time_however_busy_the_ticks_before_are() {
    let (few, busy) = (20, 255);
    let mut wheel = TimerWheel::new(0);
    for n in 0..few {
        wheel.insert((1 << 16) + 1_000 * n, ());
    }
    for now in (1 << 16) - busy..=(1 << 17) {
        if now < 1 << 16 {
            wheel.insert(now + 1, ());
        }
        wheel.advance(now);
        while wheel.pop_expired().is_some() {}
    }
    assert!(wheel.is_empty());
    assert!(wheel.moved() <= 2 * few + busy + 1, "{} moves", wheel.moved());
}

/// What there is no room for is filed level by level, as where timers are many.
#[test]
fn a_slot_for_which_the_bottom_has_no_room_is_filed_as_ever() {
    let mut wheel = TimerWheel::new(0);
    let block = 1 << 16;
    for n in 0..30 {
        wheel.insert(block + 2_000 * n, n);
    }
    wheel.advance(block);
    for n in 0..3 {
        wheel.insert(block + 300 + n, 100 + n);
    }
    for tick in [256, 300, 400, 59_000] {
        wheel.advance(block + tick);
        wheel.check_invariants();
    }
    let order: Vec<_> = core::iter::from_fn(|| wheel.pop_expired()).map(|due| due.value).collect();
    assert!(order.into_iter().eq([0, 100, 101, 102].into_iter().chain(1..30)));
}
