//! Bounding the garbage: records whose entry was cancelled or filed elsewhere.
//!
//! A record costs four bytes and goes when its slot is emptied; one for a deadline an hour ahead
//! would stay for an hour. So once there are nearly as many of them as timers, a round is made over
//! all slots, one after the other, a thousand records with every eighth cancel: O(1) per cancel over
//! time, and 1,026 records for a single one, since a round may stop in the middle of a slot
//! (`filing::sweep`). A whole round, for then the slots are at their worst again when the next one
//! comes: sweeping just as much as there is too much would look at each record far more often. The bottom is left
//! out: what is of nobody there is 32 records at most, of the thousands that are always allowed.
//!
//! Timeouts are cancelled in the order in which they were armed, so one slot holds what is mostly garbage and
//! another hardly any. A round first tries the front of a large slot, and passes it over if that stands for
//! timers. Where the front tells nothing about the rest, that is not enough: then comes a thorough
//! round, which passes none over.

use core::mem::replace;

use super::TimerWheel;
use super::batch::Batch;
use crate::level::Place;
use crate::slot::{Record, SET, Tag, Taken};

/// Garbage that is always allowed: 16,384 records, 64 KiB, on levels of 256 slots.
pub(super) const fn allowance<const BITS: u32>() -> usize {
    64 << BITS
}

/// Records left behind and timers fired between two looks at the balance: 8 on levels of 256 slots.
const fn stride<const BITS: u32>() -> usize {
    (1 << (BITS / 2)) / 2 + (BITS < 2) as usize
}

/// Sets of records swept in a round between two looks: 128 records, and a few more, per record left
/// behind.
#[allow(clippy::cast_possible_truncation)] // 114 at most
const fn pace<const BITS: u32>() -> u32 {
    (128 * stride::<BITS>()).div_ceil(SET) as u32
}

/// Sets of a slot whose front is tried first: so many that it is a small part of them.
const WORTH_A_TRY: u32 = 8;

/// Records that [`refine_wakeup`](TimerWheel::refine_wakeup) looks at.
const REFINED: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// Records that may be left behind before the next look; below 0, it is time for that.
    credit: isize,
    /// Where the round goes on when the slot that it is at has been swept.
    at: Option<Place>,
    /// The round passes no slot over.
    is_thorough: bool,
    /// So will the next one, unless this one leaves little garbage.
    next_is_thorough: bool,
}

impl Sweep {
    pub(super) const fn new<const BITS: u32>() -> Self {
        let credit = stride::<BITS>().cast_signed();
        Self { credit, at: None, is_thorough: false, next_is_thorough: false }
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
        self.sweep.credit = stride::<BITS>().cast_signed();
        if self.sweep.at.is_none() && self.filing.half_swept().is_none() {
            // A round that was not enough has looked at what is armed for nothing, and at the front
            // of the rest; the thorough one after it sees all. So both see 1.6 times `live + garbage`
            // records, and for each 128 of them there is one of garbage more and a timer less at most,
            // and a set more for each slot: garbage stays below `live + allowance`.
            let bearable = self.len() / 16 * 15 + allowance::<BITS>() / 4 * 3;
            let garbage = self.garbage();
            // What was just enough is not, or the next one sees the same small slots for as little again.
            if garbage < bearable / 2 {
                self.sweep.next_is_thorough = false;
            }
            if garbage < bearable {
                self.sweep.credit = ((bearable - garbage) / 2).max(stride::<BITS>()).cast_signed();
                return;
            }
            self.sweep.at = Some(Place::OVERDUE);
            self.sweep.is_thorough = replace(&mut self.sweep.next_is_thorough, true);
        }
        let mut left = pace::<BITS>();
        while left > 0 {
            let seen = if self.filing.half_swept().is_some() {
                self.sweep_some(left)
            } else if let Some(place) = self.sweep.at {
                // The next one now: this one may be emptied, and filled again, before it is swept.
                self.sweep.at = self.filing.place_after(place);
                self.begin_with(place)
            } else {
                return;
            };
            left = left.saturating_sub(seen);
        }
    }

    /// Begins to sweep a slot, if it holds anything and is not passed over, because less than a third of its front
    /// stands for nothing; says how many sets it looked at for that.
    fn begin_with(&mut self, place: Place) -> u32 {
        let front =
            if self.sweep.is_thorough { None } else { self.filing.front_of(place, WORTH_A_TRY) };
        let Some(front) = front else {
            self.filing.begin_sweep(place);
            return 0;
        };
        let is_garbage = |index: &&u32| !self.store.is_in(**index, front.tag);
        if front.set.iter().filter(is_garbage).count() >= SET / 3 {
            self.filing.begin_sweep(place);
        }
        1
    }

    /// Clears up what comes first, slots as long as they are small, where the note of their earliest
    /// entry is out of date, so that [`next_wakeup`](Self::next_wakeup) does not wake the caller
    /// for a timer that was cancelled or moved. O(1): looks at a bounded number of records, and not at
    /// slots of which some is sorted ahead: for such a one it may wake the caller once.
    #[inline]
    pub fn refine_wakeup(&mut self) {
        if !self.holds(self.filing.noted()) {
            self.refine_first();
        }
    }

    #[inline(never)]
    fn refine_first(&mut self) {
        let mut left = REFINED;
        while left > 0 && !self.holds(self.filing.noted()) {
            if self.filing.is_at_bottom(self.filing.noted()) {
                self.refile_first_at_bottom();
                left -= 1;
            } else if let Some((place, records)) = self.outdated_front(left) {
                self.refile_all(place);
                left -= records.max(1);
            } else {
                return;
            }
        }
    }

    /// Files the first record at the bottom anew, if it stands for anything.
    fn refile_first_at_bottom(&mut self) {
        if let Some(record) = self.filing.pop_bottom(u64::MAX) {
            self.refile_set(Place::BOTTOM.tag(), &[record.index]);
        }
        self.filing.settle_bottom();
    }

    /// The first slot, whose note of its earliest entry is out of date, and its records, if they are at
    /// most `limit`.
    fn outdated_front(&self, limit: usize) -> Option<(Place, usize)> {
        let (place, slot) = self.filing.first()?;
        // What is sorted ahead of it is in slots of its own, which would have to be looked through too.
        if self.filing.is_sorted_ahead(self.now, place) {
            return None;
        }
        let records = self.filing.records_of(slot).take(limit + 1).count();
        (records <= limit).then_some((place, records))
    }

    /// Files what a slot holds anew, and so notes its earliest entry anew.
    fn refile_all(&mut self, place: Place) {
        let mut taken = Taken::nothing();
        self.filing.take(place, &mut taken);
        let slot = taken.tag();
        while let Some(set) = self.filing.next_set(&mut taken).copied() {
            self.refile_set(slot, &set);
        }
        self.refile_set(slot, taken.last_records());
        self.filing.settle(self.now);
    }

    fn refile_set(&mut self, slot: Tag, set: &[Record]) {
        for &index in set {
            let Some(entry) = self.store.armed_mut(index) else { continue };
            if entry.at.is_in(slot) {
                entry.at = entry.at.moved(self.filing.file(self.now, entry.deadline, index));
            }
        }
    }

    /// Takes garbage out of the next sets of records, `most` at most, of the slot that is being swept;
    /// says how many it looked at.
    fn sweep_some(&mut self, most: u32) -> u32 {
        let Some(place) = self.filing.half_swept() else { return 0 };
        let mut slot = self.filing.lift(place);
        let before = slot.tag().turned();
        let (mut batch, mut left) = (Batch::new(), most);
        loop {
            batch.fill(left, |batch| {
                batch.add_filed(self.filing.next_unswept(&mut slot), &self.store, before)
            });
            left -= batch.sets();
            for &index in batch.records() {
                let Some(entry) = self.store.armed_mut(index) else { continue };
                // The second record of an entry finds that it has been kept.
                if entry.at.is(before) {
                    entry.at = entry.at.moved(self.filing.keep(&mut slot, index));
                }
            }
            if !batch.is_full() {
                break;
            }
        }
        self.filing.put_back(self.now, place, slot);
        most - left
    }
}
