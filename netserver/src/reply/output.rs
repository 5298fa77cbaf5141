//! Bytes on their way to the socket.

use std::mem;

/// A queue of bytes. Between turns it owns exactly what a slow peer has not taken; within a turn
/// it works in a buffer lent by the server, so that most connections never own one.
#[derive(Default, Debug)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// Bytes at the front that are written already.
    written: usize,
    /// `bytes` is the server's.
    lent: bool,
}

impl Output {
    /// Where to append.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The first `n` bytes are written.
    pub(crate) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len(), "{n} bytes written of {}", self.len());
        self.written += n;
        if self.written >= self.bytes.len() {
            self.clear();
        } else if !self.lent && self.written > self.bytes.len() / 2 {
            // A peer that never catches up never empties it: what is written has to go meanwhile.
            // By halves, so that a byte is copied once.
            self.bytes = self.bytes[self.written..].to_vec();
            self.written = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.written = 0;
        if self.lent {
            self.bytes.clear();
        } else {
            self.bytes = Vec::new();
        }
    }

    /// Works in `scratch`, which must be empty, until [`give_back`](Output::give_back): if nothing
    /// is queued. What is queued stays where it is rather than be copied to and fro. Lent once is
    /// enough.
    pub(crate) fn lend(&mut self, scratch: &mut Vec<u8>) {
        debug_assert!(scratch.is_empty());
        if self.bytes.is_empty() && !self.lent {
            mem::swap(&mut self.bytes, scratch);
            self.lent = true;
        }
    }

    /// Returns the buffer to `scratch`, keeping a copy of what is not written.
    pub(crate) fn give_back(&mut self, scratch: &mut Vec<u8>) {
        if mem::take(&mut self.lent) {
            mem::swap(&mut self.bytes, scratch);
            self.bytes.extend_from_slice(&scratch[self.written..]);
            self.written = 0;
            scratch.clear();
        }
    }

    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Output;

    #[test]
    fn a_lent_buffer_comes_back_and_only_the_rest_is_kept() {
        let (mut output, mut scratch) = (Output::default(), Vec::with_capacity(1000));
        output.lend(&mut scratch);
        output.buffer().extend_from_slice(b"hello world");
        output.consume(6);
        output.give_back(&mut scratch);
        assert_eq!((scratch.capacity(), scratch.len()), (1000, 0));
        assert_eq!(output.unsent(), b"world");

        // Nothing is lent while something is queued.
        output.lend(&mut scratch);
        output.buffer().extend_from_slice(b"!");
        output.give_back(&mut scratch);
        assert_eq!((scratch.capacity(), output.unsent()), (1000, &b"world!"[..]));
        output.consume(6);
        assert!(output.is_empty());
        assert_eq!(output.bytes.capacity(), 0);
    }

    #[test]
    fn a_peer_that_never_catches_up_is_held_no_more_for_than_what_it_has_not_taken() {
        let mut output = Output::default();
        let (mut expected, mut next) = (0_u8, 0_u8);
        output.buffer().extend([7; 1000]);
        output.consume(999);
        assert!(output.bytes.capacity() < 10, "a large response is given back");
        output.consume(1);
        for _ in 0..1000 {
            output.buffer().extend((0..100).map(|_| {
                next = next.wrapping_add(1);
                next
            }));
            while output.len() > 1 {
                expected = expected.wrapping_add(1);
                assert_eq!(output.unsent()[0], expected);
                output.consume(1);
            }
            assert!(output.bytes.capacity() <= 1000, "{}", output.bytes.capacity());
        }
    }
}
