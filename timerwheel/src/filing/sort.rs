//! Sorting what comes next on a level into the level below.

use super::Filing;
use crate::ahead::Lifted;
use crate::bottom::Bottom;
use crate::level::{self, Place};
use crate::pace::{Rest, Step};
use crate::slot::{Record, SET, Slot, Tag};

/// The slot that comes next on a level, and where its entries go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    place: Place,
    /// What the entries filed there say.
    pub(crate) tag: Tag,
    start: u64,
    ticks: u64,
    /// The level below, and the lowest one whose next block begins with that slot too.
    below: u32,
    lowest: u32,
}

impl Next {
    /// Whether a deadline belongs to the slot still: who has moved on does not.
    #[inline]
    fn holds(&self, deadline: u64) -> bool {
        deadline.wrapping_sub(self.start) < self.ticks
    }
}

impl<const BITS: u32> Filing<BITS> {
    /// Whether there may be anything to sort.
    #[inline]
    pub(crate) fn may_sort(&self, now: u64) -> bool {
        self.pace.is_worth_a_look(now, self.pool.taken()) && self.pool.in_use() > 0
    }

    /// It is time to sort, whether there is anything to do or not.
    #[inline]
    pub(crate) fn pass(&mut self, now: u64) {
        self.pace.pass(now);
    }

    /// Begins to look what there is to sort.
    #[inline]
    pub(crate) fn begin_to_sort(&mut self, now: u64) -> Step {
        self.pace.look(now, self.pool.taken())
    }

    /// What comes next on a level, and how many sets of its records, but no more than `most`, are to
    /// be sorted now.
    #[inline]
    pub(crate) fn next_to_sort(
        &mut self,
        step: Step,
        level: u32,
        most: u32,
    ) -> Option<(Next, u32)> {
        let below = level - 1;
        let look = *self.ahead.look(below);
        if !look.is_due(step.now, step.chunks) {
            self.pace.look_again(look, step.chunks);
            return None;
        }
        let place = Self::next_place(step.now, level);
        let slot = self.slot(place);
        let tag = slot.map_or(place.tag(), Slot::tag);
        let (before, within) =
            (level::ticks_left::<BITS>(step.now, level), level::ticks_of::<BITS>(level));
        let mut rest = Rest { sets: slot.map_or(0, Slot::sets), before, within };
        // A small one goes to the bottom as it is, unless other slots have taken the room there meanwhile; but not
        // where a block that was sorted ahead begins with it.
        let lowest = Self::lowest_beginning(step.now, level);
        let are_few = rest.sets == 0
            || Bottom::<BITS>::takes(rest.sets)
                && place.ahead_at::<BITS>().is_none()
                && (lowest..level).all(|level| self.ahead.next_from(level, 0).is_none());
        let share = if are_few { 0 } else { rest.share(step).min(most) };
        rest.sets -= share;
        let look = rest.next_look(step);
        *self.ahead.look(below) = look;
        self.pace.look_again(look, step.chunks);
        if share == 0 {
            return None;
        }
        let (start, ticks) = (step.now + before, within);
        Some((Next { place, tag, start, ticks, below, lowest }, share))
    }

    /// Takes the first set of records out of the slot that comes next.
    #[inline]
    pub(crate) fn set_to_sort(&mut self, next: &Next) -> Option<&[Record; SET]> {
        let slot = if let Some((level, slot)) = next.place.ahead_at::<BITS>() {
            self.ahead.slot_mut(level, slot)?
        } else {
            let level = self.levels.get_mut(next.place.level::<BITS>() as usize)?;
            &mut level[next.place.slot::<BITS>() as usize % 256]
        };
        let set = slot.pop_set(&mut self.pool)?;
        self.half_swept.pass_over(next.place);
        self.moved += SET as u64;
        Some(set)
    }

    /// Lifts the next block of the level below out, if that is where all of the slot goes.
    pub(crate) fn lift_block(&mut self, next: &Next) -> Option<Lifted<BITS>> {
        (next.lowest == next.below).then(|| self.ahead.lift(next.below))
    }

    pub(crate) fn put_block_back(&mut self, block: Lifted<BITS>) {
        self.ahead.put_back(block);
    }

    /// Files an entry of the slot that comes next in the block that was lifted out for that; one that has
    /// moved on, where it belongs now.
    #[inline]
    pub(crate) fn file_in_block(
        &mut self,
        now: u64,
        next: &Next,
        block: &mut Lifted<BITS>,
        deadline: u64,
        index: u32,
    ) -> Tag {
        if !next.holds(deadline) {
            return self.file_growing(now, deadline, index);
        }
        self.filed += 1;
        block.slot_to_fill(deadline).push(index, deadline, &mut self.pool)
    }

    /// The same in the next block of the lowest level whose that is.
    #[inline]
    pub(crate) fn file_sorted(&mut self, now: u64, next: &Next, deadline: u64, index: u32) -> Tag {
        if !next.holds(deadline) {
            return self.file_growing(now, deadline, index);
        }
        self.file_in_lowest_block(now, next, deadline, index)
    }

    #[inline(never)]
    fn file_in_lowest_block(&mut self, now: u64, next: &Next, deadline: u64, index: u32) -> Tag {
        let is_in_next_block = |level| level::is_in_next_block::<BITS>(now, deadline, level);
        let lowest = (next.lowest..next.below).find(|level| is_in_next_block(*level));
        self.file_in_next_block(lowest.unwrap_or(next.below), deadline, index)
    }

    #[inline]
    fn file_in_next_block(&mut self, level: u32, deadline: u64, index: u32) -> Tag {
        self.filed += 1;
        let slot = self.ahead.slot_to_fill(level, level::digit::<BITS>(deadline, level));
        slot.push(index, deadline, &mut self.pool)
    }
}
