//! Timers that all fire.

use std::time::{Duration, Instant};

use super::Outcome;
use crate::shared::inputs::{Digest, MINUTE, rng, uniform};
use crate::shared::meter::measured;
use crate::shared::peer::Peer;

/// Is told how long each tick took; or is not, and costs nothing.
pub(super) trait Watch {
    fn tick(&mut self, advance: impl FnOnce());
}

impl Watch for () {
    #[inline]
    fn tick(&mut self, advance: impl FnOnce()) {
        advance();
    }
}

impl Watch for Vec<Duration> {
    fn tick(&mut self, advance: impl FnOnce()) {
        let start = Instant::now();
        advance();
        self.push(start.elapsed());
    }
}

fn fill<P: Peer>(peer: &mut P, deadlines: &[u64]) {
    for (value, deadline) in (0..).zip(deadlines) {
        peer.insert_forget(*deadline, value);
    }
}

pub(super) fn drain<P: Peer>(size: usize, watch: &mut impl Watch) -> Outcome {
    let deadlines = uniform(&mut rng(), size, MINUTE);
    let mut peer = P::new(size);
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        fill(&mut peer, &deadlines);
        for now in 1..=MINUTE {
            watch.tick(|| peer.advance(now, |value| digest.add(value)));
        }
    });
    Outcome { time, operations: size as u64, digest }
}

pub(super) fn sparse<P: Peer>(size: usize) -> Outcome {
    let deadlines = uniform(&mut rng(), size, 1 << 40);
    let mut peer = P::new(size);
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        fill(&mut peer, &deadlines);
        let mut now = 0;
        // A peer that answers with a bound needs more turns; one that does not get on is stopped.
        for _ in 0..64 * size {
            let Some(next) = peer.next_deadline() else { break };
            now = next.max(now);
            peer.advance(now, |value| digest.add(value));
        }
    });
    Outcome { time, operations: size as u64, digest }
}

pub(super) fn one_advance<P: Peer>(size: usize) -> Outcome {
    let deadlines = uniform(&mut rng(), size, (1 << 32) - 1);
    let mut peer = P::new(size);
    fill(&mut peer, &deadlines);
    let mut digest = Digest::default();
    let ((), time) = measured(|| peer.advance(1 << 32, |value| digest.add(value)));
    Outcome { time, operations: size as u64, digest }
}

pub(super) fn equal_deadlines<P: Peer>(size: usize) -> Outcome {
    const DEADLINE: u64 = 1_000;
    let mut peer = P::with_delay(size, DEADLINE);
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        for value in 0..size as u64 {
            peer.insert_forget(DEADLINE, value);
        }
        peer.advance(DEADLINE - 1, |_| digest.add(u64::MAX));
        peer.advance(DEADLINE, |value| digest.add(value));
    });
    Outcome { time, operations: size as u64, digest }
}
