//! Sorting what a far slot held when all of it is due at once: by digits of the deadline.
//!
//! Such a slot comes in the order of arming, so a stable sort by deadline is all that is wanted,
//! and counting does it in a third of the instructions of comparing.

use alloc::vec::Vec;

use crate::due::DueEntry;

/// Below this, filling and summing 256 counters costs more than it saves.
pub(crate) const WORTH_IT: usize = 128;

/// Bits of a digit at most.
const DIGIT: u32 = 8;

/// Sorts by deadline and keeps the order of those that are equal.
pub(crate) fn sort_by_deadline(entries: &mut [DueEntry], scratch: &mut Vec<DueEntry>) {
    let Some(&first) = entries.first() else { return };
    // Bits that are the same in all deadlines need no pass: those are most.
    let differing = entries.iter().fold(0, |bits, entry| bits | (entry.deadline ^ first.deadline));
    let mut shift = differing.trailing_zeros();
    let bits = u64::BITS - differing.leading_zeros().min(64 - shift) - shift;
    // Each pass goes from one to the other; with an even number of them, the last one ends where
    // the first one began.
    let passes = bits.div_ceil(2 * DIGIT) * 2;
    let digit = bits.div_ceil(passes.max(1));
    scratch.clear();
    scratch.resize(entries.len(), first);
    for _ in 0..passes / 2 {
        distribute(entries, scratch, shift, digit);
        distribute(scratch, entries, shift + digit, digit);
        shift += 2 * digit;
    }
}

/// One pass: `to` is `from` in the order of a few bits.
fn distribute(from: &[DueEntry], to: &mut [DueEntry], shift: u32, bits: u32) {
    let mask = (1 << bits) - 1;
    let digit = |entry: &DueEntry| (entry.deadline.unbounded_shr(shift) & mask & 0xff) as usize;
    let mut places = [0_usize; 1 << DIGIT];
    for entry in from {
        places[digit(entry)] += 1;
    }
    let mut start = 0;
    for place in &mut places[..1 << bits] {
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
        // One bit, the highest one, digits of odd widths, gaps in between, and all there are.
        for bits in [0, 1, 1 << 63, 0b111 << 61, 0x1ff << 20, 0xff_000f_00ff, u64::MAX] {
            let mut entries = Vec::new();
            for armed in 0..5_000 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(armed);
                let deadline = random.rotate_left(32) & bits;
                entries.push(DueEntry { deadline, armed, index: 0, is_interval: false });
            }
            let mut expected = entries.clone();
            expected.sort_unstable();
            sort_by_deadline(&mut entries, &mut Vec::new());
            assert_eq!(entries, expected, "deadlines in {bits:#x}");
        }
    }
}
