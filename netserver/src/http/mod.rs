//! Bytes ↔ messages: HTTP/1.1 as a format. Nothing here knows a socket, a clock or a connection.
//!
//! ```text
//!  bytes ──▶ quick ─────────▶ semantics ──▶ body ──▶ chunked         what arrives
//!     │      whole and right  framing, Host,  Content-Length, or
//!     │                       keep-alive      chunks and trailers
//!     └────▶ scan ──▶ head ──────▲                                   what is not all there yet, and
//!            its end  httparse + target                              what has something wrong
//!
//!  bytes ◀── encode ◀── response                                     what leaves
//!            date, status, reject
//! ```
//!
//! Every parser here gives the same verdict on a message however it was cut into reads: a rule is
//! checked at the byte that breaks it, or when the section it belongs to is complete, and never
//! depends on what else happens to be in the buffer.

mod body;
mod bytes;
mod chunked;
mod date;
mod encode;
mod fields;
mod head;
mod opening;
mod quick;
mod reject;
mod response;
mod scan;
mod semantics;
mod status;
mod target;

pub use date::DateCache;
pub use fields::Fields;
pub use head::{Head, Version};
pub use reject::Reject;
pub use response::Response;
pub use status::Status;
pub use target::Form;

pub(crate) use body::{Decoder, Piece};
pub(crate) use encode::{
    Coding, Connection, Draft, encode_chunk, encode_continue, encode_field, encode_informational,
    encode_last_chunk, encode_reject,
};
pub(crate) use head::{HeadLimits, find_head};
pub(crate) use quick::Before;
pub(crate) use scan::Scan;
pub(crate) use semantics::Framing;
