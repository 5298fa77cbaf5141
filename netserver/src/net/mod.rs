//! Sockets: the only read and write calls of the crate.

mod listener;
mod ready;
mod stream;
mod tokens;

pub use listener::ListenOptions;
pub(crate) use listener::{Accept, Listener};
pub use ready::Ready;
pub(crate) use stream::{Stream, Transfer};
pub use tokens::Tokens;
