//! The timer wheel of this repository.

use timerwheel::{Interval, TimerHandle, TimerWheel};

use crate::shared::peer::{Ability, Peer, period_of};

#[derive(Debug)]
pub(crate) struct Ours(TimerWheel<u64>);

impl Peer for Ours {
    const NAME: &'static str = "timerwheel";
    const ABILITY: Ability = Ability::FULL;

    type Handle = TimerHandle;

    fn new(_: usize) -> Self {
        Self(TimerWheel::new(0))
    }

    #[inline]
    fn insert(&mut self, deadline: u64, value: u64) -> TimerHandle {
        self.0.insert(deadline, value)
    }

    #[inline]
    fn cancel(&mut self, handle: TimerHandle) -> Option<u64> {
        self.0.cancel(handle)
    }

    #[inline]
    fn reschedule(&mut self, handle: &mut TimerHandle, deadline: u64) -> bool {
        self.0.reschedule(*handle, deadline)
    }

    #[inline]
    fn advance(&mut self, now: u64, mut fired: impl FnMut(u64)) {
        self.0.advance(now);
        while let Some(expired) = self.0.pop_expired() {
            fired(expired.value);
        }
    }

    #[inline]
    fn next_deadline(&mut self) -> Option<u64> {
        // What a loop does before it sleeps: forget the first timers if they were cancelled.
        self.0.refine_deadline()
    }

    fn insert_interval(&mut self, first: u64, value: u64) {
        let interval = Interval::new(first, period_of(value)).expect("no period is 0");
        self.0.insert_interval(interval, value);
    }

    #[inline]
    fn advance_intervals(&mut self, now: u64, _: &mut Vec<u64>, fired: impl FnMut(u64)) {
        self.advance(now, fired);
    }
}
