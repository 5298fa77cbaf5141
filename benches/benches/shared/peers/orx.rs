//! `orx-priority-queue`: a heap of four children that knows where each of its nodes is.

use orx_priority_queue::{PriorityQueue, PriorityQueueDecKey, QuaternaryHeapOfIndices};

use crate::shared::peer::{Ability, Peer};

/// Deadline and arming.
type Key = (u64, u64);

#[derive(Debug)]
struct Entry {
    generation: u32,
    value: u64,
}

#[derive(Debug)]
pub(crate) struct IndexedHeap {
    heap: QuaternaryHeapOfIndices<usize, Key>,
    /// The heap holds numbers and asks for their bound beforehand, so the entries are ours.
    entries: Vec<Entry>,
    free: Vec<usize>,
    armings: u64,
}

impl IndexedHeap {
    fn key(&mut self, deadline: u64) -> Key {
        self.armings += 1;
        (deadline, self.armings)
    }

    fn is_armed(&self, (at, generation): (usize, u32)) -> bool {
        self.entries[at].generation == generation
    }

    fn release(&mut self, at: usize) -> u64 {
        self.entries[at].generation += 1;
        self.free.push(at);
        self.entries[at].value
    }
}

impl Peer for IndexedHeap {
    const NAME: &'static str = "orx-priority-queue";
    const ABILITY: Ability = Ability::FULL;

    type Handle = (usize, u32);

    fn new(capacity: usize) -> Self {
        Self {
            heap: QuaternaryHeapOfIndices::with_index_bound(capacity),
            entries: Vec::new(),
            free: Vec::new(),
            armings: 0,
        }
    }

    fn insert(&mut self, deadline: u64, value: u64) -> (usize, u32) {
        let at = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { generation: 0, value });
            self.entries.len() - 1
        });
        self.entries[at].value = value;
        let key = self.key(deadline);
        self.heap.push(at, key);
        (at, self.entries[at].generation)
    }

    fn cancel(&mut self, handle: (usize, u32)) -> Option<u64> {
        if !self.is_armed(handle) {
            return None;
        }
        self.heap.remove(&handle.0);
        Some(self.release(handle.0))
    }

    fn reschedule(&mut self, handle: &mut (usize, u32), deadline: u64) -> bool {
        if !self.is_armed(*handle) {
            return false;
        }
        let key = self.key(deadline);
        self.heap.update_key(&handle.0, key);
        true
    }

    fn advance(&mut self, now: u64, mut fired: impl FnMut(u64)) {
        while self.heap.peek().is_some_and(|(_, (deadline, _))| *deadline <= now) {
            let Some(at) = self.heap.pop_node() else { return };
            fired(self.release(at));
        }
    }

    fn next_deadline(&mut self) -> Option<u64> {
        self.heap.peek().map(|(_, (deadline, _))| *deadline)
    }
}
