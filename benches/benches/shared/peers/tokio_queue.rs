//! `tokio_util::time::DelayQueue`: a wheel of six levels of 64 slots behind one sleep.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use super::tokio_time;
use crate::shared::peer::{Ability, Peer};

#[derive(Debug)]
pub(crate) struct TokioQueue {
    epoch: Instant,
    now: u64,
    queue: DelayQueue<u64>,
}

impl Peer for TokioQueue {
    const NAME: &'static str = "tokio DelayQueue";
    const ABILITY: Ability = Ability { delay_max: 1 << 35, ..Ability::FULL };

    type Handle = Key;

    fn new(_: usize) -> Self {
        Self { epoch: Instant::now(), now: 0, queue: DelayQueue::new() }
    }

    fn insert(&mut self, deadline: u64, value: u64) -> Key {
        self.queue.insert_at(value, self.epoch + Duration::from_millis(deadline))
    }

    fn cancel(&mut self, handle: Key) -> Option<u64> {
        self.queue.try_remove(&handle).map(tokio_util::time::delay_queue::Expired::into_inner)
    }

    // Its own `reset` panics if the timer has fired, and nothing but a removal tells.
    fn reschedule(&mut self, handle: &mut Key, deadline: u64) -> bool {
        let Some(expired) = self.queue.try_remove(handle) else { return false };
        *handle = self.insert(deadline, expired.into_inner());
        true
    }

    fn advance(&mut self, now: u64, mut fired: impl FnMut(u64)) {
        tokio_time::advance(now - self.now);
        self.now = now;
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(expired)) = self.queue.poll_expired(&mut context) {
            fired(expired.into_inner());
        }
    }

    fn next_deadline(&mut self) -> Option<u64> {
        let next = self.queue.deadline(&self.queue.peek()?).duration_since(self.epoch);
        Some(u64::try_from(next.as_millis()).unwrap_or(u64::MAX))
    }
}
