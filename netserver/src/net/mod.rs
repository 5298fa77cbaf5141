//! Sockets: the only read and write calls of the crate.

mod listener;
mod proxy;
mod ready;
mod stream;
mod tokens;
mod transport;

pub(crate) use listener::{Accept, Source};
pub use listener::{Endpoint, ListenOptions, Listener};
pub(crate) use proxy::{Origin, ProxyHeader};
pub use ready::Ready;
pub use stream::Stream;
pub(crate) use stream::Transfer;
pub use tokens::Tokens;
pub use transport::{Incoming, Transport};
