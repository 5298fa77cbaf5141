//! Handing out what is due.

use super::{Expired, TimerWheel};
use crate::due::DueEntry;
use crate::handle::TimerHandle;
use crate::store::{Armed, At, Kind};

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// Hands the next due entry out: a one-shot leaves, an interval is armed again first.
    /// Hands the next due entry out if it is a one-shot: that leaves. All else is left to a call.
    #[inline]
    pub(super) fn pop_due(&mut self) -> Option<Expired<T>> {
        let DueEntry { armed, index, .. } = self.due.front()?;
        // Garbage is measured by the timers that are left, so it can also become too much by
        // timers that fire.
        if self.sweep_is_due() || self.store.free_is_full() {
            return self.pop_after_upkeep();
        }
        // The arming number is unique, so it proves that the entry is the one collected, and was
        // neither cancelled nor moved since.
        let is_meant = |entry: &Armed<T>| entry.armed == armed && entry.at == At::DUE_ONCE;
        let Some(entry) = self.store.remove_if(index, is_meant) else {
            return self.pop_other();
        };
        self.due.pop_front();
        self.spend_credit();
        let Armed { value, generation, deadline, .. } = entry;
        let handle = TimerHandle { wheel: self.id, index, generation };
        Some(Expired { handle, value, deadline, late: self.now - deadline, missed: 0 })
    }

    #[cold]
    #[inline(never)]
    fn pop_after_upkeep(&mut self) -> Option<Expired<T>> {
        self.make_upkeep();
        self.pop_due()
    }

    /// What comes next is an interval, or was cancelled or moved meanwhile.
    #[inline(never)]
    fn pop_other(&mut self) -> Option<Expired<T>> {
        while let Some(DueEntry { armed, index, .. }) = self.due.front() {
            match self.store.armed(index) {
                Some(entry) if entry.armed == armed => {
                    let is_interval = entry.at != At::DUE_ONCE;
                    return if is_interval { self.pop_interval(index) } else { self.pop_due() };
                }
                _ => self.due.pop_gone(),
            }
        }
        None
    }

    /// An interval is armed again first.
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
        entry.at = At::filed(Kind::Interval, self.filing.file(self.now, next, index));
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
