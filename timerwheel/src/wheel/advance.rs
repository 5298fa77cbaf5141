//! Collecting: what is due goes to the queue, what is not goes to a slot nearer to its deadline.

use super::TimerWheel;
use crate::due::DueEntry;
use crate::filing::Filing;
use crate::level::{self, Place};
use crate::slot::{CHUNK_RECORDS, Chunk, Tag};

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
            self.sort_ahead();
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
            if level == 0 {
                self.enter_block(before, now);
            }
        }
    }

    /// What was sorted ahead is of the block after that of `before`.
    fn enter_block(&mut self, before: u64, now: u64) {
        let next = level::same_above::<BITS>(before, now, 1)
            && level::digit::<BITS>(now, 1) == level::digit::<BITS>(before, 1) + 1;
        let mut from = 0;
        while let Some((tick, place)) = self.filing.sorted_from(from) {
            let ahead = next && tick > level::digit::<BITS>(now, 0);
            if !(ahead && self.filing.install(tick)) {
                self.empty_slot(place);
            }
            from = tick + 1;
        }
    }

    /// Sorts some of the slot that comes next on level 1 ahead of time: see `ahead`.
    #[inline]
    fn sort_ahead(&mut self) {
        if let Some((tag, chunks)) = self.filing.to_sort_ahead(self.now) {
            self.sort_chunks_ahead(tag, chunks);
        }
    }

    #[inline(never)]
    fn sort_chunks_ahead(&mut self, tag: Tag, chunks: u32) {
        for _ in 0..chunks {
            let Some(chunk) = self.filing.chunk_to_sort(self.now) else { return };
            // As in a cascade: first all look-ups.
            let mut there = [0; CHUNK_RECORDS];
            let mut len = 0;
            for &index in chunk.records() {
                there[len] = index;
                len += usize::from(self.store.is_at(index, tag));
            }
            for &index in &there[..len] {
                let Some(entry) = self.store.armed_mut(index) else { continue };
                if entry.at.is(tag) {
                    let tag = self.filing.file_sorted(self.now, entry.deadline, index);
                    entry.at = entry.at.moved(tag);
                    self.cascaded += 1;
                }
            }
        }
    }

    fn empty_slot(&mut self, place: Place) {
        let mut taken = self.filing.take(place);
        let tag = taken.tag();
        if place.level::<BITS>() == 0 {
            while let Some(chunk) = self.filing.next_chunk(&mut taken) {
                self.fire(tag, &chunk);
            }
        } else {
            while let Some(chunk) = self.filing.next_chunk(&mut taken) {
                self.cascade(tag, &chunk);
            }
        }
        self.due.end_slot();
    }

    /// What a slot of the lowest level holds is due, but for what has moved to a later deadline.
    #[inline]
    fn fire(&mut self, tag: Tag, chunk: &Chunk) {
        for &index in chunk.records() {
            if self.collect_record(tag, index) {
                self.file_nearer(tag, index);
            }
        }
    }

    /// First looks all entries of the chunk up, then files those that are not due: the look-ups do
    /// not depend on each other, so the memory fetches overlap, which they would not between two
    /// filings. In one loop, a drain of a million timers was slower against all peers of its run.
    #[inline]
    fn cascade(&mut self, tag: Tag, chunk: &Chunk) {
        let mut later = [0; CHUNK_RECORDS];
        let mut rest = later.iter_mut();
        for &index in chunk.records() {
            if self.collect_record(tag, index)
                && let Some(later) = rest.next()
            {
                *later = index;
            }
        }
        let later_len = CHUNK_RECORDS - rest.len();
        for &index in &later[..later_len] {
            self.file_nearer(tag, index);
        }
    }

    /// Takes a record to the queue, if the entry is filed where it was and due. True if it is not
    /// due yet: then the caller has to file it.
    #[inline]
    fn collect_record(&mut self, tag: Tag, index: u32) -> bool {
        let Some(entry) = self.store.armed_mut(index) else { return false };
        if !entry.at.is(tag) {
            return false;
        }
        let deadline = entry.deadline;
        if deadline > self.now {
            return true;
        }
        entry.at = entry.at.due();
        self.due.push(DueEntry { deadline, armed: entry.armed, index });
        false
    }

    /// Files an entry that is not due, and whose record has been taken; once, if there were two.
    #[inline]
    fn file_nearer(&mut self, tag: Tag, index: u32) {
        let Some(entry) = self.store.armed_mut(index) else { return };
        if entry.at.is(tag) {
            entry.at = entry.at.moved(self.filing.file_ahead(self.now, entry.deadline, index));
            self.cascaded += 1;
        }
    }
}
