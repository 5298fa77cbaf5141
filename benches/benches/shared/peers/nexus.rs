//! `nexus-timer`: levels that overlap, so that entries move down only for speed; growing and of
//! fixed capacity.

use std::time::{Duration, Instant};

use nexus_timer::{BoundedWheel, TimerHandle, Wheel};

use crate::shared::peer::{Ability, Peer};

/// Entries by which the growing one grows: what its documentation uses.
const CHUNK: usize = 4096;

macro_rules! adapter {
    ($name:ident, $title:literal, $wheel:ty, $capacity:ident => |$now:ident| $make:expr) => {
        pub(crate) struct $name {
            wheel: $wheel,
            epoch: Instant,
            due: Vec<u64>,
        }

        impl Peer for $name {
            const NAME: &'static str = $title;
            const ABILITY: Ability = Ability { delay_max: 1 << 43, ..Ability::FULL };

            type Handle = Option<TimerHandle<u64>>;

            fn new($capacity: usize) -> Self {
                let $now = Instant::now();
                Self { wheel: $make, epoch: $now, due: Vec::new() }
            }

            fn insert(&mut self, deadline: u64, value: u64) -> Self::Handle {
                Some(self.wheel.schedule(self.epoch + Duration::from_millis(deadline), value))
            }

            fn insert_forget(&mut self, deadline: u64, value: u64) {
                self.wheel.schedule_forget(self.epoch + Duration::from_millis(deadline), value);
            }

            fn cancel(&mut self, handle: Self::Handle) -> Option<u64> {
                self.wheel.cancel(handle?)
            }

            // Its own `reschedule` panics if the timer has fired, and nothing tells.
            fn reschedule(&mut self, handle: &mut Self::Handle, deadline: u64) -> bool {
                let Some(value) = handle.take().and_then(|handle| self.wheel.cancel(handle)) else {
                    return false;
                };
                *handle = self.insert(deadline, value);
                true
            }

            fn advance(&mut self, now: u64, fired: impl FnMut(u64)) {
                let now = self.epoch + Duration::from_millis(now);
                self.wheel.poll_and_rebalance(now, &mut self.due);
                self.due.drain(..).for_each(fired);
            }

            fn next_deadline(&mut self) -> Option<u64> {
                let next = self.wheel.next_deadline()?.duration_since(self.epoch);
                Some(u64::try_from(next.as_millis()).unwrap_or(u64::MAX))
            }
        }
    };
}

adapter!(Unbounded, "nexus-timer", Wheel<u64>, _capacity => |now| Wheel::unbounded(CHUNK, now));
adapter!(Bounded, "nexus-timer, bounded", BoundedWheel<u64>, capacity => |now| BoundedWheel::bounded(capacity, now));
