//! How responses begin: status line, the handler's fields, `Date`, and what is said about the
//! connection. All but the framing, which differs most, and mostly the same for one response as for
//! the one before.

use super::encode::{Coding, Connection, finish};
use super::response::Response;
use super::status::Status;

/// The beginning of the last response of a server, and what it was made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Opening {
    /// `None` if there is none.
    of: Option<(Status, Connection)>,
    /// The lengths of the name and of the value of each field.
    fields: Vec<(usize, usize)>,
    /// Where they begin in `bytes`.
    fields_at: usize,
    bytes: Vec<u8>,
    /// Where the framing begins, and what it was.
    framing_at: usize,
    coding: Option<Coding>,
}

/// What is longer is made anew each time: this is memory that a server has for good.
const BYTES_MAX: usize = 1024;
const FIELDS_MAX: usize = 16;

/// What stands around a name and a value.
const AROUND: usize = b": \r\n".len();

impl Opening {
    /// Appends the head of a response, if this is how it begins.
    #[inline]
    pub(super) fn repeat(
        &self,
        out: &mut Vec<u8>,
        response: &Response<'_>,
        about: Connection,
        coding: Coding,
    ) -> bool {
        if self.begins(response, about).is_none() {
            return false;
        }
        if self.coding == Some(coding) {
            out.extend_from_slice(&self.bytes);
        } else {
            out.extend_from_slice(self.bytes.get(..self.framing_at).unwrap_or_default());
            finish(out, coding);
        }
        true
    }

    #[inline]
    fn begins(&self, response: &Response<'_>, about: Connection) -> Option<()> {
        if self.of != Some((response.status, about)) || self.fields.len() != response.fields.len() {
            return None;
        }
        let mut lines = self.bytes.get(self.fields_at..)?;
        for (&(name, value), &lengths) in response.fields.iter().zip(&self.fields) {
            if (name.len(), value.len()) != lengths {
                return None;
            }
            let (line, rest) = lines.split_at_checked(name.len() + value.len() + AROUND)?;
            let same_value = line[name.len() + 2..].starts_with(value.as_bytes());
            if !same_value || !line.starts_with(name.as_bytes()) {
                return None;
            }
            lines = rest;
        }
        Some(())
    }

    /// Keeps the head of a response: of `bytes`, the lines of its fields begin at `fields_at` and are
    /// so long, and its framing begins at `framing_at`.
    pub(super) fn keep(
        &mut self,
        (response, about, coding): (&Response<'_>, Connection, Coding),
        fields_at: usize,
        fields_length: usize,
        framing_at: usize,
        bytes: &[u8],
    ) {
        self.forget();
        let lengths = response.fields.iter().map(|(name, value)| (name.len(), value.len()));
        // If fields were left out, as they are the server's own, the bytes do not tell them.
        let all: usize = lengths.clone().map(|(name, value)| name + value + AROUND).sum();
        let few = response.fields.len() <= FIELDS_MAX && bytes.len() <= BYTES_MAX;
        if all == fields_length && few {
            self.of = Some((response.status, about));
            self.fields.extend(lengths);
            self.fields_at = fields_at;
            (self.framing_at, self.coding) = (framing_at, Some(coding));
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn forget(&mut self) {
        self.of = None;
        self.fields.clear();
        self.bytes.clear();
    }
}
