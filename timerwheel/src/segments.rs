//! An array that grows by whole segments: an index stays valid, nothing is ever copied on growth.
//!
//! A `Vec` doubles, and the copy is a pause of milliseconds at ten million entries. A segment is
//! allocated once and stays where it is; the price is one more load per access.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// `N` is a power of two, so that an index splits by shift and mask.
#[derive(Clone, Debug)]
pub(crate) struct Segments<E, const N: usize> {
    /// Of small elements: each begins a cache line, so that an element of 32 bytes is in one line and
    /// never in two. An allocator gives no more than 16.
    aligned: Vec<Box<Aligned<[E; N]>>>,
    /// Of large ones, which are made where they stay: on the stack, hundreds might not have room.
    large: Vec<Box<[E; N]>>,
}

#[derive(Clone, Debug)]
#[repr(align(64))]
struct Aligned<S>(S);

impl<E, const N: usize> Segments<E, N> {
    /// One of the two has all segments, and the compiler knows which.
    const ARE_SMALL: bool = size_of::<E>() <= 64;

    pub(crate) const fn new() -> Self {
        const { assert!(N.is_power_of_two()) };
        Self { aligned: Vec::new(), large: Vec::new() }
    }

    /// Adds one segment, each place of it made by `make`.
    pub(crate) fn grow(&mut self, mut make: impl FnMut() -> E) {
        if Self::ARE_SMALL {
            self.aligned.push(Box::new(Aligned(core::array::from_fn(|_| make()))));
            return;
        }
        let mut places = Vec::with_capacity(N);
        places.resize_with(N, make);
        let Ok(segment) = places.into_boxed_slice().try_into() else {
            unreachable!("a vector resized to {N} has {N} places")
        };
        self.large.push(segment);
    }

    /// Gives whole segments at the end back until `len` places are left, rounded up.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.aligned.truncate(len.div_ceil(N));
        self.aligned.shrink_to_fit();
        self.large.truncate(len.div_ceil(N));
        self.large.shrink_to_fit();
    }

    /// Places there are; a multiple of `N`.
    pub(crate) fn len(&self) -> usize {
        (if Self::ARE_SMALL { self.aligned.len() } else { self.large.len() }) * N
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&E> {
        let index = index as usize;
        let segment = if Self::ARE_SMALL {
            &self.aligned.get(index / N)?.0
        } else {
            &**self.large.get(index / N)?
        };
        Some(&segment[index % N])
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut E> {
        let index = index as usize;
        let segment = if Self::ARE_SMALL {
            &mut self.aligned.get_mut(index / N)?.0
        } else {
            &mut **self.large.get_mut(index / N)?
        };
        Some(&mut segment[index % N])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        let large = self.large.iter().flat_map(|segment| segment.iter());
        self.aligned.iter().flat_map(|segment| &segment.0).chain(large)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        let large = self.large.iter_mut().flat_map(|segment| segment.iter_mut());
        self.aligned.iter_mut().flat_map(|segment| &mut segment.0).chain(large)
    }

    /// Heap bytes held, for the memory figures.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.aligned.len() * size_of::<Aligned<[E; N]>>()
            + self.large.len() * size_of::<[E; N]>()
            + (self.aligned.capacity() + self.large.capacity()) * size_of::<usize>()
    }
}

// Only for indices that the structure itself keeps: those are always in range.
impl<E, const N: usize> core::ops::Index<u32> for Segments<E, N> {
    type Output = E;

    #[inline]
    fn index(&self, index: u32) -> &E {
        let Some(element) = self.get(index) else { unreachable!("{index} is out of range") };
        element
    }
}

impl<E, const N: usize> core::ops::IndexMut<u32> for Segments<E, N> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut E {
        let Some(element) = self.get_mut(index) else { unreachable!("{index} is out of range") };
        element
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_elements_begin_a_cache_line_and_large_ones_need_no_stack() {
        let mut small = Segments::<[u64; 4], 512>::new();
        let mut large = Segments::<[u64; 1_000], 512>::new();
        for length in [512, 1_024] {
            small.grow(|| [7; 4]);
            large.grow(|| [7; 1_000]);
            assert_eq!((small.len(), large.len()), (length, length));
        }
        assert!(small.iter().all(|element| core::ptr::from_ref(element).addr() % 32 == 0));
        for index in [0, 511, 512, 1_023] {
            small[index][0] = u64::from(index);
            large[index][0] = u64::from(index);
        }
        assert_eq!((small[512][0], large[512][0]), (512, 512));
        assert_eq!((small.iter().count(), large.iter().count()), (1_024, 1_024));
        assert!(small.get(1_024).is_none() && large.get_mut(1_024).is_none());
        small.truncate(1);
        large.truncate(1);
        assert_eq!((small.len(), large.len()), (512, 512));
    }
}
