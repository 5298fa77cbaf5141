//! Collecting: what is due goes to the queue, what is not goes to a slot nearer to its deadline.

use super::TimerWheel;
use super::batch::Batch;
use crate::due::DueEntry;
use crate::filing::{Filing, Next};
use crate::level::{self, Place};
use crate::slot::{Tag, Taken};

/// Sets of a level that an `advance` sorts ahead at most, two thousand records, unless what it has
/// collected has taken it longer anyway: after many ticks with nothing to do there is not all to be
/// made up for.
const SORTED: u32 = 256;

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// Empties every slot that the cursor passes or enters on its way to `now`.
    ///
    /// The cursor moves first: what is not due is filed as seen from `now`, in its final level at
    /// once, and what is due is never filed again, from whatever level it comes.
    #[inline(never)]
    pub(super) fn collect(&mut self, now: u64) {
        let before = core::mem::replace(&mut self.now, now);
        let waiting = self.due.waiting();
        self.due.begin();
        if level::same_above::<BITS>(before, now, 0) {
            self.collect_ticks(before, now);
        } else {
            self.collect_levels(before, now);
            self.filing.settle(now);
        }
        self.due.end();
        self.sort_ahead(waiting);
    }

    /// [`collect`](Self::collect), when all that comes up is at the bottom.
    #[inline(never)]
    pub(super) fn collect_bottom(&mut self, now: u64) {
        let waiting = self.due.waiting();
        self.now = now;
        self.due.begin();
        self.empty_bottom(now);
        self.filing.settle_bottom();
        self.due.end();
        self.sort_ahead(waiting);
    }

    /// Nearly every tick: no slot above the lowest level comes up, and what is not due goes ahead
    /// of the cursor.
    #[inline]
    fn collect_ticks(&mut self, before: u64, now: u64) {
        let mut taken = Taken::nothing();
        while let Some((tick, place)) = self.filing.next_passed(now) {
            // In the order of time, so that the queue is in order as it is.
            if self.filing.first_at_bottom().deadline < tick {
                self.empty_bottom_beside_slots(tick - 1);
            }
            if place == Place::OVERDUE {
                self.empty_slot(place);
                self.filing.settle(before);
            } else {
                self.filing.take_slot(0, place.slot::<BITS>(), &mut taken);
                self.collect_slot(&mut taken);
                self.filing.settle_after(tick);
            }
        }
        if self.filing.first_at_bottom().deadline <= now {
            self.empty_bottom_beside_slots(now);
            self.filing.settle_bottom();
        }
    }

    /// [`empty_bottom`](Self::empty_bottom) before or after slots.
    #[inline(never)]
    fn empty_bottom_beside_slots(&mut self, until: u64) {
        self.empty_bottom(until);
    }

    /// What of the bottom comes up by `until`.
    #[inline(always)]
    #[allow(clippy::inline_always)] // mostly one record
    fn empty_bottom(&mut self, until: u64) {
        while let Some(record) = self.filing.pop_bottom(until) {
            if let Some(due) = self.take_up(Place::BOTTOM.tag(), record.index, Filing::file_put_off)
            {
                self.due.push_next(due);
            }
        }
    }

    #[inline]
    fn collect_levels(&mut self, before: u64, now: u64) {
        self.empty_bottom_beside_slots(now);
        if self.filing.has_overdue() {
            self.empty_slot(Place::OVERDUE);
        }
        let entered = self.filing.enter_blocks(before, now);
        let mut levels = self.filing.levels_passed(before, now);
        while levels != 0 {
            let level = levels.trailing_zeros();
            let mut last = Filing::<BITS>::last_passed(level, before, now);
            if entered >> level & 1 == 1 {
                self.empty_left(level);
                if level::is_in_next_block::<BITS>(before, now, level) {
                    last = level::digit::<BITS>(now, level);
                }
            }
            self.empty_passed(level, last, level > 0 && entered == 0);
            levels &= levels - 1;
        }
    }

    /// What is left in the slots of a level whose next block was entered.
    #[inline(never)]
    fn empty_left(&mut self, level: u32) {
        while let Some(place) = self.filing.first_ahead(level) {
            self.empty_slot(place);
        }
        self.filing.forget_ahead(level);
    }

    /// Each slot once: an entry that had moved to a later deadline may go back into one of the
    /// slots behind, for the next time it comes round. What a small slot holds for later may go to the
    /// bottom, unless the level is the lowest or a block is entered that was sorted ahead: the others of that
    /// slot are in slots of their own by then.
    #[inline]
    fn empty_passed(&mut self, level: u32, last: u32, may_be_few: bool) {
        let mut from = 0;
        let mut taken = Taken::nothing();
        while from <= last
            && let Some(slot) = self.filing.next_slot(level, from)
            && slot <= last
        {
            self.filing.take_slot(level, slot, &mut taken);
            if may_be_few && self.filing.fits_bottom(&taken) {
                self.collect_few(&mut taken, level);
            } else {
                self.collect_slot(&mut taken);
            }
            from = slot + 1;
        }
    }

    /// Sorts some of what comes next on each level ahead of time, where so many were due before: see
    /// `ahead`.
    #[inline]
    fn sort_ahead(&mut self, waiting: usize) {
        self.filing.pass(self.now);
        if self.filing.may_sort(self.now) {
            self.sort_levels_ahead(self.due.waiting() - waiting);
        }
    }

    #[inline(never)]
    fn sort_levels_ahead(&mut self, collected: usize) {
        // A set for each four: some twice as many records as were collected.
        let most = u32::try_from(collected / 4).map_or(u32::MAX, |due| due.max(SORTED));
        let step = self.filing.begin_to_sort(self.now);
        for level in 1..self.filing.levels() {
            if let Some((next, sets)) = self.filing.next_to_sort(step, level, most) {
                self.sort_sets_ahead(&next, sets);
            }
        }
    }

    #[inline(never)]
    fn sort_sets_ahead(&mut self, next: &Next, sets: u32) {
        if let Some(mut block) = self.filing.lift_block(next) {
            self.sort_sets(next, sets, |filing, now, deadline, index| {
                filing.file_in_block(now, next, &mut block, deadline, index)
            });
            self.filing.put_block_back(block);
        } else {
            self.sort_sets(next, sets, |filing, now, deadline, index| {
                filing.file_sorted(now, next, deadline, index)
            });
        }
    }

    #[inline]
    fn sort_sets(
        &mut self,
        next: &Next,
        mut sets: u32,
        mut file: impl FnMut(&mut Filing<BITS>, u64, u64, u32) -> Tag,
    ) {
        let mut batch = Batch::new();
        loop {
            batch.fill(sets, |batch| batch.add(self.filing.set_to_sort(next)));
            self.store.fetch(batch.records());
            sets -= batch.sets();
            let records = self.filing.records();
            for &index in batch.records() {
                let Some(entry) = self.store.armed_mut(index) else { continue };
                let at = entry.at;
                if at.is_in(next.tag) {
                    let tag = file(&mut self.filing, self.now, entry.deadline, index);
                    entry.at = at.moved(tag);
                }
            }
            self.cascaded += (self.filing.records() - records) as u64;
            if !batch.is_full() {
                break;
            }
        }
    }

    #[inline(never)]
    fn empty_slot(&mut self, place: Place) {
        let mut taken = Taken::nothing();
        self.filing.take(place, &mut taken);
        self.collect_slot(&mut taken);
    }

    /// What a slot holds is due, but for what a slot of a higher level holds for later, and for
    /// what has moved to a later deadline.
    #[inline(always)]
    #[allow(clippy::inline_always)] // most slots hold one or two
    fn collect_slot(&mut self, taken: &mut Taken) {
        let tag = taken.tag();
        self.due.begin_slot();
        if taken.sets() > 0 {
            self.collect_sets(taken);
        }
        for &index in taken.last_records() {
            self.collect_record(tag, index);
        }
        self.due.end_slot();
    }

    /// The same of a slot of `level` that holds few: what is not due goes to the bottom.
    #[inline(never)]
    fn collect_few(&mut self, taken: &mut Taken, level: u32) {
        let tag = taken.tag();
        self.due.begin_slot();
        // Mostly there is none, and to be told so would be a call.
        while taken.sets() > 0
            && let Some(set) = self.filing.next_set(taken).copied()
        {
            for index in set {
                self.collect_one_of_few(tag, index, level);
            }
        }
        for &index in taken.last_records() {
            self.collect_one_of_few(tag, index, level);
        }
        self.due.end_slot();
    }

    #[inline(never)]
    fn collect_sets(&mut self, taken: &mut Taken) {
        let tag = taken.tag();
        if taken.sets() >= Batch::SETS {
            self.collect_batches(taken);
        }
        while let Some(set) = self.filing.next_set(taken).copied() {
            for index in set {
                self.collect_record(tag, index);
            }
        }
    }

    #[inline(never)]
    fn collect_batches(&mut self, taken: &mut Taken) {
        let tag = taken.tag();
        let mut batch = Batch::new();
        while taken.sets() >= Batch::SETS {
            batch.fill(Batch::SETS, |batch| batch.add(self.filing.next_set(taken)));
            self.store.fetch(batch.records());
            for &index in batch.records() {
                self.collect_record(tag, index);
            }
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // the loops it is called from are all there is around it
    fn collect_record(&mut self, tag: Tag, index: u32) {
        let file = |filing: &mut Filing<BITS>, now, deadline, index| {
            Some(filing.file_later(now, deadline, index))
        };
        if let Some(due) = self.take_up(tag, index, file) {
            self.due.push(due);
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // as above
    fn collect_one_of_few(&mut self, tag: Tag, index: u32, level: u32) {
        let file = |filing: &mut Filing<BITS>, now, deadline, index| {
            Some(filing.file_few(now, deadline, index, level))
        };
        if let Some(due) = self.take_up(tag, index, file) {
            self.due.push(due);
        }
    }

    /// What a record stands for, if the entry is filed in the slot of that tag and due; has it filed
    /// nearer to its deadline, if it is not due yet and does not stay.
    #[inline(always)]
    #[allow(clippy::inline_always)] // as above
    fn take_up(
        &mut self,
        tag: Tag,
        index: u32,
        file: impl FnOnce(&mut Filing<BITS>, u64, u64, u32) -> Option<Tag>,
    ) -> Option<DueEntry> {
        let entry = self.store.armed_mut(index)?;
        let (at, deadline) = (entry.at, entry.deadline);
        if !at.is_in(tag) {
            return None;
        }
        if deadline <= self.now {
            let is_interval = at.is_interval();
            entry.at = at.due();
            return Some(DueEntry { deadline, armed: entry.armed, index, is_interval });
        }
        entry.at = at.moved(file(&mut self.filing, self.now, deadline, index)?);
        self.cascaded += 1;
        None
    }
}
