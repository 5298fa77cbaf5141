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

    /// Is filled anew with as many sets as `add_next` adds, but no more than `most` nor than there is room for.
    #[inline]
    pub(super) fn fill(&mut self, most: u32, mut add_next: impl FnMut(&mut Self) -> bool) {
        (self.len, self.sets) = (0, 0);
        while self.sets < most.min(Self::SETS) && add_next(self) {
            self.sets += 1;
        }
    }

    /// Adds a set, if there is one; says whether.
    #[inline]
    pub(super) fn add(&mut self, set: Option<&[Record; SET]>) -> bool {
        let Some(set) = set else { return false };
        if let Some(room) = self.records[self.len % Self::ROOM..].first_chunk_mut() {
            *room = *set;
            self.len += SET;
        }
        true
    }

    /// The same, without the records whose entry is not filed in the slot of that tag, and has them fetched.
    #[inline]
    pub(super) fn add_filed<T>(
        &mut self,
        set: Option<&[Record; SET]>,
        store: &Store<T>,
        slot: Tag,
    ) -> bool {
        let Some(set) = set else { return false };
        for &record in set {
            // One that does not stay leaves its place to the next.
            self.records[self.len % Self::ROOM] = record;
            self.len += usize::from(store.is_in(record, slot));
        }
        true
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
