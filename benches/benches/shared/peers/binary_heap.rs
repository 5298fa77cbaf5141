//! The binary heap of the standard library: what is cancelled or moved stays in it as garbage
//! until it comes to the top, or until there is more garbage than timers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use slab::Slab;

use crate::shared::peer::{Ability, Peer};

/// Deadline, arming, place of the entry.
type Record = Reverse<(u64, u64, usize)>;

#[derive(Debug)]
struct Entry {
    arming: u64,
    value: u64,
}

#[derive(Debug, Default)]
pub(crate) struct LazyHeap {
    heap: BinaryHeap<Record>,
    entries: Slab<Entry>,
    armings: u64,
}

impl LazyHeap {
    fn is_armed(entries: &Slab<Entry>, Reverse((_, arming, at)): &Record) -> bool {
        entries.get(*at).is_some_and(|entry| entry.arming == *arming)
    }

    fn purge(&mut self) {
        if self.heap.len() > 2 * self.entries.len() + 64 {
            self.heap.retain(|record| Self::is_armed(&self.entries, record));
        }
    }
}

impl Peer for LazyHeap {
    const NAME: &'static str = "BinaryHeap";
    const ABILITY: Ability = Ability::FULL;

    /// Place and arming.
    type Handle = (usize, u64);

    fn new(_: usize) -> Self {
        Self::default()
    }

    fn insert(&mut self, deadline: u64, value: u64) -> (usize, u64) {
        self.armings += 1;
        let at = self.entries.insert(Entry { arming: self.armings, value });
        self.heap.push(Reverse((deadline, self.armings, at)));
        (at, self.armings)
    }

    fn cancel(&mut self, (at, arming): (usize, u64)) -> Option<u64> {
        self.entries.get(at).filter(|entry| entry.arming == arming)?;
        let value = self.entries.remove(at).value;
        self.purge();
        Some(value)
    }

    fn reschedule(&mut self, handle: &mut (usize, u64), deadline: u64) -> bool {
        let entry = self.entries.get_mut(handle.0).filter(|entry| entry.arming == handle.1);
        let Some(entry) = entry else { return false };
        self.armings += 1;
        entry.arming = self.armings;
        handle.1 = self.armings;
        self.heap.push(Reverse((deadline, self.armings, handle.0)));
        self.purge();
        true
    }

    fn advance(&mut self, now: u64, mut fired: impl FnMut(u64)) {
        while self.heap.peek().is_some_and(|Reverse((deadline, _, _))| *deadline <= now) {
            let Some(record) = self.heap.pop() else { return };
            if Self::is_armed(&self.entries, &record) {
                fired(self.entries.remove(record.0.2).value);
            }
        }
    }

    fn next_deadline(&mut self) -> Option<u64> {
        loop {
            let record = self.heap.peek()?;
            if Self::is_armed(&self.entries, record) {
                return Some(record.0.0);
            }
            self.heap.pop();
        }
    }
}
