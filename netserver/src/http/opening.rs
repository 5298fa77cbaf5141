//! How responses begin: status line, the handler's fields, `Date`, and what is said about the
//! connection. All but the length of the content, which differs most, and mostly the same for one
//! response as for the one before.

use super::encode::Connection;
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
}

/// What is longer is made anew each time: this is memory that a server has for good.
const BYTES_MAX: usize = 1024;
const FIELDS_MAX: usize = 16;

/// What stands around a name and a value.
const AROUND: usize = b": \r\n".len();

impl Opening {
    /// The bytes, if this is how the response begins.
    #[inline]
    pub(super) fn of(&self, response: &Response<'_>, about: Connection) -> Option<&[u8]> {
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
        Some(&self.bytes)
    }

    /// Keeps `bytes`, of which the fields' lines begin at `fields_at` and are so long.
    pub(super) fn keep(
        &mut self,
        response: &Response<'_>,
        about: Connection,
        fields_at: usize,
        fields_length: usize,
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
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn forget(&mut self) {
        self.of = None;
        self.fields.clear();
        self.bytes.clear();
    }
}
