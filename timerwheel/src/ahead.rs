//! The slot that comes next on level 1, sorted by tick ahead of time.
//!
//! At a million timers within a minute such a slot holds four thousand. To move them all in the
//! tick that enters it is a pause of a third of a millisecond; so those that are in it by now are
//! moved a few sets at a time, whenever an `advance` of the block before has something to do
//! anyway. They are still of that slot: its bit, its start and the note of its earliest entry stand
//! for them as well, and what is armed meanwhile goes into it as ever.

use crate::level::{self, Occupancy, Place, SlotBits};
use crate::slot::{self, Level, Slot};

/// The ticks of the next block.
#[derive(Clone, Debug)]
pub(crate) struct Ahead<const BITS: u32> {
    /// By tick; none until there is something to sort.
    slots: Option<Level>,
    /// Those that hold records.
    occupied: SlotBits,
}

impl<const BITS: u32> Ahead<BITS> {
    pub(crate) const fn new() -> Self {
        Self { slots: None, occupied: [0; 4] }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.occupied == [0; 4]
    }

    /// Makes room for the ticks, if there is none.
    #[inline]
    pub(crate) fn prepare(&mut self) {
        if self.slots.is_none() {
            let tag = |tick| Place::ahead::<BITS>(tick % level::slots::<BITS>()).tag();
            self.slots = Some(slot::level_of(tag));
        }
    }

    /// How many ticks there are.
    pub(crate) fn len(&self) -> u32 {
        if self.slots.is_some() { level::slots::<BITS>() } else { 0 }
    }

    #[inline]
    pub(crate) fn slot(&self, tick: u32) -> Option<&Slot> {
        self.slots.as_ref().map(|slots| &slots[tick as usize % 256])
    }

    #[inline]
    pub(crate) fn slot_mut(&mut self, tick: u32) -> Option<&mut Slot> {
        self.slots.as_mut().map(|slots| &mut slots[tick as usize % 256])
    }

    /// The block has come: its ticks become the slots of the lowest level, whatever is in those.
    pub(crate) fn swap(&mut self, lowest: &mut Level, occupancy: &mut Occupancy) {
        if let Some(slots) = &mut self.slots {
            core::mem::swap(slots, lowest);
            occupancy.swap_lowest(&mut self.occupied);
        }
    }

    /// Notes that a slot holds records, or does not any more.
    #[inline]
    pub(crate) fn mark(&mut self, tick: u32, holds: bool) {
        let bit = 1 << (tick % 64);
        let word = &mut self.occupied[tick as usize / 64];
        if holds {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }

    /// The first tick at or after `from` that has records.
    pub(crate) fn next_from(&self, from: u32) -> Option<u32> {
        level::first_bit_from(&self.occupied, from)
    }

    /// The ticks that have records, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let mut from = 0;
        core::iter::from_fn(move || {
            let tick = self.next_from(from)?;
            from = tick + 1;
            Some((tick, self.slot(tick)?))
        })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.slots.as_ref().map_or(0, |slots| size_of_val(&**slots))
    }
}
