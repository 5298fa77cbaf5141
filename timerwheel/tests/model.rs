//! The wheel against the dull reference, under random operations and under all short ones.

mod common;

use common::{Op, Pair, Random};
use timerwheel::MissedTicks;

const MISSED: [MissedTicks; 3] = [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay];

/// A deadline or time where things go wrong if they go wrong: near now, at the edges of levels,
/// at equal ticks, in the past, at the ends of u64.
fn tick(random: &mut Random, now: u64, bits: u32) -> u64 {
    let edge = |random: &mut Random| {
        let level = u32::try_from(random.below(u64::from(64 / bits))).unwrap();
        1_u64 << (bits * level)
    };
    let wobble = random.below(3);
    match random.below(12) {
        0 => now,
        1 => now.saturating_sub(random.below(300)),
        2 => random.next(),
        3 => u64::MAX - random.below(2),
        4 => random.below(2),
        5 | 6 => now.saturating_add(edge(random)).saturating_add(wobble).saturating_sub(1),
        7 => {
            // The edge itself, not a distance of that size.
            let edge = edge(random);
            (now / edge).saturating_add(1).saturating_mul(edge).saturating_add(wobble) - 1
        }
        8 => now.saturating_add(16),
        _ => now.saturating_add(random.skewed(20)),
    }
}

fn operation<const BITS: u32>(random: &mut Random, pair: &Pair<BITS>) -> Op {
    let now = pair.now();
    let recent = |random: &mut Random| {
        let armed = pair.armed_so_far() as u64;
        usize::try_from(armed.saturating_sub(1 + random.below(24))).unwrap()
    };
    match random.below(100) {
        0..30 => Op::Insert { deadline: tick(random, now, BITS) },
        30..36 => {
            let period = 1 + random.skewed(16);
            let period = if random.below(20) == 0 { u64::MAX - random.below(3) } else { period };
            let first = tick(random, now, BITS);
            Op::Interval { first, period, missed: random.pick(&MISSED) }
        }
        36..54 => Op::Reschedule { timer: recent(random), deadline: tick(random, now, BITS) },
        54..68 => Op::Cancel { timer: recent(random) },
        68..84 => {
            // Mostly small steps, or the end of time is reached at once.
            let step = random.skewed(18);
            let far = tick(random, now, BITS);
            let far = if random.below(40) == 0 { far } else { now.saturating_add(step) };
            Op::Advance { now: if random.below(10) == 0 { now.saturating_sub(step) } else { far } }
        }
        84..92 => Op::Pop,
        92..96 => Op::PopAll,
        96..98 => Op::Refine,
        98 => Op::Shrink,
        _ if random.below(8) == 0 => Op::Clear,
        _ => Op::PopAll,
    }
}

fn random_run<const BITS: u32>(seed: u64, operations: usize) {
    let mut random = Random(seed);
    let start = match random.below(4) {
        0 => 0,
        1 => random.next(),
        2 => u64::MAX - random.below(1 << 20),
        _ => random.below(1 << 30),
    };
    let mut done = vec![];
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut pair = Pair::<BITS>::at(start);
        for _ in 0..operations {
            let op = operation(&mut random, &pair);
            done.push(op);
            pair.apply(op);
        }
        pair.finish();
    }));
    if let Err(panic) = outcome {
        eprintln!("seed {seed}, {BITS} bits, from {start}: {done:#?}");
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn random_operations_agree_with_the_model() {
    for seed in 0..1500 {
        random_run::<8>(seed, 120);
    }
}

#[test]
fn random_operations_agree_with_the_model_on_small_levels() {
    for seed in 0..700 {
        random_run::<1>(seed, 120);
        random_run::<2>(seed, 120);
        random_run::<3>(seed, 120);
        random_run::<6>(seed, 120);
    }
}

/// Long enough, with cancels and moves to earlier deadlines, for the sweep to go round.
#[test]
fn long_runs_that_leave_garbage_agree_with_the_model() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let mut pair = Pair::<1>::at(seed);
        for _ in 0..3000 {
            let now = pair.now();
            let far = now + (1 << 20) + random.below(1 << 16);
            let near = now + random.below(1 << 12);
            let armed = pair.armed_so_far() as u64;
            let timer = usize::try_from(armed.saturating_sub(1 + random.below(80))).unwrap();
            pair.apply(match random.below(40) {
                0..16 => Op::Insert { deadline: if random.below(8) == 0 { near } else { far } },
                16..28 => Op::Cancel { timer },
                28..34 => Op::Reschedule { timer, deadline: now + random.below(1 << 21) },
                34..37 => Op::Refine,
                37..39 => Op::Advance { now: now + random.below(64) },
                _ => Op::PopAll,
            });
        }
        pair.finish();
    }
}

/// Every sequence of four operations on a wheel of two slots a level, where a cascade is
/// never more than a tick or two away.
#[test]
fn every_short_sequence_agrees_with_the_model() {
    let mut alphabet = vec![Op::Pop, Op::PopAll];
    for tick in [0, 1, 2, 3, 5, 8] {
        alphabet.push(Op::Insert { deadline: tick });
        alphabet.push(Op::Advance { now: tick });
    }
    for missed in MISSED {
        alphabet.push(Op::Interval { first: 1, period: 2, missed });
    }
    for timer in [0, 1] {
        alphabet.push(Op::Cancel { timer });
        for deadline in [0, 2, 6] {
            alphabet.push(Op::Reschedule { timer, deadline });
        }
    }
    let mut sequences = 0_u32;
    let mut digits = [0_usize; 4];
    'sequences: loop {
        // Only sequences that begin by arming something show anything.
        let ops = digits.map(|digit| alphabet[digit]);
        if matches!(ops[0], Op::Insert { .. } | Op::Interval { .. }) {
            Pair::<1>::run(0, &ops);
            sequences += 1;
        }
        for digit in &mut digits {
            *digit += 1;
            if *digit < alphabet.len() {
                continue 'sequences;
            }
            *digit = 0;
        }
        break;
    }
    assert_eq!(sequences, 9 * 25_u32.pow(3), "9 of 25 operations arm something");
}
