//! Handing out what is due.

use super::{Expired, TimerWheel};
use crate::due::DueEntry;
use crate::handle::TimerHandle;
use crate::level::Place;
use crate::store::{Armed, Kind};

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// Hands the next due entry out: a one-shot leaves, an interval is armed again first.
    pub(super) fn pop_due(&mut self) -> Option<Expired<T>> {
        // Garbage is measured by the timers that are left, so it can also become too much by
        // timers that fire.
        if self.sweep_is_due() {
            self.look_at_the_balance();
        }
        loop {
            let DueEntry { armed, index, .. } = self.due.front()?;
            // The arming number is unique, so it proves that the entry is the one collected, and
            // was neither cancelled nor moved since.
            match self.store.armed_mut(index).filter(|entry| entry.armed == armed) {
                Some(entry) if entry.kind == Kind::Interval => return self.pop_interval(index),
                Some(_) => return self.pop_once(index),
                None => self.due.pop_gone(),
            }
        }
    }

    #[inline]
    fn pop_once(&mut self, index: u32) -> Option<Expired<T>> {
        let Armed { value, generation, deadline, .. } = self.store.remove_if(index, |_| true)?;
        self.due.pop_front();
        self.spend_credit();
        let handle = TimerHandle { wheel: self.id, index, generation };
        let late = self.now - deadline;
        Some(Expired { handle, value, deadline, late, missed: 0 })
    }

    #[inline]
    fn pop_interval(&mut self, index: u32) -> Option<Expired<T>> {
        let (entry, rhythm) = self.store.interval_mut(index)?;
        // The caller's code runs first: if it panics, the entry is still due and nothing has
        // changed.
        let value = self.clone?(&entry.value);
        self.due.pop_front();
        let deadline = entry.deadline;
        let late = self.now - deadline;
        let skip = deadline < self.skip_before;
        let (next, missed) = rhythm.next(deadline, self.now, self.part, skip);
        entry.deadline = next;
        entry.armed = self.armings;
        entry.filed = self.filing.file(self.now, next, index, Place::NONE);
        self.armings += 1;
        let handle = TimerHandle { wheel: self.id, index, generation: entry.generation };
        Some(Expired { handle, value, deadline, late, missed })
    }

    /// An entry that was due has been cancelled or moved.
    #[cold]
    #[inline(never)]
    pub(super) fn left_the_queue(&mut self) {
        if self.due.leave() {
            let store = &self.store;
            self.due.retain(|due| store.is_armed(due.index, due.armed));
        }
    }
}
