//! What a slot holds: the numbers of its entries, in chunks of one cache line from a pool.
//!
//! Not links threaded through the entries: walking those waits for memory once per entry, while
//! the numbers of a chunk are read together and the entries behind them fetched side by side. At
//! a million timers that is the difference between a drain of 150 ns a timer and one of 400.
//!
//! A record is a *hint*: entry `n` may be filed here. The entry itself says where it is filed, so
//! a cancelled or moved entry just leaves its record behind; whoever empties the slot asks the
//! entry. See `wheel` for how much of that garbage there may be.

use crate::segments::Segments;

/// The number of an entry.
pub(crate) type Record = u32;

/// Records in one chunk: with the link to the next one, 64 bytes.
pub(crate) const CHUNK_RECORDS: usize = 15;

/// No chunk.
const NIL: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Chunk {
    next: u32,
    records: [Record; CHUNK_RECORDS],
}

const EMPTY_CHUNK: Chunk = Chunk { next: NIL, records: [0; CHUNK_RECORDS] };

/// The chunks of all slots of a wheel.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    chunks: Segments<Chunk, 64>,
    /// Free chunks, linked.
    free: u32,
    in_use: usize,
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self { chunks: Segments::new(), free: NIL, in_use: 0 }
    }

    /// Chunks that slots hold.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.chunks.heap_bytes()
    }

    fn take(&mut self) -> u32 {
        if self.free == NIL {
            self.grow();
        }
        let chunk = self.free;
        self.free = self.chunks[chunk].next;
        self.chunks[chunk].next = NIL;
        self.in_use += 1;
        chunk
    }

    #[cold]
    fn grow(&mut self) {
        let first = u32::try_from(self.chunks.len()).unwrap_or(NIL);
        // A chunk holds at least one record of an entry or of the bounded garbage, so the entries
        // run out of numbers before the chunks do.
        self.chunks.grow(|| EMPTY_CHUNK);
        let end = u32::try_from(self.chunks.len()).expect("fewer chunks than entries");
        for chunk in (first..end).rev() {
            self.chunks[chunk].next = self.free;
            self.free = chunk;
        }
    }

    fn give_back(&mut self, chunk: u32) {
        self.chunks[chunk].next = self.free;
        self.free = chunk;
        self.in_use -= 1;
    }
}

/// The earliest deadline filed in a slot since it was last empty, and whose it was.
///
/// Entries only ever leave a slot or move later in it, so this is never too late; and it is exact
/// as long as that entry is still armed as it was, which its arming number tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Earliest {
    pub(crate) deadline: u64,
    pub(crate) armed: u64,
    pub(crate) index: u32,
}

const NO_EARLIEST: Earliest = Earliest { deadline: u64::MAX, armed: u64::MAX, index: u32::MAX };

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    earliest: Earliest,
    head: u32,
    tail: u32,
    /// Records in the tail; every chunk before it is full.
    tail_len: u32,
}

impl Slot {
    pub(crate) const EMPTY: Self =
        Self { earliest: NO_EARLIEST, head: NIL, tail: NIL, tail_len: 0 };

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NIL
    }

    pub(crate) fn earliest(&self) -> Earliest {
        self.earliest
    }

    /// Notes the deadline of an entry filed here.
    #[inline]
    pub(crate) fn note(&mut self, earliest: Earliest) {
        if earliest.deadline < self.earliest.deadline {
            self.earliest = earliest;
        }
    }

    /// Adds a record; true if that took a fresh chunk.
    #[inline]
    pub(crate) fn push(&mut self, record: Record, pool: &mut Pool) -> bool {
        if self.head != NIL && (self.tail_len as usize) < CHUNK_RECORDS {
            pool.chunks[self.tail].records[self.tail_len as usize] = record;
            self.tail_len += 1;
            return false;
        }
        self.push_chunk(record, pool);
        true
    }

    #[cold]
    #[inline(never)]
    fn push_chunk(&mut self, record: Record, pool: &mut Pool) {
        let chunk = pool.take();
        if self.head == NIL {
            self.head = chunk;
        } else {
            pool.chunks[self.tail].next = chunk;
        }
        pool.chunks[chunk].records[0] = record;
        self.tail = chunk;
        self.tail_len = 1;
    }

    /// Takes the first chunk out and gives it back to the pool: the records and how many they are.
    pub(crate) fn pop_chunk(
        &mut self,
        pool: &mut Pool,
    ) -> Option<([Record; CHUNK_RECORDS], usize)> {
        if self.head == NIL {
            return None;
        }
        let Chunk { next, records } = pool.chunks[self.head];
        pool.give_back(self.head);
        let len = if next == NIL { self.tail_len as usize } else { CHUNK_RECORDS };
        self.head = next;
        Some((records, len))
    }

    /// All records, first to last.
    pub(crate) fn records<'a>(&self, pool: &'a Pool) -> impl Iterator<Item = Record> + 'a {
        let (mut chunk, tail_len) = (self.head, self.tail_len as usize);
        core::iter::from_fn(move || {
            if chunk == NIL {
                return None;
            }
            let Chunk { next, records } = &pool.chunks[chunk];
            chunk = *next;
            Some(&records[..if *next == NIL { tail_len } else { CHUNK_RECORDS }])
        })
        .flatten()
        .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_chunk_is_a_cache_line_and_a_slot_is_half_of_one() {
        assert_eq!(size_of::<Chunk>(), 64);
        assert!(size_of::<Slot>() <= 40, "{}", size_of::<Slot>());
    }

    #[test]
    fn records_come_out_as_they_went_in_and_the_chunks_go_back() {
        let mut pool = Pool::new();
        for len in [0_u32, 1, 14, 15, 16, 30, 31, 1000] {
            let mut slot = Slot::EMPTY;
            let fresh = (0..len).filter(|record| slot.push(*record, &mut pool)).count();
            assert_eq!(fresh, (len as usize).div_ceil(CHUNK_RECORDS));
            assert_eq!(pool.in_use(), fresh);
            assert_eq!(slot.records(&pool).collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
            let mut out = Vec::new();
            while let Some((records, len)) = slot.pop_chunk(&mut pool) {
                out.extend_from_slice(&records[..len]);
            }
            assert_eq!(out, (0..len).collect::<Vec<_>>());
            assert!(slot.is_empty() && pool.in_use() == 0);
        }
        assert!(pool.chunks.len() <= 128, "chunks are used again");
    }
}
