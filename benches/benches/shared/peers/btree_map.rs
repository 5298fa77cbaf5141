//! The sorted map of the standard library, by deadline and then by arming.

use std::collections::BTreeMap;

use crate::shared::peer::{Ability, Peer};

#[derive(Debug, Default)]
pub(crate) struct Map {
    timers: BTreeMap<(u64, u64), u64>,
    armings: u64,
}

impl Peer for Map {
    const NAME: &'static str = "BTreeMap";
    const ABILITY: Ability = Ability::FULL;

    type Handle = (u64, u64);

    fn new(_: usize) -> Self {
        Self::default()
    }

    fn insert(&mut self, deadline: u64, value: u64) -> (u64, u64) {
        self.armings += 1;
        self.timers.insert((deadline, self.armings), value);
        (deadline, self.armings)
    }

    fn cancel(&mut self, handle: (u64, u64)) -> Option<u64> {
        self.timers.remove(&handle)
    }

    fn reschedule(&mut self, handle: &mut (u64, u64), deadline: u64) -> bool {
        let Some(value) = self.timers.remove(handle) else { return false };
        *handle = self.insert(deadline, value);
        true
    }

    fn advance(&mut self, now: u64, mut fired: impl FnMut(u64)) {
        while let Some(first) = self.timers.first_entry() {
            if first.key().0 > now {
                break;
            }
            fired(first.remove());
        }
    }

    fn next_deadline(&mut self) -> Option<u64> {
        self.timers.first_key_value().map(|(key, _)| key.0)
    }
}
