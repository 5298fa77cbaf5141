//! Timers that come and go, most of them cancelled.

use std::collections::VecDeque;

use fastrand::Rng;

use super::Outcome;
use crate::shared::inputs::{Digest, MINUTE, log_uniform, rng, uniform};
use crate::shared::meter::measured;
use crate::shared::peer::Peer;

fn insert_all<P: Peer>(peer: &mut P, deadlines: &[u64]) -> Vec<P::Handle> {
    let mut handles = Vec::with_capacity(deadlines.len());
    for (value, deadline) in (0..).zip(deadlines) {
        handles.push(peer.insert(*deadline, value));
    }
    handles
}

fn cancel_all<P: Peer>(peer: &mut P, handles: Vec<P::Handle>, digest: &mut Digest) {
    for handle in handles {
        digest.add(peer.cancel(handle).unwrap_or(u64::MAX));
    }
    // Those that only mark what is cancelled pay for it here.
    peer.advance(MINUTE + 1, |value| digest.add(value));
}

pub(super) fn filled<P: Peer>(size: usize) -> P {
    let mut deadlines = uniform(&mut rng(), size, MINUTE);
    let mut peer = if P::ABILITY.any_delay {
        P::new(size)
    } else {
        deadlines.sort_unstable();
        P::with_delay(size, MINUTE)
    };
    for (value, deadline) in (0..).zip(deadlines) {
        peer.insert_forget(deadline, value);
    }
    peer
}

/// The order of cancelling is that of the handles, so the handles are shuffled in between, which
/// is no part of the measurement.
pub(super) fn insert_cancel<P: Peer>(size: usize) -> Outcome {
    let mut rng = rng();
    let deadlines = uniform(&mut rng, size, MINUTE);
    let mut peer = P::new(size);
    let (mut handles, arming) = measured(|| insert_all(&mut peer, &deadlines));
    rng.shuffle(&mut handles);
    let mut digest = Digest::default();
    let ((), cancelling) = measured(|| cancel_all(&mut peer, handles, &mut digest));
    Outcome { time: arming + cancelling, operations: size as u64, digest }
}

pub(super) fn insert<P: Peer>(size: usize) -> Outcome {
    let deadlines = uniform(&mut rng(), size, MINUTE);
    let mut peer = P::new(size);
    let (handles, time) = measured(|| insert_all(&mut peer, &deadlines));
    let mut digest = Digest::default();
    cancel_all(&mut peer, handles, &mut digest);
    Outcome { time, operations: size as u64, digest }
}

pub(super) fn cancel<P: Peer>(size: usize) -> Outcome {
    let mut rng = rng();
    let deadlines = uniform(&mut rng, size, MINUTE);
    let mut peer = P::new(size);
    let mut handles = insert_all(&mut peer, &deadlines);
    rng.shuffle(&mut handles);
    let mut digest = Digest::default();
    let ((), time) = measured(|| cancel_all(&mut peer, handles, &mut digest));
    Outcome { time, operations: size as u64, digest }
}

/// One step of a flow: what it does is drawn before the clock starts.
#[derive(Clone, Copy, Debug)]
enum Step {
    Insert {
        delay: u64,
    },
    /// Of the timers inserted and not cancelled so far, fired ones included.
    Cancel {
        nth: usize,
    },
    Tick,
}

/// Draws steps that keep count of the handles there are.
fn draw(
    rng: &mut Rng,
    n: usize,
    mut handles: usize,
    mut step: impl FnMut(&mut Rng) -> Step,
) -> Vec<Step> {
    let mut steps = Vec::with_capacity(n);
    for _ in 0..n {
        let step = match step(rng) {
            Step::Cancel { .. } if handles > 0 => Step::Cancel { nth: rng.usize(..handles) },
            Step::Cancel { .. } => Step::Tick,
            step => step,
        };
        match step {
            Step::Insert { .. } => handles += 1,
            Step::Cancel { .. } => handles -= 1,
            Step::Tick => {}
        }
        steps.push(step);
    }
    steps
}

pub(super) fn mixed<P: Peer>(size: usize) -> Outcome {
    let mut rng = rng();
    let delays: Vec<_> = (0..size).map(|_| log_uniform(&mut rng, 32)).collect();
    let operations = size.max(200_000);
    let steps = draw(&mut rng, operations, size, |rng| match rng.u8(0..10) {
        0..5 => Step::Insert { delay: log_uniform(rng, 32) },
        5..8 => Step::Cancel { nth: 0 },
        _ => Step::Tick,
    });
    let mut peer = P::new(size + operations);
    let mut handles = insert_all(&mut peer, &delays);
    handles.reserve(operations);
    let mut now = 0;
    let mut value = size as u64;
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        for step in &steps {
            match *step {
                Step::Insert { delay } => {
                    handles.push(peer.insert(now + delay, value));
                    value += 1;
                }
                Step::Cancel { nth } => {
                    let handle = handles.swap_remove(nth);
                    digest.add(peer.cancel(handle).unwrap_or(u64::MAX));
                }
                Step::Tick => {
                    now += 1;
                    peer.advance(now, |value| digest.add(value));
                }
            }
        }
    });
    for handle in handles {
        peer.cancel(handle);
    }
    Outcome { time, operations: operations as u64, digest }
}

pub(super) fn next_deadline<P: Peer>(size: usize) -> Outcome {
    let mut rng = rng();
    let deadlines = uniform(&mut rng, size, MINUTE);
    let operations = size.max(100_000);
    let mut arm = false;
    let steps = draw(&mut rng, operations, size, |rng| {
        arm = !arm;
        if arm { Step::Insert { delay: rng.u64(1..=MINUTE) } } else { Step::Cancel { nth: 0 } }
    });
    let mut peer = P::new(size + 1);
    let mut handles = insert_all(&mut peer, &deadlines);
    handles.reserve(1);
    let mut value = size as u64;
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        for step in &steps {
            match *step {
                Step::Insert { delay } => {
                    handles.push(peer.insert(delay, value));
                    value += 1;
                }
                Step::Cancel { nth } => {
                    peer.cancel(handles.swap_remove(nth));
                }
                Step::Tick => {}
            }
            digest.add(peer.next_deadline().unwrap_or(u64::MAX));
        }
    });
    for handle in handles {
        peer.cancel(handle);
    }
    Outcome { time, operations: operations as u64, digest }
}

/// `size` requests at a time, each with a timeout of half a minute. They are answered in the order
/// in which they came, but for one of twenty, which runs into its timeout.
pub(super) fn timeouts<P: Peer>(size: usize) -> Outcome {
    const TIMEOUT: u64 = 30_000;
    let mut rng = rng();
    let operations = size.max(200_000);
    let answered: Vec<bool> = (0..size + operations).map(|_| rng.u8(0..20) != 0).collect();
    let mut peer = P::with_delay(size + operations / 10 + 100, TIMEOUT);
    let mut handles: VecDeque<_> =
        (0..size).map(|nth| (nth, peer.insert(TIMEOUT, nth as u64))).collect();
    let mut unanswered = Vec::with_capacity(answered.len());
    let mut now = 0;
    let mut digest = Digest::default();
    let ((), time) = measured(|| {
        for (turn, nth) in (0..operations).zip(size..) {
            handles.push_back((nth, peer.insert(now + TIMEOUT, nth as u64)));
            let Some((oldest, handle)) = handles.pop_front() else { continue };
            if answered[oldest] {
                digest.add(peer.cancel(handle).unwrap_or(u64::MAX));
            } else {
                unanswered.push(handle);
            }
            if turn % 16 == 0 {
                now += 1;
                peer.advance(now, |value| digest.add(value));
            }
        }
    });
    for handle in unanswered.into_iter().chain(handles.into_iter().map(|(_, handle)| handle)) {
        peer.cancel(handle);
    }
    Outcome { time, operations: operations as u64, digest }
}
