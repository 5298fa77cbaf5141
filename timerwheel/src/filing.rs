//! The slots of all levels: files a deadline, and knows which slot comes next.
//!
//! Knows nothing of values or handles: an entry is a number here.

use alloc::vec::Vec;

use crate::level::{self, Occupancy, Place};
use crate::slot::{Earliest, Pool, Slot};

#[derive(Clone, Debug)]
pub(crate) struct Filing<const BITS: u32> {
    /// By place; levels that nothing was ever filed in are not there.
    slots: Vec<Slot>,
    occupancy: Occupancy,
    /// What was armed for now or earlier.
    overdue: Slot,
    pool: Pool,
    /// The tick from which on `advance` has something to do: the start of the first slot, 0 if
    /// something is overdue. All that an advance with nothing due looks at.
    next_event: u64,
    records: usize,
}

impl<const BITS: u32> Filing<BITS> {
    pub(crate) const fn new() -> Self {
        const { assert!(1 <= BITS && BITS <= 8, "a level has 2 to 256 slots") };
        Self {
            slots: Vec::new(),
            occupancy: Occupancy::new(),
            overdue: Slot::EMPTY,
            pool: Pool::new(),
            next_event: u64::MAX,
            records: 0,
        }
    }

    #[inline]
    pub(crate) fn next_event(&self) -> u64 {
        self.next_event
    }

    /// Records in all slots, those of cancelled and moved entries included.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Files an entry and says where. `recorded` is the slot that has a record of it already.
    #[inline]
    pub(crate) fn file(&mut self, now: u64, entry: Earliest, recorded: Place) -> Place {
        if entry.deadline <= now {
            return self.file_overdue(entry, recorded);
        }
        let place = level::place_of::<BITS>(now, entry.deadline);
        let Some(slot) = self.slots.get_mut(place.index()) else {
            self.add_levels(place);
            return self.file(now, entry, recorded);
        };
        if recorded == place {
            slot.note(entry);
            return place;
        }
        let was_empty = slot.is_empty();
        slot.push(entry.index, &mut self.pool);
        slot.note(entry);
        self.records += 1;
        if was_empty {
            self.occupancy.set::<BITS>(place);
            let (level, slot) = (place.level::<BITS>(), place.slot::<BITS>());
            self.next_event = self.next_event.min(level::start_of::<BITS>(now, level, slot));
        }
        place
    }

    #[cold]
    fn file_overdue(&mut self, entry: Earliest, recorded: Place) -> Place {
        if recorded != Place::OVERDUE {
            self.overdue.push(entry.index, &mut self.pool);
            self.records += 1;
        }
        self.overdue.note(entry);
        self.next_event = 0;
        Place::OVERDUE
    }

    #[cold]
    fn add_levels(&mut self, place: Place) {
        let levels = place.level::<BITS>() as usize + 1;
        self.slots.resize(levels << BITS, Slot::EMPTY);
    }

    /// Empties a slot, handing out what was in it chunk by chunk.
    pub(crate) fn take(&mut self, place: Place) -> Taken {
        let slot = match self.slots.get_mut(place.index()) {
            Some(slot) => {
                self.occupancy.clear::<BITS>(place);
                slot
            }
            None => &mut self.overdue,
        };
        Taken(core::mem::replace(slot, Slot::EMPTY))
    }

    /// The next records of a slot that was taken.
    #[inline]
    pub(crate) fn next_chunk(&mut self, taken: &mut Taken) -> Option<Chunk> {
        let (records, len) = taken.0.pop_chunk(&mut self.pool)?;
        self.records -= len;
        Some(Chunk { records, len })
    }

    /// The first slot of `level` at or after `from` that the cursor passes or enters when it goes
    /// from `before` to `now`.
    pub(crate) fn passed(&self, level: u32, from: u32, before: u64, now: u64) -> Option<u32> {
        let slot = self.occupancy.slot_from(level, from)?;
        let all = !level::same_above::<BITS>(before, now, level);
        (all || slot <= level::digit::<BITS>(now, level)).then_some(slot)
    }

    /// The levels whose slots can be passed on the way from `before` to `now`.
    pub(crate) fn levels_passed(before: u64, now: u64) -> u32 {
        let crossed = |level: &u32| level::same_above::<BITS>(before, now, *level);
        (0..level::levels::<BITS>()).find(crossed).map_or(0, |level| level + 1)
    }

    /// Finds the next event anew, after slots were emptied.
    pub(crate) fn settle(&mut self, now: u64) {
        let next = self.occupied(now).next().map(|(_, start, _)| start);
        self.next_event = next.unwrap_or(u64::MAX);
    }

    /// The slots that hold records, in the order of time, each with its first tick.
    pub(crate) fn occupied(&self, now: u64) -> impl Iterator<Item = (Place, u64, &Slot)> {
        let overdue = (!self.overdue.is_empty()).then_some((Place::OVERDUE, 0, &self.overdue));
        let mut at = self.occupancy.first();
        let ahead = core::iter::from_fn(move || {
            let (level, slot) = at?;
            at = self.occupancy.next_from(level, slot + 1);
            let place = Place::new::<BITS>(level, slot);
            let start = level::start_of::<BITS>(now, level, slot);
            Some((place, start, &self.slots[place.index()]))
        });
        overdue.into_iter().chain(ahead)
    }

    /// The slot at a place, if anything was ever filed in its level.
    pub(crate) fn slot(&self, place: Place) -> Option<&Slot> {
        if place == Place::OVERDUE { Some(&self.overdue) } else { self.slots.get(place.index()) }
    }

    pub(crate) fn records_of<'a>(&'a self, slot: &Slot) -> impl Iterator<Item = u32> + 'a {
        slot.records(&self.pool)
    }

    /// Places there are to be swept.
    pub(crate) fn places(&self) -> usize {
        self.slots.len() + 1
    }

    /// The place after this one in the round that a sweep makes over all of them.
    pub(crate) fn place_after(&self, place: Place) -> Place {
        let next = if place == Place::OVERDUE { 0 } else { place.index() + 1 };
        if next < self.slots.len() { Place::numbered(next) } else { Place::OVERDUE }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.occupancy.heap_bytes()
            + self.pool.heap_bytes()
    }

    /// What must hold of the slots alone.
    pub(crate) fn check(&self, now: u64) {
        let mut records = 0;
        let mut chunks = 0;
        for (number, slot) in self.slots.iter().enumerate() {
            let place = Place::numbered(number);
            assert_eq!(self.occupancy.contains::<BITS>(place), !slot.is_empty(), "{place:?}");
            if !slot.is_empty() {
                let (level, slot) = (place.level::<BITS>(), place.slot::<BITS>());
                assert!(
                    slot > level::digit::<BITS>(now, level),
                    "slot {slot} of level {level} is not ahead of {now}"
                );
            }
        }
        for (_, start, slot) in self.occupied(now) {
            assert!(start >= self.next_event, "event at {start} before {}", self.next_event);
            let held = slot.records(&self.pool).count();
            records += held;
            chunks += held.div_ceil(crate::slot::CHUNK_RECORDS);
        }
        assert_eq!(records, self.records, "records");
        assert_eq!(chunks, self.pool.in_use(), "chunks");
    }
}

/// A slot that was emptied.
#[derive(Debug)]
pub(crate) struct Taken(Slot);

/// Some of its records.
#[derive(Debug)]
pub(crate) struct Chunk {
    records: [u32; crate::slot::CHUNK_RECORDS],
    len: usize,
}

impl Chunk {
    #[inline]
    pub(crate) fn records(&self) -> &[u32] {
        &self.records[..self.len]
    }
}
