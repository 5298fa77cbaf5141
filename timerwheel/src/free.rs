//! The numbers that are free again: a stack in blocks, so that it grows without copying.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Numbers in a block: 1 KiB.
const BLOCK: usize = 256;

/// A stack of numbers. Whoever pushes asks first whether it [is full](Self::is_full), so that a push
/// allocates nothing and calls nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct FreeStack {
    /// The upper end; of no length until room is first asked for.
    top: Box<[u32]>,
    /// Numbers in it.
    len: usize,
    /// Full blocks below it.
    below: Vec<Box<[u32]>>,
}

impl FreeStack {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn len(&self) -> usize {
        self.below.len() * BLOCK + self.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number that was pushed last, as long as the upper block has any: see
    /// [`refill`](Self::refill).
    #[inline]
    pub(crate) fn last(&self) -> Option<u32> {
        self.top.get(self.len.wrapping_sub(1)).copied()
    }

    /// Takes what [`last`](Self::last) said.
    #[inline]
    pub(crate) fn pop(&mut self) {
        self.len -= 1;
    }

    /// Whether there is no room for another number.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.len >= self.top.len()
    }

    /// Pushes a number, for which there is room.
    #[inline]
    pub(crate) fn push(&mut self, number: u32) {
        debug_assert!(!self.is_full());
        if let Some(place) = self.top.get_mut(self.len) {
            *place = number;
            self.len += 1;
        }
    }

    /// Makes room for a number.
    #[cold]
    pub(crate) fn reserve(&mut self) {
        if self.is_full() {
            let full = core::mem::replace(&mut self.top, vec![0; BLOCK].into());
            if !full.is_empty() {
                self.below.push(full);
            }
            self.len = 0;
        }
    }

    /// Brings the next block up when the upper one has run empty.
    pub(crate) fn refill(&mut self) {
        if self.len == 0
            && let Some(full) = self.below.pop()
        {
            self.len = full.len();
            self.top = full;
        }
    }

    /// Fills a stack that is empty, so that the lowest number comes first; returns how many of them
    /// it took.
    pub(crate) fn fill(&mut self, numbers: Range<u32>) -> usize {
        debug_assert!(self.is_empty());
        self.reserve();
        let taken = self.top.len().min(numbers.len());
        for (place, number) in self.top[..taken].iter_mut().rev().zip(numbers) {
            *place = number;
        }
        self.len = taken;
        taken
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        let top = &self.top[..self.len];
        self.below.iter().flat_map(|block| block.iter()).chain(top).copied()
    }

    /// Keeps the numbers below `end`, and gives back memory.
    pub(crate) fn truncate(&mut self, end: usize) {
        let mut kept = Self::new();
        for number in self.iter().filter(|number| (*number as usize) < end) {
            kept.reserve();
            kept.push(number);
        }
        *self = kept;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        (self.below.len() * BLOCK + self.top.len()) * size_of::<u32>()
            + self.below.capacity() * size_of::<Box<[u32]>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_last_comes_first_through_any_number_of_blocks() {
        let mut free = FreeStack::new();
        assert_eq!((free.len(), free.heap_bytes()), (0, 0));
        for number in 0..1_000 {
            free.reserve();
            free.push(number);
            assert_eq!((free.last(), free.len()), (Some(number), number as usize + 1));
        }
        assert!(free.iter().eq(0..1_000));
        for number in (0..1_000).rev() {
            assert!(!free.is_empty());
            free.refill();
            assert_eq!(free.last(), Some(number));
            free.pop();
        }
        assert!(free.is_empty());
    }

    #[test]
    fn truncating_keeps_the_order_and_gives_memory_back() {
        let mut free = FreeStack::new();
        for number in (0..2_000).rev() {
            free.reserve();
            free.push(number);
        }
        let before = free.heap_bytes();
        free.truncate(300);
        assert!(free.iter().eq((0..300).rev()));
        assert!(free.heap_bytes() < before / 2);
        free.truncate(0);
        assert_eq!((free.len(), free.heap_bytes()), (0, 0));
    }
}
