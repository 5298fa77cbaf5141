//! What comes next on each level, sorted into the level below it ahead of time.
//!
//! At a million timers within a minute a slot of level 2 holds all of them, and one of level 1 four
//! thousand. To move them in the tick that enters it is a pause of eight milliseconds, or of a third
//! of one. So those that are in the next slot of a level by now are moved a few sets at a time,
//! whenever an `advance` before it has something to do anyway: into a spare row of the level below,
//! which becomes that level when its block comes.
//!
//! ```text
//!   level 2   ░░░▓█░░░         ▓ now   █ comes next: is sorted into the spare row of level 1,
//!   level 1   ░░░░░░░▓   █░░░░░░░        whose first slot comes next once now is in the last one
//!   level 0   ░░░░▓░░░   ░░░░░░░░        of level 1: it is sorted into the spare row of level 0
//!             this row   spare row
//! ```
//!
//! What is sorted still belongs to the slot it came from, or that one came from, which is no spare
//! one: the *root*. Its bit, its start and the note of its earliest entry stand for all that is sorted
//! ahead of it, and what is armed meanwhile goes into it as ever.

use alloc::vec::Vec;

use crate::level::{self, Occupancy, Place, SlotBits};
use crate::pace::Look;
use crate::slot::{self, Level, Slot};

/// The next block of each level.
#[derive(Clone, Debug)]
pub(crate) struct Ahead<const BITS: u32> {
    rows: Vec<Row>,
    /// One bit per level that has anything sorted; and maybe of one that has nothing any more.
    levels: u64,
}

/// The next block of one level, out of its place.
#[derive(Debug)]
pub(crate) struct Lifted<const BITS: u32> {
    level: u32,
    slots: Level,
    occupied: SlotBits,
}

impl<const BITS: u32> Lifted<BITS> {
    /// The slot to sort a record into, which is noted as one that holds some.
    #[inline]
    pub(crate) fn slot_to_fill(&mut self, deadline: u64) -> &mut Slot {
        let slot = level::digit::<BITS>(deadline, self.level);
        to_fill(&mut self.slots, &mut self.occupied, slot)
    }
}

#[inline]
fn to_fill<'a>(slots: &'a mut Level, occupied: &mut SlotBits, slot: u32) -> &'a mut Slot {
    let to_fill = &mut slots[slot as usize % 256];
    if to_fill.is_empty() {
        occupied[slot as usize / 64 % 4] |= 1 << (slot % 64);
    }
    to_fill
}

/// The next block of one level.
#[derive(Clone, Debug)]
struct Row {
    /// None until there is something to sort.
    slots: Option<Level>,
    /// Those that hold records.
    occupied: SlotBits,
    /// When it is worth a look whether there is something to sort.
    look: Look,
}

impl<const BITS: u32> Ahead<BITS> {
    pub(crate) const fn new() -> Self {
        Self { rows: Vec::new(), levels: 0 }
    }

    /// Makes it as many levels; none of them takes room before it is needed.
    pub(crate) fn resize(&mut self, levels: usize) {
        self.rows.resize(levels, Row { slots: None, occupied: [0; 4], look: Look::NOW });
    }

    #[inline]
    pub(crate) fn slot(&self, level: u32, slot: u32) -> Option<&Slot> {
        let slots = self.rows.get(level as usize)?.slots.as_ref()?;
        Some(&slots[slot as usize % 256])
    }

    #[inline]
    pub(crate) fn slot_mut(&mut self, level: u32, slot: u32) -> Option<&mut Slot> {
        let slots = self.rows.get_mut(level as usize)?.slots.as_mut()?;
        Some(&mut slots[slot as usize % 256])
    }

    /// Lifts the next block of a level out, to be at hand while it is filled, until it is
    /// [put back](Self::put_back).
    pub(crate) fn lift(&mut self, level: u32) -> Lifted<BITS> {
        let Row { slots, occupied, .. } = &mut self.rows[level as usize];
        let slots = slots.take().unwrap_or_else(|| slots_of::<BITS>(level));
        Lifted { level, slots, occupied: *occupied }
    }

    pub(crate) fn put_back(&mut self, lifted: Lifted<BITS>) {
        let Row { slots, occupied, .. } = &mut self.rows[lifted.level as usize];
        (*slots, *occupied) = (Some(lifted.slots), lifted.occupied);
        if lifted.occupied != [0; 4] {
            self.levels |= 1 << lifted.level;
        }
    }

    /// The slot to sort a record into, which is noted as one that holds some.
    #[inline]
    pub(crate) fn slot_to_fill(&mut self, level: u32, slot: u32) -> &mut Slot {
        let Row { slots, occupied, .. } = &mut self.rows[level as usize];
        self.levels |= 1 << level;
        to_fill(slots.get_or_insert_with(|| slots_of::<BITS>(level)), occupied, slot)
    }

    /// Notes that a slot holds records, or does not any more.
    pub(crate) fn mark(&mut self, level: u32, slot: u32, holds: bool) {
        let Some(row) = self.rows.get_mut(level as usize) else { return };
        let (word, bit) = (&mut row.occupied[slot as usize / 64], 1 << (slot % 64));
        *word = if holds { *word | bit } else { *word & !bit };
    }

    /// The levels that have anything, one bit each; and maybe some that have nothing any more.
    pub(crate) fn levels(&self) -> u64 {
        self.levels
    }

    /// The block has come: its slots become those of the level, and the other way round.
    pub(crate) fn swap(&mut self, level: u32, slots: &mut Level, occupancy: &mut Occupancy) {
        if let Some(Row { slots: Some(ahead), occupied, .. }) = self.rows.get_mut(level as usize) {
            core::mem::swap(ahead, slots);
            occupancy.swap(level, occupied);
        }
    }

    /// When it is worth a look whether there is something to sort into the next block of a level.
    pub(crate) fn look(&mut self, level: u32) -> &mut Look {
        &mut self.rows[level as usize].look
    }

    /// All slots of a level were emptied.
    pub(crate) fn forget(&mut self, level: u32) {
        self.levels &= !(1 << level);
    }

    /// The first slot of a level at or after `from` that holds records.
    pub(crate) fn next_from(&self, level: u32, from: u32) -> Option<u32> {
        level::first_bit_from(&self.rows.get(level as usize)?.occupied, from)
    }

    /// The slots of a level at or after `from` that hold records, in order.
    pub(crate) fn places_from(&self, level: u32, from: u32) -> impl Iterator<Item = Place> {
        let next = move |from| self.next_from(level, from);
        let slots = core::iter::successors(next(from), move |slot| next(slot + 1));
        slots.map(move |slot| Place::ahead::<BITS>(level, slot))
    }

    /// The first slot that holds records at or after this one, of all levels.
    pub(crate) fn place_from(&self, level: u32, slot: u32) -> Option<Place> {
        let above = (level + 1..).zip(self.rows.iter().skip(level as usize + 1));
        let mut above = above.filter_map(|(level, _)| self.places_from(level, 0).next());
        self.places_from(level, slot).next().or_else(|| above.next())
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let slots = self.rows.iter().filter_map(|row| row.slots.as_ref());
        self.rows.capacity() * size_of::<Row>()
            + slots.map(|slots| size_of_val(&**slots)).sum::<usize>()
    }
}

/// The slots of the next block of a level, when nothing was sorted into it yet.
#[cold]
fn slots_of<const BITS: u32>(level: u32) -> Level {
    slot::level_of(|slot| Place::ahead::<BITS>(level, slot % level::slots::<BITS>()).tag())
}
