//! Handing out what is due.

use super::{Expired, TimerWheel};
use crate::due::DueEntry;
use crate::store::{Armed, At, Kind};

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// Hands the next due entry out. A one-shot leaves, an interval is armed again; all else is left to a call.
    #[inline(always)]
    #[allow(clippy::inline_always)] // as `pop_expired`
    pub(super) fn pop_due(&mut self) -> Option<Expired<T>> {
        let DueEntry { armed, index, is_interval, .. } = self.due.front()?;
        if self.due.wants_batch() {
            return self.pop_after_fetching();
        }
        if is_interval {
            return self.pop_interval(index, armed);
        }
        // Garbage is measured by the timers that are left, so it can also become too much by
        // timers that fire.
        if self.spend_credit() || self.store.free_is_full() {
            return self.pop_after_upkeep();
        }
        // The arming number is unique, so it proves that the entry is the one collected, and was
        // neither cancelled nor moved since.
        let Some(entry) = self.store.remove_if(index, |entry| entry.armed == armed) else {
            return self.pop_next();
        };
        self.due.pop_front();
        let Armed { value, generation, deadline, .. } = entry;
        let handle = self.id.handle(index, generation);
        Some(Expired { handle, value, deadline, late: self.now - deadline, missed: 0 })
    }

    #[inline(never)]
    fn pop_after_fetching(&mut self) -> Option<Expired<T>> {
        self.store.fetch_due(self.due.next_batch());
        self.pop_due()
    }

    #[cold]
    #[inline(never)]
    fn pop_after_upkeep(&mut self) -> Option<Expired<T>> {
        self.make_upkeep();
        self.pop_due()
    }

    /// After what was cancelled or moved meanwhile.
    #[cold]
    #[inline(never)]
    fn pop_next(&mut self) -> Option<Expired<T>> {
        while let Some(due) = self.due.front() {
            if self.is_armed(due.index, due.armed) {
                return self.pop_due();
            }
            self.due.pop_gone();
        }
        None
    }

    /// An interval is armed again first.
    #[inline(always)]
    #[allow(clippy::inline_always)] // as `pop_expired`
    fn pop_interval(&mut self, index: u32, armed: u64) -> Option<Expired<T>> {
        let (entry, rhythm) = match self.store.interval_mut(index) {
            Some((entry, rhythm)) if entry.armed == armed => (entry, rhythm),
            _ => return self.pop_next(),
        };
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
        entry.at = At::filed(Kind::Interval, self.filing.file(self.now, next, index));
        self.armings += 1;
        let handle = self.id.handle(index, entry.generation);
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
