//! Keeps no timers: what is left is the harness.

use crate::shared::peer::{Ability, Peer};

#[derive(Debug)]
pub(crate) struct Nothing;

impl Peer for Nothing {
    const NAME: &'static str = "nothing";
    const ABILITY: Ability = Ability::FULL;

    type Handle = u64;

    fn new(_: usize) -> Self {
        Self
    }

    #[inline]
    fn insert(&mut self, _: u64, value: u64) -> u64 {
        value
    }

    #[inline]
    fn cancel(&mut self, handle: u64) -> Option<u64> {
        Some(handle)
    }

    #[inline]
    fn reschedule(&mut self, _: &mut u64, _: u64) -> bool {
        true
    }

    #[inline]
    fn advance(&mut self, _: u64, _: impl FnMut(u64)) {}

    #[inline]
    fn next_deadline(&mut self) -> Option<u64> {
        None
    }
}
