//! What a slot holds: the numbers of its entries, in chunks of one cache line from a pool.
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

/// The number of an entry.
pub(crate) type Record = u32;

/// Names a slot as it is from one emptying to the next: what is filed anew while a slot is emptied,
/// or stays in it, is not met again as if it were of before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Tag(pub(crate) u16);

impl Tag {
    const EMPTIED: u16 = 1 << 14;

    /// Of the place with that number, which is below 2^14 - 2: what is above says due, see `At`.
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

/// Words in a chunk: 64 bytes. The first is the link to the next chunk.
const WORDS: usize = 16;

/// Records in a chunk.
pub(crate) const CHUNK_RECORDS: usize = WORDS - 1;

/// No chunk.
const NIL: u32 = u32::MAX;

/// Words in a page of the pool: 4 KiB.
const PAGE: usize = 1024;

#[derive(Clone, Debug)]
#[repr(align(64))]
struct Page([u32; PAGE]);

/// The chunks of all slots of a wheel. Grows by pages: what is there is never copied.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pages: Vec<Box<Page>>,
    /// Chunks that were given back, linked.
    free: u32,
    /// The first chunk that was never used.
    fresh: u32,
    in_use: usize,
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self { pages: Vec::new(), free: NIL, fresh: 0, in_use: 0 }
    }

    /// Chunks that slots hold.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.pages.len() * size_of::<Page>() + self.pages.capacity() * size_of::<Box<Page>>()
    }

    #[inline]
    fn word_mut(&mut self, position: usize) -> Option<&mut u32> {
        self.pages.get_mut(position / PAGE).map(|page| &mut page.0[position % PAGE])
    }

    fn link(&mut self, chunk: u32) -> &mut u32 {
        self.word_mut(start_of(chunk)).expect("the chunk of a slot is there")
    }

    fn take(&mut self) -> u32 {
        let chunk = if self.free != NIL {
            let chunk = self.free;
            self.free = core::mem::replace(self.link(chunk), NIL);
            chunk
        } else {
            self.take_fresh()
        };
        self.in_use += 1;
        chunk
    }

    fn take_fresh(&mut self) -> u32 {
        if self.fresh as usize * WORDS == self.pages.len() * PAGE {
            self.pages.push(Box::new(Page([NIL; PAGE])));
        }
        self.fresh += 1;
        self.fresh - 1
    }

    fn give_back(&mut self, chunk: u32) {
        *self.link(chunk) = self.free;
        self.free = chunk;
        self.in_use -= 1;
    }

    #[inline]
    fn line(&self, chunk: u32) -> &[u32; WORDS] {
        let start = start_of(chunk);
        let page = &self.pages[start / PAGE].0;
        page[start % PAGE..].first_chunk().expect("a page is whole chunks")
    }
}

/// The position of the link of a chunk, before that of its first record.
const fn start_of(chunk: u32) -> usize {
    chunk as usize * WORDS
}

/// Some records of a slot, taken out.
#[derive(Debug)]
pub(crate) struct Chunk {
    line: [u32; WORDS],
    len: usize,
}

impl Chunk {
    #[inline]
    pub(crate) fn records(&self) -> &[Record] {
        &self.line[1..][..self.len]
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

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    earliest_deadline: u64,
    /// Where the next record goes, as `chunk * WORDS + word`; at the start of a chunk, there is no
    /// room for it: none was filed, or the last chunk is full. One number, so that filing asks one
    /// question.
    end: usize,
    earliest_index: u32,
    head: u32,
    chunks: u32,
    tag: Tag,
}

impl Slot {
    pub(crate) const fn new(tag: Tag) -> Self {
        Self { earliest_deadline: u64::MAX, end: 0, earliest_index: NIL, head: NIL, chunks: 0, tag }
    }

    /// Whether it holds no record.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NIL
    }

    /// Chunks it holds.
    #[inline]
    pub(crate) fn chunks(&self) -> u32 {
        self.chunks
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
    pub(crate) fn take(&mut self) -> Self {
        let next = Self::new(self.tag.next());
        core::mem::replace(self, next)
    }

    /// Whether the last chunk has room for a record.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.end % WORDS != 0
    }

    /// Adds a record to the last chunk and says the tag, if there is room in it.
    #[inline]
    pub(crate) fn push_in_place(
        &mut self,
        record: Record,
        deadline: u64,
        pool: &mut Pool,
    ) -> Option<Tag> {
        if !self.has_room() {
            return None;
        }
        *pool.word_mut(self.end)? = record;
        self.end += 1;
        self.note(deadline, record);
        Some(self.tag)
    }

    /// Adds a chunk; the caller fills it at once, for no chunk of a slot is ever empty.
    fn add_chunk(&mut self, pool: &mut Pool) {
        debug_assert!(!self.has_room(), "a chunk is filled before the next");
        let chunk = pool.take();
        if self.head == NIL {
            self.head = chunk;
        } else {
            // The end of a full chunk is the start of the one behind it in memory.
            *pool.word_mut(self.end - WORDS).expect("the last chunk is there") = chunk;
        }
        self.end = start_of(chunk) + 1;
        self.chunks += 1;
    }

    /// Adds a record and says the tag.
    #[inline]
    pub(crate) fn push(&mut self, record: Record, deadline: u64, pool: &mut Pool) -> Tag {
        if !self.has_room() {
            self.add_chunk(pool);
        }
        self.push_in_place(record, deadline, pool).expect("a new chunk has room")
    }

    /// Records in the last chunk.
    const fn len_of_last(&self) -> usize {
        let word = self.end % WORDS;
        if word == 0 { CHUNK_RECORDS } else { word - 1 }
    }

    /// Takes the first chunk out and gives it back to the pool.
    #[inline]
    pub(crate) fn pop_chunk(&mut self, pool: &mut Pool) -> Option<Chunk> {
        if self.head == NIL {
            return None;
        }
        let line = *pool.line(self.head);
        pool.give_back(self.head);
        self.head = line[0];
        self.chunks -= 1;
        let len = if self.head == NIL { self.len_of_last() } else { CHUNK_RECORDS };
        Some(Chunk { line, len })
    }

    /// All records, first to last.
    pub(crate) fn records<'a>(&self, pool: &'a Pool) -> impl Iterator<Item = Record> + use<'a> {
        let (mut chunk, last) = (self.head, self.len_of_last());
        core::iter::from_fn(move || {
            if chunk == NIL {
                return None;
            }
            let line = pool.line(chunk);
            chunk = line[0];
            Some(&line[1..][..if chunk == NIL { last } else { CHUNK_RECORDS }])
        })
        .flatten()
        .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_a_cache_line_and_a_slot_half_of_one() {
        assert_eq!(WORDS * size_of::<u32>(), 64);
        assert_eq!((align_of::<Page>(), PAGE % WORDS), (64, 0));
        assert_eq!(size_of::<Slot>(), 32);
    }

    #[test]
    fn records_come_out_as_they_went_in_and_the_chunks_go_back() {
        let mut pool = Pool::new();
        for len in [0_u32, 1, 14, 15, 16, 30, 31, 1000] {
            let mut slot = Slot::new(Tag::of(3));
            for record in 0..len {
                assert_eq!(slot.push(record, 7, &mut pool), Tag::of(3));
            }
            let chunks = (len as usize).div_ceil(CHUNK_RECORDS);
            assert_eq!((pool.in_use(), slot.chunks() as usize), (chunks, chunks));
            assert!(slot.records(&pool).eq(0..len));
            let mut taken = slot.take();
            assert!(slot.is_empty() && slot.tag() != taken.tag());
            let mut out = Vec::new();
            while let Some(chunk) = taken.pop_chunk(&mut pool) {
                out.extend_from_slice(chunk.records());
            }
            assert!(out.into_iter().eq(0..len));
            assert!(taken.is_empty() && pool.in_use() == 0);
            slot.take();
            assert_eq!(slot.tag(), Tag::of(3), "emptied twice");
        }
        assert_eq!(pool.pages.len(), 2, "chunks are used again");
    }
}
