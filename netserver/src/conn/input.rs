//! Bytes received and not yet understood.

/// What is left of a read when no whole message is there, or when reading is held back. Empty on
/// most connections most of the time, and then owns no memory.
#[derive(Default, Debug)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    /// Bytes at the front that are used up. Moving the rest to the front on every use would make
    /// a long pipeline quadratic.
    used: usize,
}

impl Input {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.used > self.bytes.len() / 2 {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.used += n;
        if self.used >= self.bytes.len() {
            *self = Input::default();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Input::default();
    }

    pub(crate) fn unused(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
