//! The end of a turn: what entered a class in it did so by then, and not before.

use std::time::Instant;

use super::{Class, Classes, NIL, Tracker};

/// What has come since a turn was last settled.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// Since when; there is nothing before the first.
    from: u64,
    /// The classes whose lists have become longer: at their ends is what has come.
    pub(super) entered: Classes,
    /// Those who came back into a class, each of them once.
    resumed: Vec<u32>,
}

impl Unsettled {
    pub(super) const NOTHING: Self =
        Self { from: u64::MAX, entered: Classes::EMPTY, resumed: Vec::new() };

    /// Something comes at `now`, in nanoseconds from the start.
    pub(super) fn note(&mut self, now: u64) {
        self.from = self.from.min(now);
    }

    /// A connection's time runs again in a class. `before` are the classes of which that has been
    /// said already.
    pub(super) fn note_resumed(&mut self, key: u32, before: Classes) {
        if before.is_empty() {
            self.resumed.push(key);
        }
    }
}

impl Tracker {
    /// What was [applied](Self::apply) since the last call did not happen before `now`: who has
    /// entered a class is in it since then, and whose time runs again, it does from then on.
    /// O(what was applied since); O(1) if nothing was.
    pub fn settle(&mut self, now: Instant) {
        let from = std::mem::replace(&mut self.unsettled.from, u64::MAX);
        let entered = std::mem::take(&mut self.unsettled.entered);
        if from == u64::MAX {
            return;
        }
        let now = self.observe(now);
        // What comes next is told from what is settled by its time.
        self.latest += 1;
        for class in entered.iter() {
            self.settle_list(class, from, now);
        }
        self.settle_resumed(from, now);
    }

    /// Those at the end of the list have come since `from`.
    fn settle_list(&mut self, class: Class, from: u64, now: u64) {
        let group = class.group();
        let mut at = self.lists[class as usize].tail;
        while at != NIL {
            let link = &mut self.nodes[at as usize].links[group];
            if link.since < from {
                break;
            }
            link.since = now;
            at = link.previous;
        }
    }

    /// Those who came back have not used the time from then to now.
    fn settle_resumed(&mut self, from: u64, now: u64) {
        for key in self.unsettled.resumed.drain(..) {
            let Some(node) = self.nodes.get_mut(key as usize) else { continue };
            let unsettled = std::mem::take(&mut node.unsettled);
            for class in unsettled.intersection(node.resumed).iter() {
                let since = &mut node.links[class.group()].since;
                let list = &mut self.lists[class as usize].resumed;
                list.remove(&(*since, key));
                *since = now.min(*since + (now - from));
                list.insert((*since, key));
            }
        }
    }
}
