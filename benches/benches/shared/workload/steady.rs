//! Timers that stay, and are moved or fire again and again.

use super::Outcome;
use super::drains::Watch;
use crate::shared::inputs::{Digest, MINUTE, rng, uniform};
use crate::shared::meter::measured;
use crate::shared::peer::{Peer, period_of};

/// Moves the timers in the order given, all to `delay` ahead, with a tick each `moves_per_tick`.
fn refresh<P: Peer>(
    deadlines: &[u64],
    order: &[u32],
    delay: u64,
    moves_per_tick: usize,
) -> Outcome {
    let mut peer = P::with_delay(deadlines.len(), delay);
    let mut handles: Vec<_> =
        (0..).zip(deadlines).map(|(value, deadline)| peer.insert(*deadline, value)).collect();
    let mut now = 0;
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        for moves in order.chunks(moves_per_tick) {
            for &nth in moves {
                if !peer.reschedule(&mut handles[nth as usize], now + delay) {
                    // It has fired: its connection is closed, and another one is there.
                    handles[nth as usize] = peer.insert(now + delay, u64::from(nth));
                }
            }
            now += 1;
            peer.advance(now, |value| digest.add(value));
        }
    });
    // Whether they were moved where they should be, and in which order they come then.
    for now in now + 1..=now + delay {
        peer.advance(now, |value| digest.add(value));
    }
    Outcome { time, operations: order.len() as u64, digest }
}

fn number(size: usize) -> u32 {
    u32::try_from(size).expect("fewer timers than 2^32")
}

fn moves(size: usize) -> usize {
    (4 * size).clamp(200_000, 4_000_000)
}

pub(super) fn reschedule<P: Peer>(size: usize) -> Outcome {
    const DELAY: u64 = 30_000;
    let mut turns = rng();
    let order: Vec<_> = (0..moves(size)).map(|_| turns.u32(..number(size))).collect();
    refresh::<P>(&uniform(&mut rng(), size, DELAY), &order, DELAY, 100)
}

/// Connections take turns, as they do under load.
pub(super) fn keep_alive<P: Peer>(size: usize) -> Outcome {
    const DELAY: u64 = 5_000;
    let mut deadlines = uniform(&mut rng(), size, DELAY);
    deadlines.sort_unstable();
    let order: Vec<_> = (0..number(size)).cycle().take(moves(size)).collect();
    refresh::<P>(&deadlines, &order, DELAY, 1_000)
}

/// Deadlines are far enough ahead that none is due, and near enough that a wheel has work.
pub(super) fn idle_advance<P: Peer>(size: usize) -> Outcome {
    const TICKS: u64 = 100_000;
    let deadlines = uniform(&mut rng(), size, MINUTE);
    let mut peer = P::new(size);
    for (value, deadline) in (0..).zip(&deadlines) {
        peer.insert_forget(*deadline + 2 * TICKS, value);
    }
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        for now in 1..=TICKS {
            peer.advance(std::hint::black_box(now), |value| digest.add(value));
        }
    });
    Outcome { time, operations: TICKS, digest }
}

pub(super) fn interval<P: Peer>(size: usize) -> Outcome {
    let mut rng = rng();
    let mut peer = P::new(size);
    for value in 0..size as u64 {
        peer.insert_interval(rng.u64(1..=period_of(value)), value);
    }
    // Of four timers, the first fires each tenth tick: about 36 ticks are as many expiries as
    // there are timers.
    let ticks = (36_000_000 / size as u64).clamp(72, 36_000);
    let mut buffer = Vec::new();
    let mut operations = 0;
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        for now in 1..=ticks {
            peer.advance_intervals(now, &mut buffer, |value| {
                operations += 1;
                digest.add(value);
            });
        }
    });
    Outcome { time, operations, digest }
}

/// As many new timers per tick as fire, all with the same delay.
pub(super) fn single_duration<P: Peer, const DELAY: u64>(
    size: usize,
    rounds: u64,
    watch: &mut impl Watch,
) -> Outcome {
    // Which tick a timer falls to, so that `size` of them are armed at any time.
    let share = |tick: u64| (size as u64 * (tick + 1) / DELAY) - (size as u64 * tick / DELAY);
    let mut peer = P::with_delay(size + size / 100 + 100, DELAY);
    let mut value = 0;
    for tick in 0..DELAY {
        for _ in 0..share(tick) {
            peer.insert_forget(tick + 1, value);
            value += 1;
        }
    }
    let before = value;
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        for now in 1..=DELAY * rounds {
            watch.tick(|| peer.advance(now, |value| digest.add(value)));
            for _ in 0..share(now % DELAY) {
                peer.insert_forget(now + DELAY, value);
                value += 1;
            }
        }
    });
    Outcome { time, operations: value - before, digest }
}
