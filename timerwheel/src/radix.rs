//! Sorting what a far slot held when all of it is due at once: by bytes of the deadline.
//!
//! Such a slot comes in the order of arming, so a stable sort by deadline is all that is wanted,
//! and counting does it in a third of the instructions of comparing.

use alloc::vec::Vec;

use crate::due::DueEntry;

/// Below this, filling and summing 256 counters costs more than it saves.
pub(crate) const WORTH_IT: usize = 128;

/// Sorts by deadline and keeps the order of those that are equal.
pub(crate) fn sort_by_deadline(entries: &mut [DueEntry], scratch: &mut Vec<DueEntry>) {
    let Some(&first) = entries.first() else { return };
    // Bytes that are the same in all deadlines need no pass: those are most.
    let differing = entries.iter().fold(0, |bits, entry| bits | (entry.deadline ^ first.deadline));
    scratch.clear();
    scratch.resize(entries.len(), first);
    for byte in 0..8 {
        if (differing >> (8 * byte)) & 0xff == 0 {
            continue;
        }
        let digit = |entry: &DueEntry| ((entry.deadline >> (8 * byte)) & 0xff) as usize;
        let mut ends = [0; 256];
        entries.iter().for_each(|entry| ends[digit(entry)] += 1);
        let mut start = 0;
        for end in &mut ends {
            start += core::mem::replace(end, start);
        }
        for entry in entries.iter() {
            let at = &mut ends[digit(entry)];
            scratch[*at] = *entry;
            *at += 1;
        }
        entries.copy_from_slice(scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sorts_by_deadline_and_keeps_the_order_of_arming() {
        let mut random = 1_u64;
        let mut entries = Vec::new();
        for armed in 0..5_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(armed);
            // Equal ones among them, and bytes that are all the same in between.
            let deadline = (random >> 60) | ((random >> 50) & 0xff) << 40;
            entries.push(DueEntry { deadline, armed, index: 0 });
        }
        let mut expected = entries.clone();
        expected.sort_unstable();
        sort_by_deadline(&mut entries, &mut Vec::new());
        assert_eq!(entries, expected);
    }
}
