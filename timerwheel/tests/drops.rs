//! Every value is dropped exactly once, however its timer ends and whoever panics.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use timerwheel::{Interval, TimerWheel};

/// How often each value was dropped.
#[derive(Clone, Default)]
struct Ledger(Rc<RefCell<BTreeMap<u32, u32>>>);

impl Ledger {
    fn value(&self, name: u32) -> Value {
        self.0.borrow_mut().insert(name, 0);
        Value { name, ledger: self.clone(), panics: false }
    }

    fn panicking(&self, name: u32) -> Value {
        let mut value = self.value(name);
        value.panics = true;
        value
    }

    fn drops(&self) -> Vec<u32> {
        self.0.borrow().values().copied().collect()
    }
}

struct Value {
    name: u32,
    ledger: Ledger,
    panics: bool,
}

impl Drop for Value {
    fn drop(&mut self) {
        *self.ledger.0.borrow_mut().get_mut(&self.name).expect("known") += 1;
        assert!(!self.panics || std::thread::panicking(), "value {} panics in Drop", self.name);
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        assert!(self.name != 13, "value 13 panics in Clone");
        self.ledger.value(self.name + 1000)
    }
}

fn wheel_of(ledger: &Ledger, deadlines: &[u64]) -> TimerWheel<Value> {
    let mut wheel = TimerWheel::new(0);
    for (name, deadline) in (0..).zip(deadlines) {
        wheel.insert(*deadline, ledger.value(name));
    }
    wheel
}

#[test]
fn once_on_cancel_expiry_and_drop_of_the_wheel() {
    let ledger = Ledger::default();
    let mut wheel = wheel_of(&ledger, &[1, 2, 1 << 20, 1 << 40, 0]);
    let handle = wheel.insert(7, ledger.value(5));
    drop(wheel.cancel(handle));
    assert_eq!(ledger.drops(), [0, 0, 0, 0, 0, 1]);
    wheel.advance(2);
    drop(wheel.pop_expired());
    drop(wheel.pop_expired());
    assert_eq!(ledger.drops(), [1, 0, 0, 0, 1, 1], "0 was overdue, so it came first");
    // One is due and not handed out.
    drop(wheel);
    assert_eq!(ledger.drops(), [1; 6]);
}

#[test]
fn once_on_clear_and_on_a_drain_that_is_given_up() {
    let ledger = Ledger::default();
    let mut wheel = wheel_of(&ledger, &[1, 300, 70_000]);
    wheel.advance(1);
    wheel.clear();
    assert_eq!(ledger.drops(), [1; 3]);
    let ledger = Ledger::default();
    let mut wheel = wheel_of(&ledger, &[1, 300, 70_000]);
    let mut drain = wheel.drain();
    drop(drain.next());
    assert_eq!(ledger.drops(), [1, 0, 0]);
    drop(drain);
    assert_eq!(ledger.drops(), [1; 3]);
    assert!(wheel.is_empty());
}

#[test]
fn once_when_a_consumer_panics_with_a_value_in_hand() {
    let ledger = Ledger::default();
    let mut wheel = wheel_of(&ledger, &[1, 2, 3]);
    wheel.advance(3);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _in_hand = wheel.pop_expired();
        panic!("as the test asked");
    }));
    assert!(outcome.is_err());
    assert_eq!(ledger.drops(), [1, 0, 0]);
    drop(wheel);
    assert_eq!(ledger.drops(), [1; 3]);
}

#[test]
fn once_when_a_drop_panics_in_clear_and_the_wheel_goes_on() {
    let ledger = Ledger::default();
    let mut wheel = wheel_of(&ledger, &[1, 300]);
    wheel.insert(400, ledger.panicking(2));
    wheel.insert(500, ledger.value(3));
    let outcome = catch_unwind(AssertUnwindSafe(|| wheel.clear()));
    assert!(outcome.is_err());
    assert_eq!(ledger.drops(), [1; 4], "the others too");
    assert!(wheel.is_empty());
    wheel.check_invariants();
    wheel.insert(5, ledger.value(4));
    wheel.advance(5);
    assert!(wheel.pop_expired().is_some());
}

#[test]
fn once_when_a_drop_panics_with_the_wheel() {
    let ledger = Ledger::default();
    let mut wheel = wheel_of(&ledger, &[1, 300]);
    wheel.insert(400, ledger.panicking(2));
    wheel.insert(500, ledger.value(3));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(wheel))).is_err());
    assert_eq!(ledger.drops(), [1; 4]);
}

#[test]
fn an_interval_whose_clone_panics_is_still_due_and_can_be_cancelled() {
    let ledger = Ledger::default();
    let mut wheel = TimerWheel::new(0);
    let handle = wheel.insert_interval(Interval::new(1, 5).unwrap(), ledger.value(13));
    wheel.insert(2, ledger.value(14));
    wheel.advance(3);
    assert!(catch_unwind(AssertUnwindSafe(|| wheel.pop_expired().map(drop))).is_err());
    wheel.check_invariants();
    assert_eq!((wheel.len(), wheel.deadline_of(handle)), (2, Some(1)));
    drop(wheel.cancel(handle));
    assert_eq!(wheel.pop_expired().map(|e| e.value.name), Some(14));
    drop(wheel);
    assert_eq!(ledger.drops(), [1, 1]);
}

#[test]
fn an_intervals_own_value_goes_with_it_and_each_clone_once() {
    let ledger = Ledger::default();
    let mut wheel = TimerWheel::new(0);
    let handle = wheel.insert_interval(Interval::new(1, 1).unwrap(), ledger.value(1));
    for now in 1..=3 {
        wheel.advance(now);
        drop(wheel.pop_expired());
        assert_eq!(ledger.drops(), [0, 1], "the original stays, the clone (named anew) goes");
    }
    drop(wheel.cancel(handle));
    assert_eq!(ledger.drops(), [1, 1]);
}
