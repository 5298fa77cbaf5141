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

/// Words in a chunk: 64 bytes. The first is the link to the next chunk.
const WORDS: usize = 16;

/// Records in a chunk.
pub(crate) const CHUNK_RECORDS: usize = WORDS - 1;

/// No chunk.
const NIL: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line([u32; WORDS]);

const EMPTY_LINE: Line = Line([NIL; WORDS]);

/// The chunks of all slots of a wheel.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    lines: Segments<Line, 64>,
    /// Free chunks, linked.
    free: u32,
    in_use: usize,
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self { lines: Segments::new(), free: NIL, in_use: 0 }
    }

    /// Chunks that slots hold.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.lines.heap_bytes()
    }

    fn link(&mut self, chunk: u32) -> &mut u32 {
        &mut self.lines[chunk].0[0]
    }

    fn take(&mut self) -> u32 {
        if self.free == NIL {
            self.grow();
        }
        let chunk = self.free;
        self.free = core::mem::replace(self.link(chunk), NIL);
        self.in_use += 1;
        chunk
    }

    #[cold]
    fn grow(&mut self) {
        let first = u32::try_from(self.lines.len()).unwrap_or(NIL);
        // A chunk holds at least one record of an entry or of the bounded garbage, so the entries
        // run out of numbers before the chunks do.
        self.lines.grow(|| EMPTY_LINE);
        let end = u32::try_from(self.lines.len()).expect("fewer chunks than entries");
        for chunk in (first..end).rev() {
            *self.link(chunk) = self.free;
            self.free = chunk;
        }
    }

    fn give_back(&mut self, chunk: u32) {
        *self.link(chunk) = self.free;
        self.free = chunk;
        self.in_use -= 1;
    }
}

/// Some records of a slot, taken out.
#[derive(Debug)]
pub(crate) struct Chunk {
    line: Line,
    len: usize,
}

impl Chunk {
    #[inline]
    pub(crate) fn records(&self) -> &[Record] {
        &self.line.0[1..][..self.len]
    }
}

/// Where the next record of a slot goes: `chunk * WORDS + word`. A word of 0 is none: there is no
/// chunk, or the last one is full. One number, so that a push asks one question.
#[derive(Clone, Copy, Debug)]
struct End(u64);

impl End {
    const NONE: Self = Self(0);

    const fn start_of(chunk: u32) -> Self {
        Self(chunk as u64 * WORDS as u64 + 1)
    }

    #[allow(clippy::cast_possible_truncation)] // only the low bits are wanted
    const fn word(self) -> usize {
        self.0 as usize % WORDS
    }

    #[allow(clippy::cast_possible_truncation)] // made from a u32
    const fn chunk(self) -> u32 {
        (self.0 / WORDS as u64) as u32
    }

    /// The last chunk when it is full.
    const fn full_chunk(self) -> u32 {
        self.chunk() - 1
    }

    /// Records in the last chunk.
    const fn len(self) -> usize {
        if self.word() == 0 { CHUNK_RECORDS } else { self.word() - 1 }
    }
}

/// The earliest deadline filed in a slot since it was last empty or swept, and whose it was.
///
/// Entries only ever leave a slot or move later in it, so this is never too late; and it is exact
/// as long as that entry is still filed here for that deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Earliest {
    pub(crate) deadline: u64,
    pub(crate) index: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    earliest_deadline: u64,
    end: End,
    head: u32,
    earliest_index: u32,
}

impl Slot {
    pub(crate) const EMPTY: Self =
        Self { earliest_deadline: u64::MAX, end: End::NONE, head: NIL, earliest_index: u32::MAX };

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NIL
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

    /// Whether the last chunk has room for a record.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.end.word() != 0
    }

    /// Adds a record to the last chunk, which has room for it.
    #[inline]
    pub(crate) fn push_in_place(&mut self, record: Record, pool: &mut Pool) {
        debug_assert!(self.has_room(), "a record over a link");
        pool.lines[self.end.chunk()].0[self.end.word()] = record;
        self.end.0 += 1;
    }

    /// Adds a chunk; the caller fills it at once, for no chunk of a slot is ever empty.
    pub(crate) fn add_chunk(&mut self, pool: &mut Pool) {
        let chunk = pool.take();
        if self.head == NIL {
            self.head = chunk;
        } else {
            *pool.link(self.end.full_chunk()) = chunk;
        }
        self.end = End::start_of(chunk);
    }

    /// Adds a record.
    #[inline]
    pub(crate) fn push(&mut self, record: Record, pool: &mut Pool) {
        if !self.has_room() {
            self.add_chunk(pool);
        }
        self.push_in_place(record, pool);
    }

    /// Takes the first chunk out and gives it back to the pool.
    #[inline]
    pub(crate) fn pop_chunk(&mut self, pool: &mut Pool) -> Option<Chunk> {
        if self.head == NIL {
            return None;
        }
        let line = pool.lines[self.head];
        pool.give_back(self.head);
        self.head = line.0[0];
        let len = if self.head == NIL { self.end.len() } else { CHUNK_RECORDS };
        Some(Chunk { line, len })
    }

    /// All records, first to last.
    pub(crate) fn records<'a>(&self, pool: &'a Pool) -> impl Iterator<Item = Record> + use<'a> {
        let (mut chunk, last) = (self.head, self.end.len());
        core::iter::from_fn(move || {
            if chunk == NIL {
                return None;
            }
            let Line(words) = &pool.lines[chunk];
            chunk = words[0];
            Some(&words[1..][..if chunk == NIL { last } else { CHUNK_RECORDS }])
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
    fn a_chunk_is_a_cache_line_and_a_slot_less_than_half_of_one() {
        assert_eq!(size_of::<Line>(), 64);
        assert_eq!(size_of::<Slot>(), 24);
    }

    #[test]
    fn records_come_out_as_they_went_in_and_the_chunks_go_back() {
        let mut pool = Pool::new();
        for len in [0_u32, 1, 14, 15, 16, 30, 31, 1000] {
            let mut slot = Slot::EMPTY;
            (0..len).for_each(|record| slot.push(record, &mut pool));
            assert_eq!(pool.in_use(), (len as usize).div_ceil(CHUNK_RECORDS));
            assert_eq!(slot.records(&pool).collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
            let mut out = Vec::new();
            while let Some(chunk) = slot.pop_chunk(&mut pool) {
                out.extend_from_slice(chunk.records());
            }
            assert_eq!(out, (0..len).collect::<Vec<_>>());
            assert!(slot.is_empty() && pool.in_use() == 0);
        }
        assert!(pool.lines.len() <= 128, "chunks are used again");
    }
}
