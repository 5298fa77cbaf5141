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
//!
//! Time can stand still for a connection, while the server itself keeps it waiting. It is in no list
//! then, and what it had used stays with it; taken up again, it counts as having entered so much
//! earlier. That may be before others of the list, so those that were taken up again wait in a tree
//! beside it.
//!
//! A loop reads its clock once, and then works for a while: what it hears in that turn comes after the
//! time it goes by. So at the end of a turn all that entered a class in it is settled: it is in there
//! since then. No deadline is early, by whoever's clock, and none is later for it than the turn took.

mod class;
mod settle;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub use class::{Class, Classes};

use crate::settings::Timeouts;
use class::GROUPS;
use settle::Unsettled;

/// The lists of all classes, linked through one array of nodes by connection number.
#[derive(Debug)]
pub struct Tracker {
    nodes: Vec<Node>,
    lists: [List; Class::ALL.len()],
    /// The first `now`, which all times here are counted from.
    start: Option<Instant>,
    /// The `now` that came last: many of a turn say the same, and one is taken apart.
    observed: Option<Instant>,
    /// The last `now`, in nanoseconds from the start. Time does not go back.
    latest: u64,
    unsettled: Unsettled,
}

/// What has changed about a connection's deadlines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// The classes it is in now.
    pub active: Classes,
    /// Those whose time stands still: it is in them, but not now.
    pub held: Classes,
    /// Those among all these whose time starts again now, though it may have been in them before.
    pub restarted: Classes,
}

/// A connection's links: one per group of classes that exclude each other.
#[derive(Clone, Debug)]
struct Node {
    active: Classes,
    held: Classes,
    /// Those of `active` that it is in by the tree.
    resumed: Classes,
    /// Those that it has come into by the tree since the last turn was settled.
    unsettled: Classes,
    links: [Link; GROUPS],
}

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
    /// In nanoseconds from the start: half of what an `Instant` takes, four times per connection.
    /// While time stands still: the nanoseconds used.
    since: u64,
}

#[derive(Debug)]
struct List {
    head: u32,
    tail: u32,
    len: usize,
    /// Those whose time had stood still, by since when they count as being in the class.
    resumed: BTreeSet<(u64, u32)>,
}

impl List {
    const EMPTY: Self = Self { head: NIL, tail: NIL, len: 0, resumed: BTreeSet::new() };
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
        Self {
            nodes: Vec::new(),
            lists: [const { List::EMPTY }; Class::ALL.len()],
            start: None,
            observed: None,
            latest: 0,
            unsettled: Unsettled::NOTHING,
        }
    }

    // Inputs.

    /// A time in nanoseconds from the first one, and not before another. Of one `now` it is the same
    /// until the turn is settled.
    #[inline]
    pub(crate) fn observe(&mut self, now: Instant) -> u64 {
        if self.observed == Some(now) { self.latest } else { self.observe_anew(now) }
    }

    /// Says which classes a connection is in, in which its time stands still, and which of them
    /// start afresh at `now`. O(1), and without allocating once there have been as many connections
    /// before; O(log n) among the connections of the class that were held, for one that was.
    ///
    /// A `now` before that of earlier calls counts as theirs.
    pub fn apply(&mut self, key: u32, changes: Changes, now: Instant) {
        let Changes { active, held, restarted } = changes;
        let node = self.nodes.get(key as usize);
        let (before, stood) = node.map(|node| (node.active, node.held)).unwrap_or_default();
        let is_listed = node.is_some_and(|node| node.resumed.is_empty());
        let stays = before == active && stood == held;
        if stays && restarted.is_empty() {
            return;
        }
        let now = self.observe(now);
        self.unsettled.note(now);
        // Nearly always it is idle, has had another request, and is idle again.
        if stays && held.is_empty() && is_listed {
            for class in restarted.intersection(active).iter() {
                self.renew(key, class, now);
            }
            return;
        }
        if self.nodes.len() <= key as usize {
            let link = Link { previous: NIL, next: NIL, since: now };
            let empty = Classes::default();
            let node = Node {
                active: empty,
                held: empty,
                resumed: empty,
                unsettled: empty,
                links: [link; GROUPS],
            };
            self.nodes.resize(key as usize + 1, node);
        }
        for class in before.difference(active).union(before.intersection(restarted)).iter() {
            self.unlink(key, class);
        }
        let node = &mut self.nodes[key as usize];
        node.held = held;
        for class in held.difference(stood).union(held.intersection(restarted)).iter() {
            let link = &mut node.links[class.group()];
            let carries = before.contains(class) && !restarted.contains(class);
            // While it stands still: what it has used, as if it had begun that long before.
            link.since = if carries { now.saturating_sub(link.since) } else { 0 };
        }
        for class in active.difference(node.active).iter() {
            if stood.contains(class) && !restarted.contains(class) {
                self.resume(key, class, now);
            } else {
                self.push_back(key, class, now);
            }
        }
    }

    /// Gives back the memory of connections numbered from `keys` on, all of which are gone.
    pub fn shrink(&mut self, keys: usize) {
        debug_assert!(self.nodes.iter().skip(keys).all(|node| node.active.is_empty()));
        self.nodes.truncate(keys);
        self.nodes.shrink_to_fit();
    }

    /// Takes a connection out of all lists. O(1).
    pub fn remove(&mut self, key: u32) {
        for class in self.classes_of(key).iter() {
            self.unlink(key, class);
        }
        if let Some(node) = self.nodes.get_mut(key as usize) {
            node.held = Classes::default();
        }
    }

    // Outputs.

    /// The connection that is past its deadline for longest, and the class of that, so that of those
    /// who have run out of time nobody waits for all of another class. Looks at the heads of the
    /// lists: O(1). It stays in its list until it is [applied](Self::apply) elsewhere or removed.
    pub fn expired(&self, timeouts: &Timeouts, now: Instant) -> Option<(u32, Class)> {
        let (deadline, key, class) = self.next(timeouts)?;
        (deadline <= now).then_some((key, class))
    }

    /// The earliest deadline of all, to arm a timer for exactly that. O(1).
    pub fn next_deadline(&self, timeouts: &Timeouts) -> Option<Instant> {
        self.next(timeouts).map(|(deadline, ..)| deadline)
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
        let nanos = node.active.contains(class).then(|| node.links[class.group()].since)?;
        self.instant(nanos)
    }

    /// The connection that has been in the class longest.
    pub fn first(&self, class: Class) -> Option<u32> {
        self.first_since(class).map(|(_, key)| key)
    }

    /// The connections in a class, the one that has been in it longest at the front.
    pub fn iter(&self, class: Class) -> impl Iterator<Item = u32> {
        let list = &self.lists[class as usize];
        let mut at = list.head;
        let mut resumed = list.resumed.iter().peekable();
        std::iter::from_fn(move || {
            let link = self.nodes.get(at as usize).map(|node| node.links[class.group()]);
            let earlier = |(since, _): &&(u64, u32)| link.is_none_or(|link| *since < link.since);
            if let Some((_, key)) = resumed.next_if(earlier) {
                return Some(*key);
            }
            let key = at;
            at = link?.next;
            Some(key)
        })
    }

    /// The time from one that was [observed](Self::observe) to `now`.
    pub(crate) fn age(&self, since: u64, now: Instant) -> Duration {
        let since = self.instant(since);
        since.map(|since| now.saturating_duration_since(since)).unwrap_or_default()
    }

    // Private.

    /// [`observe`](Self::observe) of another time than the last.
    #[inline(never)]
    fn observe_anew(&mut self, now: Instant) -> u64 {
        self.observed = Some(now);
        let start = *self.start.get_or_insert(now);
        let now = saturating_nanos(now.saturating_duration_since(start));
        self.latest = self.latest.max(now);
        self.latest
    }

    /// The time of so many nanoseconds from the start.
    fn instant(&self, nanos: u64) -> Option<Instant> {
        self.start?.checked_add(Duration::from_nanos(nanos))
    }

    fn first_since(&self, class: Class) -> Option<(u64, u32)> {
        let List { head, resumed, .. } = &self.lists[class as usize];
        let listed = self.nodes.get(*head as usize);
        let listed = listed.map(|node| (node.links[class.group()].since, *head));
        match (listed, resumed.first().copied()) {
            // Of one time, the one that was never held goes first, as in `iter`.
            (Some(listed), Some(resumed)) if resumed.0 < listed.0 => Some(resumed),
            (Some(listed), Some(_)) => Some(listed),
            (listed, resumed) => listed.or(resumed),
        }
    }

    /// What comes first of all classes.
    fn next(&self, timeouts: &Timeouts) -> Option<(Instant, u32, Class)> {
        let firsts = Class::ALL.into_iter().filter_map(|class| {
            let (key, deadline) = self.first_deadline(class, timeouts)?;
            Some((deadline, key, class))
        });
        firsts.min_by_key(|(deadline, ..)| *deadline)
    }

    fn first_deadline(&self, class: Class, timeouts: &Timeouts) -> Option<(u32, Instant)> {
        let (since, key) = self.first_since(class)?;
        let duration = class.duration(timeouts);
        // A deadline beyond what an `Instant` can say is none.
        let since = self.instant(since)?;
        let deadline = if duration.is_zero() { None } else { since.checked_add(duration) };
        deadline.map(|deadline| (key, deadline))
    }

    /// Lets the time of a connection run again that has stood still.
    fn resume(&mut self, key: u32, class: Class, now: u64) {
        let node = &mut self.nodes[key as usize];
        let link = &mut node.links[class.group()];
        let used = link.since;
        link.since = now.saturating_sub(used);
        node.active.insert(class);
        node.resumed.insert(class);
        self.unsettled.note_resumed(key, node.unsettled);
        node.unsettled.insert(class);
        let list = &mut self.lists[class as usize];
        list.resumed.insert((link.since, key));
        list.len += 1;
    }

    /// Moves it to the end of a list that it is in.
    fn renew(&mut self, key: u32, class: Class, now: u64) {
        self.unsettled.entered.insert(class);
        let group = class.group();
        let List { head, tail, .. } = &mut self.lists[class as usize];
        let link = &mut self.nodes[key as usize].links[group];
        link.since = now;
        let Link { previous, next, .. } = *link;
        if next == NIL {
            return;
        }
        let before = std::mem::replace(tail, key);
        (link.previous, link.next) = (before, NIL);
        self.nodes[next as usize].links[group].previous = previous;
        if previous == NIL {
            *head = next;
        } else {
            self.nodes[previous as usize].links[group].next = next;
        }
        self.nodes[before as usize].links[group].next = key;
    }

    fn push_back(&mut self, key: u32, class: Class, now: u64) {
        self.unsettled.entered.insert(class);
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
        let Link { previous, next, since } = node.links[group];
        let list = &mut self.lists[class as usize];
        list.len -= 1;
        if node.resumed.contains(class) {
            node.resumed.remove(class);
            list.resumed.remove(&(since, key));
            return;
        }
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

fn saturating_nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(time.subsec_nanos()))
}

#[cfg(test)]
mod tests;
