//! Sorting what a far slot held when all of it is due at once: by digits of the deadline.
//!
//! Such a slot comes in the order of arming, so a stable sort by deadline is nearly all that is
//! wanted, and counting does it in a third of the instructions of comparing. The upper digits alone
//! bring nearly each to its place: a few thousand deadlines seldom share sixteen bits. What is left
//! is put right one by one, so is who had moved, and only where that is too much are all digits
//! counted.

use alloc::vec::Vec;

use crate::due::DueEntry;

/// Below this, filling and summing twice 256 counters costs more than it saves.
pub(crate) const WORTH_IT: usize = 128;

/// Bits of a digit at most.
const DIGIT: u32 = 8;

/// Sorts in the order of expiry what is in that of arming, but for some.
pub(crate) fn sort(entries: &mut [DueEntry], scratch: &mut Vec<DueEntry>) {
    let Some(&first) = entries.first() else { return };
    if scratch.len() < entries.len() {
        scratch.resize(entries.len(), first);
    }
    let scratch = &mut scratch[..entries.len()];
    // Bits that are the same in all deadlines need no pass: those are most.
    let differing = entries.iter().fold(0, |bits, entry| bits | (entry.deadline ^ first.deadline));
    let lowest = differing.trailing_zeros();
    let bits = u64::BITS - differing.leading_zeros().min(64 - lowest) - lowest;
    let upper = bits.min(2 * DIGIT);
    sort_by_bits(entries, scratch, lowest + bits - upper, upper);
    if put_right(entries) {
        return;
    }
    if upper < bits {
        sort_by_bits(entries, scratch, lowest, bits);
        if put_right(entries) {
            return;
        }
    }
    // Most of them had moved.
    entries.sort_unstable();
}

/// Sorts by so many bits of the deadline, from that one up, and keeps the order of those where they
/// are equal.
fn sort_by_bits(entries: &mut [DueEntry], scratch: &mut [DueEntry], mut shift: u32, bits: u32) {
    // Each pass goes from one to the other; with an even number of them, the last one ends where
    // the first one began.
    let passes = bits.div_ceil(2 * DIGIT) * 2;
    let width = bits.div_ceil(passes.max(1));
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

/// Moves those that are out of order to their places, as long as all together pass fewer others than
/// there are. False if that is not enough; then it has moved some.
fn put_right(entries: &mut [DueEntry]) -> bool {
    let mut left = entries.len();
    for at in 1..entries.len() {
        if entries[at - 1].order() <= entries[at].order() {
            continue;
        }
        let entry = entries[at];
        let later = entries[..at].iter().rev().take(left);
        let later = later.take_while(|before| before.order() > entry.order()).count();
        left -= later;
        if left == 0 {
            return false;
        }
        entries[at - later..=at].rotate_right(1);
    }
    true
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

    /// Deadlines of those bits, in the order of arming but for every `moved`-th.
    fn entries(bits: u64, moved: u64) -> Vec<DueEntry> {
        let mut random = 1_u64;
        let mut entry = |nth: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(nth);
            let deadline = random.rotate_left(32) & bits;
            let armed = if nth.is_multiple_of(moved) { random >> 1 } else { nth };
            DueEntry { deadline, armed, index: 0, is_interval: false }
        };
        (1..=5_000).map(&mut entry).collect()
    }

    #[test]
    fn it_sorts_by_deadline_and_then_by_arming() {
        // One bit, the highest one, digits of odd widths, gaps in between, and all there are.
        for bits in [0, 1, 1 << 63, 0b111 << 61, 0x1ff << 20, 0xff_000f_00ff, u64::MAX] {
            for moved in [10_000, 1_000, 1] {
                let mut entries = entries(bits, moved);
                let mut expected = entries.clone();
                expected.sort_unstable();
                sort(&mut entries, &mut Vec::new());
                assert_eq!(entries, expected, "deadlines in {bits:#x}, each {moved}th moved");
            }
        }
    }

    #[test]
    fn no_more_is_put_right_than_there_is() {
        let mut entries = entries(u64::MAX, 10_000);
        assert!(!put_right(&mut entries), "nothing of it is in order");
        sort(&mut entries, &mut Vec::new());
        assert!(put_right(&mut entries));
        entries[..2_000].rotate_left(1);
        assert!(put_right(&mut entries), "one is out of order");
        assert!(entries.is_sorted());
    }
}
