//! An adapter per peer.

pub(crate) mod binary_heap;
pub(crate) mod bitwheel;
pub(crate) mod btree_map;
pub(crate) mod hashed_wheel;
pub(crate) mod mio_extras;
pub(crate) mod nexus;
pub(crate) mod nothing;
pub(crate) mod orx;
pub(crate) mod same_delay;
pub(crate) mod tm_wheel;
pub(crate) mod tokio_queue;
pub(crate) mod tokio_sleep;
pub(crate) mod tokio_time;
pub(crate) mod wheel;
