//! Records whose entries are fetched side by side.
//!
//! At a million timers most entries are far away, in memory. What is to be done about one depends on
//! what it says; where that cannot be guessed, the processor guesses wrong, and waits for that entry
//! before it asks for the next. So the entries of a batch are all asked for first, without a branch,
//! and then looked at when they are near.

use crate::slot::{Record, SET, Tag};
use crate::store::Store;

/// The records of some sets.
#[derive(Debug)]
pub(super) struct Batch {
    records: [Record; Batch::ROOM],
    len: usize,
    sets: u32,
}

impl Batch {
    /// Sets in a batch: seventy entries are more than any processor fetches at a time.
    pub(super) const SETS: u32 = 8;

    /// A power of two, so that no record that is put there needs a check.
    const ROOM: usize = (Self::SETS as usize * SET).next_power_of_two();

    pub(super) const fn new() -> Self {
        Self { records: [0; Self::ROOM], len: 0, sets: 0 }
    }

    /// Takes as many sets as there are, but no more than `most` nor than there is room for, and has
    /// their entries fetched.
    #[inline]
    pub(super) fn fetch<T>(
        &mut self,
        store: &Store<T>,
        most: u32,
        next: impl FnMut() -> Option<[Record; SET]>,
    ) {
        self.take(most, next, |batch, set| {
            store.fetch(set);
            for index in set {
                batch.add(*index, true);
            }
        });
    }

    /// The same, without the records whose entry is not filed in the slot of that tag.
    #[inline]
    pub(super) fn fetch_filed<T>(
        &mut self,
        store: &Store<T>,
        slot: Tag,
        most: u32,
        next: impl FnMut() -> Option<[Record; SET]>,
    ) {
        self.take(most, next, |batch, set| {
            for index in set {
                batch.add(*index, store.is_in(*index, slot));
            }
        });
    }

    #[inline]
    fn take(
        &mut self,
        most: u32,
        mut next: impl FnMut() -> Option<[Record; SET]>,
        add: impl Fn(&mut Self, &[Record; SET]),
    ) {
        (self.len, self.sets) = (0, 0);
        while self.sets < most.min(Self::SETS)
            && let Some(set) = next()
        {
            self.sets += 1;
            add(self, &set);
        }
    }

    /// Adds a record, or has the next one take its place.
    #[inline]
    fn add(&mut self, record: Record, stays: bool) {
        self.records[self.len % Self::ROOM] = record;
        self.len += usize::from(stays);
    }

    /// Sets that it took.
    #[inline]
    pub(super) fn sets(&self) -> u32 {
        self.sets
    }

    /// Whether there may be more to take.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.sets == Self::SETS
    }

    #[inline]
    pub(super) fn records(&self) -> &[Record] {
        &self.records[..self.len]
    }
}
