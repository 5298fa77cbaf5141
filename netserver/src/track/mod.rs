//! Connections by deadline.

mod class;

pub use class::{Class, Classes};
