//! Operations out of bytes, for the fuzzer and for the replay of its corpus.

use super::{Op, Pair};
use timerwheel::MissedTicks;

/// Reads operations until the bytes run out, and runs them on a wheel of 4 slots a level and on
/// one of 256. Every sequence of bytes means something, so that none is wasted.
pub(crate) fn run(bytes: &[u8]) {
    drive::<2>(bytes);
    drive::<8>(bytes);
}

fn drive<const BITS: u32>(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let Some(start) = bytes.tick(0) else { return };
    let mut pair = Pair::<BITS>::at(start);
    while let Some(op) = operation(&mut bytes, &pair) {
        pair.apply(op);
    }
    pair.finish();
}

fn operation<const BITS: u32>(bytes: &mut Bytes<'_>, pair: &Pair<BITS>) -> Option<Op> {
    let now = pair.now();
    let timer = |back: u8| pair.armed_so_far().saturating_sub(1 + usize::from(back));
    Some(match bytes.next()? % 16 {
        0..=4 => Op::Insert { deadline: bytes.tick(now)? },
        5 => {
            let missed = [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay];
            let missed = missed[usize::from(bytes.next()? % 3)];
            Op::Interval { first: bytes.tick(now)?, period: 1 + bytes.tick(0)? / 2, missed }
        }
        6..=8 => Op::Reschedule { timer: timer(bytes.next()?), deadline: bytes.tick(now)? },
        9 | 10 => Op::Cancel { timer: timer(bytes.next()?) },
        11 | 12 => Op::Advance { now: bytes.tick(now)? },
        13 => Op::Pop,
        14 => Op::PopAll,
        _ if bytes.next()? % 8 == 0 => Op::Shrink,
        _ => Op::Refine,
    })
}

/// Bytes that turn into whatever is asked of them, until they run out.
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A tick: a small distance from `now`, a power of two more or less, or any number.
    pub(crate) fn tick(&mut self, now: u64) -> Option<u64> {
        let shape = self.next()?;
        let small = u64::from(self.next()?);
        Some(match shape % 8 {
            0 | 1 => now.saturating_add(small),
            2 => now.saturating_sub(small),
            3 | 4 => now.saturating_add(1 << (small % 64)).saturating_add(u64::from(shape / 8) % 3),
            5 => now.saturating_add(1 << (small % 64)).saturating_sub(1),
            6 => u64::MAX - small,
            _ => {
                let mut any = small;
                for _ in 0..7 {
                    any = any << 8 | u64::from(self.next()?);
                }
                any
            }
        })
    }
}
