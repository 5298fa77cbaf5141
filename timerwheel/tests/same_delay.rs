//! `SameDelay` does what the wheel does with timers of one delay: the wheel is its model.

mod common;

use std::rc::Rc;

use common::Random;
use timerwheel::{Expired, SameDelay, TimerHandle, TimerWheel};

#[test]
fn the_queue_agrees_with_the_wheel() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let delay = [0, 1, 7, 1 << 40, u64::MAX][usize::try_from(seed % 5).unwrap()];
        let start = random.below(1000);
        let (mut queue, mut wheel) = (SameDelay::new(delay, start), TimerWheel::new(start));
        let mut handles: Vec<(TimerHandle, TimerHandle)> = Vec::new();
        for step in 0..200_u64 {
            let pick = random.below(1 + handles.len() as u64);
            let picked = handles.get(usize::try_from(pick).unwrap()).copied();
            let deadline = wheel.now().saturating_add(delay);
            match (random.below(10), picked) {
                (0..3, _) => handles.push((queue.insert(step), wheel.insert(deadline, step))),
                (3 | 4, Some((a, b))) => {
                    assert_eq!(queue.refresh(a), wheel.reschedule(b, deadline));
                }
                (5, Some((a, b))) => assert_eq!(queue.cancel(a), wheel.cancel(b)),
                (6, _) => {
                    let now = wheel.now() + random.below(5);
                    queue.advance(now);
                    wheel.advance(now);
                }
                (7, _) => {
                    queue.advance(0);
                    wheel.advance(0);
                }
                _ => {
                    let told =
                        |expired: Expired<u64>| (expired.value, expired.deadline, expired.late);
                    assert_eq!(queue.pop_expired().map(told), wheel.pop_expired().map(told));
                }
            }
            assert_eq!((queue.len(), queue.now()), (wheel.len(), wheel.now()));
            assert_eq!(queue.is_empty(), wheel.is_empty());
            assert_eq!(queue.next_deadline(), wheel.next_deadline());
            assert!(queue.iter().map(|(_, deadline, _)| deadline).is_sorted());
            assert_eq!(queue.iter().count(), wheel.len());
            for (a, b) in &handles {
                assert_eq!(queue.contains(*a), wheel.contains(*b));
                assert_eq!(queue.deadline_of(*a), wheel.deadline_of(*b));
                assert_eq!(queue.get(*a), wheel.get(*b));
                assert_eq!(queue.get_mut(*a), wheel.get_mut(*b));
                assert!(!queue.contains(*b) && !wheel.contains(*a), "strangers' handles");
            }
        }
        let listed: Vec<_> =
            queue.iter().map(|(handle, deadline, value)| (handle, deadline, *value)).collect();
        let drained: Vec<_> = queue.drain().collect();
        assert_eq!(drained, listed, "one by one as they would have come");
        let told = drained.into_iter().map(|(_, deadline, value)| (deadline, value));
        assert!(told.eq(wheel.drain().map(|(_, deadline, value)| (deadline, value))));
        assert!(queue.is_empty() && queue.next_deadline().is_none());
        assert!(handles.iter().all(|(handle, _)| !queue.contains(*handle)));
    }
}

#[test]
fn what_is_cleared_is_dropped_and_its_handles_are_stale() {
    let value = Rc::new(());
    let mut queue = SameDelay::new(5, 7);
    let handles: Vec<_> = (0..300).map(|_| queue.insert(value.clone())).collect();
    queue.advance(9);
    queue.clear();
    assert_eq!(Rc::strong_count(&value), 1, "dropped at once");
    assert_eq!((queue.len(), queue.next_deadline(), queue.now()), (0, None, 9));
    let again = queue.insert(value.clone());
    assert!(handles.iter().all(|handle| !queue.contains(*handle) && queue.get(*handle).is_none()));
    assert_eq!(queue.deadline_of(again), Some(14));
    drop(queue);
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn the_last_one_can_be_refreshed_and_the_only_one_moves_the_next_deadline() {
    let mut queue = SameDelay::new(10, 0);
    let first = queue.insert(1);
    queue.advance(3);
    assert!(queue.refresh(first));
    assert_eq!(queue.next_deadline(), Some(13));
    let last = queue.insert(2);
    queue.advance(4);
    assert!(queue.refresh(last));
    assert_eq!((queue.next_deadline(), queue.deadline_of(last)), (Some(13), Some(14)));
    queue.advance(13);
    assert_eq!(
        queue.pop_expired().map(|expired| (expired.handle, expired.value)),
        Some((first, 1))
    );
    assert!(queue.pop_expired().is_none());
    queue.advance(14);
    assert_eq!(queue.pop_expired().map(|expired| (expired.handle, expired.value)), Some((last, 2)));
}

/// What is free is used again.
#[test]
fn it_takes_room_for_what_is_armed_at_once_and_reserves_it_beforehand() {
    let mut queue = SameDelay::new(10, 0);
    assert_eq!(queue.heap_bytes(), 0, "an empty one allocates nothing");
    queue.reserve(1_000);
    let reserved = queue.heap_bytes();
    for now in 1..=1_000 {
        queue.advance(now);
        let expired: Vec<_> = std::iter::from_fn(|| queue.pop_expired()).collect();
        assert_eq!(expired.len(), if now > 10 { 90 } else { 0 });
        let handles: Vec<_> = (0..100_u64).map(|value| queue.insert(value)).collect();
        for handle in handles.into_iter().step_by(10) {
            assert!(queue.cancel(handle).is_some());
        }
    }
    assert_eq!(queue.len(), 900);
    // The numbers of those that are free come on top.
    assert!(queue.heap_bytes() < reserved + 8_192, "{} after {reserved}", queue.heap_bytes());
}

#[test]
fn what_was_never_used_is_given_back_and_all_of_it_when_nothing_is_armed() {
    let mut queue = SameDelay::new(10, 0);
    queue.reserve(1_000);
    assert!(queue.capacity() >= 1_000);
    let handles: Vec<_> = (0..100).map(|value| queue.insert(value)).collect();
    for handle in &handles[10..] {
        queue.cancel(*handle);
    }
    queue.shrink_to_fit();
    assert_eq!((queue.len(), queue.capacity()), (10, 100));
    assert!(handles[..10].iter().all(|handle| queue.contains(*handle)));
    queue.insert(7);
    assert!(handles[10..].iter().all(|handle| !queue.contains(*handle)));
    queue.drain().for_each(drop);
    queue.shrink_to_fit();
    assert_eq!(queue.heap_bytes(), 0);
    queue.insert(7);
    assert!(handles.iter().all(|handle| !queue.contains(*handle)));
}

#[test]
#[should_panic(expected = "at most 2^32 - 1 timers")]
fn more_than_there_are_numbers_for_is_refused_before_anything_is_allocated() {
    SameDelay::<u64>::new(1, 0).reserve(usize::MAX);
}

#[test]
#[should_panic(expected = "at most 2^32 - 1024 timers")]
fn so_it_is_by_the_wheel() {
    TimerWheel::<u64>::new(0).reserve(usize::MAX);
}
