//! Sweeping a slot some records at a time, in place: they are taken from its front, and those that
//! stand for something go to its end, behind what is filed there meanwhile.
//!
//! An entry that is kept says the turned tag, as one does that is filed there since the sweep began:
//! so a second record of it, further back, is known for one. To all others both tags are of the slot,
//! and each of its entries has a record there, wherever. So it may be emptied in the middle of a
//! sweep, which ends that, and what comes next on its level may be sorted out of its front.
//!
//! A sweep asks an entry only where it is filed, not when it is due. So it cannot know the earliest of those
//! that stay, and leaves the note of that as it is, which is never too late, unless the slot is empty.

use super::Filing;
use crate::level::Place;
use crate::slot::{Record, SET, Slot, Tag, Taken};

/// The one slot that is in the middle of a sweep, if any is.
#[derive(Clone, Debug)]
pub(super) struct HalfSwept {
    place: Place,
    /// Sets of records at its front that were not looked at yet: none, if there is no such slot.
    left: u32,
}

impl HalfSwept {
    pub(super) const NONE: Self = Self { place: Place::NONE, left: 0 };

    fn is_at(&self, place: Place) -> bool {
        self.left > 0 && self.place == place
    }

    /// A slot is emptied.
    #[inline]
    pub(super) fn ends_at(&mut self, place: Place) {
        if self.place == place {
            *self = Self::NONE;
        }
    }

    /// The first set of records of a slot is taken out.
    #[inline]
    pub(super) fn pass_over(&mut self, place: Place) {
        if self.place == place {
            self.left = self.left.saturating_sub(1);
        }
    }

    /// The block of a level has been left for the next one.
    pub(super) fn change_rows<const BITS: u32>(&mut self, level: u32) {
        self.place = self.place.in_the_other_row::<BITS>(level);
    }
}

/// The first set of records of a slot, and what its entries say.
pub(crate) struct Front<'a> {
    pub(crate) set: &'a [Record; SET],
    pub(crate) tag: Tag,
}

impl<const BITS: u32> Filing<BITS> {
    /// The front of a slot that holds so many sets.
    pub(crate) fn front_of(&self, place: Place, sets: u32) -> Option<Front<'_>> {
        let slot = self.slot(place).filter(|slot| slot.sets() >= sets)?;
        Some(Front { set: slot.first_set(&self.pool)?, tag: slot.tag() })
    }

    /// Begins to sweep a slot, if it holds any record; none is in the middle of that.
    pub(crate) fn begin_sweep(&mut self, place: Place) {
        debug_assert!(self.half_swept().is_none(), "one slot at a time");
        self.half_swept = HalfSwept::NONE;
        if let Some(slot) = self.slot_mut(place).filter(|slot| !slot.is_empty()) {
            let added = slot.turn();
            let left = slot.sets() + 1;
            self.half_swept = HalfSwept { place, left };
            self.filed += added as u64;
        }
    }

    /// The slot that is in the middle of a sweep.
    pub(crate) fn half_swept(&self) -> Option<Place> {
        (self.half_swept.left > 0).then_some(self.half_swept.place)
    }

    /// How many records at the front of a slot were not looked at yet by a sweep that has begun.
    pub(super) fn unswept_of(&self, place: Place) -> usize {
        if self.half_swept.is_at(place) { self.half_swept.left as usize * SET } else { 0 }
    }

    /// Lifts the slot that is being swept out of its place, to be at hand beside all else of this, until it is
    /// [put back](Self::put_back).
    pub(crate) fn lift(&mut self, place: Place) -> Slot {
        let Some(there) = self.slot_mut(place) else { return Slot::new(place.tag()) };
        let empty = Slot::new(there.tag());
        core::mem::replace(there, empty)
    }

    /// The next set of records to look at of a slot that is being swept.
    #[inline]
    pub(crate) fn next_unswept<'a>(&'a mut self, slot: &'a mut Slot) -> Option<&'a [Record; SET]> {
        self.half_swept.left = self.half_swept.left.checked_sub(1)?;
        let set = slot.pop_any_set(&mut self.pool)?;
        self.moved += SET as u64;
        Some(set)
    }

    /// Keeps a record of a slot that is being swept.
    #[inline]
    pub(crate) fn keep(&mut self, slot: &mut Slot, index: u32) -> Tag {
        self.filed += 1;
        slot.push_noted(index, &mut self.pool)
    }

    /// Puts back what of a slot is to stay there.
    pub(crate) fn put_back(&mut self, now: u64, place: Place, mut slot: Slot) {
        let mut holds = !slot.is_empty();
        if !holds {
            slot.forget_earliest();
        }
        // The note of its earliest entry stands for what is sorted ahead as well.
        for sorted in self.sorted_ahead(now, place).filter_map(|sorted| self.slot(sorted)) {
            slot.note(sorted.earliest().deadline, sorted.earliest().index);
            holds = true;
        }
        if let Some(there) = self.slot_mut(place) {
            *there = slot;
        }
        self.mark(place, holds);
        if let Some((level, _)) = place.ahead_at::<BITS>() {
            self.let_go_of_root(now, level);
        }
        self.settle(now);
    }

    /// A slot stands for what is sorted ahead of it; if the last of that is gone, and it holds nothing
    /// itself, for nothing any more.
    fn let_go_of_root(&mut self, now: u64, level: u32) {
        let root = Self::root_of(now, level);
        if self.slot(root).is_some_and(Slot::is_empty) && !self.is_sorted_ahead(now, root) {
            self.take(root, &mut Taken::nothing());
        }
    }
}
