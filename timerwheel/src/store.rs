//! The entries by number, and the numbers that are free.
//!
//! Free numbers are kept in a stack beside the entries, not in a list threaded through them: at a
//! million timers the head of a threaded list is a cold line, and each insert waits for it. Numbers
//! that were never used are put there a block at a time, when no other is free.

mod entry;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::hint::black_box;

pub(crate) use self::entry::{Armed, At, Entry, Kind};
use crate::due::DueEntry;
use crate::free::FreeStack;
use crate::handle::Generation;
use crate::interval::{NO_RHYTHM, Rhythm};
use crate::segments::Segments;
use crate::slot::Tag;

/// Places there are at most. The last numbers are left out: `u32::MAX` means none elsewhere.
const MOST: usize = u32::MAX as usize - 1023;

/// Entries per segment: 4 KiB of them if the value is a word.
const SEGMENT: usize = 128;

#[derive(Clone, Debug)]
pub(crate) struct Store<T> {
    entries: Segments<Entry<T>, SEGMENT>,
    /// Numbers that were given back.
    free: FreeStack,
    /// The first number that was never used, nor put among the free ones.
    fresh: u32,
    /// Places that have come to the end of their count, neither armed nor free.
    retired: usize,
    /// The generations that the places of each segment start with which was given back: above all
    /// that it had. By segment, so that one busy place wears out no more than its neighbours.
    firsts: Vec<Generation>,
    /// Rhythms of intervals by number, for the segments that have any: a timer that is no interval
    /// pays nothing for those that are.
    rhythms: Vec<Option<Box<[Rhythm; SEGMENT]>>>,
}

/// A place that is free.
#[derive(Debug)]
pub(crate) struct Vacancy<'a, T> {
    pub(crate) index: u32,
    pub(crate) entry: &'a mut Entry<T>,
}

impl<T> Store<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Segments::new(),
            free: FreeStack::new(),
            fresh: 0,
            retired: 0,
            firsts: Vec::new(),
            rhythms: Vec::new(),
        }
    }

    /// Armed entries.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // Not counted one by one: each number below `fresh` is armed, free or retired.
        self.fresh as usize - self.free.len() - self.retired
    }

    pub(crate) fn capacity(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        let wanted = self.len().saturating_add(additional);
        assert!(wanted <= MOST, "at most 2^32 - 1024 timers can be armed");
        while self.capacity() < wanted {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        assert!(self.entries.len() < MOST, "at most 2^32 - 1024 timers can be armed");
        let segment = self.entries.len() / SEGMENT;
        let generation = self.firsts.get(segment).copied().unwrap_or(Generation::FIRST);
        self.entries.grow(|| Entry::Vacant { generation });
    }

    /// A place that is free, if there is one without growing anything. It stays free until
    /// [`filled`](Self::filled).
    #[inline]
    pub(crate) fn vacancy(&mut self) -> Option<Vacancy<'_, T>> {
        let index = self.free.last()?;
        Some(Vacancy { index, entry: self.entries.get_mut(index)? })
    }

    /// The place that [`vacancy`](Self::vacancy) gave has been filled.
    #[inline]
    pub(crate) fn filled(&mut self) {
        self.free.pop();
    }

    /// Sees to it that there is a vacancy.
    pub(crate) fn make_room(&mut self) {
        self.free.refill();
        if self.free.is_empty() {
            if self.fresh as usize == self.entries.len() {
                self.grow();
            }
            // No more than 2^32 - 1024: see `grow`.
            let end = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
            let taken = self.free.fill(self.fresh..end);
            self.fresh += u32::try_from(taken).unwrap_or(0);
        }
    }

    /// Whether the next number to become free needs room for it: see
    /// [`reserve_free`](Self::reserve_free).
    #[inline]
    pub(crate) fn free_is_full(&self) -> bool {
        self.free.is_full()
    }

    pub(crate) fn reserve_free(&mut self) {
        self.free.reserve();
    }

    /// Takes an armed entry out if it is the one that `is_meant`; its number becomes free with the
    /// next generation. The caller has seen to it that there is room for the number.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // no place has a number of more than 32 bits
    pub(crate) fn remove_if(
        &mut self,
        index: impl Into<u64>,
        is_meant: impl FnOnce(&Armed<T>) -> bool,
    ) -> Option<Armed<T>> {
        let index = index.into();
        let entry = self.entries.get_mut(index)?;
        let Entry::Armed(armed) = entry else { return None };
        if !is_meant(armed) {
            return None;
        }
        // At the end of its count a place is retired: 2^32 timers cost one place.
        let retires = armed.generation.is_last_but_one();
        let generation = if retires { Generation::LAST } else { armed.generation.next() };
        let Entry::Armed(armed) = core::mem::replace(entry, Entry::Vacant { generation }) else {
            unreachable!("matched as armed above")
        };
        if retires {
            self.retired += 1;
        } else {
            self.free.push(index as u32);
        }
        Some(armed)
    }

    /// Whether an entry is filed in the slot of that tag, swept already or not.
    #[inline]
    pub(crate) fn is_in(&self, index: u32, slot: Tag) -> bool {
        self.entries.get(index).is_some_and(|entry| entry.is_in(slot))
    }

    /// Touches entries, so that the processor fetches them side by side. What it reads is of no use; that
    /// it is a black box only keeps it from being left out.
    #[inline]
    pub(crate) fn fetch(&self, indices: &[u32]) {
        let armed = |index: &&u32| matches!(self.entries.get(**index), Some(Entry::Armed(_)));
        black_box(indices.iter().filter(armed).count());
    }

    /// The same of what is due, and of what else is asked then.
    pub(crate) fn fetch_due(&self, queue: &[DueEntry]) {
        let mut all = 0;
        for due in queue {
            all |= u64::from(matches!(self.entries.get(due.index), Some(Entry::Armed(_))));
            if due.is_interval
                && let Some(rhythm) = self.rhythm(due.index)
            {
                all |= rhythm.period();
            }
        }
        black_box(all);
    }

    #[inline]
    pub(crate) fn armed(&self, index: impl Into<u64>) -> Option<&Armed<T>> {
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
    pub(crate) fn armed_mut(&mut self, index: impl Into<u64>) -> Option<&mut Armed<T>> {
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
            let vacant = Entry::Vacant { generation: Generation::LAST };
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
    fn rhythm(&self, index: u32) -> Option<&Rhythm> {
        let rhythms = self.rhythms.get(index as usize / SEGMENT)?.as_ref()?;
        Some(&rhythms[index as usize % SEGMENT])
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

    /// Gives back the segments at the end that hold no armed entry, but four bytes for each.
    pub(crate) fn shrink_to_fit(&mut self) {
        // A retired place stays: forgetting it would begin its count anew.
        let stays = |entry: &Entry<T>| match entry {
            Entry::Armed(_) => true,
            Entry::Vacant { generation, .. } => *generation == Generation::LAST,
        };
        let end = (1..).zip(self.entries.iter()).filter(|(_, entry)| stays(entry)).last();
        let kept = end.map_or(0, |(end, _): (usize, _)| end.div_ceil(SEGMENT) * SEGMENT);
        let segments = self.entries.len() / SEGMENT;
        if self.firsts.len() < segments {
            self.firsts.resize(segments, Generation::FIRST);
        }
        for (index, entry) in self.entries.iter().enumerate().skip(kept) {
            if let Entry::Vacant { generation, .. } = entry {
                let first = &mut self.firsts[index / SEGMENT];
                *first = (*first).max(*generation);
            }
        }
        self.entries.truncate(kept);
        self.rhythms.truncate(kept / SEGMENT);
        self.rhythms.shrink_to_fit();
        self.free.truncate(kept);
        self.fresh = self.fresh.min(u32::try_from(kept).unwrap_or(u32::MAX));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes()
            + self.free.heap_bytes()
            + self.firsts.capacity() * size_of::<Generation>()
            + self.rhythms.capacity() * size_of::<Option<Box<[Rhythm; SEGMENT]>>>()
            + self.rhythms.iter().flatten().count() * size_of::<[Rhythm; SEGMENT]>()
    }

    /// Each number is armed, free, retired or fresh, and counted as such.
    pub(crate) fn check(&self) {
        let retired = |entry: &&Entry<T>| matches!(entry, Entry::Vacant { generation, .. } if *generation == Generation::LAST);
        assert_eq!(self.entries.iter().filter(retired).count(), self.retired, "retired places");
        assert_eq!(self.iter().count(), self.len(), "armed entries");
        assert!(self.fresh as usize <= self.entries.len(), "fresh numbers have places");
        let free: BTreeSet<_> = self.free.iter().collect();
        assert_eq!(free.len(), self.free.len(), "numbers are free once");
        for index in free {
            assert!(index < self.fresh, "number {index} is free and was never used");
            assert!(self.armed(index).is_none(), "number {index} is free and armed");
        }
        for (index, _) in self.iter() {
            assert!(index < self.fresh, "number {index} is armed and was never used");
        }
    }
}

#[cfg(test)]
mod tests;
