//! The queue of this repository, for timers of one delay.

use timerwheel::{SameDelay, TimerHandle};

use crate::shared::peer::{Ability, Peer};

#[derive(Debug)]
pub(crate) struct Queue {
    queue: SameDelay<u64>,
    /// When that was armed which is due at tick 0.
    first: u64,
}

/// Tick 0 of the workloads: what they arm beforehand was armed before it.
const START: u64 = 1 << 40;

impl Peer for Queue {
    const NAME: &'static str = "timerwheel SameDelay";
    const ABILITY: Ability = Ability { any_delay: false, ..Ability::FULL };

    type Handle = TimerHandle;

    fn new(_: usize) -> Self {
        unreachable!("it does no workload of different delays")
    }

    fn with_delay(_: usize, delay: u64) -> Self {
        let first = START - delay;
        Self { queue: SameDelay::new(delay, first), first }
    }

    #[inline]
    fn insert(&mut self, deadline: u64, value: u64) -> TimerHandle {
        let now = self.first + deadline;
        if now > self.queue.now() {
            self.queue.advance(now);
        }
        self.queue.insert(value)
    }

    #[inline]
    fn cancel(&mut self, handle: TimerHandle) -> Option<u64> {
        self.queue.cancel(handle)
    }

    /// To a delay from now, as everybody else.
    #[inline]
    fn reschedule(&mut self, handle: &mut TimerHandle, _: u64) -> bool {
        self.queue.refresh(*handle)
    }

    #[inline]
    fn advance(&mut self, now: u64, mut fired: impl FnMut(u64)) {
        self.queue.advance(START + now);
        while let Some(expired) = self.queue.pop_expired() {
            fired(expired.value);
        }
    }

    #[inline]
    fn next_deadline(&mut self) -> Option<u64> {
        self.queue.next_deadline().map(|deadline| deadline - START)
    }
}
