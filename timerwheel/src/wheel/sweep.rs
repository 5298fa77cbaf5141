//! Bounding the garbage: records whose entry was cancelled or filed elsewhere.
//!
//! A record costs four bytes and goes when its slot is emptied; one for a deadline an hour ahead
//! would stay for an hour. So once there are nearly as many of them as timers, a round is made over
//! all slots, one after the other with every few cancels: O(1) per cancel over time. A slot is swept
//! at once, so that a cancel may have to wait for the largest of them: 5 ns a record, milliseconds if
//! a million timers are in one. A whole round, for then the slots are at their worst again when the
//! next one comes: sweeping just as much as there is too much would look at each record far more
//! often.

use super::TimerWheel;
use crate::filing::Filing;
use crate::level::Place;
use crate::slot::{Record, Slot, Tag};

/// Garbage that is always allowed: 16,384 records, 64 KiB, on levels of 256 slots.
pub(super) const fn allowance<const BITS: u32>() -> usize {
    64 << BITS
}

/// Records left behind and timers fired between two looks at the balance.
const STRIDE: usize = 16;
/// Records swept in a round per record left behind.
const PACE: usize = 64;
/// Records that [`refine_wakeup`](TimerWheel::refine_wakeup) looks at.
const REFINED: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// Records that may be left behind before the next look; below 0, it is time for that.
    credit: isize,
    /// Where the round goes on, if there is one.
    at: Option<Place>,
}

impl Sweep {
    pub(super) const fn new() -> Self {
        Self { credit: STRIDE.cast_signed(), at: None }
    }
}

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// There may be a record of nobody more, or a timer less to measure them by. True if it is time
    /// to look at how many there are.
    #[inline]
    pub(super) fn spend_credit(&mut self) -> bool {
        self.sweep.credit -= 1;
        self.sweep.credit < 0
    }

    /// It is time to look at how many records of nobody there are.
    #[inline]
    pub(super) fn sweep_is_due(&self) -> bool {
        self.sweep.credit < 0
    }

    /// Records that stand for no entry.
    pub(super) fn garbage(&self) -> usize {
        // What is due has no record in any slot.
        (self.filing.records() + self.due.len()).saturating_sub(self.len())
    }

    /// Sweeps, if there is too much garbage.
    #[cold]
    #[inline(never)]
    pub(super) fn look_at_the_balance(&mut self) {
        self.sweep.credit = STRIDE.cast_signed();
        if self.sweep.at.is_none() {
            // A round sees `live + garbage` records, and garbage grows by a 64th of that meanwhile
            // at most, as timers may get fewer: it stays below `live + allowance`.
            let bearable = self.len() / 16 * 15 + allowance::<BITS>() / 4 * 3;
            let garbage = self.garbage();
            if garbage < bearable {
                self.sweep.credit = ((bearable - garbage) / 2).max(STRIDE).cast_signed();
                return;
            }
            self.sweep.at = Some(Place::OVERDUE);
        }
        let mut records = STRIDE * PACE;
        while records > 0
            && let Some(place) = self.sweep.at
        {
            records = records.saturating_sub(self.sweep_slot(place));
            self.sweep.at = self.filing.place_after(place);
        }
    }

    /// Sweeps the slots that come first as long as they are small and the note of their earliest
    /// entry is out of date, so that [`next_wakeup`](Self::next_wakeup) does not wake the caller
    /// for a timer that was cancelled or moved. O(1): looks at a bounded number of records.
    #[inline]
    pub fn refine_wakeup(&mut self) {
        if self.filing.first().is_none_or(|(_, slot)| self.holds(slot.earliest())) {
            return;
        }
        self.refine_first_slots();
    }

    #[inline(never)]
    fn refine_first_slots(&mut self) {
        let mut left = REFINED;
        while left > 0
            && let Some((place, records)) = self.outdated_front(left)
        {
            left -= records.max(1);
            self.sweep_slot(place);
        }
    }

    /// The first slot and its records, if they are at most `limit` and the note of its earliest
    /// entry is out of date.
    fn outdated_front(&self, limit: usize) -> Option<(Place, usize)> {
        let (place, slot) = self.filing.first()?;
        // What is sorted ahead of a slot is moved at its start, so that wakes the caller anyway.
        if self.holds(slot.earliest()) || self.filing.is_sorted_ahead(self.now, place) {
            return None;
        }
        let records = self.filing.records_of(slot).take(limit + 1).count();
        (records <= limit).then_some((place, records))
    }

    /// Takes the garbage out of one slot, and what has moved to a later slot; returns how many
    /// records it looked at.
    fn sweep_slot(&mut self, place: Place) -> usize {
        if self.filing.slot(place).is_none_or(Slot::is_empty) {
            return 0;
        }
        let mut looked_at = 0;
        let last = Filing::<BITS>::last_tick(self.now, place);
        let mut taken = self.filing.take(place);
        let tag = taken.tag();
        let mut slot = Slot::new(tag.next());
        while let Some(set) = self.filing.next_set(&mut taken) {
            looked_at += set.len();
            self.keep_records(&mut slot, tag, last, &set);
        }
        looked_at += taken.last_records().len();
        self.keep_records(&mut slot, tag, last, taken.last_records());
        self.filing.put_back(self.now, place, slot);
        self.filing.settle(self.now);
        looked_at
    }

    fn keep_records(&mut self, slot: &mut Slot, before: Tag, last: u64, records: &[Record]) {
        for &index in records {
            let Some(entry) = self.store.armed_mut(index) else { continue };
            // The second record of an entry finds that it has been kept.
            if !entry.at.is(before) {
                continue;
            }
            let tag = if entry.deadline <= last {
                self.filing.keep(slot, entry.deadline, index)
            } else {
                self.filing.file(self.now, entry.deadline, index)
            };
            entry.at = entry.at.moved(tag);
        }
    }
}
