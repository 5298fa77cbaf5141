//! `bitwheel`: slots of fixed capacity, found by probing, with a sorted map for what finds none.

use std::time::{Duration, Instant};

use bitwheel::timer::{PreciseWheelWithFailover, Timer, TimerHandle};

use crate::shared::peer::{Ability, Peer};

#[derive(Debug)]
pub(crate) struct Value(u64);

impl Timer for Value {
    type Context = Vec<u64>;

    fn fire(&mut self, due: &mut Vec<u64>) {
        due.push(self.0);
    }
}

pub(crate) struct BitWheel {
    wheel: Box<PreciseWheelWithFailover<Value>>,
    epoch: Instant,
    due: Vec<u64>,
}

impl Peer for BitWheel {
    const NAME: &'static str = "bitwheel";
    const ABILITY: Ability = Ability {
        // A timer that has fired early counts as armed until its deadline; cancelling it takes
        // what is not there out of its slot, and the slot never ends after that.
        stale_handles: false,
        jumps: false,
        delay_max: 1 << 43,
        ..Ability::FULL
    };

    type Handle = Option<TimerHandle>;

    fn new(_: usize) -> Self {
        let epoch = Instant::now();
        let wheel = PreciseWheelWithFailover::boxed_with_epoch(epoch);
        Self { wheel, epoch, due: Vec::new() }
    }

    fn insert(&mut self, deadline: u64, value: u64) -> Self::Handle {
        Some(self.wheel.insert(self.epoch + Duration::from_millis(deadline), Value(value)))
    }

    fn cancel(&mut self, handle: Self::Handle) -> Option<u64> {
        self.wheel.cancel(handle?).map(|value| value.0)
    }

    fn reschedule(&mut self, handle: &mut Self::Handle, deadline: u64) -> bool {
        let Some(value) = handle.take().and_then(|handle| self.wheel.cancel(handle)) else {
            return false;
        };
        *handle = self.insert(deadline, value.0);
        true
    }

    fn advance(&mut self, now: u64, fired: impl FnMut(u64)) {
        self.wheel.poll(self.epoch + Duration::from_millis(now), &mut self.due);
        self.due.drain(..).for_each(fired);
    }

    fn next_deadline(&mut self) -> Option<u64> {
        let next = self.wheel.peek_next_fire()?.duration_since(self.epoch);
        Some(u64::try_from(next.as_millis()).unwrap_or(u64::MAX))
    }
}
