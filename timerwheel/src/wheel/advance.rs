//! Collecting: what is due goes to the queue, what is not goes to a slot nearer to its deadline.

use super::TimerWheel;
use crate::due::DueEntry;
use crate::filing::Filing;
use crate::level::{self, Place};
use crate::slot::{CHUNK_RECORDS, Chunk};
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
        if level::same_above::<BITS>(before, now, 0) {
            // Nearly every tick: no slot above the lowest level comes up, and what is not due goes
            // ahead of the cursor.
            while let Some(place) = self.filing.next_passed(now) {
                self.empty_slot(place);
                self.filing.settle(now);
            }
        } else {
            self.collect_levels(before, now);
            self.filing.settle(now);
        }
        self.due.end();
    }

    fn collect_levels(&mut self, before: u64, now: u64) {
        if self.filing.has_overdue() {
            self.empty_slot(Place::OVERDUE);
        }
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

    fn empty_slot(&mut self, place: Place) {
        let mut taken = self.filing.take(place);
        if place.level::<BITS>() == 0 {
            while let Some(chunk) = self.filing.next_chunk(&mut taken) {
                chunk.records().iter().for_each(|index| self.fire(place, *index));
            }
        } else {
            while let Some(chunk) = self.filing.next_chunk(&mut taken) {
                self.cascade(place, &chunk);
            }
        }
        self.due.end_slot();
    }

    /// What a slot of the lowest level holds is due, but for what has moved to a later deadline.
    #[inline]
    fn fire(&mut self, place: Place, index: u32) {
        if let Some(deadline) = self.collect_record(place, index) {
            let nearer = level::place_of::<BITS>(self.now, deadline);
            self.filing.file_ahead(self.now, nearer, deadline, index);
            self.cascaded += 1;
        }
    }

    /// First looks all entries of the chunk up, then files those that are not due: the look-ups do
    /// not depend on each other, so the memory fetches overlap, which they would not between two
    /// filings. In one loop, a drain of a million timers was slower against all peers of its run.
    #[inline]
    fn cascade(&mut self, place: Place, chunk: &Chunk) {
        let mut later = [(0, 0); CHUNK_RECORDS];
        let mut rest = later.iter_mut();
        for &index in chunk.records() {
            if let Some(deadline) = self.collect_record(place, index)
                && let Some(later) = rest.next()
            {
                *later = (deadline, index);
            }
        }
        let later_len = CHUNK_RECORDS - rest.len();
        self.cascaded += later_len as u64;
        for &(deadline, index) in &later[..later_len] {
            let nearer = level::place_of::<BITS>(self.now, deadline);
            self.filing.file_ahead(self.now, nearer, deadline, index);
        }
    }

    /// Takes a record of `place` to the queue, if the entry is filed there and due. If it is not
    /// due yet, it counts as filed for its deadline from now on, and the caller has to file it.
    #[inline]
    fn collect_record(&mut self, place: Place, index: u32) -> Option<u64> {
        match self.store.entry_mut(index)? {
            Entry::Armed(entry) if entry.filed == place => {
                // Its record has been taken: a second one of the same slot does not count.
                let deadline = entry.deadline;
                if deadline > self.now {
                    entry.filed = level::place_of::<BITS>(self.now, deadline);
                    return Some(deadline);
                }
                entry.filed = Place::DUE;
                self.due.push(DueEntry { deadline, armed: entry.armed, index });
            }
            Entry::Vacant { filed, .. } if *filed == place => *filed = Place::NONE,
            _ => {}
        }
        None
    }
}
