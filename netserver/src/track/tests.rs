//! The tracker against a dull model, and what a check costs.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

/// Every connection and class with its since, or the time used while that stands still; searched in
/// full each time.
#[derive(Default)]
struct Model {
    running: HashMap<(u32, u8), Place>,
    standing: HashMap<(u32, u8), Duration>,
    entries: usize,
    /// Who has come since a turn was settled, and since when that is.
    unsettled: HashSet<(u32, u8)>,
    from: Option<Instant>,
    /// No time is before this.
    latest: Option<Instant>,
}

/// In this order a class expires: by time, and of one time those that were held last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    since: Instant,
    resumed: Option<u32>,
    entry: usize,
}

impl Model {
    /// Whether anything changes.
    fn changes(&self, key: u32, changes: Changes) -> bool {
        let place = |class: &Class| (key, *class as u8);
        !changes.restarted.is_empty()
            || Class::ALL.iter().any(|class| {
                changes.active.contains(*class) != self.running.contains_key(&place(class))
                    || changes.held.contains(*class) != self.standing.contains_key(&place(class))
            })
    }

    fn apply(&mut self, key: u32, changes: Changes, now: Instant) {
        if !self.changes(key, changes) {
            return;
        }
        let now = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(now);
        self.from.get_or_insert(now);
        for class in Class::ALL {
            let place = (key, class as u8);
            let fresh = changes.restarted.contains(class);
            let running = self.running.remove(&place).filter(|_| !fresh);
            let standing = self.standing.remove(&place).filter(|_| !fresh);
            if changes.held.contains(class) {
                let used = running.map(|running| now - running.since).or(standing);
                self.standing.insert(place, used.unwrap_or_default());
            } else if changes.active.contains(class) {
                self.entries += 1;
                let entry = self.entries;
                let since = standing
                    .map_or(now, |used| now.checked_sub(used).expect("used since the start"));
                let resumed = standing.map(|_| key);
                let entered = Place { since, resumed, entry };
                if running.is_none() {
                    self.unsettled.insert(place);
                }
                self.running.insert(place, running.unwrap_or(entered));
            }
        }
    }

    fn settle(&mut self, now: Instant) {
        let Some(from) = self.from.take() else { return };
        let now = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(now + Duration::from_nanos(1));
        for place in self.unsettled.drain() {
            let Some(running) = self.running.get_mut(&place) else { continue };
            let moved = running.since + (now - from);
            running.since = if running.resumed.is_some() { moved.min(now) } else { now };
        }
    }

    fn order(&self, class: Class) -> Vec<u32> {
        let of_class = self.running.iter().filter(|((_, c), _)| *c == class as u8);
        let mut places: Vec<_> = of_class.map(|((key, _), place)| (*place, *key)).collect();
        places.sort_unstable();
        places.into_iter().map(|(_, key)| key).collect()
    }
}

/// A set with at most one class of each group, as the phases of a connection are.
fn classes() -> impl Strategy<Value = Classes> {
    let stage = prop::sample::select(&[None, Some(0), Some(1), Some(2), Some(3), Some(4)][..]);
    let message = prop::sample::select(&[None, Some(5), Some(6)][..]);
    let pace = prop::sample::select(&[None, Some(7), Some(8)][..]);
    let write = prop::sample::select(&[None, Some(9)][..]);
    (stage, message, pace, write).prop_map(|(a, b, c, d)| {
        let mut set = Classes::default();
        for number in [a, b, c, d].into_iter().flatten() {
            set.insert(Class::ALL[number]);
        }
        set
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn agrees_with_the_model(
        steps in prop::collection::vec(
            (0_u32..6, classes(), classes(), classes(), 0_u64..3, prop::option::of(0_u64..3)),
            1..60,
        ),
    ) {
        let (mut tracker, mut model) = (Tracker::new(), Model::default());
        let mut now = Instant::now();
        for (key, active, held, restarted, passed, turn) in steps {
            now += Duration::from_secs(passed);
            // Of each group a connection is in one class at most, whether its time runs or not.
            let taken = |class: &Class| active.iter().any(|other| other.group() == class.group());
            let mut free = held;
            held.iter().filter(taken).for_each(|class| free.remove(class));
            let changes = Changes { active, held: free, restarted };
            tracker.apply(key, changes, now);
            model.apply(key, changes, now);
            if let Some(took) = turn {
                // The next one may begin before that, as it will not be believed.
                let end = now + Duration::from_secs(took);
                tracker.settle(end);
                model.settle(end);
            }
            for class in Class::ALL {
                let order = model.order(class);
                prop_assert_eq!(tracker.iter(class).collect::<Vec<_>>(), order.clone());
                prop_assert_eq!(tracker.len(class), order.len());
                prop_assert_eq!(tracker.first(class), order.first().copied());
                for key in order {
                    let since = model.running[&(key, class as u8)].since;
                    prop_assert_eq!(tracker.since(key, class), Some(since));
                }
            }
        }
        for key in 0..6 {
            tracker.remove(key);
        }
        prop_assert!(tracker.is_empty());
    }
}

fn in_class(class: Class) -> Changes {
    let mut active = Classes::default();
    active.insert(class);
    Changes { active, ..Changes::default() }
}

fn held_in(class: Class) -> Changes {
    Changes { active: Classes::default(), held: in_class(class).active, ..Changes::default() }
}

#[test]
fn time_that_stood_still_does_not_count_and_what_was_used_before_does() {
    let (mut tracker, timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    tracker.apply(1, in_class(Class::Headers), at(0));
    tracker.apply(2, in_class(Class::Headers), at(10));
    // Two thirds of its minute are used.
    tracker.apply(1, held_in(Class::Headers), at(40));
    assert_eq!(tracker.next_deadline(&timeouts), Some(at(70)), "of the other one");
    tracker.apply(1, held_in(Class::Headers), at(500));
    tracker.remove(2);
    tracker.apply(3, in_class(Class::Headers), at(990));
    tracker.apply(1, in_class(Class::Headers), at(1000));
    // It goes before who came later, though it is back after that.
    assert!(tracker.iter(Class::Headers).eq([1, 3]));
    assert_eq!((tracker.first(Class::Headers), tracker.len(Class::Headers)), (Some(1), 2));
    assert_eq!(tracker.expired(&timeouts, at(1019)), None);
    assert_eq!(tracker.expired(&timeouts, at(1020)), Some((1, Class::Headers)));
    // A second time it stands still, with a second left.
    tracker.apply(1, held_in(Class::Headers), at(1019));
    tracker.apply(1, in_class(Class::Headers), at(2000));
    tracker.remove(3);
    assert_eq!(tracker.next_deadline(&timeouts), Some(at(2001)));
    // A new message is a new minute.
    let restarted = in_class(Class::Headers).active;
    tracker.apply(1, Changes { restarted, ..in_class(Class::Headers) }, at(2000));
    assert_eq!(tracker.next_deadline(&timeouts), Some(at(2060)));
    tracker.remove(1);
    assert!(tracker.is_empty());
}

#[test]
fn what_began_in_a_turn_counts_from_its_end() {
    let (mut tracker, timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    tracker.apply(1, in_class(Class::Headers), at(0));
    tracker.settle(at(0));
    tracker.apply(2, in_class(Class::Headers), at(10));
    tracker.apply(3, held_in(Class::Headers), at(10));
    tracker.settle(at(15));
    assert_eq!(tracker.next_deadline(&timeouts), Some(at(60)), "settled before");
    tracker.remove(1);
    assert_eq!(tracker.next_deadline(&timeouts), Some(at(75)));
    // Whose time runs again has not used the turn in which it was heard from.
    tracker.apply(3, in_class(Class::Headers), at(20));
    tracker.settle(at(29));
    tracker.remove(2);
    assert_eq!(tracker.next_deadline(&timeouts), Some(at(89)));
    // A turn that begins as another ends does not move what that has settled.
    tracker.apply(4, in_class(Class::Idle), at(29));
    tracker.settle(at(30));
    tracker.apply(5, in_class(Class::Idle), at(30));
    tracker.settle(at(40));
    assert_eq!(tracker.since(4, Class::Idle), Some(at(30)));
    assert_eq!(tracker.since(5, Class::Idle), Some(at(40)));
}

#[test]
fn a_slot_that_is_used_again_carries_nothing() {
    let (mut tracker, timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    tracker.apply(0, in_class(Class::Headers), at(0));
    tracker.apply(0, held_in(Class::Headers), at(40));
    tracker.remove(0);
    tracker.apply(0, in_class(Class::Headers), at(50));
    assert_eq!(tracker.next_deadline(&timeouts), Some(at(110)));
}

#[test]
fn the_head_of_a_class_expires_first_and_exactly_then() {
    let (mut tracker, timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    tracker.apply(1, in_class(Class::Headers), start);
    tracker.apply(2, in_class(Class::Headers), start + Duration::from_secs(1));
    let almost = start + timeouts.headers.saturating_sub(Duration::from_nanos(1));
    let due = start + timeouts.headers;
    assert_eq!(tracker.next_deadline(&timeouts), Some(due));
    assert_eq!(tracker.expired(&timeouts, almost), None);
    assert_eq!(tracker.expired(&timeouts, due), Some((1, Class::Headers)));
    tracker.remove(1);
    assert_eq!(tracker.expired(&timeouts, due), None);
}

#[test]
fn no_class_waits_until_all_of_another_have_expired() {
    let (mut tracker, timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    let class = |key: u32| [Class::Headers, Class::Idle][key as usize % 2];
    let takes = |key: u32| class(key).duration(&timeouts);
    // They expire in turns, a millisecond after one another: each began as late as the other takes.
    let since = |key: u32| start + takes(key + 1) + Duration::from_millis(key.into());
    let due = |key: u32| since(key) + takes(key);
    let mut keys: Vec<u32> = (0..100).collect();
    keys.sort_by_key(|key| since(*key));
    for key in keys {
        tracker.apply(key, in_class(class(key)), since(key));
    }
    for key in 0..100 {
        assert_eq!(tracker.next_deadline(&timeouts), Some(due(key)));
        assert_eq!(tracker.expired(&timeouts, due(100)), Some((key, class(key))));
        tracker.remove(key);
    }
}

#[test]
fn a_duration_changed_at_runtime_counts_from_since() {
    let (mut tracker, mut timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    for key in 0..1000 {
        tracker.apply(key, in_class(Class::Headers), start);
    }
    let now = start + Duration::from_secs(10);
    assert_eq!(tracker.expired(&timeouts, now), None);
    timeouts.headers = Duration::from_secs(10);
    for key in 0..1000 {
        assert_eq!(tracker.expired(&timeouts, now), Some((key, Class::Headers)), "oldest first");
        tracker.remove(key);
    }
    assert!(tracker.is_empty());
}

#[test]
fn a_class_that_is_off_never_expires() {
    let (mut tracker, mut timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    timeouts.headers = Duration::ZERO;
    tracker.apply(0, in_class(Class::Headers), start);
    assert_eq!(tracker.expired(&timeouts, start + Duration::from_secs(1 << 30)), None);
    assert_eq!(tracker.next_deadline(&timeouts), None);
}

#[test]
fn a_check_looks_at_the_heads_only() {
    const CONNECTIONS: u32 = 100_000;
    let (mut tracker, timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    let late = start + Duration::from_secs(3600);
    for key in 0..CONNECTIONS {
        let class = [Class::Headers, Class::Idle, Class::FirstByte][key as usize % 3];
        tracker.apply(key, in_class(class), late);
    }
    // As it cannot come to be: everything behind the heads is long overdue. Who looked would see.
    for node in &mut tracker.nodes[3..] {
        node.links[Class::Headers.group()].since = 0;
    }
    assert_eq!(tracker.expired(&timeouts, late), None);
    let first_of_all = late + Class::Idle.duration(&timeouts);
    assert_eq!(tracker.next_deadline(&timeouts), Some(first_of_all));
    // One that has expired is one look at each head, and so is finding that there is no more.
    assert_eq!(tracker.expired(&timeouts, first_of_all), Some((1, Class::Idle)));
}

#[test]
fn a_tracked_connection_is_104_bytes_at_most() {
    assert!(size_of::<Node>() <= 104, "{} bytes per connection", size_of::<Node>());
}
