//! The slot that comes next is sorted by tick ahead of time: held against the model in every state
//! that leaves it half sorted, and no tick has to move all of it.

mod common;

use common::{Op, Pair, Random};
use timerwheel::TimerWheel;

/// More than two chunks of timers in the next block, one in each tick before it so that each
/// `advance` has something to do, and anything meanwhile.
fn crowd<const BITS: u32>(seed: u64) {
    let block = 1 << BITS;
    let mut random = Random(seed);
    let start = random.below(3 * block);
    let mut pair = Pair::<BITS>::at(start);
    let mut to = start;
    for round in 0..6 {
        let next = (to / block + 1) * block;
        for _ in 0..70 {
            pair.apply(Op::Insert { deadline: next + random.below(block) });
        }
        let steps = 1 + random.below(12);
        for _ in 0..steps {
            pair.apply(Op::Insert { deadline: to + 1 });
            to += 1;
            pair.apply(Op::Advance { now: to });
            let timer = usize::try_from(random.below(pair.armed_so_far() as u64)).unwrap();
            match random.below(10) {
                0..3 => pair.apply(Op::Cancel { timer }),
                3 => pair.apply(Op::Reschedule { timer, deadline: next + random.below(block) }),
                4 => pair.apply(Op::Reschedule { timer, deadline: next + 5 * block }),
                5 => pair.apply(Op::Insert { deadline: next + random.below(block) }),
                6 => pair.apply(Op::Refine),
                7 if round == 3 => pair.apply(Op::Shrink),
                8 if random.below(3) == 0 => clear_away(&mut pair),
                _ => pair.apply(Op::PopAll),
            }
        }
        // Into the block, to its very start, over it, or not yet.
        to = match random.below(4) {
            0 => next.max(to),
            1 => next.max(to) + random.below(block),
            2 => next.max(to) + random.below(4 * block),
            _ => to,
        };
        pair.apply(Op::Advance { now: to });
        if random.below(2) == 0 {
            pair.apply(Op::PopAll);
        }
    }
    pair.finish();
}

/// Cancels all there is, and so many more that every place is swept; a slot may go with the last
/// that was sorted ahead of it.
fn clear_away<const BITS: u32>(pair: &mut Pair<BITS>) {
    for timer in 0..pair.armed_so_far() {
        if pair.is_armed(timer) {
            pair.apply(Op::Cancel { timer });
        }
    }
    let far = pair.now() + (1 << 40);
    for _ in 0..100 << BITS.min(4) {
        let timer = pair.armed_so_far();
        pair.apply(Op::Insert { deadline: far });
        pair.apply(Op::Cancel { timer });
    }
}

#[test]
fn a_half_sorted_slot_agrees_with_the_model() {
    for seed in 0..12 {
        crowd::<2>(seed);
        crowd::<4>(seed);
        crowd::<8>(seed);
    }
}

/// Cancelled so many that the garbage is swept, while the slot is half sorted.
#[test]
fn a_sweep_does_not_forget_what_is_sorted_ahead() {
    let mut pair = Pair::<2>::at(0);
    pair.apply(Op::Insert { deadline: 1 });
    // The earliest come first, so they are sorted first.
    (0..900).for_each(|n| pair.apply(Op::Insert { deadline: if n < 200 { 5 } else { 7 } }));
    pair.apply(Op::Advance { now: 1 });
    for timer in (1..900).filter(|timer| timer % 5 != 0) {
        pair.apply(Op::Cancel { timer });
    }
    pair.finish();
}

/// What is left behind by those that were sorted is bounded like all that is left behind.
#[test]
fn a_sweep_takes_what_was_cancelled_of_what_is_sorted_ahead() {
    let mut wheel = TimerWheel::new(0);
    let crowd: Vec<_> = (0..60_000).map(|n| wheel.insert(256 + n % 256, n)).collect();
    for tick in 1..256 {
        wheel.insert(tick, 0);
        wheel.advance(tick);
        assert!(wheel.pop_expired().is_some());
    }
    assert!(wheel.moved() > 50_000, "most are sorted by now");
    for handle in crowd {
        assert!(wheel.cancel(handle).is_some());
    }
    wheel.check_invariants();
}

/// All that was sorted ahead is swept, and nothing has come into its slot since: the slot is no
/// event any more. It was, with nothing in it to be swept, and `refine_wakeup` looked for ever.
#[test]
fn a_slot_whose_sorted_timers_were_all_swept_is_no_event() {
    let mut wheel = TimerWheel::new(0);
    for tick in 1..256 {
        wheel.insert(tick, 0);
    }
    let crowd: Vec<_> = (0..12_000).map(|n| wheel.insert(256 + n % 256, n)).collect();
    for tick in 1..256 {
        wheel.advance(tick);
        assert!(wheel.pop_expired().is_some());
    }
    for handle in crowd {
        assert!(wheel.cancel(handle).is_some());
    }
    // What is cancelled brings about a round over all slots.
    for _ in 0..30_000 {
        let far = wheel.insert(100_000_000, 1);
        assert!(wheel.cancel(far).is_some());
    }
    wheel.check_invariants();
    wheel.insert(100_000_000, 1);
    wheel.refine_wakeup();
    assert_eq!(wheel.next_deadline(), Some(100_000_000));
    assert!(wheel.next_wakeup() > Some(1_000_000), "nothing is left in the next block");
}

#[test]
fn no_tick_moves_all_of_a_crowded_slot() {
    const CROWD: u64 = 10_000;
    let mut wheel = TimerWheel::new(0);
    for n in 0..CROWD {
        wheel.insert(256 + n % 256, n);
    }
    for tick in 1..256 {
        wheel.insert(tick, CROWD + tick);
    }
    let (mut most, mut fired) = (0, 0);
    for now in 1..512 {
        let before = wheel.moved();
        wheel.advance(now);
        most = most.max(wheel.moved() - before);
        while let Some(expired) = wheel.pop_expired() {
            assert_eq!((expired.deadline, expired.late), (now, 0));
            fired += 1;
        }
    }
    assert_eq!(fired, CROWD + 255);
    assert_eq!(wheel.moved(), 2 * CROWD + 255, "each was moved once and fired");
    assert_eq!(wheel.cascaded(), CROWD, "once, ahead of time or not");
    assert!(most < 150, "{most} moves in one tick");
}

/// While nothing else is due, nothing is sorted either: it would be a wake-up for nothing.
#[test]
fn sorting_ahead_wakes_nobody() {
    let mut wheel = TimerWheel::new(0);
    for n in 0..1_000 {
        wheel.insert(300, n);
    }
    for now in 1..256 {
        wheel.advance(now);
    }
    assert_eq!((wheel.moved(), wheel.next_wakeup()), (0, Some(300)));
}
