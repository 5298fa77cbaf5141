//! All connections by deadline: which have waited too long. No sockets, no clock, no timers.
//!
//! ```text
//!   class       list, in the order of entering                    duration
//!   FirstByte   17 ─ 4 ─ 90        head expires first             60 s
//!   Headers     3                                                 60 s
//!   Receive     3 ─ 17 ─ 4 ─ 90                                   300 s
//!   Idle        …                                                 6 s
//! ```
//!
//! All of a class have the same duration, so each list is in the order of expiry by itself, and a
//! check looks at the heads only: O(expired), whatever the number of connections. What is stored is
//! *since when*, so that changing a duration sorts nothing anew.

mod class;

use std::time::{Duration, Instant};

pub use class::{Class, Classes};

use crate::settings::Timeouts;
use class::GROUPS;

/// The lists of all classes, linked through one array of nodes by connection number.
#[derive(Debug)]
pub struct Tracker {
    nodes: Vec<Node>,
    lists: [List; Class::ALL.len()],
}

/// A connection's links: one per group of classes that exclude each other.
#[derive(Clone, Debug)]
struct Node {
    active: Classes,
    links: [Link; GROUPS],
}

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
    len: usize,
}

/// No connection.
const NIL: u32 = u32::MAX;

impl Default for Tracker {
    fn default() -> Self {
        Self::new()
    }
}

impl Tracker {
    /// No connections.
    pub const fn new() -> Self {
        Self { nodes: Vec::new(), lists: [List { head: NIL, tail: NIL, len: 0 }; 10] }
    }

    // Inputs.

    /// Says which classes a connection is in, and which of them start afresh at `now`. O(1), and
    /// without allocating once there have been as many connections before.
    ///
    /// `now` is not before that of earlier calls, or the lists lose their order.
    pub fn apply(&mut self, key: u32, active: Classes, restarted: Classes, now: Instant) {
        let before = self.classes_of(key);
        if before == active && restarted.is_empty() {
            return;
        }
        if self.nodes.len() <= key as usize {
            let link = Link { previous: NIL, next: NIL, since: now };
            let node = Node { active: Classes::default(), links: [link; GROUPS] };
            self.nodes.resize(key as usize + 1, node);
        }
        for class in before.difference(active).union(before.intersection(restarted)).iter() {
            self.unlink(key, class);
        }
        let kept = self.nodes[key as usize].active;
        for class in active.difference(kept).iter() {
            self.push_back(key, class, now);
        }
    }

    /// Takes a connection out of all lists. O(1).
    pub fn remove(&mut self, key: u32) {
        for class in self.classes_of(key).iter() {
            self.unlink(key, class);
        }
    }

    // Outputs.

    /// The first connection that has been in its class for longer than that takes, and the class.
    /// Looks at the heads of the lists: O(1). It stays in its list until it is
    /// [applied](Self::apply) elsewhere or removed.
    pub fn expired(&self, timeouts: &Timeouts, now: Instant) -> Option<(u32, Class)> {
        Class::ALL.into_iter().find_map(|class| {
            let deadline = self.first_deadline(class, timeouts)?;
            (deadline <= now).then(|| (self.lists[class as usize].head, class))
        })
    }

    /// The earliest deadline of all, to arm a timer for exactly that. O(1).
    pub fn next_deadline(&self, timeouts: &Timeouts) -> Option<Instant> {
        Class::ALL.into_iter().filter_map(|class| self.first_deadline(class, timeouts)).min()
    }

    // Observers.

    /// Connections in a class.
    pub fn len(&self, class: Class) -> usize {
        self.lists[class as usize].len
    }

    /// Whether no connection is in any class.
    pub fn is_empty(&self) -> bool {
        self.lists.iter().all(|list| list.len == 0)
    }

    /// The classes that a connection is in.
    pub fn classes_of(&self, key: u32) -> Classes {
        self.nodes.get(key as usize).map(|node| node.active).unwrap_or_default()
    }

    /// Since when a connection has been in a class.
    pub fn since(&self, key: u32, class: Class) -> Option<Instant> {
        let node = self.nodes.get(key as usize)?;
        node.active.contains(class).then(|| node.links[class.group()].since)
    }

    /// The connection that has been in the class longest.
    pub fn first(&self, class: Class) -> Option<u32> {
        let head = self.lists[class as usize].head;
        (head != NIL).then_some(head)
    }

    /// The connections in a class, the one that entered first at the front.
    pub fn iter(&self, class: Class) -> impl Iterator<Item = u32> {
        let mut at = self.lists[class as usize].head;
        std::iter::from_fn(move || {
            let key = at;
            at = self.nodes.get(key as usize)?.links[class.group()].next;
            Some(key)
        })
    }

    // Private.

    fn first_deadline(&self, class: Class, timeouts: &Timeouts) -> Option<Instant> {
        let since = self.since(self.first(class)?, class)?;
        let duration = class.duration(timeouts);
        // A deadline beyond what an `Instant` can say is none.
        if duration == Duration::ZERO { None } else { since.checked_add(duration) }
    }

    fn push_back(&mut self, key: u32, class: Class, now: Instant) {
        let group = class.group();
        let list = &mut self.lists[class as usize];
        let previous = std::mem::replace(&mut list.tail, key);
        list.len += 1;
        if previous == NIL {
            list.head = key;
        } else {
            debug_assert!(
                self.nodes[previous as usize].links[group].since <= now,
                "time went back"
            );
            self.nodes[previous as usize].links[group].next = key;
        }
        let node = &mut self.nodes[key as usize];
        node.links[group] = Link { previous, next: NIL, since: now };
        node.active.insert(class);
    }

    fn unlink(&mut self, key: u32, class: Class) {
        let group = class.group();
        let node = &mut self.nodes[key as usize];
        node.active.remove(class);
        let Link { previous, next, .. } = node.links[group];
        let list = &mut self.lists[class as usize];
        list.len -= 1;
        if previous == NIL {
            list.head = next;
        } else {
            self.nodes[previous as usize].links[group].next = next;
        }
        if next == NIL {
            list.tail = previous;
        } else {
            self.nodes[next as usize].links[group].previous = previous;
        }
    }
}

#[cfg(test)]
mod tests;
