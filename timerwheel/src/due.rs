//! What is due and not handed out yet, in the order in which it will be.

use alloc::vec::Vec;

use crate::hint::seldom;
use crate::radix;

/// An entry that an `advance` collected. It counts as long as the entry's arming is this one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct DueEntry {
    // The order of the fields is the order of expiry.
    pub(crate) deadline: u64,
    pub(crate) armed: u64,
    pub(crate) index: u32,
    pub(crate) is_interval: bool,
}

impl DueEntry {
    /// The order of expiry as one number, which compares without a branch.
    #[inline]
    pub(crate) fn order(&self) -> u128 {
        u128::from(self.deadline) << 64 | u128::from(self.armed)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Due {
    queue: Vec<DueEntry>,
    /// Entries that were not handed out yet: those at the end of the queue, which is cleared when the
    /// last one is handed out. All that is asked when there is none.
    left: usize,
    /// From here on in the order of collecting, not yet of expiry.
    unordered_from: usize,
    /// The part from there has been found out of order.
    unordered: bool,
    /// Parts ordered in themselves are not in order among each other.
    crossed: bool,
    /// Entries in the queue that were cancelled or moved since.
    gone: usize,
    /// From here on entries were not fetched yet; the end of all, if there is nothing to fetch.
    fetch_from: usize,
    /// For sorting; what is in it means nothing.
    scratch: Vec<DueEntry>,
}

/// Room kept when the queue runs empty; the rest of a peak is given back.
const KEPT: usize = 4096;

/// So many entries are fetched together.
const BATCH: usize = 32;

/// So many are at hand when they were collected just before: they fit the first cache.
const AT_HAND: usize = 256;

/// So many cancelled or moved entries may always be in the queue.
const GONE: usize = 64;

impl Due {
    pub(crate) const fn new() -> Self {
        Self {
            queue: Vec::new(),
            left: 0,
            unordered_from: 0,
            unordered: false,
            crossed: false,
            gone: 0,
            fetch_from: usize::MAX,
            scratch: Vec::new(),
        }
    }

    /// Entries that are due and neither cancelled nor moved since.
    pub(crate) fn len(&self) -> usize {
        self.left - self.gone
    }

    /// The same and those that were, as long as they are in the queue.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.left
    }

    /// Where the first entry is that was not handed out yet.
    #[inline]
    fn head(&self) -> usize {
        self.queue.len() - self.left
    }

    /// Makes room for what an `advance` collects.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if self.head() > self.left {
            self.close_up();
        }
    }

    /// Moves the queue to the start of its room.
    #[inline(never)]
    fn close_up(&mut self) {
        let head = self.head();
        self.queue.drain(..head);
        if self.fetch_from < usize::MAX {
            self.fetch_from = self.fetch_from.saturating_sub(head);
        }
    }

    /// What is pushed from now on is of one slot.
    #[inline]
    pub(crate) fn begin_slot(&mut self) {
        self.unordered_from = self.queue.len();
    }

    #[inline]
    pub(crate) fn push(&mut self, entry: DueEntry) {
        if self.queue.len() > self.unordered_from
            && let Some(last) = self.queue.last()
        {
            // Not a branch: in a far slot nobody can guess it.
            self.unordered |= last.order() > entry.order();
        }
        self.queue.push(entry);
    }

    /// Pushes one that mostly comes after all others, and is no part of a slot.
    #[inline]
    pub(crate) fn push_next(&mut self, entry: DueEntry) {
        if let Some(last) = self.queue.last() {
            self.crossed |= last.order() > entry.order();
        }
        self.queue.push(entry);
        self.left += 1;
    }

    /// All of a slot has been pushed: sorts that part while it is small and warm. A slot is filed
    /// in arming order, so mostly there is nothing to sort.
    #[inline]
    pub(crate) fn end_slot(&mut self) {
        let start = self.unordered_from;
        if self.unordered {
            self.sort_from(start);
        }
        if self.left > 0 && start < self.queue.len() {
            self.crossed |= self.queue[start - 1] > self.queue[start];
        }
        self.left += self.queue.len() - start;
    }

    #[inline(never)]
    fn sort_from(&mut self, start: usize) {
        self.unordered = false;
        let part = &mut self.queue[start..];
        if part.len() >= radix::WORTH_IT {
            radix::sort(part, &mut self.scratch);
            self.scratch.truncate(KEPT);
            self.scratch.shrink_to(KEPT);
        } else {
            part.sort_unstable();
        }
    }

    /// All slots have been pushed. Parts cross when entries had moved to later deadlines without
    /// being filed anew, or were overdue; the sort finds the ordered runs.
    #[inline]
    pub(crate) fn end(&mut self) {
        if self.crossed {
            self.sort_all();
        } else if self.fetch_from == usize::MAX {
            self.fetch_anew();
        }
    }

    /// Nothing of the queue is at hand any more, if it is long.
    #[inline]
    fn fetch_anew(&mut self) {
        self.fetch_from = if self.left > AT_HAND { self.head() } else { usize::MAX };
    }

    #[inline(never)]
    fn sort_all(&mut self) {
        let head = self.head();
        self.queue[head..].sort();
        self.crossed = false;
        self.fetch_anew();
    }

    #[inline]
    pub(crate) fn front(&self) -> Option<DueEntry> {
        if self.left == 0 {
            return None;
        }
        seldom();
        self.queue.get(self.head()).copied()
    }

    /// Whether it is time for the [next batch](Self::next_batch) to be fetched.
    #[inline]
    pub(crate) fn wants_batch(&self) -> bool {
        self.head() >= self.fetch_from
    }

    /// The next few: so many others may be due that they are not at hand any more. Whoever asks for them
    /// one by one waits for memory each time.
    pub(crate) fn next_batch(&mut self) -> &[DueEntry] {
        let head = self.head();
        let end = head + self.left.min(BATCH);
        self.fetch_from = if end < self.queue.len() { end } else { usize::MAX };
        &self.queue[head..end]
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.queue.clear();
            self.fetch_from = usize::MAX;
            if self.queue.capacity() > KEPT {
                self.give_back();
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn give_back(&mut self) {
        self.queue.shrink_to(KEPT);
    }

    /// [`pop_front`](Self::pop_front) of an entry that was cancelled or moved.
    pub(crate) fn pop_gone(&mut self) {
        self.gone -= 1;
        self.pop_front();
    }

    /// An entry of the queue was cancelled or moved. True if so many were that it is time to
    /// [`retain`](Self::retain) the others: then that costs O(1) for each of them.
    pub(crate) fn leave(&mut self) -> bool {
        self.gone += 1;
        self.gone >= self.len().max(GONE)
    }

    /// Keeps what is still due.
    pub(crate) fn retain(&mut self, is_due: impl FnMut(&DueEntry) -> bool) {
        self.close_up();
        self.queue.retain(is_due);
        self.queue.shrink_to((2 * self.queue.len()).max(KEPT));
        self.left = self.queue.len();
        self.gone = 0;
        self.fetch_anew();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DueEntry> {
        self.queue[self.head()..].iter()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        (self.queue.capacity() + self.scratch.capacity()) * size_of::<DueEntry>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(due: &mut Due, indices: core::ops::Range<u32>) {
        due.begin();
        due.begin_slot();
        for index in indices {
            let (deadline, armed) = (7, u64::from(index));
            due.push(DueEntry { deadline, armed, index, is_interval: false });
        }
        due.end_slot();
        due.end();
    }

    #[test]
    fn a_long_queue_is_fetched_a_batch_at_a_time_and_a_short_one_is_at_hand() {
        for (count, fetched_first) in [(1_000, 0), (256, usize::MAX)] {
            let mut due = Due::new();
            collect(&mut due, 0..count);
            let mut fetched = fetched_first;
            for popped in 0..count as usize {
                if due.wants_batch() {
                    assert_eq!(fetched, popped, "the last batch has come to its end");
                    let batch = due.next_batch();
                    assert!(batch.len() <= BATCH, "a single pop would fetch all of them");
                    assert_eq!(batch.first().map(|due| due.index as usize), Some(popped));
                    fetched = popped + batch.len();
                }
                assert!(fetched > popped);
                due.pop_front();
            }
            assert!(due.front().is_none());
        }
    }

    #[test]
    fn who_hands_out_few_at_a_time_fetches_each_once() {
        let mut due = Due::new();
        let (mut fetched, mut collected) = (0, 0);
        for turn in 0..1_000 {
            let more = if turn < 100 { 20 } else { 0 };
            collect(&mut due, collected..collected + more);
            collected += more;
            for _ in 0..10 {
                if due.front().is_some() {
                    fetched += if due.wants_batch() { due.next_batch().len() } else { 0 };
                    due.pop_front();
                }
            }
        }
        assert!(due.front().is_none());
        // The first ones were at hand; what is left when a batch is at its end is fetched with others.
        assert!(fetched <= collected as usize, "{fetched} of {collected}");
        assert!(
            fetched >= collected as usize - 2 * AT_HAND - 2 * BATCH,
            "{fetched} of {collected}"
        );
    }

    #[test]
    fn a_queue_that_was_left_without_fetching_leaves_nothing_to_the_next_one() {
        let mut due = Due::new();
        collect(&mut due, 0..600);
        assert_eq!(due.next_batch().len(), BATCH);
        for _ in 0..600 {
            due.pop_front();
        }
        collect(&mut due, 0..300);
        assert!(due.wants_batch());
    }

    #[test]
    fn a_long_queue_of_which_most_were_cancelled_is_fetched_all_the_same() {
        let mut due = Due::new();
        collect(&mut due, 0..2_000);
        due.retain(|due| due.index % 4 == 0);
        assert!(due.wants_batch() && due.next_batch().len() == BATCH);
    }
}
