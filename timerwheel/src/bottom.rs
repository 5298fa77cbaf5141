//! The few that come next, sorted: the bottom of the ladder.
//!
//! Where timers are sparse, a slot of a far level holds a handful for many ticks. Filing each of them in a
//! slot of its own, nearer by, to empty one slot after the other soon after, costs more than sorting
//! them. So the entries of a small slot that comes up go here instead. The ladder queue does the same in
//! simulators (Tang, Goh and Thng, *Ladder queue: An O(1) priority queue structure for large-scale
//! discrete event simulation*, 2005).
//!
//! A record is a hint here as well, see `slot`: the entry says whether it is still here.

use crate::slot::{Noted, Record, SET};

/// Records that there is room for. With half of it draining a few thousand timers takes a fifth longer; with twice
/// as much it is slower again from ten thousand on, where slots are better than sorting so many one by one.
const ROOM: usize = 32;

/// How many of them are used: all on levels of 256 slots, an eighth of the slots on smaller ones. Tests that use
/// those have few timers, and would never see one filed level by level.
const fn most<const BITS: u32>() -> usize {
    (1 << BITS) / 8
}

/// Places for them. Those that were taken out leave theirs at the front, until the others are moved there; so
/// nothing has to be done when the last one leaves, and there is always a place after it.
const PLACES: usize = 2 * ROOM;

/// No record.
const NONE: Noted = Noted { deadline: u64::MAX, index: Record::MAX };

#[derive(Clone, Debug)]
pub(crate) struct Bottom<const BITS: u32> {
    /// The first of them: all that is asked most of the time.
    first: Noted,
    records: [Noted; PLACES],
    /// Those from here to the end are there, in the order of time; after them there is none.
    head: usize,
    end: usize,
}

impl<const BITS: u32> Bottom<BITS> {
    pub(crate) const fn new() -> Self {
        const { assert!(most::<BITS>() <= ROOM) };
        Self { first: NONE, records: [NONE; PLACES], head: 0, end: 0 }
    }

    /// Whether it takes a slot of so many sets of records when it holds nothing itself.
    #[inline]
    pub(crate) const fn takes(sets: u32) -> bool {
        (sets as usize + 1) * SET <= most::<BITS>()
    }

    /// Whether there is room for so many more.
    #[inline]
    pub(crate) fn has_room_for(&self, more: usize) -> bool {
        self.end - self.head + more <= most::<BITS>()
    }

    /// Adds a record, for which there is room: after those of the same deadline.
    #[inline]
    pub(crate) fn push(&mut self, deadline: u64, index: u32) {
        debug_assert!(self.has_room_for(1));
        if self.end >= PLACES - 1 {
            self.close_up();
        }
        let mut at = self.end % PLACES;
        self.end = at + 1;
        self.records[self.end % PLACES] = NONE;
        while at > self.head && self.records[at - 1].deadline > deadline {
            self.records[at] = self.records[at - 1];
            at -= 1;
        }
        self.records[at] = Noted { deadline, index };
        self.first = self.records[self.head % PLACES];
    }

    /// Moves the records to the front.
    #[cold]
    #[inline(never)]
    fn close_up(&mut self) {
        self.records.copy_within(self.head..self.end, 0);
        self.end -= self.head;
        self.head = 0;
    }

    /// The record that comes first; if there is none, one of no entry, at the end of time.
    #[inline]
    pub(crate) fn first(&self) -> Noted {
        self.first
    }

    /// Takes the first record out, if it comes up by `now`.
    #[inline]
    pub(crate) fn pop(&mut self, now: u64) -> Option<Noted> {
        let first = self.first;
        if first.deadline > now || self.head == self.end {
            return None;
        }
        self.head += 1;
        // Of none, if that was the last: no branch, for nobody can guess which one is.
        self.first = self.records[self.head % PLACES];
        Some(first)
    }

    /// Its records, in order.
    pub(crate) fn records(&self) -> &[Noted] {
        &self.records[self.head..self.end]
    }

    /// What must hold of it alone.
    pub(crate) fn check(&self) {
        assert!(self.records().is_sorted_by_key(|record| record.deadline), "the bottom is sorted");
        assert_eq!(self.first, self.records().first().copied().unwrap_or(NONE), "its first record");
        assert_eq!(self.records[self.end], NONE, "none after the last");
        assert!(self.records().len() <= most::<BITS>(), "the bottom holds few");
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn pop_all(bottom: &mut Bottom<8>, now: u64) -> Vec<(u64, u32)> {
        core::iter::from_fn(|| bottom.pop(now)).map(|r| (r.deadline, r.index)).collect()
    }

    #[test]
    fn what_is_pushed_in_any_order_comes_out_sorted_and_the_first_of_equal_ones_first() {
        let mut bottom = Bottom::new();
        for (deadline, index) in [(5, 0), (3, 1), (9, 2), (3, 3), (1, 4), (u64::MAX, 5)] {
            bottom.push(deadline, index);
            bottom.check();
        }
        assert_eq!(pop_all(&mut bottom, 4), [(1, 4), (3, 1), (3, 3)]);
        bottom.push(2, 6);
        bottom.check();
        assert_eq!(pop_all(&mut bottom, 8), [(2, 6), (5, 0)]);
        assert_eq!(pop_all(&mut bottom, u64::MAX), [(9, 2), (u64::MAX, 5)]);
        assert_eq!(bottom.pop(u64::MAX), None, "no record is none, at the end of time as well");
    }

    #[test]
    fn room_is_used_again_and_there_is_no_more_than_that() {
        let mut bottom = Bottom::<8>::new();
        assert!(Bottom::<8>::takes(2) && !Bottom::<8>::takes(3) && !Bottom::<4>::takes(0));
        for turn in 0..100 {
            // The first of them at the end of all, the others before those of the turns before.
            for deadline in (1_000 - turn..).step_by(200) {
                if !bottom.has_room_for(1) {
                    break;
                }
                bottom.push(deadline, 0);
                bottom.check();
            }
            assert_eq!(bottom.records().len(), 32);
            for _ in 0..7 {
                assert!(bottom.pop(u64::MAX).is_some());
                bottom.check();
            }
            assert!(bottom.has_room_for(7) && !bottom.has_room_for(8));
        }
    }
}
