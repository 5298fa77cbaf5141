//! The block of ticks that comes next: what belongs to its slot of level 1, and what of it is
//! sorted by tick already.

use super::Filing;
use crate::level::{self, Place};
use crate::slot::{Record, SET, Tag};

impl<const BITS: u32> Filing<BITS> {
    /// The last deadline that belongs to a place: what is filed there with a later one has moved.
    pub(crate) fn last_tick(now: u64, place: Place) -> u64 {
        if place == Place::OVERDUE {
            return now;
        }
        let level = if place.tick_ahead::<BITS>().is_some() { 0 } else { place.level::<BITS>() };
        Self::start_of(now, place).saturating_add(level::ticks_of::<BITS>(level) - 1)
    }

    /// The first tick of a place on the wheel.
    pub(super) fn start_of(now: u64, place: Place) -> u64 {
        match (place.tick_ahead::<BITS>(), Self::next_block(now)) {
            (Some(tick), Some(block)) => {
                level::start_of::<BITS>(now, 1, block.slot::<BITS>()) | u64::from(tick)
            }
            _ => level::start_of::<BITS>(now, place.level::<BITS>(), place.slot::<BITS>()),
        }
    }

    /// The slot that comes next on level 1, unless a slot of a higher level comes before.
    #[inline]
    pub(super) fn next_block(now: u64) -> Option<Place> {
        let next = level::digit::<BITS>(now, 1) + 1;
        (next < level::slots::<BITS>()).then_some(Place::new::<BITS>(1, next))
    }

    /// Whether some of what belongs to a slot is sorted ahead.
    pub(crate) fn is_sorted_ahead(&self, now: u64, place: Place) -> bool {
        self.has_sorted() && Self::next_block(now) == Some(place)
    }

    /// The slot to sort ahead, and how many sets of its records now, so that it is done in time.
    #[inline]
    pub(crate) fn to_sort_ahead(&self, now: u64) -> Option<(Tag, u32)> {
        let next = level::digit::<BITS>(now, 1) + 1;
        // One past the last is a slot that nothing is filed in.
        let slot = &self.levels.get(1)?[next as usize % 256];
        let sets = slot.sets();
        if sets == 0 || next == level::slots::<BITS>() {
            return None;
        }
        let ticks = level::slots::<BITS>() - level::digit::<BITS>(now, 0);
        Some((slot.tag(), (sets - 1) / ticks + 1))
    }

    /// Takes the first set of records out of the slot that is to be sorted ahead.
    #[inline]
    pub(crate) fn set_to_sort(&mut self, now: u64) -> Option<[Record; SET]> {
        self.ahead.prepare();
        let next = level::digit::<BITS>(now, 1) + 1;
        let slot = &mut self.levels.get_mut(1)?[next as usize % 256];
        let set = slot.pop_set(&mut self.pool)?;
        self.count_taken(SET);
        Some(set)
    }

    /// Files an entry of the next block at its tick, and any other where it belongs.
    #[inline]
    pub(crate) fn file_sorted(&mut self, now: u64, deadline: u64, index: u32) -> Tag {
        let tick = level::digit::<BITS>(deadline, 0);
        if level::is_in_next_block::<BITS>(now, deadline)
            && let Some(slot) = self.ahead.slot_mut(tick)
        {
            let was_empty = slot.is_empty();
            let tag = slot.push(index, deadline, &mut self.pool);
            self.records += 1;
            if was_empty {
                self.ahead.mark(tick, true);
            }
            return tag;
        }
        self.file_ahead(now, deadline, index)
    }

    /// Whether anything is sorted ahead.
    #[inline]
    pub(crate) fn has_sorted(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// The first place at or after `from` that is sorted ahead.
    pub(crate) fn sorted_from(&self, from: u32) -> Option<(u32, Place)> {
        let tick = self.ahead.next_from(from)?;
        Some((tick, Place::ahead::<BITS>(tick)))
    }

    /// The block has come: what was sorted ahead is level 0 now. What was filed there meanwhile is
    /// where that was, and to be filed anew.
    pub(crate) fn install(&mut self) {
        if let Some(lowest) = self.levels.first_mut() {
            self.ahead.swap(lowest, &mut self.occupancy);
        }
    }
}
