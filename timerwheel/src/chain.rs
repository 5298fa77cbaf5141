//! The records that a slot has no room for: chunks from a pool, in a chain.
//!
//! A chunk is two cache lines next to each other, which are fetched together, and holds three sets of
//! records: whoever follows the chain waits for memory once for each 27.

use core::hint::black_box;

use crate::segments::Segments;

/// The number of an entry.
pub(crate) type Record = u32;

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
    /// Chunks ever handed out and ever given back.
    taken: u64,
    given_back: u64,
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self { chunks: Segments::new(), free: NIL, fresh: 0, taken: 0, given_back: 0 }
    }

    /// Chunks that slots hold.
    #[inline]
    pub(crate) fn in_use(&self) -> usize {
        usize::try_from(self.taken - self.given_back).unwrap_or(usize::MAX)
    }

    /// Chunks that slots were ever given: as long as that is the same, none has three sets more than before,
    /// nor any that had none.
    #[inline]
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Chunks there is memory for.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.chunks.len()
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
        self.taken += 1;
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

    /// Touches both lines of a chunk, if it is one, so that the processor fetches them while the entries of
    /// the one before are looked at. What it reads is of no use, as in `Store::fetch`.
    #[inline]
    fn fetch(&self, chunk: u32) {
        if let Some(chunk) = self.chunks.get(chunk) {
            black_box(chunk.next ^ chunk.sets[SETS as usize - 1][SET - 1]);
        }
    }

    /// Says which one was next.
    #[inline]
    fn give_back(&mut self, chunk: u32) -> u32 {
        let free = core::mem::replace(&mut self.free, chunk);
        self.given_back += 1;
        core::mem::replace(&mut self.chunks[chunk].next, free)
    }
}

/// The sets of records that are in chunks, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// The first chunk and the last one.
    head: u32,
    tail: u32,
    /// Sets in the chain, times four, and how many of the first chunk were taken out: in one word,
    /// so that a slot is no more than a cache line.
    count: u32,
}

impl Chain {
    pub(crate) const EMPTY: Self = Self { head: NIL, tail: NIL, count: 0 };

    #[inline]
    pub(crate) fn sets(&self) -> u32 {
        self.count / 4
    }

    #[inline]
    fn taken(&self) -> u32 {
        self.count % 4
    }

    pub(crate) fn push(&mut self, set: [Record; SET], pool: &mut Pool) {
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
    pub(crate) fn pop<'a>(&mut self, pool: &'a mut Pool) -> Option<&'a [Record; SET]> {
        if self.count == 0 {
            return None;
        }
        let (head, sets, taken) = (self.head, self.sets() - 1, self.taken());
        if taken == 0 {
            pool.fetch(pool.chunks[head].next);
        }
        if sets == 0 || taken + 1 == SETS {
            self.head = pool.give_back(head);
            self.count = sets * 4;
        } else {
            self.count = sets * 4 + taken + 1;
        }
        // Given back or not, it is as it was until somebody takes it again.
        Some(&pool.chunks[head].sets[(taken % SETS) as usize])
    }

    /// Chunks that it holds.
    pub(crate) fn chunks(&self) -> u32 {
        (self.taken() + self.sets()).div_ceil(SETS)
    }

    pub(crate) fn iter<'a>(
        &self,
        pool: &'a Pool,
    ) -> impl Iterator<Item = &'a [Record; SET]> + use<'a> {
        let (mut chunk, first, sets) = (self.head, self.taken(), self.sets());
        (first..first + sets).map(move |nth| {
            if nth > first && nth % SETS == 0 {
                chunk = pool.chunks[chunk].next;
            }
            &pool.chunks[chunk].sets[(nth % SETS) as usize]
        })
    }
}

const _: () = assert!(size_of::<Chunk>() == 128);
