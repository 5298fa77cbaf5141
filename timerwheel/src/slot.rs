//! What a slot holds: the numbers of its entries, the last few in itself, the rest in chunks from a
//! pool.
//!
//! Not links threaded through the entries: walking those waits for memory once per entry, while
//! the numbers of a chunk are read together and the entries behind them fetched side by side. At
//! a million timers that is the difference between a drain of 150 ns a timer and one of 400.
//!
//! A record is a *hint*: entry `n` may be filed here. The entry itself says by the [`Tag`] of the
//! slot where it is filed, so a cancelled or moved entry just leaves its record behind; whoever
//! empties the slot asks the entry. Taking the record out instead was tried: the entry then knows
//! its position, cancelling writes into the chunk, and at a million timers that second cold line
//! made cancelling half as slow again, sweeps of the other design included. See `wheel::sweep` for
//! how much garbage there may be.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU16;

use crate::chain::Chain;
pub(crate) use crate::chain::{Pool, Record, SET};

/// Names a slot as it is from one emptying to the next: what is filed anew while a slot is emptied,
/// or stays in it, is not met again as if it were of before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Tag(pub(crate) NonZeroU16);

impl Tag {
    /// Of every tag, so that none is 0.
    const SOME: NonZeroU16 = NonZeroU16::new(1 << 12).unwrap();
    /// Turned when a sweep of it begins: who is filed there from then on, or kept, says the new one.
    /// Only the sweep asks for it.
    pub(crate) const SWEPT: u16 = 1 << 13;
    /// Turned when it is emptied.
    const EMPTIED: u16 = 1 << 14;

    /// Of the place with that number, which is below 2^12 - 1: the highest says due, see `At`.
    pub(crate) const fn of(place: u16) -> Self {
        debug_assert!(place < Self::SOME.get() - 1);
        Self(NonZeroU16::new(place | Self::SOME.get()).unwrap())
    }

    /// When it has been emptied.
    #[inline]
    pub(crate) fn next(self) -> Self {
        Self(Self::SOME | (self.0.get() ^ Self::EMPTIED))
    }

    /// When a sweep of it begins; and of that, as it was before.
    #[inline]
    pub(crate) fn turned(self) -> Self {
        Self(Self::SOME | (self.0.get() ^ Self::SWEPT))
    }
}

/// No entry.
const NIL: Record = Record::MAX;

/// Records in a slot itself when they are a set.
#[allow(clippy::cast_possible_truncation)] // nine
const FULL: u8 = SET as u8;

/// An entry by its number, and the deadline that it was filed for. True as long as it is still armed for that:
/// an entry leaves, or is put off, without a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Noted {
    pub(crate) deadline: u64,
    pub(crate) index: u32,
}

/// One cache line. The last records are in the slot itself, those before them in chunks.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Slot {
    earliest_deadline: u64,
    earliest_index: u32,
    chain: Chain,
    /// Records in the slot itself. They go to the chain only when the next one comes, so that there
    /// is none here if there is none at all.
    len: u8,
    tag: Tag,
    records: [Record; SET],
}

impl Slot {
    pub(crate) const fn new(tag: Tag) -> Self {
        Self {
            earliest_deadline: u64::MAX,
            earliest_index: NIL,
            chain: Chain::EMPTY,
            len: 0,
            tag,
            records: [NIL; SET],
        }
    }

    /// Whether it holds no record.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets of records in its chain.
    #[inline]
    pub(crate) fn sets(&self) -> u32 {
        self.chain.sets()
    }

    /// Chunks it holds.
    pub(crate) fn chunks(&self) -> u32 {
        self.chain.chunks()
    }

    /// What entries filed here say.
    #[inline]
    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// The earliest that was filed here since it was last empty. Entries only ever leave a slot or move later
    /// in it, so this is never too late; and it is exact as long as it is true.
    #[inline]
    pub(crate) fn earliest(&self) -> Noted {
        Noted { deadline: self.earliest_deadline, index: self.earliest_index }
    }

    /// Notes the deadline of an entry filed here. Of equal ones the last, for at the end of time an
    /// empty slot says the same as the first.
    #[inline]
    pub(crate) fn note(&mut self, deadline: u64, index: u32) {
        // No branch: nobody can guess whether it is the earliest one.
        let is_earliest = deadline <= self.earliest_deadline;
        self.earliest_deadline = self.earliest_deadline.min(deadline);
        self.earliest_index = if is_earliest { index } else { self.earliest_index };
    }

    /// Leaves an empty slot behind.
    #[inline]
    pub(crate) fn take(&mut self, taken: &mut Taken) {
        taken.records = self.records;
        taken.chain = core::mem::replace(&mut self.chain, Chain::EMPTY);
        (taken.tag, taken.len) = (self.tag, self.len);
        self.forget_earliest();
        self.tag = self.tag.next();
        self.len = 0;
    }

    /// Adds a record and says the tag, if it is not the first one and there is room in the slot
    /// itself.
    #[inline]
    pub(crate) fn push_in_place(&mut self, record: Record, deadline: u64) -> Option<Tag> {
        let len = self.len as usize;
        if len.wrapping_sub(1) >= SET - 1 {
            return None;
        }
        self.records[len] = record;
        self.len += 1;
        self.note(deadline, record);
        Some(self.tag)
    }

    /// Adds a record and says the tag.
    #[inline]
    pub(crate) fn push(&mut self, record: Record, deadline: u64, pool: &mut Pool) -> Tag {
        self.note(deadline, record);
        self.push_noted(record, pool)
    }

    /// The same for an entry whose deadline is noted, or one that is earlier.
    #[inline]
    pub(crate) fn push_noted(&mut self, record: Record, pool: &mut Pool) -> Tag {
        if self.len as usize >= SET {
            self.move_to_chunk(pool);
        }
        if let Some(place) = self.records.get_mut(self.len as usize) {
            *place = record;
            self.len += 1;
        }
        self.tag
    }

    #[cold]
    #[inline(never)]
    fn move_to_chunk(&mut self, pool: &mut Pool) {
        self.chain.push(self.records, pool);
        self.len = 0;
    }

    /// The first set of records in the chain.
    pub(crate) fn first_set<'a>(&self, pool: &'a Pool) -> Option<&'a [Record; SET]> {
        self.chain.iter(pool).next()
    }

    /// Takes the first set of records out of the chain.
    #[inline]
    pub(crate) fn pop_set<'a>(&mut self, pool: &'a mut Pool) -> Option<&'a [Record; SET]> {
        self.chain.pop(pool)
    }

    /// A sweep of it begins: turns the tag, and makes the last records a set, so that all that is there
    /// now is in sets of its own; says by how many records of nobody.
    pub(crate) fn turn(&mut self) -> usize {
        self.tag = self.tag.turned();
        let len = core::mem::replace(&mut self.len, FULL);
        let rest = &mut self.records[usize::from(len)..];
        rest.fill(NIL);
        rest.len()
    }

    /// What is filed next is noted as the earliest.
    #[inline]
    pub(crate) fn forget_earliest(&mut self) {
        self.earliest_deadline = u64::MAX;
        self.earliest_index = NIL;
    }

    /// Takes the first set of records out, be it the one in the slot itself.
    #[inline]
    pub(crate) fn pop_any_set<'a>(&'a mut self, pool: &'a mut Pool) -> Option<&'a [Record; SET]> {
        let set = self.chain.pop(pool);
        if set.is_none() && self.len == FULL {
            self.len = 0;
            return Some(&self.records);
        }
        set
    }

    /// All records, first to last.
    pub(crate) fn records<'a>(&'a self, pool: &'a Pool) -> impl Iterator<Item = Record> + use<'a> {
        self.chain.iter(pool).flatten().chain(&self.records[..usize::from(self.len)]).copied()
    }
}

/// What was in a slot. Who takes it has room for it and says where: handed back it would be moved once
/// more, in wider words than it was just written in, and reading those waits for the cache.
#[derive(Debug)]
pub(crate) struct Taken {
    records: [Record; SET],
    chain: Chain,
    tag: Tag,
    len: u8,
}

impl Taken {
    /// Of no slot.
    pub(crate) const fn nothing() -> Self {
        Self { records: [NIL; SET], chain: Chain::EMPTY, tag: Tag::of(0), len: 0 }
    }

    /// What the entries filed there say.
    #[inline]
    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// Sets of records, those of the slot itself aside.
    #[inline]
    pub(crate) fn sets(&self) -> u32 {
        self.chain.sets()
    }

    /// The next set of records; those of the slot itself come after the last.
    #[inline]
    pub(crate) fn next_set<'a>(&mut self, pool: &'a mut Pool) -> Option<&'a [Record; SET]> {
        self.chain.pop(pool)
    }

    /// How many records were in the slot itself.
    #[inline]
    pub(crate) fn in_itself(&self) -> u64 {
        u64::from(self.len)
    }

    /// The records of the slot itself.
    #[inline]
    pub(crate) fn last_records(&self) -> &[Record] {
        &self.records[..(self.len as usize).min(SET)]
    }
}

/// The slots of a level; as many as the widest has, so that a digit needs no check.
pub(crate) type Level = Box<[Slot; 256]>;

/// The slots of a level, each with the tag of its number.
pub(crate) fn level_of(tag: impl Fn(u32) -> Tag) -> Level {
    let slots: Vec<_> = (0..256).map(|number| Slot::new(tag(number))).collect();
    let Ok(slots) = slots.into_boxed_slice().try_into() else {
        unreachable!("256 slots were made")
    };
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_a_cache_line() {
        assert_eq!((size_of::<Slot>(), align_of::<Slot>()), (64, 64));
    }

    #[test]
    fn records_come_out_as_they_went_in_and_the_chunks_go_back() {
        let mut pool = Pool::new();
        for len in [0_u32, 1, 8, 9, 10, 18, 19, 1000] {
            let mut slot = Slot::new(Tag::of(3));
            for record in 0..len {
                let in_place = slot.clone().push_in_place(record, 7);
                assert_eq!(slot.push(record, 7, &mut pool), Tag::of(3));
                let first_or_no_room = (record as usize).is_multiple_of(SET);
                assert_eq!(in_place, (!first_or_no_room).then_some(Tag::of(3)));
            }
            let sets = len.saturating_sub(1) / 9;
            let chunks = sets.div_ceil(3);
            assert_eq!(
                (pool.in_use(), slot.chunks(), slot.sets()),
                (chunks as usize, chunks, sets)
            );
            assert_eq!(slot.is_empty(), len == 0);
            assert!(slot.records(&pool).eq(0..len));
            let mut taken = Taken::nothing();
            slot.take(&mut taken);
            assert!(slot.is_empty() && slot.tag() != taken.tag());
            let mut out = Vec::new();
            while let Some(set) = taken.next_set(&mut pool) {
                out.extend_from_slice(set);
            }
            out.extend_from_slice(taken.last_records());
            assert!(out.into_iter().eq(0..len));
            assert_eq!(pool.in_use(), 0);
            slot.take(&mut taken);
            assert_eq!(slot.tag(), Tag::of(3), "emptied twice");
        }
        assert_eq!(pool.capacity(), 48, "chunks are used again");
    }
}
