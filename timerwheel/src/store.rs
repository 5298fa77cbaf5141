//! The entries by number, and the numbers that are free.
//!
//! Free numbers are kept in a stack beside the entries, not in a list threaded through them: at a
//! million timers the head of a threaded list is a cold line, and each insert waits for it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::handle::Generation;
use crate::interval::{NO_RHYTHM, Rhythm};
use crate::level::Place;
use crate::segments::Segments;

/// Entries per segment: 16 KiB of them if the value is a word.
const SEGMENT: usize = 512;

/// An armed timer, or the place for one. 32 bytes if the value is a word.
#[derive(Clone, Debug)]
pub(crate) enum Entry<T> {
    /// `filed` is a slot that still holds a record of this number, if there is one.
    Vacant {
        generation: Generation,
        filed: Place,
    },
    Armed(Armed<T>),
}

#[derive(Clone, Debug)]
pub(crate) struct Armed<T> {
    pub(crate) deadline: u64,
    /// Counts up with each arming of the wheel: the order among equal deadlines, and the proof that
    /// a note about this entry (due, earliest of its slot) is about this arming of it.
    pub(crate) armed: u64,
    pub(crate) value: T,
    pub(crate) generation: Generation,
    /// The one slot whose record of this number counts.
    pub(crate) filed: Place,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Once,
    /// Its rhythm stands in `Store::rhythms`.
    Interval,
}

#[derive(Clone, Debug)]
pub(crate) struct Store<T> {
    entries: Segments<Entry<T>, SEGMENT>,
    free: Vec<u32>,
    /// Places that have come to the end of their count, neither armed nor free.
    retired: usize,
    /// The generation that a fresh number starts with: above all of the numbers given back.
    first: Generation,
    /// Rhythms of intervals by number, for the segments that have any: a timer that is no interval
    /// pays nothing for those that are.
    rhythms: Vec<Option<Box<[Rhythm; SEGMENT]>>>,
}

impl<T> Store<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Segments::new(),
            free: Vec::new(),
            retired: 0,
            first: Generation::FIRST,
            rhythms: Vec::new(),
        }
    }

    /// Armed entries.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // Not counted one by one: each number is armed, free or retired.
        self.entries.len() - self.free.len() - self.retired
    }

    pub(crate) fn capacity(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        let wanted = self.len().saturating_add(additional);
        while self.entries.len() < wanted {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        // The last numbers are left out: `u32::MAX` means none elsewhere.
        assert!(
            self.entries.len() < u32::MAX as usize - SEGMENT,
            "a wheel holds at most 2^32 - 1024 timers"
        );
        let generation = self.first;
        let first = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.grow(|| Entry::Vacant { generation, filed: Place::NONE });
        let end = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.free.extend((first..end).rev());
    }

    /// A number that is free, with its entry, if there is one without growing. It stays free until
    /// [`fill`](Self::fill).
    #[inline]
    pub(crate) fn vacancy(&mut self) -> Option<(u32, &mut Entry<T>)> {
        let index = *self.free.last()?;
        Some((index, self.entries.get_mut(index)?))
    }

    /// The number that [`vacancy`](Self::vacancy) gave has been filled.
    #[inline]
    pub(crate) fn filled(&mut self) {
        self.free.pop();
    }

    /// Sees to it that there is a vacancy.
    pub(crate) fn make_room(&mut self) {
        if self.free.is_empty() {
            self.grow();
        }
    }

    /// Whether the next number to become free would make the stack of them grow.
    #[inline]
    pub(crate) fn free_is_full(&self) -> bool {
        self.free.len() == self.free.capacity()
    }

    pub(crate) fn reserve_free(&mut self) {
        self.free.reserve(1);
    }

    /// Takes an armed entry out if it is the one that `is_meant`; its number becomes free with the
    /// next generation, and keeps note of the slot that still holds a record of it.
    #[inline]
    pub(crate) fn remove_if(
        &mut self,
        index: u32,
        is_meant: impl FnOnce(&Armed<T>) -> bool,
    ) -> Option<Armed<T>> {
        let entry = self.entries.get_mut(index)?;
        let (generation, filed) = match entry {
            Entry::Armed(armed) if is_meant(armed) => (armed.generation.next(), armed.filed),
            _ => return None,
        };
        // What is due has no record in any slot.
        let filed = if filed == Place::DUE { Place::NONE } else { filed };
        let Entry::Armed(armed) = core::mem::replace(entry, Entry::Vacant { generation, filed })
        else {
            unreachable!("matched as armed above")
        };
        // At the end of its count a place is retired: 2^32 timers cost one place.
        if generation == Generation::LAST {
            self.retired += 1;
        } else {
            self.free.push(index);
        }
        Some(armed)
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, index: u32) -> Option<&mut Entry<T>> {
        self.entries.get_mut(index)
    }

    #[inline]
    pub(crate) fn armed(&self, index: u32) -> Option<&Armed<T>> {
        match self.entries.get(index) {
            Some(Entry::Armed(armed)) => Some(armed),
            _ => None,
        }
    }

    /// Whether the entry is still in the arming of that number.
    pub(crate) fn is_armed(&self, index: u32, arming: u64) -> bool {
        self.armed(index).is_some_and(|entry| entry.armed == arming)
    }

    #[inline]
    pub(crate) fn armed_mut(&mut self, index: u32) -> Option<&mut Armed<T>> {
        match self.entries.get_mut(index) {
            Some(Entry::Armed(armed)) => Some(armed),
            _ => None,
        }
    }

    /// All armed entries with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Armed<T>)> {
        (0..).zip(self.entries.iter()).filter_map(|(index, entry)| match entry {
            Entry::Armed(armed) => Some((index, armed)),
            Entry::Vacant { .. } => None,
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Armed<T>)> {
        (0..).zip(self.entries.iter_mut()).filter_map(|(index, entry)| match entry {
            Entry::Armed(armed) => Some((index, armed)),
            Entry::Vacant { .. } => None,
        })
    }

    /// All armed entries by value.
    pub(crate) fn into_entries(mut self) -> Vec<(u32, Armed<T>)> {
        let mut entries = Vec::with_capacity(self.len());
        for (index, entry) in (0..).zip(self.entries.iter_mut()) {
            let vacant = Entry::Vacant { generation: Generation::LAST, filed: Place::NONE };
            if let Entry::Armed(armed) = core::mem::replace(entry, vacant) {
                entries.push((index, armed));
            }
        }
        entries
    }

    pub(crate) fn set_rhythm(&mut self, index: u32, rhythm: Rhythm) {
        let segment = index as usize / SEGMENT;
        if self.rhythms.len() <= segment {
            self.rhythms.resize_with(segment + 1, || None);
        }
        let rhythms = self.rhythms[segment].get_or_insert_with(|| Box::new([NO_RHYTHM; SEGMENT]));
        rhythms[index as usize % SEGMENT] = rhythm;
    }

    #[inline]
    pub(crate) fn rhythm_mut(&mut self, index: u32) -> Option<&mut Rhythm> {
        let rhythms = self.rhythms.get_mut(index as usize / SEGMENT)?.as_mut()?;
        Some(&mut rhythms[index as usize % SEGMENT])
    }

    /// An armed interval with its rhythm.
    #[inline]
    pub(crate) fn interval_mut(&mut self, index: u32) -> Option<(&mut Armed<T>, &mut Rhythm)> {
        let Some(Entry::Armed(armed)) = self.entries.get_mut(index) else { return None };
        let rhythms = self.rhythms.get_mut(index as usize / SEGMENT)?.as_mut()?;
        Some((armed, &mut rhythms[index as usize % SEGMENT]))
    }

    /// No slot holds a record of a vacant number any more.
    pub(crate) fn forget_records(&mut self) {
        for entry in self.entries.iter_mut() {
            if let Entry::Vacant { filed, .. } = entry {
                *filed = Place::NONE;
            }
        }
    }

    /// Gives back the segments at the end that hold no armed entry. The caller has seen to it that
    /// no record of their numbers is left.
    pub(crate) fn shrink_to_fit(&mut self) {
        // A retired place stays: forgetting it would begin its count anew.
        let stays = |entry: &Entry<T>| match entry {
            Entry::Armed(_) => true,
            Entry::Vacant { generation, .. } => *generation == Generation::LAST,
        };
        let end = (1..).zip(self.entries.iter()).filter(|(_, entry)| stays(entry)).last();
        let kept = end.map_or(0, |(end, _): (usize, _)| end.div_ceil(SEGMENT) * SEGMENT);
        for entry in self.entries.iter().skip(kept) {
            if let Entry::Vacant { generation, .. } = entry {
                self.first = self.first.max(*generation);
            }
        }
        self.entries.truncate(kept);
        self.rhythms.truncate(kept / SEGMENT);
        self.rhythms.shrink_to_fit();
        self.free.retain(|index| (*index as usize) < kept);
        self.free.shrink_to_fit();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes()
            + self.free.capacity() * size_of::<u32>()
            + self.rhythms.capacity() * size_of::<Option<Box<[Rhythm; SEGMENT]>>>()
            + self.rhythms.iter().flatten().count() * size_of::<[Rhythm; SEGMENT]>()
    }

    /// Each number is armed, free or retired, and counted as such.
    pub(crate) fn check(&self) {
        let retired = |entry: &&Entry<T>| matches!(entry, Entry::Vacant { generation, .. } if *generation == Generation::LAST);
        assert_eq!(self.entries.iter().filter(retired).count(), self.retired, "retired places");
        assert_eq!(self.iter().count(), self.len(), "armed entries");
        let free: BTreeSet<_> = self.free.iter().collect();
        assert_eq!(free.len(), self.free.len(), "numbers are free once");
        for index in free {
            assert!(self.armed(*index).is_none(), "number {index} is free and armed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(store: &mut Store<u32>, value: u32) -> (u32, Generation) {
        store.make_room();
        let (index, entry) = store.vacancy().unwrap();
        let Entry::Vacant { generation, filed } = *entry else { panic!("{index} is not vacant") };
        let (deadline, armed, kind) = (0, 0, Kind::Once);
        *entry = Entry::Armed(Armed { deadline, armed, value, generation, filed, kind });
        store.filled();
        (index, generation)
    }

    #[test]
    fn a_place_at_the_end_of_its_count_is_retired_and_never_comes_again() {
        let mut store = Store { first: Generation::LAST_BUT_ONE, ..Store::new() };
        let mut seen = BTreeSet::new();
        for value in 0..3 * 512 {
            let (index, generation) = arm(&mut store, value);
            assert_eq!(generation, Generation::LAST_BUT_ONE);
            assert!(seen.insert(index), "place {index} comes twice");
            assert_eq!((store.len(), store.capacity()), (1, seen.len().next_multiple_of(SEGMENT)));
            assert!(store.remove_if(index, |_| false).is_none());
            assert_eq!(store.remove_if(index, |_| true).map(|armed| armed.value), Some(value));
            assert!(store.remove_if(index, |_| true).is_none(), "stale");
            assert_eq!(store.len(), 0);
            if value % 300 == 0 {
                // Forgetting the places would begin their count anew.
                store.shrink_to_fit();
                store.check();
            }
        }
        assert_eq!(store.retired, 3 * 512);
        store.check();
    }

    #[test]
    fn fresh_places_after_shrinking_count_on_from_the_highest_there_was() {
        let mut store = Store::new();
        let mut last = None;
        for value in 0..5 {
            let (index, generation) = arm(&mut store, value);
            store.remove_if(index, |_| true);
            last = last.max(Some(generation));
        }
        store.shrink_to_fit();
        assert_eq!(store.capacity(), 0);
        for value in 0..1_000 {
            assert!(Some(arm(&mut store, value).1) > last, "place {value} gives an old handle");
        }
        store.check();
    }

    #[test]
    fn room_is_made_for_as_many_as_asked_beside_those_there_are() {
        let mut store = Store::new();
        store.reserve(0);
        assert_eq!(store.capacity(), 0);
        store.reserve(1);
        assert_eq!(store.capacity(), SEGMENT);
        (0..10).for_each(|value| _ = arm(&mut store, value));
        store.reserve(SEGMENT - 10);
        assert_eq!(store.capacity(), SEGMENT);
        store.reserve(SEGMENT - 9);
        assert_eq!(store.capacity(), 2 * SEGMENT);
    }

    #[test]
    fn shrinking_keeps_the_segments_up_to_the_last_armed_entry() {
        let mut store = Store::new();
        let places: Vec<_> = (0..3 * 512).map(|value| arm(&mut store, value).0).collect();
        assert_eq!(store.capacity(), 3 * SEGMENT);
        for index in places.iter().filter(|index| **index != 600) {
            store.remove_if(*index, |_| true);
        }
        store.shrink_to_fit();
        store.check();
        assert_eq!((store.len(), store.capacity()), (1, 2 * SEGMENT));
        store.remove_if(600, |_| true);
        store.shrink_to_fit();
        assert_eq!((store.len(), store.capacity(), store.heap_bytes()), (0, 0, 0));
    }
}
