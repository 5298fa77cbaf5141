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

    /// A power of two, so that no record needs a check.
    const ROOM: usize = (Self::SETS as usize * SET).next_power_of_two();

    pub(super) const fn new() -> Self {
        Self { records: [0; Self::ROOM], len: 0, sets: 0 }
    }

    /// Takes as many sets as there are, but no more than `most`, and has their entries fetched.
    #[inline]
    pub(super) fn fetch<T>(
        &mut self,
        store: &Store<T>,
        most: u32,
        mut next: impl FnMut() -> Option<[Record; SET]>,
    ) {
        (self.len, self.sets) = (0, 0);
        while self.sets < most.min(Self::SETS)
            && let Some(set) = next()
        {
            self.sets += 1;
            store.fetch(&set);
            self.records[self.len..self.len + SET].copy_from_slice(&set);
            self.len += SET;
        }
    }

    /// The same, without the records whose entry is not filed in the slot of that tag.
    #[inline]
    pub(super) fn fetch_filed<T>(
        &mut self,
        store: &Store<T>,
        slot: Tag,
        most: u32,
        mut next: impl FnMut() -> Option<[Record; SET]>,
    ) {
        (self.len, self.sets) = (0, 0);
        while self.sets < most.min(Self::SETS)
            && let Some(set) = next()
        {
            self.sets += 1;
            for index in set {
                self.records[self.len % Self::ROOM] = index;
                self.len += usize::from(store.is_in(index, slot));
            }
        }
    }

    /// Sets that it took.
    #[inline]
    pub(super) fn sets(&self) -> u32 {
        self.sets
    }

    #[inline]
    pub(super) fn records(&self) -> &[Record] {
        self.records.get(..self.len).unwrap_or_default()
    }
}
