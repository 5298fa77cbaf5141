//! The slots of all levels: files a deadline, and knows which slot comes next.
//!
//! Knows nothing of values or handles: an entry is a number here.

mod block;
mod look;
mod sort;
mod sweep;

use alloc::vec::Vec;

pub(crate) use self::sort::Next;
use self::sweep::HalfSwept;
use crate::ahead::Ahead;
use crate::bottom::Bottom;
use crate::level::{self, Occupancy, Place};
use crate::pace::{Look, Pace};
use crate::slot::{self, Level, Noted, Pool, Record, SET, Slot, Tag, Taken};

#[derive(Clone, Debug)]
pub(crate) struct Filing<const BITS: u32> {
    /// Levels above the highest that anything was ever filed in are not there.
    levels: Vec<Level>,
    occupancy: Occupancy,
    /// What was armed for now or earlier.
    overdue: Slot,
    /// What comes next where timers are sparse.
    bottom: Bottom<BITS>,
    /// What is sorted already of the slots that come next.
    ahead: Ahead<BITS>,
    pace: Pace,
    half_swept: HalfSwept,
    pool: Pool,
    /// The tick from which on `advance` has something to do: the start of the first slot or the first
    /// deadline at the bottom, whichever is earlier. All that an advance with nothing due looks at.
    next_event: u64,
    /// The first slot and its start, which is 0 if something is overdue.
    next_start: u64,
    next_place: Place,
    /// Records ever put into a slot or the bottom.
    filed: u64,
    /// Records ever taken out of those. What is there is the difference: a count of it beside this one is
    /// changed together with it, by one wide access, which has to wait for narrow ones just before.
    moved: u64,
}

impl<const BITS: u32> Filing<BITS> {
    pub(crate) const fn new(now: u64) -> Self {
        const { assert!(1 <= BITS && BITS <= 8, "a level has 2 to 256 slots") };
        Self {
            levels: Vec::new(),
            occupancy: Occupancy::new(),
            overdue: Slot::new(Place::OVERDUE.tag()),
            bottom: Bottom::new(),
            ahead: Ahead::new(),
            pace: Pace::new(now),
            half_swept: HalfSwept::NONE,
            pool: Pool::new(),
            next_event: u64::MAX,
            next_start: u64::MAX,
            next_place: Place::NONE,
            filed: 0,
            moved: 0,
        }
    }

    /// An empty one that goes on counting.
    pub(crate) fn renewed(&self, now: u64) -> Self {
        Self { filed: self.moved, moved: self.moved, ..Self::new(now) }
    }

    /// Records ever taken out of a slot or the bottom.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    #[inline]
    pub(crate) fn next_event(&self) -> u64 {
        self.next_event
    }

    /// The slot that comes first and its first tick, if that comes up by `now`.
    #[inline]
    pub(crate) fn next_passed(&self, now: u64) -> Option<(u64, Place)> {
        // At the end of time, the event that never comes has come.
        let comes = self.next_start <= now && self.next_place != Place::NONE;
        comes.then_some((self.next_start, self.next_place))
    }

    /// Whether a slot comes up by `now`. At the end of time, so does one that is not there.
    #[inline]
    pub(crate) fn passes_a_slot(&self, now: u64) -> bool {
        self.next_start <= now
    }

    /// Takes the first record out of the bottom, if that comes up by `now`.
    #[inline]
    pub(crate) fn pop_bottom(&mut self, now: u64) -> Option<Noted> {
        let first = self.bottom.pop(now)?;
        self.moved += 1;
        Some(first)
    }

    /// The first record at the bottom; if there is none, one of no entry, at the end of time.
    #[inline]
    pub(crate) fn first_at_bottom(&self) -> Noted {
        self.bottom.first()
    }

    /// Whether there is room at the bottom for what a slot held.
    #[inline]
    pub(crate) fn fits_bottom(&self, taken: &Taken) -> bool {
        let in_sets = taken.sets() as usize * SET;
        self.bottom.has_room_for(in_sets + taken.last_records().len())
    }

    /// Files an entry of a slot of `level` that the cursor has entered and that
    /// [fits the bottom](Self::fits_bottom): there, or, if it was put off beyond that slot, where it belongs.
    #[inline]
    pub(crate) fn file_few(&mut self, now: u64, deadline: u64, index: u32, level: u32) -> Tag {
        if !level::same_above::<BITS>(now, deadline, level - 1) {
            return self.file_growing(now, deadline, index);
        }
        self.filed += 1;
        self.bottom.push(deadline, index);
        Place::BOTTOM.tag()
    }

    /// Files an entry that a record at the bottom stands for, and that is not due yet: it was put off. None if it has
    /// a record of its own there, and this one was of whoever had its number before.
    #[inline]
    pub(crate) fn file_put_off(&mut self, now: u64, deadline: u64, index: u32) -> Option<Tag> {
        if self.bottom.records().contains(&Noted { deadline, index }) {
            return None;
        }
        Some(self.file_growing(now, deadline, index))
    }

    /// Finds the next event anew, after the bottom has changed.
    #[inline]
    pub(crate) fn settle_bottom(&mut self) {
        self.next_event = self.next_start.min(self.bottom.first().deadline);
    }

    /// Records in all slots and at the bottom, those of cancelled and moved entries included.
    pub(crate) fn records(&self) -> usize {
        usize::try_from(self.filed - self.moved).unwrap_or(usize::MAX)
    }

    /// Files an entry and says where, if nothing has to grow for that.
    #[inline]
    pub(crate) fn file_in_place(&mut self, now: u64, deadline: u64, index: u32) -> Option<Tag> {
        if deadline <= now {
            return None;
        }
        self.file_later_in_place(now, deadline, index)
    }

    #[inline]
    fn file_later_in_place(&mut self, now: u64, deadline: u64, index: u32) -> Option<Tag> {
        let (level, slot) = level::split::<BITS>(now, deadline);
        let slot = &mut self.levels.get_mut(level as usize)?[slot as usize];
        let tag = slot.push_in_place(index, deadline)?;
        self.filed += 1;
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
    pub(crate) fn file_later(&mut self, now: u64, deadline: u64, index: u32) -> Tag {
        match self.file_later_in_place(now, deadline, index) {
            Some(tag) => tag,
            None => self.file_growing(now, deadline, index),
        }
    }

    #[inline(never)]
    fn file_growing(&mut self, now: u64, deadline: u64, index: u32) -> Tag {
        self.file_anyhow(now, deadline, index)
    }

    /// [`file`](Self::file) when the slot is not there, is empty or has to move its records to a
    /// chunk first.
    #[inline(always)]
    #[allow(clippy::inline_always)] // one of nine timers is armed this way
    pub(crate) fn file_anyhow(&mut self, now: u64, deadline: u64, index: u32) -> Tag {
        self.filed += 1;
        if deadline <= now {
            return self.file_overdue(deadline, index);
        }
        let (level, slot) = level::split::<BITS>(now, deadline);
        if level as usize >= self.levels.len() {
            self.add_levels(level);
        }
        let place = &mut self.levels[level as usize][slot as usize];
        if place.is_empty() {
            self.occupancy.set(level, slot);
            let start = level::start_of::<BITS>(now, level, slot);
            if start <= self.next_start {
                self.next_start = start;
                self.next_event = self.next_event.min(start);
                self.next_place = Place::new::<BITS>(level, slot);
            }
        }
        place.push(index, deadline, &mut self.pool)
    }

    #[cold]
    fn file_overdue(&mut self, deadline: u64, index: u32) -> Tag {
        (self.next_event, self.next_start) = (0, 0);
        self.next_place = Place::OVERDUE;
        self.overdue.push(index, deadline, &mut self.pool)
    }

    #[cold]
    fn add_levels(&mut self, level: u32) {
        let there = u32::try_from(self.levels.len()).unwrap_or(level);
        self.levels.reserve_exact((level + 1 - there) as usize);
        self.levels.extend((there..=level).map(slots_of::<BITS>));
        self.occupancy.resize(self.levels.len());
        self.ahead.resize(self.levels.len());
        // Nothing was to be looked for there.
        self.pace.look_again(Look::NOW, self.pool.taken());
    }

    /// Empties a slot into `taken`, if it is there. What is sorted ahead of it stays.
    pub(crate) fn take(&mut self, place: Place, taken: &mut Taken) {
        self.half_swept.ends_at(place);
        self.mark(place, false);
        if let Some(slot) = self.slot_mut(place) {
            slot.take(taken);
            self.moved += taken.in_itself();
        }
    }

    /// Notes that a slot holds records, or does not any more.
    fn mark(&mut self, place: Place, holds: bool) {
        let (level, slot) = (place.level::<BITS>(), place.slot::<BITS>());
        match place.ahead_at::<BITS>() {
            Some((level, slot)) => self.ahead.mark(level, slot, holds),
            None if place == Place::OVERDUE => {}
            None if holds => self.occupancy.set(level, slot),
            None => self.occupancy.clear(level, slot),
        }
    }

    /// [`take`](Self::take) of a slot of a level.
    #[inline]
    pub(crate) fn take_slot(&mut self, level: u32, slot: u32, taken: &mut Taken) {
        self.half_swept.ends_at(Place::new::<BITS>(level, slot));
        self.occupancy.clear(level, slot);
        if let Some(level) = self.levels.get_mut(level as usize) {
            level[slot as usize % 256].take(taken);
            self.moved += taken.in_itself();
        }
    }

    /// The next records of a slot that was taken, those in the slot itself aside.
    #[inline]
    pub(crate) fn next_set(&mut self, taken: &mut Taken) -> Option<&[Record; SET]> {
        let set = taken.next_set(&mut self.pool)?;
        self.moved += SET as u64;
        Some(set)
    }

    #[inline]
    pub(crate) fn has_overdue(&self) -> bool {
        !self.overdue.is_empty()
    }

    /// The first slot of `level` at or after `from` that holds anything.
    #[inline]
    pub(crate) fn next_slot(&self, level: u32, from: u32) -> Option<u32> {
        self.occupancy.slot_from(level, from)
    }

    /// The last slot of `level` that the cursor passes or enters when it goes from `before` to
    /// `now`.
    #[inline]
    pub(crate) fn last_passed(level: u32, before: u64, now: u64) -> u32 {
        if level::same_above::<BITS>(before, now, level) {
            level::digit::<BITS>(now, level)
        } else {
            level::slots::<BITS>() - 1
        }
    }

    /// The levels whose slots can be passed on the way from `before` to `now`, one bit each, of
    /// those that hold anything.
    pub(crate) fn levels_passed(&self, before: u64, now: u64) -> u64 {
        let highest = (before ^ now | 1).ilog2() / BITS;
        self.occupancy.levels() & (u64::MAX >> (63 - highest))
    }

    /// Finds the next event anew, after slots were emptied; `now` is what the rest are ahead of.
    pub(crate) fn settle(&mut self, now: u64) {
        (self.next_start, self.next_place) = match self.occupancy.first::<BITS>(now) {
            _ if self.has_overdue() => (0, Place::OVERDUE),
            Some((level, slot)) => {
                (level::start_of::<BITS>(now, level, slot), Place::new::<BITS>(level, slot))
            }
            None => (u64::MAX, Place::NONE),
        };
        self.settle_bottom();
    }

    /// [`settle`](Self::settle), when the slot of `tick` was emptied: mostly there is another one
    /// in its block.
    #[inline]
    pub(crate) fn settle_after(&mut self, tick: u64) {
        match self.occupancy.slot_from(0, level::digit::<BITS>(tick, 0)) {
            Some(slot) if !self.has_overdue() => {
                self.next_start = level::start_of::<BITS>(tick, 0, slot);
                self.next_place = Place::new::<BITS>(0, slot);
                self.settle_bottom();
            }
            _ => self.settle(tick),
        }
    }

    /// The slot that comes first, and where it is.
    #[inline]
    pub(crate) fn first(&self) -> Option<(Place, &Slot)> {
        let place = self.next_place;
        // The places beside the levels are above all of them.
        match self.levels.get(place.level::<BITS>() as usize) {
            Some(level) => Some((place, &level[place.slot::<BITS>() as usize % 256])),
            None => (place == Place::OVERDUE).then_some((place, &self.overdue)),
        }
    }

    /// The earliest deadline that was noted of what comes first.
    #[inline]
    pub(crate) fn noted(&self) -> Noted {
        let bottom = self.bottom.first();
        match self.first() {
            Some((_, slot)) if slot.earliest().deadline <= bottom.deadline => slot.earliest(),
            _ => bottom,
        }
    }

    /// Whether that is the first record at the bottom.
    pub(crate) fn is_at_bottom(&self, noted: Noted) -> bool {
        !self.bottom.records().is_empty() && noted == self.bottom.first()
    }

    /// The slot at a place, if anything was ever filed in its level.
    #[inline]
    pub(crate) fn slot(&self, place: Place) -> Option<&Slot> {
        match place.ahead_at::<BITS>() {
            Some((level, slot)) => self.ahead.slot(level, slot),
            None if place == Place::OVERDUE => Some(&self.overdue),
            None => {
                let level = self.levels.get(place.level::<BITS>() as usize)?;
                Some(&level[place.slot::<BITS>() as usize])
            }
        }
    }

    #[inline]
    fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        match place.ahead_at::<BITS>() {
            Some((level, slot)) => self.ahead.slot_mut(level, slot),
            None if place == Place::OVERDUE => Some(&mut self.overdue),
            None => {
                let level = self.levels.get_mut(place.level::<BITS>() as usize)?;
                Some(&mut level[place.slot::<BITS>() as usize])
            }
        }
    }

    /// The records at the bottom, in the order of what they were filed for.
    pub(crate) fn at_bottom(&self) -> &[Noted] {
        self.bottom.records()
    }

    pub(crate) fn records_of<'a>(&'a self, slot: &'a Slot) -> impl Iterator<Item = u32> + 'a {
        slot.records(&self.pool)
    }
}

/// The slots of a level that nothing was filed in yet.
fn slots_of<const BITS: u32>(level: u32) -> Level {
    slot::level_of(|slot| Place::new::<BITS>(level, slot % level::slots::<BITS>()).tag())
}
