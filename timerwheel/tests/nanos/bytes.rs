//! Operations in nanoseconds out of bytes, for the fuzzer and for the replay of its corpus.

use std::time::Duration;

use timerwheel::{MissedTicks, Resolution};

use super::{Op, Pair};
use crate::common::bytes::Bytes;

/// The first byte is the resolution, the rest are operations until they run out. Every sequence of
/// bytes means something, so that none is wasted.
pub(crate) fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let Some(resolution) = bytes.next() else { return };
    let tick = Duration::from_nanos(1 << (resolution % 34));
    let mut pair = Pair::new(Resolution::at_most(tick));
    while let Some(op) = operation(&mut bytes, pair.named()) {
        pair.apply(op);
        pair.compare();
    }
    pair.finish();
}

fn operation(bytes: &mut Bytes<'_>, named: usize) -> Option<Op> {
    let timer = |back: u8| named.saturating_sub(1 + usize::from(back));
    Some(match bytes.next()? % 20 {
        0 | 1 => Op::Insert { delay: delay(bytes)? },
        2 => Op::InsertAfter { delay: delay(bytes)? },
        3 | 4 => Op::InsertWith {
            delay: delay(bytes)?,
            slack: delay(bytes)?,
            keeps_alive: bytes.next()? % 2 == 0,
        },
        5 | 6 => {
            let missed = [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay];
            let missed = missed[usize::from(bytes.next()? % 3)];
            Op::Interval { delay: delay(bytes)?, period: delay(bytes)?.max(1), missed }
        }
        7 | 8 => Op::Reschedule { timer: timer(bytes.next()?), delay: delay(bytes)? },
        9 => Op::SetRef { timer: timer(bytes.next()?), keeps_alive: bytes.next()? % 2 == 0 },
        10 => Op::Cancel { timer: timer(bytes.next()?) },
        11 => Op::DropGuard { timer: timer(bytes.next()?) },
        12 => Op::RemoteArm { delay: delay(bytes)?, cancel_at_once: bytes.next()? % 4 == 0 },
        13 => Op::RemoteReschedule { timer: timer(bytes.next()?), delay: delay(bytes)? },
        14 => Op::RemoteCancel { timer: timer(bytes.next()?) },
        15 | 16 => Op::Advance { by: delay(bytes)?, back: bytes.next()? % 8 == 0 },
        17 | 18 => Op::Pop { at_most: usize::from(bytes.next()?) },
        _ if bytes.next()? % 8 == 0 => Op::Clear,
        // Not all: what an interval with bursts has missed may be 2^50 ticks.
        _ => Op::Pop { at_most: 1000 },
    })
}

/// Up to thirteen days, so that all of them together stay below the end of time.
fn delay(bytes: &mut Bytes<'_>) -> Option<u64> {
    Some(bytes.tick(0)? % (1 << 50))
}
