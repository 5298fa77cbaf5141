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

use crate::segments::Segments;

/// The number of an entry.
pub(crate) type Record = u32;

/// Names a slot as it is from one emptying to the next: what is filed anew while a slot is emptied,
/// or stays in it, is not met again as if it were of before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Tag(pub(crate) u16);

impl Tag {
    const EMPTIED: u16 = 1 << 14;

    /// Of the place with that number, which is below 2^14 - 2: the highest says due, see `At`.
    pub(crate) const fn of(place: u16) -> Self {
        debug_assert!(place < Self::EMPTIED - 2);
        Self(place)
    }

    /// When it has been emptied.
    #[inline]
    pub(crate) const fn next(self) -> Self {
        Self(self.0 ^ Self::EMPTIED)
    }
}

/// Records in a slot itself, which go to a chunk together.
pub(crate) const SET: usize = 9;

/// Sets in a chunk: as many as two cache lines next to each other hold.
const SETS: u32 = 3;

/// No chunk.
const NIL: u32 = u32::MAX;

/// Chunks in a page of the pool: 2 KiB.
const PAGE: usize = 16;

/// Records that a slot itself has no more room for.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Chunk {
    next: u32,
    sets: [[Record; SET]; SETS as usize],
}

impl Chunk {
    const EMPTY: Self = Self { next: NIL, sets: [[NIL; SET]; SETS as usize] };
}

/// The chunks of all slots of a wheel. Grows by pages: what is there is never copied.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    chunks: Segments<Chunk, PAGE>,
    /// Chunks that were given back, linked.
    free: u32,
    /// The first chunk that was never used.
    fresh: u32,
    in_use: usize,
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self { chunks: Segments::new(), free: NIL, fresh: 0, in_use: 0 }
    }

    /// Chunks that slots hold.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.chunks.heap_bytes()
    }

    /// A chunk, the last one of its slot.
    #[inline]
    fn take(&mut self) -> u32 {
        if self.free == NIL {
            self.free = self.fresh();
        }
        self.in_use += 1;
        let chunk = self.free;
        self.free = core::mem::replace(&mut self.chunks[chunk].next, NIL);
        chunk
    }

    #[inline(never)]
    fn fresh(&mut self) -> u32 {
        if self.fresh as usize == self.chunks.len() {
            self.chunks.grow(|| Chunk::EMPTY);
        }
        self.fresh += 1;
        self.fresh - 1
    }

    /// Says which one was next.
    #[inline]
    fn give_back(&mut self, chunk: u32) -> u32 {
        let free = core::mem::replace(&mut self.free, chunk);
        self.in_use -= 1;
        core::mem::replace(&mut self.chunks[chunk].next, free)
    }
}

/// The sets of records that are in chunks, one after the other.
#[derive(Clone, Debug)]
struct Chain {
    /// The first chunk and the last one.
    head: u32,
    tail: u32,
    /// Sets in the chain, times four, and how many of the first chunk were taken out: in one word,
    /// so that a slot is no more than a cache line.
    count: u32,
}

impl Chain {
    const EMPTY: Self = Self { head: NIL, tail: NIL, count: 0 };

    #[inline]
    fn sets(&self) -> u32 {
        self.count / 4
    }

    #[inline]
    fn taken(&self) -> u32 {
        self.count % 4
    }

    fn push(&mut self, set: [Record; SET], pool: &mut Pool) {
        let place = (self.taken() + self.sets()) % SETS;
        if place == 0 {
            let chunk = pool.take();
            if self.sets() == 0 {
                self.head = chunk;
            } else {
                pool.chunks[self.tail].next = chunk;
            }
            self.tail = chunk;
        }
        pool.chunks[self.tail].sets[place as usize] = set;
        self.count += 4;
    }

    #[inline]
    fn pop(&mut self, pool: &mut Pool) -> Option<[Record; SET]> {
        if self.count == 0 {
            return None;
        }
        let (sets, taken) = (self.sets() - 1, self.taken());
        let set = pool.chunks[self.head].sets[(taken % SETS) as usize];
        if sets == 0 || taken + 1 == SETS {
            self.head = pool.give_back(self.head);
            self.count = sets * 4;
        } else {
            self.count = sets * 4 + taken + 1;
        }
        Some(set)
    }

    /// Chunks that it holds.
    fn chunks(&self) -> u32 {
        (self.taken() + self.sets()).div_ceil(SETS)
    }

    fn iter<'a>(&self, pool: &'a Pool) -> impl Iterator<Item = &'a [Record; SET]> + use<'a> {
        let (mut chunk, first, sets) = (self.head, self.taken(), self.sets());
        (first..first + sets).map(move |nth| {
            if nth > first && nth % SETS == 0 {
                chunk = pool.chunks[chunk].next;
            }
            &pool.chunks[chunk].sets[(nth % SETS) as usize]
        })
    }
}

/// The earliest deadline filed in a slot since it was last empty or swept, and whose it was.
///
/// Entries only ever leave a slot or move later in it, so this is never too late; and it is exact
/// as long as that entry is still armed for that deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Earliest {
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

    #[inline]
    pub(crate) fn earliest(&self) -> Earliest {
        Earliest { deadline: self.earliest_deadline, index: self.earliest_index }
    }

    /// Notes the deadline of an entry filed here.
    #[inline]
    pub(crate) fn note(&mut self, deadline: u64, index: u32) {
        if deadline < self.earliest_deadline {
            self.earliest_deadline = deadline;
            self.earliest_index = index;
        }
    }

    /// Leaves an empty slot behind.
    #[inline]
    pub(crate) fn take(&mut self) -> Taken {
        let chain = core::mem::replace(&mut self.chain, Chain::EMPTY);
        let taken = Taken { records: self.records, chain, tag: self.tag, len: self.len };
        self.earliest_deadline = u64::MAX;
        self.earliest_index = NIL;
        self.tag = self.tag.next();
        self.len = 0;
        taken
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
        if self.len as usize >= SET {
            self.move_to_chunk(pool);
        }
        if let Some(place) = self.records.get_mut(self.len as usize) {
            *place = record;
            self.len += 1;
        }
        self.note(deadline, record);
        self.tag
    }

    #[cold]
    #[inline(never)]
    fn move_to_chunk(&mut self, pool: &mut Pool) {
        self.chain.push(self.records, pool);
        self.len = 0;
    }

    /// Takes the first set of records out of the chain.
    #[inline]
    pub(crate) fn pop_set(&mut self, pool: &mut Pool) -> Option<[Record; SET]> {
        self.chain.pop(pool)
    }

    /// All records, first to last.
    pub(crate) fn records<'a>(&'a self, pool: &'a Pool) -> impl Iterator<Item = Record> + use<'a> {
        self.chain.iter(pool).flatten().chain(&self.records[..usize::from(self.len)]).copied()
    }
}

/// What was in a slot.
#[derive(Debug)]
pub(crate) struct Taken {
    records: [Record; SET],
    chain: Chain,
    tag: Tag,
    len: u8,
}

impl Taken {
    /// Of a slot that is not there.
    pub(crate) const fn nothing(tag: Tag) -> Self {
        Self { records: [NIL; SET], chain: Chain::EMPTY, tag, len: 0 }
    }

    /// What the entries filed there say.
    #[inline]
    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// The next set of records; those of the slot itself come after the last.
    #[inline]
    pub(crate) fn next_set(&mut self, pool: &mut Pool) -> Option<[Record; SET]> {
        self.chain.pop(pool)
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
        assert_eq!(size_of::<Chunk>(), 128);
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
            let chunks = sets.div_ceil(SETS);
            assert_eq!(
                (pool.in_use(), slot.chunks(), slot.sets()),
                (chunks as usize, chunks, sets)
            );
            assert_eq!(slot.is_empty(), len == 0);
            assert!(slot.records(&pool).eq(0..len));
            let mut taken = slot.take();
            assert!(slot.is_empty() && slot.tag() != taken.tag());
            let mut out = Vec::new();
            while let Some(set) = taken.next_set(&mut pool) {
                out.extend_from_slice(&set);
            }
            out.extend_from_slice(taken.last_records());
            assert!(out.into_iter().eq(0..len));
            assert_eq!(pool.in_use(), 0);
            slot.take();
            assert_eq!(slot.tag(), Tag::of(3), "emptied twice");
        }
        assert_eq!(pool.chunks.len(), 3 * PAGE, "chunks are used again");
    }
}
