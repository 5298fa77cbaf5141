//! The slots of all levels: files a deadline, and knows which slot comes next.
//!
//! Knows nothing of values or handles: an entry is a number here.

use alloc::vec::Vec;

use crate::ahead::Ahead;
use crate::level::{self, Occupancy, Place};
use crate::slot::{CHUNK_RECORDS, Chunk, Pool, Slot, Tag};

#[derive(Clone, Debug)]
pub(crate) struct Filing<const BITS: u32> {
    /// By place; levels that nothing was ever filed in are not there.
    slots: Vec<Slot>,
    occupancy: Occupancy,
    /// What was armed for now or earlier.
    overdue: Slot,
    /// What is sorted already of the slot that comes next on level 1.
    ahead: Ahead<BITS>,
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
            overdue: Slot::new(Place::OVERDUE.tag()),
            ahead: Ahead::new(),
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

    /// Files an entry and says where, if nothing has to grow for that.
    #[inline]
    pub(crate) fn file_in_place(&mut self, now: u64, deadline: u64, index: u32) -> Option<Tag> {
        if deadline <= now {
            return None;
        }
        self.file_ahead_in_place(now, deadline, index)
    }

    #[inline]
    fn file_ahead_in_place(&mut self, now: u64, deadline: u64, index: u32) -> Option<Tag> {
        let place = level::place_of::<BITS>(now, deadline);
        let slot = self.slots.get_mut(place.index())?;
        let tag = slot.push_in_place(index, deadline, &mut self.pool)?;
        self.records += 1;
        Some(tag)
    }

    /// Files an entry and says where.
    #[inline]
    pub(crate) fn file(&mut self, now: u64, deadline: u64, index: u32) -> Tag {
        match self.file_in_place(now, deadline, index) {
            Some(tag) => tag,
            None => self.file_growing(now, deadline, index),
        }
    }

    /// [`file`](Self::file) for a deadline that is after `now`.
    #[inline]
    pub(crate) fn file_ahead(&mut self, now: u64, deadline: u64, index: u32) -> Tag {
        match self.file_ahead_in_place(now, deadline, index) {
            Some(tag) => tag,
            None => self.file_growing(now, deadline, index),
        }
    }

    /// When the slot is not there or its last chunk is full. One of fifteen needs a new chunk, and
    /// only such a one can be the first of its slot.
    #[inline(never)]
    fn file_growing(&mut self, now: u64, deadline: u64, index: u32) -> Tag {
        self.records += 1;
        if deadline <= now {
            return self.file_overdue(deadline, index);
        }
        let place = level::place_of::<BITS>(now, deadline);
        if place.index() >= self.slots.len() {
            self.add_levels(place);
        }
        let slot = &mut self.slots[place.index()];
        let was_empty = slot.is_empty();
        let tag = slot.push(index, deadline, &mut self.pool);
        if was_empty {
            self.occupancy.set::<BITS>(place);
            let start = level::start_of::<BITS>(now, place.level::<BITS>(), place.slot::<BITS>());
            if start <= self.next_event {
                self.next_event = start;
                self.next_place = place;
            }
        }
        tag
    }

    #[cold]
    fn file_overdue(&mut self, deadline: u64, index: u32) -> Tag {
        self.next_event = 0;
        self.next_place = Place::OVERDUE;
        self.overdue.push(index, deadline, &mut self.pool)
    }

    #[cold]
    fn add_levels(&mut self, place: Place) {
        let levels = place.level::<BITS>() as usize + 1;
        let new = self.slots.len()..levels << BITS;
        self.slots.reserve_exact(new.len());
        self.slots.extend(new.map(|number| Slot::new(Place::numbered(number).tag())));
        self.occupancy.resize(levels);
    }

    /// Empties a slot, handing out what was in it chunk by chunk. What is sorted ahead of it stays.
    pub(crate) fn take(&mut self, place: Place) -> Taken {
        if let Some(tick) = place.tick_ahead::<BITS>() {
            self.ahead.mark(tick, false);
        } else if place != Place::OVERDUE {
            self.occupancy.clear::<BITS>(place);
        }
        Taken(self.slot_mut(place).map_or(Slot::new(place.tag()), Slot::take))
    }

    /// The next records of a slot that was taken.
    #[inline]
    pub(crate) fn next_chunk(&mut self, taken: &mut Taken) -> Option<Chunk> {
        let chunk = taken.0.pop_chunk(&mut self.pool)?;
        self.records -= chunk.records().len();
        self.moved += chunk.records().len() as u64;
        Some(chunk)
    }

    /// Adds a record to a slot that was taken out, and is [put back](Self::put_back) afterwards.
    #[inline]
    pub(crate) fn keep(&mut self, slot: &mut Slot, deadline: u64, index: u32) -> Tag {
        self.records += 1;
        slot.push(index, deadline, &mut self.pool)
    }

    /// Puts back what of a slot that was taken is to stay there; nothing was filed in it meanwhile.
    pub(crate) fn put_back(&mut self, now: u64, place: Place, mut slot: Slot) {
        let sorted_ahead = self.is_sorted_ahead(now, place);
        if sorted_ahead && let Some((_, first)) = self.ahead.iter().next() {
            // The note of its earliest entry stands for what is sorted ahead as well.
            slot.note(first.earliest().deadline, first.earliest().index);
        }
        let holds = !slot.is_empty() || sorted_ahead;
        if let Some(tick) = place.tick_ahead::<BITS>() {
            self.ahead.mark(tick, holds);
        } else if holds && place != Place::OVERDUE {
            self.occupancy.set::<BITS>(place);
        }
        if let Some(there) = self.slot_mut(place) {
            debug_assert!(there.is_empty(), "filed in a slot that is being swept");
            *there = slot;
        }
    }

    /// The last deadline that belongs to a place: what is filed there with a later one has moved.
    pub(crate) fn last_tick(&self, now: u64, place: Place) -> u64 {
        if place == Place::OVERDUE {
            return now;
        }
        let level = if place.tick_ahead::<BITS>().is_some() { 0 } else { place.level::<BITS>() };
        self.start_of(now, place).saturating_add(level::ticks_of::<BITS>(level) - 1)
    }

    /// The first tick of a place on the wheel.
    fn start_of(&self, now: u64, place: Place) -> u64 {
        match (place.tick_ahead::<BITS>(), Self::next_block(now)) {
            (Some(tick), Some(block)) => {
                level::start_of::<BITS>(now, 1, block.slot::<BITS>()) | u64::from(tick)
            }
            _ => level::start_of::<BITS>(now, place.level::<BITS>(), place.slot::<BITS>()),
        }
    }

    /// The slot that comes next on level 1, unless a slot of a higher level comes before.
    #[inline]
    fn next_block(now: u64) -> Option<Place> {
        let next = level::digit::<BITS>(now, 1) + 1;
        (next < level::slots::<BITS>()).then_some(Place::new::<BITS>(1, next))
    }

    /// Whether some of what belongs to a slot is sorted ahead.
    pub(crate) fn is_sorted_ahead(&self, now: u64, place: Place) -> bool {
        !self.ahead.is_empty() && Self::next_block(now) == Some(place)
    }

    /// The slot to sort ahead, and how many of its chunks now, so that it is done in time; never
    /// the last one, which is still being filled.
    #[inline]
    pub(crate) fn to_sort_ahead(&self, now: u64) -> Option<(Tag, u32)> {
        let slot = self.slots.get(Self::next_block(now)?.index())?;
        let chunks = slot.chunks();
        if chunks < 2 {
            return None;
        }
        let ticks = level::slots::<BITS>() - level::digit::<BITS>(now, 0);
        Some((slot.tag(), ((chunks - 1) / ticks + 1).min(chunks - 1)))
    }

    /// Takes the first chunk out of the slot that is to be sorted ahead.
    pub(crate) fn chunk_to_sort(&mut self, now: u64) -> Option<Chunk> {
        self.ahead.prepare();
        let slot = self.slots.get_mut(Self::next_block(now)?.index())?;
        let chunk = slot.pop_chunk(&mut self.pool)?;
        self.records -= chunk.records().len();
        self.moved += chunk.records().len() as u64;
        Some(chunk)
    }

    /// Files an entry of the next block at its tick, and any other where it belongs.
    #[inline]
    pub(crate) fn file_sorted(&mut self, now: u64, deadline: u64, index: u32) -> Tag {
        if !level::is_in_next_block::<BITS>(now, deadline) {
            return self.file_ahead(now, deadline, index);
        }
        let tick = level::digit::<BITS>(deadline, 0);
        let Some(slot) = self.ahead.slot_mut(tick) else {
            return self.file_ahead(now, deadline, index);
        };
        let was_empty = slot.is_empty();
        let tag = slot.push(index, deadline, &mut self.pool);
        self.records += 1;
        if was_empty {
            self.ahead.mark(tick, true);
        }
        tag
    }

    /// The first place at or after `from` that is sorted ahead.
    pub(crate) fn sorted_from(&self, from: u32) -> Option<(u32, Place)> {
        let tick = self.ahead.next_from(from)?;
        Some((tick, Place::ahead::<BITS>(tick)))
    }

    /// The block has come: makes a tick that was sorted ahead a slot of level 0, as it is. False if
    /// something is in that slot already.
    pub(crate) fn install(&mut self, tick: u32) -> bool {
        let (Some(slot), Some(ahead)) =
            (self.slots.get_mut(tick as usize), self.ahead.slot_mut(tick))
        else {
            return false;
        };
        if !slot.is_empty() {
            return false;
        }
        core::mem::swap(slot, ahead);
        self.ahead.mark(tick, false);
        self.occupancy.set::<BITS>(Place::new::<BITS>(0, tick));
        true
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

    /// The slots that hold records, in the order of time, each with its first tick; what is sorted
    /// ahead of a slot after it.
    pub(crate) fn occupied(&self, now: u64) -> impl Iterator<Item = (Place, u64, &Slot)> {
        let overdue = (!self.overdue.is_empty()).then_some((Place::OVERDUE, 0, &self.overdue));
        let mut at = self.occupancy.first();
        let ahead = core::iter::from_fn(move || {
            let (level, slot) = at?;
            at = self.occupancy.next_from(level, slot + 1);
            Some(Place::new::<BITS>(level, slot))
        });
        let with_sorted = move |place: Place| {
            let sorted = self.is_sorted_ahead(now, place).then(|| self.ahead.iter());
            let sorted = sorted.into_iter().flatten();
            let sorted = sorted.map(|(tick, slot)| (Place::ahead::<BITS>(tick), slot));
            core::iter::once((place, &self.slots[place.index()])).chain(sorted)
        };
        let ahead = ahead.flat_map(with_sorted);
        let ahead = ahead.map(move |(place, slot)| (place, self.start_of(now, place), slot));
        overdue.into_iter().chain(ahead)
    }

    /// The slot at a place, if anything was ever filed in its level.
    pub(crate) fn slot(&self, place: Place) -> Option<&Slot> {
        match place.tick_ahead::<BITS>() {
            Some(tick) => self.ahead.slot(tick),
            None if place == Place::OVERDUE => Some(&self.overdue),
            None => self.slots.get(place.index()),
        }
    }

    fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        match place.tick_ahead::<BITS>() {
            Some(tick) => self.ahead.slot_mut(tick),
            None if place == Place::OVERDUE => Some(&mut self.overdue),
            None => self.slots.get_mut(place.index()),
        }
    }

    pub(crate) fn records_of<'a>(&'a self, slot: &Slot) -> impl Iterator<Item = u32> + 'a {
        slot.records(&self.pool)
    }

    /// Places there are to be swept.
    pub(crate) fn places(&self) -> usize {
        1 + self.slots.len() + self.ahead.len()
    }

    /// The place after this one in the round that a sweep makes over all of them.
    pub(crate) fn place_after(&self, place: Place) -> Place {
        let next = if place == Place::OVERDUE { 0 } else { place.index() + 1 };
        let first_ahead = Place::ahead::<BITS>(0);
        if next < self.slots.len() {
            return Place::numbered(next);
        }
        match place.tick_ahead::<BITS>() {
            Some(tick) if (tick as usize) + 1 < self.ahead.len() => Place::ahead::<BITS>(tick + 1),
            None if self.ahead.len() > 0 => first_ahead,
            _ => Place::OVERDUE,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.occupancy.heap_bytes()
            + self.ahead.heap_bytes()
            + self.pool.heap_bytes()
    }

    /// What must hold of the slots alone.
    pub(crate) fn check(&self, now: u64) {
        let mut records = 0;
        let mut chunks = 0;
        for (number, slot) in self.slots.iter().enumerate() {
            let place = Place::numbered(number);
            let holds = !slot.is_empty() || self.is_sorted_ahead(now, place);
            assert_eq!(self.occupancy.contains::<BITS>(place), holds, "{place:?}");
            if holds {
                let (level, slot) = (place.level::<BITS>(), place.slot::<BITS>());
                assert!(
                    slot > level::digit::<BITS>(now, level),
                    "slot {slot} of level {level} is not ahead of {now}"
                );
            }
        }
        for (tick, _) in (0..level::slots::<BITS>()).zip(0..self.ahead.len()) {
            let (marked, slot) = (self.ahead.next_from(tick) == Some(tick), self.ahead.slot(tick));
            assert_eq!(marked, slot.is_some_and(|slot| !slot.is_empty()), "tick {tick} ahead");
        }
        assert!(self.ahead.is_empty() || Self::next_block(now).is_some(), "ahead of no slot");
        let first = self.occupied(now).next().map(|(place, start, _)| (start, place));
        let first = first.unwrap_or((u64::MAX, Place::NONE));
        assert_eq!((self.next_event, self.next_place), first, "the next event");
        for (_, start, slot) in self.occupied(now) {
            assert!(start >= self.next_event, "event at {start} before {}", self.next_event);
            let held = slot.records(&self.pool).count();
            records += held;
            chunks += held.div_ceil(CHUNK_RECORDS);
        }
        assert_eq!(records, self.records, "records");
        assert_eq!(chunks, self.pool.in_use(), "chunks");
    }
}

/// A slot that was emptied.
#[derive(Debug)]
pub(crate) struct Taken(Slot);

impl Taken {
    /// What the entries filed there say.
    #[inline]
    pub(crate) fn tag(&self) -> Tag {
        self.0.tag()
    }
}
