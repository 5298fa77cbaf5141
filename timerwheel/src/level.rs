//! Where a deadline is filed, seen from now: the bit work, and nothing else, is in this file.
//!
//! A tick is read as digits of `BITS` bits. The highest digit in which the deadline differs from
//! now gives the *level*, the deadline's value of that digit the *slot*. Two things follow, and
//! the wheel rests on them:
//!
//! - occupied slots are strictly ahead of the cursor in their level, so the first set bit is the
//!   next slot to come and no level ever wraps;
//! - everything in a lower level is earlier than everything in a higher one, so the first slot of
//!   the lowest occupied level comes first of all.

use alloc::vec::Vec;

use crate::slot::Tag;

/// Which level and slot: `level * slots + slot`, or one of the places beside the levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(u16);

impl Place {
    /// Nowhere.
    pub(crate) const NONE: Self = Self(u16::MAX);
    /// Armed for now or earlier: waits for the next `advance`.
    pub(crate) const OVERDUE: Self = Self((1 << 12) - 2);
    /// In no slot, but sorted among the few that come next.
    pub(crate) const BOTTOM: Self = Self((1 << 12) - 3);

    #[inline]
    pub(crate) const fn new<const BITS: u32>(level: u32, slot: u32) -> Self {
        // At most 64 levels of 2 slots or 8 of 256: it fits.
        #[allow(clippy::cast_possible_truncation)]
        Self(((level << BITS) | slot) as u16)
    }

    /// In the block of `level` that comes next, sorted ahead of time.
    pub(crate) const fn ahead<const BITS: u32>(level: u32, slot: u32) -> Self {
        Self::new::<BITS>(levels::<BITS>() + level, slot)
    }

    /// The level and the slot in the next block of that, if that is where it is.
    #[inline]
    pub(crate) fn ahead_at<const BITS: u32>(self) -> Option<(u32, u32)> {
        let level = self.level::<BITS>().checked_sub(levels::<BITS>())?;
        // After the block of the highest level there is none.
        (level < levels::<BITS>() - 1).then_some((level, self.slot::<BITS>()))
    }

    /// Where its slot is when the block of `level` has been left for the next one.
    pub(crate) fn in_the_other_row<const BITS: u32>(self, level: u32) -> Self {
        match self.ahead_at::<BITS>() {
            Some((of, slot)) if of == level => Self::new::<BITS>(level, slot),
            None if self.level::<BITS>() == level => {
                Self::ahead::<BITS>(level, self.slot::<BITS>())
            }
            _ => self,
        }
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// What entries filed in its slot say at first.
    pub(crate) const fn tag(self) -> Tag {
        Tag::of(self.0)
    }

    /// The place of a slot by its number over all levels.
    pub(crate) fn numbered(number: usize) -> Self {
        u16::try_from(number).map_or(Self::NONE, Self)
    }

    pub(crate) const fn level<const BITS: u32>(self) -> u32 {
        self.0 as u32 >> BITS
    }

    pub(crate) const fn slot<const BITS: u32>(self) -> u32 {
        self.0 as u32 & (slots::<BITS>() - 1)
    }
}

/// Slots of a level.
pub(crate) const fn slots<const BITS: u32>() -> u32 {
    1 << BITS
}

/// Levels that cover all of `u64`.
pub(crate) const fn levels<const BITS: u32>() -> u32 {
    u64::BITS.div_ceil(BITS)
}

/// The level and the slot of `deadline`, which must be after `now`.
#[inline]
#[allow(clippy::cast_possible_truncation)] // a digit
pub(crate) const fn split<const BITS: u32>(now: u64, deadline: u64) -> (u32, u32) {
    debug_assert!(now < deadline);
    // They differ, so the bit set here changes nothing; it says that the logarithm exists.
    let bit = ((now ^ deadline) | 1).ilog2();
    // The level in bits, without a multiplication.
    let shift = bit - bit % BITS;
    (bit / BITS, (deadline >> shift) as u32 & (slots::<BITS>() - 1))
}

/// The place of `deadline`, which must be after `now`.
#[inline]
pub(crate) const fn place_of<const BITS: u32>(now: u64, deadline: u64) -> Place {
    let (level, slot) = split::<BITS>(now, deadline);
    Place::new::<BITS>(level, slot)
}

/// The digit of `tick` at `level`.
#[inline]
#[allow(clippy::cast_possible_truncation)] // masked to at most 8 bits
pub(crate) const fn digit<const BITS: u32>(tick: u64, level: u32) -> u32 {
    ((tick >> (level * BITS)) & (slots::<BITS>() as u64 - 1)) as u32
}

/// Whether `a` and `b` have the same digits above `level`.
pub(crate) const fn same_above<const BITS: u32>(a: u64, b: u64, level: u32) -> bool {
    let shift = (level + 1) * BITS;
    shift >= u64::BITS || (a >> shift) == (b >> shift)
}

/// Whether `deadline` is in the block of slots of `level` after that of `now`.
#[inline]
pub(crate) const fn is_in_next_block<const BITS: u32>(now: u64, deadline: u64, level: u32) -> bool {
    let shift = (level + 1) * BITS;
    shift < u64::BITS && deadline >> shift == (now >> shift) + 1
}

/// The first tick of the block of slots of `level` after that of `now`; there must be one.
pub(crate) const fn next_block<const BITS: u32>(now: u64, level: u32) -> u64 {
    let shift = (level + 1) * BITS;
    ((now >> shift) + 1) << shift
}

/// The levels whose block of slots is another one at `now` than before, one bit each.
pub(crate) fn levels_left<const BITS: u32>(before: u64, now: u64) -> u64 {
    let highest = (before ^ now | 1).ilog2() / BITS;
    (1 << highest) - 1
}

/// The first tick of a slot that is ahead of `now`.
pub(crate) const fn start_of<const BITS: u32>(now: u64, level: u32, slot: u32) -> u64 {
    let shift = (level + 1) * BITS;
    let above = if shift >= u64::BITS { 0 } else { now >> shift << shift };
    above | ((slot as u64) << (level * BITS))
}

/// Ticks of a slot of `level`.
pub(crate) const fn ticks_of<const BITS: u32>(level: u32) -> u64 {
    1 << (level * BITS)
}

/// Ticks until the next slot of `level` begins.
pub(crate) const fn ticks_left<const BITS: u32>(now: u64, level: u32) -> u64 {
    ticks_of::<BITS>(level) - (now & (ticks_of::<BITS>(level) - 1))
}

/// One bit per slot: which slots hold records.
#[derive(Clone, Debug)]
pub(crate) struct Occupancy {
    /// One bit per level that has any; and maybe of one that has none any more.
    levels: u64,
    slots: Vec<SlotBits>,
}

/// Enough words for the widest level.
pub(crate) type SlotBits = [u64; 4];

impl Occupancy {
    pub(crate) const fn new() -> Self {
        Self { levels: 0, slots: Vec::new() }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<SlotBits>()
    }

    /// Makes room for the bits of `levels` levels.
    pub(crate) fn resize(&mut self, levels: usize) {
        self.slots.resize(levels, [0; 4]);
    }

    #[inline]
    pub(crate) fn set(&mut self, level: u32, slot: u32) {
        self.levels |= 1 << level;
        self.slots[level as usize][slot as usize / 64] |= 1 << (slot % 64);
    }

    #[inline]
    pub(crate) fn clear(&mut self, level: u32, slot: u32) {
        if let Some(bits) = self.slots.get_mut(level as usize) {
            bits[slot as usize / 64 % 4] &= !(1 << (slot % 64));
        }
    }

    pub(crate) fn contains(&self, level: u32, slot: u32) -> bool {
        self.slots
            .get(level as usize)
            .is_some_and(|bits| bits[slot as usize / 64] >> (slot % 64) & 1 == 1)
    }

    /// The slot that comes first, seen from `now`: all that are occupied are ahead of it. Forgets
    /// the levels that have none any more.
    #[inline]
    pub(crate) fn first<const BITS: u32>(&mut self, now: u64) -> Option<(u32, u32)> {
        while self.levels != 0 {
            let level = self.levels.trailing_zeros();
            if let Some(slot) = self.slot_from(level, digit::<BITS>(now, level)) {
                return Some((level, slot));
            }
            self.levels &= self.levels - 1;
        }
        None
    }

    /// The levels that have any, one bit each; and maybe some that have none any more.
    pub(crate) fn levels(&self) -> u64 {
        self.levels
    }

    /// Changes the bits of a level for others.
    pub(crate) fn swap(&mut self, level: u32, bits: &mut SlotBits) {
        if let Some(level) = self.slots.get_mut(level as usize) {
            core::mem::swap(level, bits);
        }
        self.levels |= 1 << level;
    }

    /// The first occupied slot at or after `slot` of `level`, in the order of time.
    pub(crate) fn next_from(&self, level: u32, slot: u32) -> Option<(u32, u32)> {
        let mut from = slot;
        let mut left = if level >= u64::BITS { 0 } else { self.levels >> level << level };
        while left != 0 {
            let next = left.trailing_zeros();
            if next != level {
                from = 0;
            }
            if let Some(slot) = self.slot_from(next, from) {
                return Some((next, slot));
            }
            left &= left - 1;
        }
        None
    }

    /// The first occupied slot of one level at or after `from`.
    #[inline]
    pub(crate) fn slot_from(&self, level: u32, from: u32) -> Option<u32> {
        first_bit_from(self.slots.get(level as usize)?, from)
    }
}

/// The first bit that is set at or after `from`.
#[inline]
pub(crate) fn first_bit_from(bits: &SlotBits, from: u32) -> Option<u32> {
    let mut word = from / 64;
    let mut masked = bits.get(word as usize)? & (u64::MAX << (from % 64));
    while masked == 0 {
        word += 1;
        masked = *bits.get(word as usize)?;
    }
    Some(word * 64 + masked.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(now: u64, deadline: u64) -> (u32, u32) {
        let place = place_of::<8>(now, deadline);
        (place.level::<8>(), place.slot::<8>())
    }

    #[test]
    fn the_level_is_the_highest_digit_that_differs() {
        assert_eq!(place(0, 1), (0, 1));
        assert_eq!(place(0, 255), (0, 255));
        assert_eq!(place(0, 256), (1, 1));
        assert_eq!(place(255, 256), (1, 1));
        assert_eq!(place(0, u64::MAX), (7, 255));
        assert_eq!(place(u64::MAX - 1, u64::MAX), (0, 255));
        for level in 0..8 {
            let edge = 1_u64 << (8 * level);
            assert_eq!(place(0, edge), (level, 1), "at the edge of level {level}");
            if level > 0 {
                assert_eq!(place(0, edge - 1), (level - 1, 255), "below the edge");
                assert_eq!(place(edge - 1, edge), (level, 1), "the cursor just below");
            }
        }
    }

    #[test]
    fn the_start_of_a_slot_is_the_first_tick_filed_in_it() {
        for (now, deadline) in [(0, 1), (5, 300), (0x1234_5678, 0x1235_0000), (7, u64::MAX)] {
            let (level, slot) = place(now, deadline);
            let start = start_of::<8>(now, level, slot);
            assert!(now < start && start <= deadline, "{now} < {start} <= {deadline}");
            assert_eq!(place(now, start), (level, slot), "the start is in the slot");
            let before = start - 1;
            assert!(before == now || place(now, before) != (level, slot), "the tick before is not");
        }
    }

    #[test]
    fn occupied_slots_come_in_the_order_of_time() {
        let mut bits = Occupancy::new();
        bits.resize(8);
        let places = [(0, 3), (0, 200), (1, 0), (1, 64), (7, 255)];
        for (level, slot) in places.into_iter().rev() {
            bits.set(level, slot);
        }
        let mut seen = alloc::vec![];
        let mut at = bits.next_from(0, 0);
        while let Some((level, slot)) = at {
            seen.push((level, slot));
            at = bits.next_from(level, slot + 1);
        }
        assert_eq!(seen, places);
        for (level, slot) in places {
            bits.clear(level, slot);
        }
        assert_eq!(bits.first::<8>(0), None);
    }

    #[test]
    fn a_place_reads_back_with_few_bits_and_with_many() {
        assert_eq!((levels::<1>(), levels::<2>(), levels::<8>()), (64, 32, 8));
        let place = Place::new::<1>(63, 1);
        assert_eq!((place.level::<1>(), place.slot::<1>()), (63, 1));
        let place = Place::new::<8>(7, 255);
        assert_eq!((place.level::<8>(), place.slot::<8>()), (7, 255));
    }

    fn check_places<const BITS: u32>() {
        let last = Place::ahead::<BITS>(levels::<BITS>() - 2, slots::<BITS>() - 1);
        assert!(last.index() < Place::BOTTOM.index(), "of {BITS} bits");
        assert_eq!(last.ahead_at::<BITS>(), Some((levels::<BITS>() - 2, slots::<BITS>() - 1)));
        for place in [Place::BOTTOM, Place::OVERDUE, Place::NONE] {
            assert_eq!(place.ahead_at::<BITS>(), None, "of {BITS} bits");
            assert!(place.level::<BITS>() >= levels::<BITS>(), "of {BITS} bits");
        }
    }

    #[test]
    fn the_places_beside_the_levels_are_no_places_of_a_level() {
        check_places::<1>();
        check_places::<2>();
        check_places::<3>();
        check_places::<4>();
        check_places::<5>();
        check_places::<6>();
        check_places::<7>();
        check_places::<8>();
    }
}
