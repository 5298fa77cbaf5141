//! The block of slots that comes next on each level: what belongs to it, and what of that is sorted
//! already.

use core::ops::Range;

use super::Filing;
use crate::level::{self, Place};

impl<const BITS: u32> Filing<BITS> {
    /// The first tick of a place on the wheel.
    pub(super) fn start_of(now: u64, place: Place) -> u64 {
        match place.ahead_at::<BITS>() {
            Some((level, slot)) => {
                let block = level::next_block::<BITS>(now, level);
                block | (u64::from(slot) * level::ticks_of::<BITS>(level))
            }
            None => level::start_of::<BITS>(now, place.level::<BITS>(), place.slot::<BITS>()),
        }
    }

    /// The slot that comes next on a level: in the last one, the first of the next block.
    #[inline]
    pub(super) fn next_place(now: u64, level: u32) -> Place {
        let next = level::digit::<BITS>(now, level) + 1;
        if next < level::slots::<BITS>() {
            Place::new::<BITS>(level, next)
        } else {
            Place::ahead::<BITS>(level, 0)
        }
    }

    /// The lowest of the levels below `level` whose next block begins with the next slot of that.
    pub(super) fn lowest_beginning(now: u64, level: u32) -> u32 {
        let mut lowest = level - 1;
        while lowest > 0 && level::digit::<BITS>(now, lowest) == level::slots::<BITS>() - 1 {
            lowest -= 1;
        }
        lowest
    }

    /// The levels whose next block begins with a slot: what is sorted ahead of it is there.
    fn levels_ahead_of(now: u64, root: Place) -> Range<u32> {
        let level = root.level::<BITS>();
        let is_level = 0 < level && level < level::levels::<BITS>();
        if is_level && Self::next_place(now, level) == root {
            Self::lowest_beginning(now, level)..level
        } else {
            0..0
        }
    }

    /// Whether some of what belongs to a slot is sorted ahead.
    pub(crate) fn is_sorted_ahead(&self, now: u64, root: Place) -> bool {
        Self::levels_ahead_of(now, root).any(|level| self.ahead.next_from(level, 0).is_some())
    }

    /// What is sorted ahead of a slot, in the order of time: the first slots of all levels begin with
    /// it, and the higher ones end later.
    pub(super) fn sorted_ahead(&self, now: u64, root: Place) -> impl Iterator<Item = Place> {
        let levels = Self::levels_ahead_of(now, root);
        let is_first = |place: &Place| place.slot::<BITS>() == 0;
        let first = move |level| self.ahead.places_from(level, 0).take_while(is_first);
        let rest = |level| self.ahead.places_from(level, 1);
        levels.clone().rev().flat_map(first).chain(levels.flat_map(rest))
    }

    /// The slot of the levels that what is sorted into the next block of `level` belongs to.
    pub(super) fn root_of(now: u64, level: u32) -> Place {
        let above = level + 1..level::levels::<BITS>();
        let mut next = above.map(|level| Self::next_place(now, level));
        next.find(|place| place.ahead_at::<BITS>().is_none()).unwrap_or(Place::NONE)
    }

    /// The levels that leave their block between `before` and `now`, and have the next one sorted,
    /// go on in that; says which, one bit each. Their slots of before are where that was, and to be
    /// emptied.
    pub(crate) fn enter_blocks(&mut self, before: u64, now: u64) -> u64 {
        let entered = self.ahead.levels() & level::levels_left::<BITS>(before, now);
        let mut levels = entered;
        while levels != 0 {
            let level = levels.trailing_zeros();
            if let Some(row) = self.levels.get_mut(level as usize) {
                self.ahead.swap(level, row, &mut self.occupancy);
                self.half_swept.change_rows::<BITS>(level);
            }
            levels &= levels - 1;
        }
        entered
    }

    /// The first slot of a level that is where the next block is.
    pub(crate) fn first_ahead(&self, level: u32) -> Option<Place> {
        self.ahead.places_from(level, 0).next()
    }

    /// Nothing is there any more.
    pub(crate) fn forget_ahead(&mut self, level: u32) {
        self.ahead.forget(level);
    }
}
