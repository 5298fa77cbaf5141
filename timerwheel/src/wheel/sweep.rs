//! Bounding the garbage: records whose entry was cancelled or filed elsewhere.
//!
//! A record costs four bytes and goes when its slot is emptied; one for a deadline an hour ahead
//! would stay for an hour. So once there are nearly as many of them as timers, slots are swept,
//! a few with every few cancels, until they are fewer again: no pause, and O(1) per cancel.

use super::TimerWheel;
use crate::level::Place;
use crate::slot::{CHUNK_RECORDS, Earliest, Slot};
use crate::store::Entry;

/// Garbage that is always allowed: 64 KiB of it.
pub(super) const ALLOWANCE: usize = 16 * 1024;
/// Records left behind between two looks at the balance.
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
        self.sweep.credit -= 1;
        if self.sweep.credit == 0 {
            self.look_at_the_balance();
        }
    }

    /// Records that stand for no entry.
    pub(super) fn garbage(&self) -> usize {
        // Due entries have no record; those in the queue that were cancelled are counted as if
        // they had one fewer, which errs by at most their number.
        (self.filing.records() + self.due.len()).saturating_sub(self.len())
    }

    #[cold]
    #[inline(never)]
    fn look_at_the_balance(&mut self) {
        // A round of the sweep sees `live + garbage` records, and garbage grows by at most an
        // eighth of that meanwhile: it stays below `live + ALLOWANCE`.
        let bearable = self.len() / 4 * 3 + ALLOWANCE / 2;
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

    /// Takes the garbage out of one slot; returns how many records it looked at.
    fn sweep_slot(&mut self, place: Place) -> usize {
        if self.filing.slot(place).is_none_or(Slot::is_empty) {
            return 0;
        }
        let mut looked_at = 0;
        let mut taken = self.filing.take(place);
        while let Some(chunk) = self.filing.next_chunk(&mut taken) {
            let mut kept = [None; CHUNK_RECORDS];
            for (&index, kept) in chunk.records().iter().zip(&mut kept) {
                match self.store.entry_mut(index) {
                    Some(Entry::Armed(entry)) if entry.filed == place => {
                        *kept =
                            Some(Earliest { deadline: entry.deadline, armed: entry.armed, index });
                        // A second record of the same entry is garbage too.
                        entry.filed = Place::SWEPT;
                    }
                    Some(Entry::Vacant { filed, .. }) if *filed == place => *filed = Place::NONE,
                    _ => {}
                }
            }
            // Chunk by chunk the slot is filled again behind the one that is being emptied.
            for entry in kept.into_iter().flatten() {
                self.filing.put_back(place, entry);
            }
            looked_at += chunk.records().len();
        }
        self.restore_swept(place);
        self.filing.settle(self.now);
        looked_at
    }

    fn restore_swept(&mut self, place: Place) {
        let Some(slot) = self.filing.slot(place) else { return };
        for index in self.filing.records_of(slot) {
            if let Some(entry) = self.store.armed_mut(index) {
                entry.filed = place;
            }
        }
    }
}
