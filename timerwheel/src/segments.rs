//! An array that grows by whole segments: an index stays valid, nothing is ever copied on growth.
//!
//! A `Vec` doubles, and the copy is a pause of milliseconds at ten million entries. A segment is
//! allocated once and stays where it is; the price is one more load per access.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// `N` is a power of two, so that an index splits by shift and mask.
#[derive(Clone, Debug)]
pub(crate) struct Segments<E, const N: usize> {
    segments: Vec<Box<[E; N]>>,
}

impl<E, const N: usize> Segments<E, N> {
    pub(crate) const fn new() -> Self {
        const { assert!(N.is_power_of_two()) };
        Self { segments: Vec::new() }
    }

    /// Adds one segment, each place of it made by `make`.
    pub(crate) fn grow(&mut self, make: impl FnMut() -> E) {
        let mut places = Vec::with_capacity(N);
        places.resize_with(N, make);
        let Ok(segment) = places.into_boxed_slice().try_into() else {
            unreachable!("a vector resized to {N} has {N} places")
        };
        self.segments.push(segment);
    }

    /// Gives whole segments at the end back until `len` places are left, rounded up.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.segments.truncate(len.div_ceil(N));
        self.segments.shrink_to_fit();
    }

    /// Places there are; a multiple of `N`.
    pub(crate) fn len(&self) -> usize {
        self.segments.len() * N
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&E> {
        let index = index as usize;
        self.segments.get(index / N).map(|segment| &segment[index % N])
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut E> {
        let index = index as usize;
        self.segments.get_mut(index / N).map(|segment| &mut segment[index % N])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        self.segments.iter().flat_map(|segment| segment.iter())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.segments.iter_mut().flat_map(|segment| segment.iter_mut())
    }

    /// Heap bytes held, for the memory figures.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.segments.len() * size_of::<[E; N]>()
            + self.segments.capacity() * size_of::<Box<[E; N]>>()
    }
}

// Only for indices that the structure itself keeps: those are always in range.
impl<E, const N: usize> core::ops::Index<u32> for Segments<E, N> {
    type Output = E;

    #[inline]
    fn index(&self, index: u32) -> &E {
        let index = index as usize;
        &self.segments[index / N][index % N]
    }
}

impl<E, const N: usize> core::ops::IndexMut<u32> for Segments<E, N> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut E {
        let index = index as usize;
        &mut self.segments[index / N][index % N]
    }
}
