//! The invariants, written down once.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{TimerWheel, sweep};
use crate::due::DueEntry;
use crate::filing::Filing;
use crate::level::{self, Place};
use crate::store::Kind;

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// Checks every invariant of the structure. For tests; O(n log n).
    ///
    /// # Panics
    ///
    /// If one does not hold: that is a bug of this crate.
    pub fn check_invariants(&self) {
        self.store.check();
        self.filing.check(self.now);
        self.check_entries();
        self.check_due();
        assert!(
            self.garbage() <= self.len() + sweep::allowance::<BITS>(),
            "{} records of nobody beside {} timers",
            self.garbage(),
            self.len()
        );
    }

    /// Each entry is due, or recorded in the one slot it says, which comes up in time.
    fn check_entries(&self) {
        let lowest = Place::numbered(0).tag();
        let mut recorded = BTreeMap::new();
        for (place, start, slot) in self.filing.occupied(self.now) {
            for (index, tag) in self.filing.tagged_records_of(place, slot) {
                recorded.insert((index, tag), (place, start, slot.earliest()));
            }
        }
        for (index, entry) in self.store.iter() {
            assert!(entry.armed < self.armings, "armed in the future");
            if entry.at.kind() == Kind::Interval {
                assert!(self.clone.is_some(), "an interval that cannot be copied");
            }
            if entry.at.is_due() {
                assert!(entry.deadline <= self.now, "due before its deadline");
                let queued = self.due.iter().any(|due| due.armed == entry.armed);
                assert!(queued, "due, but not in the queue");
                continue;
            }
            if entry.at.is_in(Place::BOTTOM.tag()) {
                self.check_at_bottom(index, entry.deadline);
                continue;
            }
            let mut records = recorded.range((index, lowest)..(index + 1, lowest));
            let Some((_, (place, start, earliest))) =
                records.find(|((_, tag), _)| entry.at.is(*tag))
            else {
                panic!("entry {index} says {:?}, which has no record of it", entry.at)
            };
            assert!(earliest.deadline <= entry.deadline, "the slot's earliest is late");
            if place.ahead_at::<BITS>().is_some() {
                let last = Filing::<BITS>::last_tick(self.now, *place);
                let noted = earliest.deadline;
                assert!(*start <= noted && noted <= last, "the note of a slot is of that slot");
            }
            if *place != Place::OVERDUE {
                let nearest = level::place_of::<BITS>;
                let slot_of_noted = earliest.deadline > self.now;
                // What is sorted ahead belongs to a slot of the levels still.
                let place = &match place.ahead_at::<BITS>() {
                    Some(_) => nearest(self.now, *start),
                    None => *place,
                };
                assert!(
                    slot_of_noted && nearest(self.now, earliest.deadline) == *place,
                    "the earliest of a slot is of that slot, or a later one could come before it"
                );
                assert!(*start <= entry.deadline, "the slot comes up late");
                let nearest = nearest(self.now, entry.deadline);
                assert!(place.index() <= nearest.index(), "filed behind its deadline");
            }
        }
    }

    /// It has a record there, which comes up in time.
    fn check_at_bottom(&self, index: u32, deadline: u64) {
        let mut records = self.filing.at_bottom().iter().filter(|record| record.index == index);
        let comes = records.next().is_some_and(|record| record.deadline <= deadline);
        assert!(
            comes,
            "entry {index} for {deadline} has no record at the bottom that comes up in time"
        );
    }

    fn check_due(&self) {
        let live = |due: &&DueEntry| self.is_armed(due.index, due.armed);
        let order: Vec<_> = self.due.iter().filter(live).collect();
        assert!(order.is_sorted(), "the queue is out of order");
        assert_eq!(order.len(), self.due.len(), "entries that are due");
        let gone = self.due.iter().count() - order.len();
        assert!(gone <= order.len() + 64, "{gone} in the queue for {} due", order.len());
    }
}
