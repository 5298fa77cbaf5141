//! The slots of all levels: files a deadline, and knows which slot comes next.
//!
//! Knows nothing of values or handles: an entry is a number here.

use alloc::vec::Vec;

use crate::level::{self, Occupancy, Place};
use crate::slot::{Chunk, Pool, Slot};

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
    /// The slot that this is the start of.
    next_place: Place,
    records: usize,
    /// Records ever taken out of a slot.
    moved: u64,
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
            next_place: Place::NONE,
            records: 0,
            moved: 0,
        }
    }

    /// An empty one that goes on counting.
    pub(crate) fn renewed(&self) -> Self {
        Self { moved: self.moved, ..Self::new() }
    }

    /// Records ever taken out of a slot.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    #[inline]
    pub(crate) fn next_event(&self) -> u64 {
        self.next_event
    }

    /// The slot that comes first, if it comes up by `now`.
    #[inline]
    pub(crate) fn next_passed(&self, now: u64) -> Option<Place> {
        // At the end of time, the event that never comes has come.
        (self.next_event <= now && self.next_place != Place::NONE).then_some(self.next_place)
    }

    /// Records in all slots, those of cancelled and moved entries included.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Where an entry of that deadline can be filed without growing anything: its slot is there,
    /// and has room for a record or has one of the entry already, in `recorded`.
    #[inline]
    pub(crate) fn ready_place(&self, now: u64, deadline: u64, recorded: Place) -> Option<Place> {
        if deadline <= now {
            return None;
        }
        let place = level::place_of::<BITS>(now, deadline);
        let slot = self.slots.get(place.index())?;
        (slot.has_room() || recorded == place).then_some(place)
    }

    /// Files an entry where [`ready_place`](Self::ready_place) said.
    #[inline]
    pub(crate) fn file_at(&mut self, place: Place, deadline: u64, index: u32, recorded: Place) {
        let Some(slot) = self.slots.get_mut(place.index()) else { return };
        slot.note(deadline, index);
        if recorded != place {
            slot.push_in_place(index, &mut self.pool);
            self.records += 1;
        }
    }

    /// Files an entry and says where. `recorded` is the slot that has a record of it already.
    #[inline]
    pub(crate) fn file(&mut self, now: u64, deadline: u64, index: u32, recorded: Place) -> Place {
        match self.ready_place(now, deadline, recorded) {
            Some(place) => {
                self.file_at(place, deadline, index, recorded);
                place
            }
            None => self.file_growing(now, deadline, index, recorded),
        }
    }

    #[inline(never)]
    fn file_growing(&mut self, now: u64, deadline: u64, index: u32, recorded: Place) -> Place {
        if deadline <= now {
            return self.file_overdue(deadline, index, recorded);
        }
        let place = level::place_of::<BITS>(now, deadline);
        self.make_room(now, place);
        self.file_at(place, deadline, index, recorded);
        place
    }

    /// Files an entry that has no record at `place`, which is the one of its deadline.
    #[inline]
    pub(crate) fn file_ahead(&mut self, now: u64, place: Place, deadline: u64, index: u32) {
        if !self.slots.get(place.index()).is_some_and(Slot::has_room) {
            self.make_room(now, place);
        }
        if let Some(slot) = self.slots.get_mut(place.index()) {
            slot.note(deadline, index);
            slot.push_in_place(index, &mut self.pool);
            self.records += 1;
        }
    }

    /// Sees to it that a slot has room for a record, which is filed at once. One of fifteen needs a
    /// new chunk, and only such a one can be the first of its slot.
    #[inline(never)]
    fn make_room(&mut self, now: u64, place: Place) {
        if place.index() >= self.slots.len() {
            self.add_levels(place);
        }
        let slot = &mut self.slots[place.index()];
        let was_empty = slot.is_empty();
        slot.add_chunk(&mut self.pool);
        if was_empty {
            self.occupancy.set::<BITS>(place);
            let start = level::start_of::<BITS>(now, place.level::<BITS>(), place.slot::<BITS>());
            if start <= self.next_event {
                self.next_event = start;
                self.next_place = place;
            }
        }
    }

    #[cold]
    fn file_overdue(&mut self, deadline: u64, index: u32, recorded: Place) -> Place {
        if recorded != Place::OVERDUE {
            self.overdue.push(index, &mut self.pool);
            self.records += 1;
        }
        self.overdue.note(deadline, index);
        self.next_event = 0;
        self.next_place = Place::OVERDUE;
        Place::OVERDUE
    }

    #[cold]
    fn add_levels(&mut self, place: Place) {
        let levels = place.level::<BITS>() as usize + 1;
        self.slots.resize(levels << BITS, Slot::EMPTY);
        self.occupancy.resize(levels);
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
        let chunk = taken.0.pop_chunk(&mut self.pool)?;
        self.records -= chunk.records().len();
        self.moved += chunk.records().len() as u64;
        Some(chunk)
    }

    /// Puts back what was taken from a slot and is to stay there.
    #[inline]
    pub(crate) fn keep(&mut self, place: Place, deadline: u64, index: u32) {
        let slot = self.slots.get_mut(place.index()).unwrap_or(&mut self.overdue);
        slot.push(index, &mut self.pool);
        slot.note(deadline, index);
        self.records += 1;
    }

    /// Marks a slot as occupied if something was put back into it.
    pub(crate) fn end_keeping(&mut self, place: Place) {
        if self.slots.get(place.index()).is_some_and(|slot| !slot.is_empty()) {
            self.occupancy.set::<BITS>(place);
        }
    }

    /// The last deadline that belongs to a place: what is filed there with a later one has moved.
    pub(crate) fn last_tick(&self, now: u64, place: Place) -> u64 {
        if place.index() >= self.slots.len() {
            return now;
        }
        let level = place.level::<BITS>();
        level::start_of::<BITS>(now, level, place.slot::<BITS>())
            .saturating_add(level::ticks_of::<BITS>(level) - 1)
    }

    #[inline]
    pub(crate) fn has_overdue(&self) -> bool {
        !self.overdue.is_empty()
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
        (self.next_event, self.next_place) = match self.occupancy.first() {
            _ if self.has_overdue() => (0, Place::OVERDUE),
            Some((level, slot)) => {
                (level::start_of::<BITS>(now, level, slot), Place::new::<BITS>(level, slot))
            }
            None => (u64::MAX, Place::NONE),
        };
    }

    /// The slot that comes first, and where it is.
    #[inline]
    pub(crate) fn first(&self) -> Option<(Place, &Slot)> {
        Some((self.next_place, self.slot(self.next_place)?))
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
        let first = self.occupied(now).next().map(|(place, start, _)| (start, place));
        let first = first.unwrap_or((u64::MAX, Place::NONE));
        assert_eq!((self.next_event, self.next_place), first, "the next event");
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
