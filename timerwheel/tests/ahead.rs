//! What comes next on each level is sorted ahead of time: held against the model in every state that
//! leaves it half sorted, and no tick has to move all of it.

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

/// The same on all levels at once: more than two chunks of timers in what comes next on one, on another
/// every time, some of them within the first slots of it, and steps up to its very start.
fn crowd_above<const BITS: u32>(seed: u64) {
    let mut random = Random(seed);
    let start = random.below(1 << (4 * BITS));
    let mut pair = Pair::<BITS>::at(start);
    let mut now = start;
    for round in 0..5 {
        let level = 2 + u32::try_from(random.below(2)).unwrap();
        let slot = 1 << (level * BITS);
        let next = (now / slot + 1) * slot;
        let within = if random.below(2) == 0 { slot } else { 1 << BITS };
        // Not all the way to it, which would take long on many slots.
        now = now.max(next - 1 - random.below(slot.min(40)));
        pair.apply(Op::Advance { now });
        for _ in 0..90 {
            pair.apply(Op::Insert { deadline: next + random.below(within) });
        }
        let step = 1 + random.below(3);
        while now + step < next {
            pair.apply(Op::Insert { deadline: now + 1 });
            now += step;
            pair.apply(Op::Advance { now });
            let timer = usize::try_from(random.below(pair.armed_so_far() as u64)).unwrap();
            match random.below(12) {
                0..3 => pair.apply(Op::Cancel { timer }),
                3 => pair.apply(Op::Reschedule { timer, deadline: next + random.below(slot) }),
                4 => pair.apply(Op::Reschedule { timer, deadline: next + 5 * slot }),
                5..7 => pair.apply(Op::Insert { deadline: next + random.below(within) }),
                7 => pair.apply(Op::Refine),
                8 if round == 3 => pair.apply(Op::Shrink),
                9 if random.below(9) == 0 => clear_away(&mut pair),
                _ => pair.apply(Op::PopAll),
            }
        }
        // To the very start, into the block, over it, or not yet.
        now = match random.below(4) {
            0 => next,
            1 => next + random.below(slot),
            2 => next + random.below(4 * slot),
            _ => now,
        };
        pair.apply(Op::Advance { now });
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

#[test]
fn half_sorted_slots_of_higher_levels_agree_with_the_model() {
    for seed in 0..40 {
        crowd_above::<1>(seed);
        crowd_above::<2>(seed);
        crowd_above::<3>(seed);
    }
    (0..6).for_each(crowd_above::<8>);
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

/// Steps to `end`, with something due in each step and what `arm` arms after it; says how many
/// entries at most a step moved beyond those that were due.
fn most_beyond_due<const BITS: u32>(
    wheel: &mut TimerWheel<u64, BITS>,
    step: u64,
    end: u64,
    mut arm: impl FnMut(&mut TimerWheel<u64, BITS>),
) -> u64 {
    let mut most = 0;
    while wheel.now() < end {
        let now = wheel.now() + step;
        wheel.insert(now, 0);
        let before = wheel.moved();
        wheel.advance(now);
        let moved = wheel.moved() - before;
        most = most.max(moved - wheel.due_len() as u64);
        let mut last = 0;
        while let Some(expired) = wheel.pop_expired() {
            assert!(expired.late < step && last <= expired.deadline, "in time and in order");
            last = expired.deadline;
        }
        arm(wheel);
    }
    wheel.check_invariants();
    most
}

/// Four sets of nine are a batch, and there are two levels to be sorted, or three.
const BATCHES: u64 = 3 * 4 * 9;

/// As keep-alive timeouts are armed: all for the same time, over time. Before each slot of level 2
/// nearly all of them are in it.
#[test]
fn no_tick_moves_all_of_a_slot_of_level_2() {
    const CROWD: u64 = 200_000;
    const DELAY: u64 = 60_000;
    for (step, bound) in [(1, BATCHES), (7, 2 * BATCHES), (30, 5 * BATCHES)] {
        let mut wheel = TimerWheel::new(0);
        let per_step = CROWD * step / DELAY;
        let most = most_beyond_due(&mut wheel, step, 140_000, |wheel| {
            (0..per_step).for_each(|n| _ = wheel.insert(wheel.now() + DELAY, n));
        });
        assert!(wheel.len() as u64 > per_step * (DELAY / step - 1), "they are armed all the time");
        assert!(most <= bound, "{most} moves beyond what was due in a step of {step}");
    }
}

/// A timer for each tick of the slot and more, in any order; they are all moved on by one level, and
/// that twice.
#[test]
fn no_tick_moves_all_of_a_slot_that_was_full_before() {
    const CROWD: u64 = 200_000;
    const SLOT: u64 = 65_536;
    for (step, bound) in [(1, BATCHES), (7, 2 * BATCHES)] {
        let mut wheel = TimerWheel::new(0);
        for n in 0..CROWD {
            wheel.insert(SLOT + n * 7_919 % SLOT, n);
        }
        let most = most_beyond_due(&mut wheel, step, 2 * SLOT, |_| ());
        assert_eq!(wheel.len(), 0);
        assert!(wheel.cascaded() <= 2 * CROWD + 2 * SLOT / 256, "{}", wheel.cascaded());
        assert!(most <= bound, "{most} moves beyond what was due in a step of {step}");
    }
}

/// Levels of 16 slots, so that one can go on to level 4: where all that was sorted ahead, on three
/// levels, becomes current at once.
#[test]
fn no_tick_moves_all_of_a_slot_of_any_level() {
    for level in 2..5 {
        let slot = 1_u64 << (4 * level);
        let crowd = 12 * slot;
        let mut wheel = TimerWheel::<u64, 4>::with_levels(0);
        for n in 0..crowd {
            wheel.insert(slot + n % slot, n);
        }
        let most = most_beyond_due(&mut wheel, 1, 2 * slot, |_| ());
        assert_eq!(wheel.len(), 0);
        assert!(most < 2 * BATCHES, "{most} moves in a tick before level {level}");
    }
}

/// After many ticks with nothing to do, there is not all to be made up for at once.
#[test]
fn a_step_after_a_rest_sorts_no_more_than_two_thousand() {
    let mut wheel = TimerWheel::new(0);
    for n in 0..200_000 {
        wheel.insert(65_536 + n % 65_536, n);
    }
    wheel.insert(1, 0);
    wheel.advance(1);
    assert!(wheel.pop_expired().is_some());
    for now in [40_000, 60_000] {
        wheel.insert(now, 0);
        let before = wheel.moved();
        wheel.advance(now);
        let moved = wheel.moved() - before;
        assert!((1_000..3_000).contains(&moved), "{moved} moves at {now}");
        assert!(wheel.pop_expired().is_some());
    }
    wheel.check_invariants();
}

/// What waits to be popped takes no advance any longer, so it is no reason to sort more.
#[test]
fn a_step_beside_a_queue_that_is_not_popped_sorts_no_more_than_two_thousand() {
    let mut wheel = TimerWheel::new(0);
    for n in 0..200_000 {
        wheel.insert(65_536 + n % 65_536, n);
        wheel.insert(1, n);
    }
    wheel.advance(1);
    for now in [30_000, 60_000] {
        wheel.insert(now, 0);
        let before = wheel.moved();
        wheel.advance(now);
        assert!(wheel.moved() - before < 3_000, "{} moves at {now}", wheel.moved() - before);
    }
}

/// Judged by its last step alone, such a loop would come with every tick.
#[test]
fn a_loop_that_comes_in_bursts_has_what_comes_next_sorted_in_time() {
    for (burst, period) in [(2, 200), (5, 200), (10, 200), (10, 1_000), (200, 2_000)] {
        let (mut wheel, mut most) = (TimerWheel::new(0), 0);
        for n in 0..200_000 {
            wheel.insert(65_536 + n * 7919 % 65_536, n);
        }
        let times = (1..65_536).filter(|now| now % period < burst);
        for now in times.chain([65_536]) {
            wheel.insert(now, 0);
            let before = wheel.moved();
            wheel.advance(now);
            most = most.max(wheel.moved() - before);
            while wheel.pop_expired().is_some() {}
        }
        assert!(most < 3_000, "{most} moves in a step, of which {burst} come in {period} ticks");
    }
}

/// At first there is no other level than the lowest, and nothing to look for.
#[test]
fn what_is_armed_on_a_level_that_was_not_there_is_sorted_as_well() {
    let mut wheel = TimerWheel::<u64>::new(0);
    let most = most_beyond_due(&mut wheel, 1, 1_000, |wheel| {
        (0..200).for_each(|n| _ = wheel.insert(wheel.now() + 100, n));
    });
    assert!(most <= 3 * 200 + BATCHES, "{most} moves in a tick in which 200 are armed");
}

/// The last slot of the highest level that there is comes before no other. What is armed later, on a
/// level more, is sorted as ever.
#[test]
fn sorting_goes_on_after_the_last_slot_of_the_highest_level() {
    let mut wheel = TimerWheel::<u64, 4>::with_levels(0);
    let mut crowd = |wheel: &mut TimerWheel<u64, 4>| {
        let next = wheel.now() / 16 * 16 + 16;
        if wheel.now() % 16 == 0 {
            (0..2_000).for_each(|n| _ = wheel.insert(next + n % 16, n));
        }
    };
    let most = most_beyond_due(&mut wheel, 1, 1_000, &mut crowd);
    assert!(most < 800, "{most} moves in a tick");
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
