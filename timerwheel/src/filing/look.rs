//! What of the slots is there to be seen, and what must hold of them.

use super::Filing;
use crate::level::{self, Place};
use crate::slot::{Level, SET, Slot};

impl<const BITS: u32> Filing<BITS> {
    /// The slots that hold records, in the order of time, each with its first tick; what is sorted
    /// ahead of a slot after it.
    pub(crate) fn occupied(&self, now: u64) -> impl Iterator<Item = (Place, u64, &Slot)> {
        let overdue = (!self.overdue.is_empty()).then_some((Place::OVERDUE, 0, &self.overdue));
        let mut at = self.occupancy.next_from(0, 0);
        let ahead = core::iter::from_fn(move || {
            let (level, slot) = at?;
            at = self.occupancy.next_from(level, slot + 1);
            Some(Place::new::<BITS>(level, slot))
        });
        let with_sorted = move |place: Place| {
            let sorted = self.is_sorted_ahead(now, place).then(|| self.ahead.iter());
            let sorted = sorted.into_iter().flatten();
            let sorted = sorted.map(|(tick, slot)| (Place::ahead::<BITS>(tick), slot));
            self.slot(place).map(|slot| (place, slot)).into_iter().chain(sorted)
        };
        let ahead = ahead.flat_map(with_sorted);
        let ahead = ahead.map(move |(place, slot)| (place, Self::start_of(now, place), slot));
        overdue.into_iter().chain(ahead)
    }

    /// Slots of all levels there are.
    fn slots(&self) -> usize {
        self.levels.len() << BITS
    }

    /// Places there are to be swept.
    pub(crate) fn places(&self) -> usize {
        1 + self.slots() + self.ahead.len() as usize
    }

    /// The place after this one in the round that a sweep makes over all of them.
    pub(crate) fn place_after(&self, place: Place) -> Place {
        let next = if place == Place::OVERDUE { 0 } else { place.index() + 1 };
        if next < self.slots() {
            return Place::numbered(next);
        }
        match place.tick_ahead::<BITS>() {
            Some(tick) if tick + 1 < self.ahead.len() => Place::ahead::<BITS>(tick + 1),
            None if self.ahead.slot(0).is_some() => Place::ahead::<BITS>(0),
            _ => Place::OVERDUE,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.levels.capacity() * size_of::<Level>()
            + self.levels.iter().map(|level| size_of_val(&**level)).sum::<usize>()
            + self.occupancy.heap_bytes()
            + self.ahead.heap_bytes()
            + self.pool.heap_bytes()
    }

    /// What must hold of the slots alone.
    pub(crate) fn check(&self, now: u64) {
        let mut records = 0;
        let mut chunks = 0;
        for place in (0..self.slots()).map(Place::numbered) {
            let (level, number) = (place.level::<BITS>(), place.slot::<BITS>());
            let slot = self.slot(place).expect("a slot of a level");
            let holds = !slot.is_empty() || self.is_sorted_ahead(now, place);
            assert_eq!(self.occupancy.contains(level, number), holds, "{place:?}");
            assert!(
                !holds || number > level::digit::<BITS>(now, level),
                "slot {number} of level {level} is not ahead of {now}"
            );
        }
        let has_slots = |level: &u32| self.occupancy.slot_from(*level, 0).is_some();
        let is_marked = |level| self.occupancy.levels() >> level & 1 == 1;
        assert!((0..64).filter(has_slots).all(is_marked), "a level that has slots is marked");
        for tick in 0..self.ahead.len() {
            let (marked, slot) = (self.ahead.next_from(tick) == Some(tick), self.ahead.slot(tick));
            assert_eq!(marked, slot.is_some_and(|slot| !slot.is_empty()), "tick {tick} ahead");
        }
        if let Some((_, first)) = self.ahead.iter().next() {
            let of = Self::next_block(now).and_then(|place| self.slot(place));
            let noted = of.expect("sorted ahead of a slot").earliest().deadline;
            assert!(noted <= first.earliest().deadline, "the note stands for what is sorted ahead");
        }
        let first = self.occupied(now).next().map(|(place, start, _)| (start, place));
        let first = first.unwrap_or((u64::MAX, Place::NONE));
        assert_eq!((self.next_event, self.next_place), first, "the next event");
        for (_, start, slot) in self.occupied(now) {
            assert!(start >= self.next_event, "event at {start} before {}", self.next_event);
            let held = slot.records(&self.pool).count();
            records += held;
            chunks += slot.chunks() as usize;
            assert_eq!(slot.sets() as usize, held.saturating_sub(1) / SET, "sets");
        }
        assert_eq!(records, self.records, "records");
        assert_eq!(chunks, self.pool.in_use(), "chunks");
    }
}
