//! Memory: bounded, whatever is armed and cancelled. Heap bytes as a counting allocator sees them.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use timerwheel::{Interval, SameDelay, TimerHandle, TimerWheel};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn held(region: &Region<'_, System>) -> isize {
    let change = region.change();
    change.bytes_allocated.cast_signed() - change.bytes_deallocated.cast_signed()
}

const HOUR: u64 = 3_600_000;

/// One test, as the allocator counts for the whole process.
#[test]
fn memory_is_bounded() {
    arm_and_cancel_runs_in_constant_memory();
    moving_runs_in_constant_memory();
    a_queue_of_one_delay_runs_in_constant_memory();
    what_mass_cancels_leave_is_bounded_and_can_be_given_back();
    what_cancelled_intervals_took_can_be_given_back();
    a_timer_costs_at_most_48_bytes();
    what_the_wheel_says_of_its_memory_is_so();
    what_sorting_took_is_given_back();
}

fn arm_and_cancel_runs_in_constant_memory() {
    let mut wheel = TimerWheel::new(0);
    let mut live: [Option<TimerHandle>; 10] = [None; 10];
    let region = Region::new(GLOBAL);
    let mut most = 0;
    for n in 0..10_000_000_u64 {
        let slot = &mut live[usize::try_from(n % 10).unwrap()];
        if let Some(handle) = slot.take() {
            assert!(wheel.cancel(handle).is_some());
        }
        // A tick now and then, so that the slots an hour ahead change.
        wheel.advance(n / 100);
        *slot = Some(wheel.insert(n / 100 + HOUR, n));
        if n % 100_000 == 0 {
            most = most.max(held(&region));
        }
    }
    // 8 KiB of slots for each of 3 levels, a segment of entries, the garbage that is allowed.
    assert!(most < 300 * 1024, "{most} bytes for ten timers");
    wheel.check_invariants();
}

fn moving_runs_in_constant_memory() {
    let mut wheel = TimerWheel::new(0);
    let handles: Vec<_> = (0..10).map(|n| wheel.insert(HOUR, n)).collect();
    let region = Region::new(GLOBAL);
    let mut most = 0;
    for n in 0..10_000_000_u64 {
        let handle = handles[usize::try_from(n % 10).unwrap()];
        // Earlier and later in turn: an earlier deadline leaves a record behind.
        let deadline = n / 100 + if n % 3 == 0 { 1_000 + n % 50_000 } else { HOUR + n % 1_000 };
        assert!(wheel.reschedule(handle, deadline));
        if n % 100 == 0 {
            wheel.advance(n / 100);
            assert!(wheel.pop_expired().is_none(), "all are moved on in time");
        }
        if n % 100_000 == 0 {
            most = most.max(held(&region));
        }
    }
    assert!(most < 300 * 1024, "{most} bytes more for ten timers");
    wheel.check_invariants();
}

fn a_queue_of_one_delay_runs_in_constant_memory() {
    let region = Region::new(GLOBAL);
    let mut queue = SameDelay::new(10, 0);
    for n in 0..100_000_u64 {
        let cancelled = queue.insert(n);
        queue.insert(n);
        queue.advance(n);
        assert_eq!(queue.cancel(cancelled), Some(n));
        while queue.pop_expired().is_some() {}
    }
    let most = held(&region);
    assert!(most < 4096, "{most} bytes for ten timers");
}

fn what_mass_cancels_leave_is_bounded_and_can_be_given_back() {
    let region = Region::new(GLOBAL);
    let mut wheel = TimerWheel::new(0);
    for round in 0..5_u64 {
        let handles: Vec<_> =
            (0..200_000).map(|n| wheel.insert(1 + (n * 7919) % HOUR, n + round)).collect();
        for handle in handles {
            wheel.cancel(handle);
        }
        wheel.check_invariants();
    }
    assert!(wheel.is_empty());
    wheel.shrink_to_fit();
    assert_eq!(wheel.capacity(), 0);
    let kept = held(&region);
    assert!(kept < 100 * 1024, "{kept} bytes for no timer");
    drop(wheel);
    assert_eq!(held(&region), 0);
}

fn what_cancelled_intervals_took_can_be_given_back() {
    let region = Region::new(GLOBAL);
    let mut wheel = TimerWheel::new(0);
    let mut beat = |n| wheel.insert_interval(Interval::new(n, 10).expect("not zero"), n);
    let stays = beat(1);
    let handles: Vec<_> = (2..=100_000).map(beat).collect();
    for handle in handles {
        assert!(wheel.cancel(handle).is_some());
    }
    wheel.shrink_to_fit();
    let kept = held(&region);
    assert!(kept < 150 * 1024, "{kept} bytes for one interval");
    assert!(wheel.cancel(stays).is_some());
    wheel.shrink_to_fit();
    let kept = held(&region);
    assert!(kept < 100 * 1024, "{kept} bytes for no interval");
}

fn a_timer_costs_at_most_48_bytes() {
    for timers in [100_000_u64, 300_000, 1_000_000] {
        let region = Region::new(GLOBAL);
        let mut wheel = TimerWheel::new(0);
        for n in 0..timers {
            wheel.insert(1 + (n * 7919) % 60_000, n);
        }
        let each = held(&region) / isize::try_from(timers).unwrap();
        assert!(each <= 48, "{each} bytes each for {timers}");
        assert_eq!(wheel.heap_bytes().cast_signed(), held(&region), "what it says of itself");
    }
}

/// What it took to bring a crowd in order is not kept.
fn what_sorting_took_is_given_back() {
    let region = Region::new(GLOBAL);
    let mut wheel = TimerWheel::new(0);
    for n in 0..100_000_u64 {
        wheel.insert((1 << 32) + n * 7_919 % (1 << 24), n);
    }
    let armed = held(&region);
    wheel.advance(1 << 33);
    assert!(held(&region) > armed + 100_000 * 24, "the queue, at least");
    while wheel.pop_expired().is_some() {}
    let kept = held(&region) - armed;
    assert!(
        kept < 1024 * 1024,
        "{kept} bytes more than before: more than the numbers that are free"
    );
}

/// With something of every kind: intervals, a queue of what is due, slots of several levels and one
/// that is sorted ahead.
fn what_the_wheel_says_of_its_memory_is_so() {
    let region = Region::new(GLOBAL);
    let mut wheel = TimerWheel::new(0);
    assert_eq!(wheel.heap_bytes().cast_signed(), held(&region), "empty");
    let handles: Vec<_> = (0..5_000_u64).map(|n| wheel.insert(1 + n * n, n)).collect();
    let handles_take = handles.capacity() * size_of::<TimerHandle>();
    let said = |wheel: &TimerWheel<u64>| (wheel.heap_bytes() + handles_take).cast_signed();
    for period in 1..3_000 {
        wheel.insert_interval(Interval::new(period, period).expect("not zero"), period);
    }
    assert_eq!(said(&wheel), held(&region), "armed");
    for n in 0..1_000 {
        wheel.insert(300, n);
    }
    wheel.advance(1);
    assert!(wheel.moved() > 1, "some of the next block is sorted by now");
    assert_eq!(said(&wheel), held(&region), "with a slot that is half sorted");
    for handle in handles.iter().step_by(2) {
        wheel.cancel(*handle);
    }
    wheel.advance(5_000);
    assert_eq!(said(&wheel), held(&region), "with a queue of what is due");
    while wheel.pop_expired().is_some() {}
    assert_eq!(said(&wheel), held(&region), "after that");
    wheel.clear();
    wheel.shrink_to_fit();
    assert_eq!(said(&wheel), held(&region), "given back");
    assert_eq!(wheel.heap_bytes(), 0, "for no timer");
}
