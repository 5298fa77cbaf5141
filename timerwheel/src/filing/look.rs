//! What of the slots is there to be seen, and what must hold of them.

use super::Filing;
use crate::level::{self, Place};
use crate::slot::{Level, SET, Slot, Tag};

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
        let with_sorted = move |root| core::iter::once(root).chain(self.sorted_ahead(now, root));
        let ahead = ahead.flat_map(with_sorted);
        let ahead = ahead.filter_map(|place| Some((place, self.slot(place)?)));
        let ahead = ahead.map(move |(place, slot)| (place, Self::start_of(now, place), slot));
        overdue.into_iter().chain(ahead)
    }

    /// Levels there are.
    pub(crate) fn levels(&self) -> u32 {
        u32::try_from(self.levels.len()).unwrap_or(0)
    }

    /// The place after this one that holds anything, in the round that a sweep makes over all of
    /// them: what is overdue, the levels, what is sorted ahead.
    pub(crate) fn place_after(&self, place: Place) -> Option<Place> {
        let next_of_levels = |level, from| {
            let (level, slot) = self.occupancy.next_from(level, from)?;
            Some(Place::new::<BITS>(level, slot))
        };
        let (of_levels, ahead) = match place.ahead_at::<BITS>() {
            Some((level, slot)) => (None, (level, slot + 1)),
            None if place == Place::OVERDUE => (next_of_levels(0, 0), (0, 0)),
            None => (next_of_levels(place.level::<BITS>(), place.slot::<BITS>() + 1), (0, 0)),
        };
        of_levels.or_else(|| self.ahead.place_from(ahead.0, ahead.1))
    }

    /// The records of a slot, each with the tag that its entry says if this is where it is filed.
    pub(crate) fn tagged_records_of<'a>(
        &'a self,
        place: Place,
        slot: &'a Slot,
    ) -> impl Iterator<Item = (u32, Tag)> + 'a {
        let (unswept, tag) = (self.unswept_of(place), slot.tag());
        let tags = core::iter::repeat_n(tag.turned(), unswept).chain(core::iter::repeat(tag));
        slot.records(&self.pool).zip(tags)
    }

    /// The last deadline that belongs to a place: what is filed there with a later one has moved.
    pub(crate) fn last_tick(now: u64, place: Place) -> u64 {
        if place == Place::OVERDUE {
            return now;
        }
        let level = place.ahead_at::<BITS>().map_or(place.level::<BITS>(), |(level, _)| level);
        Self::start_of(now, place).saturating_add(level::ticks_of::<BITS>(level) - 1)
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
        let mut records = self.at_bottom().len();
        let mut chunks = 0;
        for place in (0..self.levels.len() << BITS).map(Place::numbered) {
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
        for level in 0..self.levels() {
            self.check_ahead(now, level);
        }
        let first = self.occupied(now).next().map(|(place, start, _)| (start, place));
        let first = first.unwrap_or((u64::MAX, Place::NONE));
        assert_eq!((self.next_start, self.next_place), first, "the first slot");
        self.bottom.check();
        let passed = self.at_bottom().first().is_some_and(|first| first.deadline <= now);
        assert!(!passed, "the bottom is ahead of now");
        let next = self.next_start.min(self.bottom.first().deadline);
        assert_eq!(self.next_event, next, "the next event");
        for (place, start, slot) in self.occupied(now) {
            assert!(start >= next, "event at {start} before {next}");
            let held = slot.records(&self.pool).count();
            records += held;
            chunks += slot.chunks() as usize;
            assert!(self.unswept_of(place) <= held, "more to be swept than there is");
            assert_eq!(slot.sets() as usize, held.saturating_sub(1) / SET, "sets");
        }
        assert_eq!(records, self.records(), "records");
        assert_eq!(chunks, self.pool.in_use(), "chunks");
    }

    /// What must hold of what is sorted into the next block of a level.
    fn check_ahead(&self, now: u64, level: u32) {
        let root = Self::root_of(now, level);
        for number in 0..level::slots::<BITS>() {
            let Some(slot) = self.ahead.slot(level, number) else { return };
            let marked = self.ahead.next_from(level, number) == Some(number);
            assert_eq!(marked, !slot.is_empty(), "slot {number} of the next block of {level}");
            let is_known = self.ahead.levels() >> level & 1 == 1;
            assert!(!marked || is_known, "a level that has anything sorted is marked");
            if marked {
                let root = self.slot(root).expect("sorted ahead of a slot");
                let noted = root.earliest().deadline;
                assert!(noted <= slot.earliest().deadline, "it stands for what is sorted ahead");
            }
        }
    }
}
