//! What the compiler is told of a branch.

/// Says that it is seldom taken. From Rust 1.95 on, `core::hint::cold_path` does.
///
/// Where ticks are fine, there is nothing to do on most of them, and nothing due: for a loop that comes with every tick,
/// the two branches that say so are what it takes, so they are laid out to jump over nothing.
#[cold]
#[inline]
pub(crate) fn seldom() {}
