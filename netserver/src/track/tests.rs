//! The tracker against a dull model, and what a check costs.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// Every connection and class with its since, searched in full each time.
#[derive(Default)]
struct Model(HashMap<(u32, u8), (Instant, usize)>, usize);

impl Model {
    fn apply(&mut self, key: u32, active: Classes, restarted: Classes, now: Instant) {
        for class in Class::ALL {
            let place = (key, class as u8);
            let kept = self.0.contains_key(&place) && !restarted.contains(class);
            if !active.contains(class) {
                self.0.remove(&place);
            } else if !kept {
                self.1 += 1;
                self.0.insert(place, (now, self.1));
            }
        }
    }

    fn order(&self, class: Class) -> Vec<u32> {
        let mut keys: Vec<_> = self
            .0
            .iter()
            .filter(|((_, c), _)| *c == class as u8)
            .map(|(k, v)| (v.1, k.0))
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, key)| key).collect()
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
    fn agrees_with_the_model(steps in prop::collection::vec((0_u32..6, classes(), classes(), 0_u64..3), 1..60)) {
        let (mut tracker, mut model) = (Tracker::new(), Model::default());
        let mut now = Instant::now();
        for (key, active, restarted, passed) in steps {
            now += Duration::from_secs(passed);
            tracker.apply(key, active, restarted, now);
            model.apply(key, active, restarted, now);
            for class in Class::ALL {
                let order = model.order(class);
                prop_assert_eq!(tracker.iter(class).collect::<Vec<_>>(), order.clone());
                prop_assert_eq!(tracker.len(class), order.len());
                for key in order {
                    let since = model.0[&(key, class as u8)].0;
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

fn in_class(class: Class) -> Classes {
    let mut set = Classes::default();
    set.insert(class);
    set
}

#[test]
fn the_head_of_a_class_expires_first_and_exactly_then() {
    let (mut tracker, timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    let fresh = Classes::default();
    tracker.apply(1, in_class(Class::Headers), fresh, start);
    tracker.apply(2, in_class(Class::Headers), fresh, start + Duration::from_secs(1));
    let almost = start + timeouts.headers.saturating_sub(Duration::from_nanos(1));
    let due = start + timeouts.headers;
    assert_eq!(tracker.next_deadline(&timeouts), Some(due));
    assert_eq!(tracker.expired(&timeouts, almost), None);
    assert_eq!(tracker.expired(&timeouts, due), Some((1, Class::Headers)));
    tracker.remove(1);
    assert_eq!(tracker.expired(&timeouts, due), None);
}

#[test]
fn a_duration_changed_at_runtime_counts_from_since() {
    let (mut tracker, mut timeouts, start) = (Tracker::new(), Timeouts::default(), Instant::now());
    for key in 0..1000 {
        tracker.apply(key, in_class(Class::Headers), Classes::default(), start);
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
    tracker.apply(0, in_class(Class::Headers), Classes::default(), start);
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
        tracker.apply(key, in_class(class), Classes::default(), late);
    }
    // As it cannot come to be: everything behind the heads is long overdue. Who looked would see.
    for node in &mut tracker.nodes[3..] {
        node.links[Class::Headers.group()].since = start;
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
