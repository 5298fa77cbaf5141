//! Collecting: what is due goes to the queue, what is not goes to a slot nearer to its deadline.

use super::TimerWheel;
use crate::due::DueEntry;
use crate::filing::{Chunk, Filing};
use crate::level::Place;
use crate::slot::{CHUNK_RECORDS, Earliest};
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
        self.empty_slot(Place::OVERDUE);
        for level in 0..Filing::<BITS>::levels_passed(before, now) {
            let mut from = 0;
            // Each slot once: an entry that had moved to a later deadline may go back into one of
            // the slots behind, for the next time it comes round.
            while let Some(slot) = self.filing.passed(level, from, before, now) {
                self.empty_slot(Place::new::<BITS>(level, slot));
                from = slot + 1;
            }
        }
        self.due.end();
        self.filing.settle(now);
    }

    fn empty_slot(&mut self, place: Place) {
        let mut taken = self.filing.take(place);
        while let Some(chunk) = self.filing.next_chunk(&mut taken) {
            self.place_chunk(place, &chunk);
        }
        self.due.end_slot();
    }

    /// First looks all entries of the chunk up, then places them: the look-ups do not depend on
    /// each other, so the memory fetches overlap, which they would not between two filings.
    #[inline]
    fn place_chunk(&mut self, place: Place, chunk: &Chunk) {
        const NOBODY: Earliest = Earliest { deadline: 0, armed: 0, index: 0 };
        let mut found = [NOBODY; CHUNK_RECORDS];
        let mut count = 0;
        for &index in chunk.records() {
            match self.store.entry_mut(index) {
                Some(Entry::Armed(entry)) if entry.filed == place => {
                    found[count] = Earliest { deadline: entry.deadline, armed: entry.armed, index };
                    count += 1;
                    // Its record has been taken: a second one of the same slot does not count.
                    entry.filed = Place::NONE;
                }
                Some(Entry::Vacant { filed, .. }) if *filed == place => *filed = Place::NONE,
                _ => {}
            }
        }
        for entry in &found[..count] {
            let filed = if entry.deadline <= self.now {
                self.due.push(DueEntry {
                    deadline: entry.deadline,
                    armed: entry.armed,
                    index: entry.index,
                });
                Place::DUE
            } else {
                self.filing.file(self.now, *entry, Place::NONE)
            };
            if let Some(armed) = self.store.armed_mut(entry.index) {
                armed.filed = filed;
            }
        }
    }
}
