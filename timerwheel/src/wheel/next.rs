//! When to come back: a bound that is free, and the exact deadline.

use super::TimerWheel;
use crate::level::Place;
use crate::slot::{Noted, Slot};

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// The tick to wake up at: [`now`](Self::now) if something is due or overdue already, `None`
    /// if nothing is armed. O(1).
    ///
    /// Never late. Early only if the earliest timer was cancelled or moved to a later deadline
    /// since: then the `advance` at that tick finds nothing due, and the next wake-up is later.
    #[inline]
    pub fn next_wakeup(&self) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        if self.due.len() > 0 {
            return Some(self.now);
        }
        Some(self.filing.noted().deadline.max(self.now))
    }

    /// The earliest deadline of all that is armed, or due and not handed out; it may be in the
    /// past. `None` if nothing is armed.
    ///
    /// O(1) while the earliest timer is still armed as it was filed. If it has been cancelled or
    /// moved since, the records of the first slots are looked through, up to the first that holds
    /// what is earliest now.
    #[inline]
    pub fn next_deadline(&self) -> Option<u64> {
        self.noted_deadline().or_else(|| self.find_next_deadline())
    }

    /// [`refine_wakeup`](Self::refine_wakeup) and [`next_deadline`](Self::next_deadline) in one look:
    /// what a loop asks before it sleeps to the very tick.
    ///
    /// ```
    /// use timerwheel::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// let egg = wheel.insert(60, "egg");
    /// wheel.insert(180, "tea");
    /// assert_eq!(wheel.refine_deadline(), Some(60));
    /// wheel.cancel(egg);
    /// assert_eq!(wheel.refine_deadline(), Some(180));
    /// ```
    #[inline]
    pub fn refine_deadline(&mut self) -> Option<u64> {
        match self.noted_deadline() {
            Some(deadline) => Some(deadline),
            None => self.refine_and_find(),
        }
    }

    #[inline(never)]
    fn refine_and_find(&mut self) -> Option<u64> {
        self.refine_wakeup();
        self.find_next_deadline()
    }

    /// The earliest deadline, if nothing is due and the note of what comes first still holds.
    #[inline]
    fn noted_deadline(&self) -> Option<u64> {
        let noted = self.filing.noted();
        (self.due.len() == 0 && self.holds(noted)).then_some(noted.deadline)
    }

    #[inline(never)]
    fn find_next_deadline(&self) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        let due = self.due.iter().find(|due| self.is_armed(due.index, due.armed));
        let mut next = due.map(|due| due.deadline);
        next = next.into_iter().chain(self.earliest_at_bottom()).min();
        for (_, start, slot) in self.filing.occupied(self.now) {
            // Nothing is filed in a slot with a deadline before its first tick.
            if next.is_some_and(|next| next <= start) {
                break;
            }
            next = next.into_iter().chain(self.earliest_in(slot)).min();
        }
        next
    }

    /// The earliest deadline of the entries filed at the bottom.
    fn earliest_at_bottom(&self) -> Option<u64> {
        let records = self.filing.at_bottom().iter();
        let entries = records.filter_map(|record| self.store.armed(record.index));
        let there = entries.filter(|entry| entry.at.is_in(Place::BOTTOM.tag()));
        there.map(|entry| entry.deadline).min()
    }

    /// The earliest deadline of the entries filed in a slot.
    fn earliest_in(&self, slot: &Slot) -> Option<u64> {
        let noted = slot.earliest();
        if self.holds(noted) {
            return Some(noted.deadline);
        }
        let mut earliest = None;
        for index in self.filing.records_of(slot) {
            let Some(entry) = self.store.armed(index) else { continue };
            if !entry.at.is_in(slot.tag()) {
                continue;
            }
            if entry.deadline == noted.deadline {
                return Some(entry.deadline);
            }
            earliest = Some(earliest.map_or(entry.deadline, |e: u64| e.min(entry.deadline)));
        }
        earliest
    }

    /// Whether the entry is still in the arming of that number.
    pub(super) fn is_armed(&self, index: u32, arming: u64) -> bool {
        self.store.is_armed(index, arming)
    }

    /// Whether what was noted of a slot still holds: something is armed for that deadline. Then
    /// that is the earliest there, whatever slot the entry is filed in.
    #[inline]
    pub(super) fn holds(&self, noted: Noted) -> bool {
        self.store.armed(noted.index).is_some_and(|entry| entry.deadline == noted.deadline)
    }
}
