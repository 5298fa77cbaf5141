//! An array that grows by whole segments: an index stays valid, nothing is ever copied on growth.
//!
//! A `Vec` doubles, and the copy is a pause of milliseconds at ten million entries. A segment is
//! allocated once and stays where it is; the price is one more load per access.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// `N` is a power of two, so that an index splits by shift and mask.
#[derive(Clone, Debug)]
pub(crate) struct Segments<E, const N: usize> {
    /// Of small elements: a segment begins a cache line, so that one of 32 bytes is in one line and never in
    /// two, and others are in as few as they can be. Allocators align by 16 at best.
    aligned: Vec<Box<Aligned<[E; N]>>>,
    /// Of large ones, which are made where they stay: what is aligned, safe code makes on the stack.
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
        (self.aligned.len() + self.large.len()) * N
    }

    #[inline]
    pub(crate) fn get(&self, index: impl Into<u64>) -> Option<&E> {
        let index = usize::try_from(index.into()).ok()?;
        let segment = if Self::ARE_SMALL {
            &self.aligned.get(index / N)?.0
        } else {
            &**self.large.get(index / N)?
        };
        Some(&segment[index % N])
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: impl Into<u64>) -> Option<&mut E> {
        let index = usize::try_from(index.into()).ok()?;
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

    /// As many as the entries of a segment.
    fn agrees_with_an_array<const WORDS: usize>() -> Segments<[u64; WORDS], 128> {
        let mut segments = Segments::<[u64; WORDS], 128>::new();
        for len in [128, 256] {
            segments.grow(|| [7; WORDS]);
            assert_eq!(segments.len(), len);
        }
        let elements = 256 * WORDS * size_of::<u64>();
        assert!(segments.heap_bytes() >= elements && segments.heap_bytes() < elements + 256);
        for index in 0..256 {
            assert_eq!(segments[index], [7; WORDS]);
            segments[index] = [u64::from(index); WORDS];
        }
        assert!(segments.iter().map(|element| element[0]).eq(0..256));
        assert!(segments.get(256_u32).is_none() && segments.get_mut(256_u32).is_none());
        assert!(segments.get(1_u64 << 32).is_none(), "the lower half alone is in range");
        segments.truncate(129);
        assert_eq!(segments.len(), 256);
        segments.truncate(128);
        assert!(segments.iter_mut().map(|element| element[0]).eq(0..128));
        segments
    }

    #[test]
    fn every_index_has_an_element_of_its_own_be_they_small_or_large() {
        let segments = agrees_with_an_array::<8>();
        let first = segments.iter().map(|element| core::ptr::from_ref(element).addr()).next();
        assert!(first.is_some_and(|address| address.is_multiple_of(64)), "begins a cache line");
        agrees_with_an_array::<9>();
        agrees_with_an_array::<1_000>();
    }

    /// Not optimised, what is made on the stack is there several times over.
    #[cfg(feature = "std")]
    #[test]
    fn growing_takes_little_of_the_stack_whatever_the_elements() {
        let grow = || {
            Segments::<[u64; 8], 128>::new().grow(|| [7; 8]);
            Segments::<[u64; 1_000], 128>::new().grow(|| [7; 1_000]);
        };
        let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(grow);
        assert!(thread.is_ok_and(|thread| thread.join().is_ok()));
    }
}
