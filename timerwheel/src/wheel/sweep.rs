//! Bounding the garbage: records whose entry was cancelled or filed elsewhere.
//!
//! A record costs four bytes and goes when its slot is emptied; one for a deadline an hour ahead
//! would stay for an hour. So once there are nearly as many of them as timers, slots are swept,
//! a few with every few cancels, until they are fewer again: no pause, and O(1) per cancel.

use super::TimerWheel;
use crate::level::Place;
use crate::slot::Slot;
use crate::store::Entry;

/// Garbage that is always allowed: 16,384 records, 64 KiB, on levels of 256 slots.
pub(super) const fn allowance<const BITS: u32>() -> usize {
    64 << BITS
}

/// Records left behind and timers fired between two looks at the balance.
const STRIDE: usize = 64;
/// Records swept per record left behind while there is too much garbage.
const PACE: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// Records that may be left behind before the next look.
    credit: usize,
    /// Where the round goes on.
    at: Place,
}

impl Sweep {
    pub(super) const fn new() -> Self {
        Self { credit: STRIDE, at: Place::OVERDUE }
    }
}

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// An entry has left a record in a slot.
    #[inline]
    pub(super) fn left_a_record(&mut self) {
        self.spend_credit();
    }

    /// There is a record of nobody more, or a timer less to measure them by.
    #[inline]
    pub(super) fn spend_credit(&mut self) {
        self.sweep.credit = self.sweep.credit.saturating_sub(1);
    }

    /// It is time to look at how many records of nobody there are.
    #[inline]
    pub(super) fn sweep_is_due(&self) -> bool {
        self.sweep.credit == 0
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
        if !self.sweep_is_due() {
            return;
        }
        // A round of the sweep sees `live + garbage` records, and garbage grows by at most a
        // sixteenth of that meanwhile: it stays below `live + allowance`.
        let bearable = self.len() / 8 * 7 + allowance::<BITS>() / 2;
        let garbage = self.garbage();
        if garbage < bearable {
            self.sweep.credit = ((bearable - garbage) / 2).max(STRIDE);
            return;
        }
        self.sweep.credit = STRIDE;
        let mut left = STRIDE * PACE;
        for _ in 0..self.filing.places() {
            left = left.saturating_sub(self.sweep_slot(self.sweep.at));
            self.sweep.at = self.filing.place_after(self.sweep.at);
            if left == 0 {
                break;
            }
        }
    }

    /// Sweeps the slots that come first as long as they are small and the note of their earliest
    /// entry is out of date, so that [`next_wakeup`](Self::next_wakeup) does not wake the caller
    /// for a timer that was cancelled or moved. O(1): looks at a bounded number of records.
    #[inline]
    pub fn refine_wakeup(&mut self) {
        if self.filing.first().is_none_or(|(place, slot)| self.is_filed_as(slot.earliest(), place))
        {
            return;
        }
        self.refine_first_slots();
    }

    #[inline(never)]
    fn refine_first_slots(&mut self) {
        let mut left = STRIDE;
        while let Some((place, records)) = self.outdated_front(left) {
            left -= records;
            self.sweep_slot(place);
        }
    }

    /// The first slot and its records, if they are at most `limit` and the note of its earliest
    /// entry is out of date.
    fn outdated_front(&self, limit: usize) -> Option<(Place, usize)> {
        let (place, slot) = self.filing.first()?;
        if self.is_filed_as(slot.earliest(), place) {
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
        let last = self.filing.last_tick(self.now, place);
        let mut taken = self.filing.take(place);
        while let Some(chunk) = self.filing.next_chunk(&mut taken) {
            for &index in chunk.records() {
                self.sweep_record(place, last, index);
            }
            looked_at += chunk.records().len();
        }
        self.end_sweep(place);
        looked_at
    }

    #[inline]
    fn sweep_record(&mut self, place: Place, last: u64, index: u32) {
        match self.store.entry_mut(index) {
            Some(Entry::Armed(entry)) if entry.filed == place => {
                entry.filed = if entry.deadline <= last {
                    self.filing.keep(place, entry.deadline, index);
                    // In no slot for the moment: a second record of the same entry is garbage too.
                    Place::SWEPT
                } else {
                    self.filing.file(self.now, entry.deadline, index, Place::NONE)
                };
            }
            Some(Entry::Vacant { filed, .. }) if *filed == place => *filed = Place::NONE,
            _ => {}
        }
    }

    fn end_sweep(&mut self, place: Place) {
        self.filing.end_keeping(place);
        if let Some(slot) = self.filing.slot(place) {
            for index in self.filing.records_of(slot) {
                if let Some(entry) = self.store.armed_mut(index) {
                    entry.filed = place;
                }
            }
        }
        self.filing.settle(self.now);
    }
}
