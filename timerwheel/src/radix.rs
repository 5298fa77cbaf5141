//! Sorting what a far slot held when all of it is due at once: by digits of the deadline.
//!
//! Such a slot comes in the order of arming, so a stable sort by deadline is all that is wanted,
//! and counting does it in a third of the instructions of comparing.

use alloc::vec::Vec;

use crate::due::DueEntry;

/// Below this, filling and summing twice 256 counters costs more than it saves.
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
    let width = bits.div_ceil(passes.max(1));
    if scratch.len() < entries.len() {
        scratch.resize(entries.len(), first);
    }
    let scratch = &mut scratch[..entries.len()];
    for _ in 0..passes / 2 {
        let digits = [Digit { shift, width }, Digit { shift: shift + width, width }];
        // How many there are of each value is the same in whatever order.
        let mut counts = [[0_u32; 1 << DIGIT]; 2];
        for entry in &*entries {
            counts[0][digits[0].of(entry)] += 1;
            counts[1][digits[1].of(entry)] += 1;
        }
        distribute(entries, scratch, digits[0], &mut counts[0]);
        distribute(scratch, entries, digits[1], &mut counts[1]);
        shift += 2 * width;
    }
}

/// A few bits of the deadline.
#[derive(Clone, Copy)]
struct Digit {
    shift: u32,
    width: u32,
}

impl Digit {
    #[inline]
    fn of(self, entry: &DueEntry) -> usize {
        // Beyond the upper end it begins anew, where all have the same bits: those need no pass.
        (entry.deadline.wrapping_shr(self.shift) & self.mask() & 0xff) as usize
    }

    #[inline]
    fn mask(self) -> u64 {
        (1 << self.width) - 1
    }
}

/// One pass: `to` is `from` in the order of a digit. `places` says how many there are of each value, and is
/// used up: it becomes where they go.
fn distribute(
    from: &[DueEntry],
    to: &mut [DueEntry],
    digit: Digit,
    places: &mut [u32; 1 << DIGIT],
) {
    let mut start = 0;
    for place in &mut places[..1 << digit.width] {
        start += core::mem::replace(place, start);
    }
    for entry in from {
        let place = &mut places[digit.of(entry)];
        to[*place as usize] = *entry;
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
