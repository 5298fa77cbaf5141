//! Collecting: what is due goes to the queue, what is not goes to a slot nearer to its deadline.

use super::TimerWheel;
use crate::due::DueEntry;
use crate::filing::Filing;
use crate::level::{self, Place};
use crate::slot::Chunk;
use crate::store::Entry;

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// Empties every slot that the cursor passes or enters on its way to `now`.
    ///
    /// The cursor moves first: what is not due is filed as seen from `now`, in its final level at
    /// once, and what is due is never filed again, from whatever level it comes.
    #[inline(never)]
    pub(super) fn collect(&mut self, now: u64) {
        let before = core::mem::replace(&mut self.now, now);
        self.due.begin();
        if self.filing.has_overdue() {
            self.empty_slot(Place::OVERDUE);
        }
        if level::same_above::<BITS>(before, now, 0) {
            // Nearly every tick: no slot above the lowest level comes up, and what is not due goes
            // ahead of the cursor.
            while let Some(place) = self.filing.passed_below(now) {
                self.empty_slot(place);
            }
        } else {
            self.collect_levels(before, now);
        }
        self.due.end();
        self.filing.settle(now);
    }

    fn collect_levels(&mut self, before: u64, now: u64) {
        for level in 0..Filing::<BITS>::levels_passed(before, now) {
            let mut from = 0;
            // Each slot once: an entry that had moved to a later deadline may go back into one of
            // the slots behind, for the next time it comes round.
            while let Some(slot) = self.filing.passed(level, from, before, now) {
                self.empty_slot(Place::new::<BITS>(level, slot));
                from = slot + 1;
            }
        }
    }

    #[inline]
    fn empty_slot(&mut self, place: Place) {
        let mut taken = self.filing.take(place);
        while let Some(chunk) = self.filing.next_chunk(&mut taken) {
            self.place_chunk(place, chunk);
        }
        self.due.end_slot();
    }

    /// First looks all entries of the chunk up, then files those that are not due: the look-ups do
    /// not depend on each other, so the memory fetches overlap, which they would not between two
    /// filings. In one loop, a drain of a million timers was slower against all peers of its run.
    #[inline]
    fn place_chunk(&mut self, place: Place, mut chunk: Chunk) {
        let records = chunk.records_mut();
        // Those that are not due move to the front of the records.
        let mut later = 0;
        for at in 0..records.len() {
            let index = records[at];
            match self.store.entry_mut(index) {
                Some(Entry::Armed(entry)) if entry.filed == place => {
                    // Its record has been taken: a second one of the same slot does not count.
                    if entry.deadline <= self.now {
                        entry.filed = Place::DUE;
                        let (deadline, armed) = (entry.deadline, entry.armed);
                        self.due.push(DueEntry { deadline, armed, index });
                    } else {
                        entry.filed = Place::NONE;
                        records[later] = index;
                        later += 1;
                    }
                }
                Some(Entry::Vacant { filed, .. }) if *filed == place => *filed = Place::NONE,
                _ => {}
            }
        }
        self.cascaded += later as u64;
        for &index in &records[..later] {
            if let Some(entry) = self.store.armed_mut(index) {
                entry.filed = self.filing.file(self.now, entry.deadline, index, Place::NONE);
            }
        }
    }
}
