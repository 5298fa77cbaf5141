//! What the server benchmark is made of: servers in processes of their own, and a client that loads
//! them.
//!
//! ```text
//!   server (the program)
//!     ├── child     a peer as a child process: its port, its CPU time, its memory
//!     │     └── peers::*    the same answer, by each of them
//!     ├── place     a processor for each side
//!     ├── load      connections, pipelining, one request each
//!     ├── slow      clients that send a byte a second
//!     ├── loops     what the kernel makes of several on one address
//!     ├── tracked   the check over a million connections in memory
//!     └── cycles    building, binding and closing servers
//! ```

pub(crate) mod child;
pub(crate) mod cycles;
pub(crate) mod load;
pub(crate) mod loops;
pub(crate) mod peers;
pub(crate) mod place;
pub(crate) mod slow;
pub(crate) mod tracked;
