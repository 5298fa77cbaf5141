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
    // Each pass goes from one to the other, so there is at most one copy, at the end.
    let mut sorted_in_scratch = false;
    for shift in (0..u64::BITS).step_by(8).filter(|shift| (differing >> shift) & 0xff != 0) {
        if sorted_in_scratch {
            distribute(scratch, entries, shift);
        } else {
            distribute(entries, scratch, shift);
        }
        sorted_in_scratch = !sorted_in_scratch;
    }
    if sorted_in_scratch {
        entries.copy_from_slice(scratch);
    }
}

/// One pass: `to` is `from` in the order of one byte.
fn distribute(from: &[DueEntry], to: &mut [DueEntry], shift: u32) {
    let digit = |entry: &DueEntry| ((entry.deadline >> shift) & 0xff) as usize;
    let mut places = [0; 256];
    for entry in from {
        places[digit(entry)] += 1;
    }
    let mut start = 0;
    for place in &mut places {
        start += core::mem::replace(place, start);
    }
    for entry in from {
        let place = &mut places[digit(entry)];
        to[*place] = *entry;
        *place += 1;
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
            entries.push(DueEntry { deadline, armed, index: 0, is_interval: false });
        }
        let mut expected = entries.clone();
        expected.sort_unstable();
        sort_by_deadline(&mut entries, &mut Vec::new());
        assert_eq!(entries, expected);
    }
}
