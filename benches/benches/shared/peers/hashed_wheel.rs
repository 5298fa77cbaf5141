//! `hierarchical_hash_wheel_timer`: four levels of 256 slots and an overflow list; cancellable
//! timers are found by their id in a hash map.

use std::time::Duration;

use hierarchical_hash_wheel_timer::wheels::{Skip, cancellable};
use hierarchical_hash_wheel_timer::{IdOnlyTimerEntry, TimerError};

use crate::shared::peer::{Ability, Peer};

#[derive(Debug)]
pub(crate) struct Entry(IdOnlyTimerEntry<u64>);

impl cancellable::CancellableTimerEntry for Entry {
    type Id = u64;

    fn id(&self) -> &u64 {
        &self.0.id
    }
}

impl hierarchical_hash_wheel_timer::wheels::TimerEntryWithDelay for Entry {
    fn delay(&self) -> Duration {
        self.0.delay
    }
}

#[derive(Default)]
pub(crate) struct HashedWheel {
    wheel: cancellable::QuadWheelWithOverflow<Entry>,
    now: u64,
    /// It hands back at once what is due already.
    overdue: Vec<u64>,
}

impl Peer for HashedWheel {
    const NAME: &'static str = "hierarchical_hash_wheel_timer";
    const ABILITY: Ability = Ability { delay_max: 1 << 43, ..Ability::FULL };

    type Handle = u64;

    fn new(_: usize) -> Self {
        Self::default()
    }

    fn insert(&mut self, deadline: u64, value: u64) -> u64 {
        let delay = Duration::from_millis(deadline.saturating_sub(self.now));
        match self.wheel.insert(Entry(IdOnlyTimerEntry::new(value, delay))) {
            Ok(()) | Err(TimerError::NotFound) => {}
            Err(TimerError::Expired(entry)) => self.overdue.push(entry.0.id),
        }
        value
    }

    fn cancel(&mut self, handle: u64) -> Option<u64> {
        if self.wheel.cancel(&handle).is_ok() {
            return Some(handle);
        }
        let at = self.overdue.iter().position(|value| *value == handle)?;
        Some(self.overdue.remove(at))
    }

    fn reschedule(&mut self, handle: &mut u64, deadline: u64) -> bool {
        if self.cancel(*handle).is_none() {
            return false;
        }
        self.insert(deadline, *handle);
        true
    }

    fn advance(&mut self, now: u64, mut fired: impl FnMut(u64)) {
        self.overdue.drain(..).for_each(&mut fired);
        while self.now < now {
            let left = u32::try_from(now - self.now).unwrap_or(u32::MAX);
            let skip = match self.wheel.can_skip() {
                Skip::None => 0,
                Skip::Millis(ticks) => ticks.min(left),
                Skip::Empty => left,
            };
            if skip > 0 {
                self.wheel.skip(skip);
                self.now += u64::from(skip);
            } else {
                self.now += 1;
                self.wheel.tick().iter().for_each(|entry| fired(entry.0.id));
            }
        }
    }

    fn next_deadline(&mut self) -> Option<u64> {
        match self.wheel.can_skip() {
            _ if !self.overdue.is_empty() => Some(self.now),
            Skip::None => Some(self.now + 1),
            Skip::Millis(ticks) => Some(self.now + u64::from(ticks) + 1),
            Skip::Empty => None,
        }
    }
}
