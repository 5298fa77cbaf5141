//! The pages of the repository, compiled: what they show works.

#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../../docs/EMBEDDING.md")]
struct Embedding;

#[doc = include_str!("../../docs/OWNERSHIP.md")]
struct Ownership;

#[doc = include_str!("../../docs/TIMERS.md")]
struct TimersPage;

#[cfg(feature = "live")]
#[doc = include_str!("../../docs/STATUS.md")]
struct StatusPage;
