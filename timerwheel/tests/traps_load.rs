//! Traps that only show under load: work counted in entries moved, not in time.

use timerwheel::{Interval, MissedTicks, TimerWheel};

const HOUR: u64 = 3_600_000;

/// What `advance` moved, and how many expiries there were.
fn turn<T>(wheel: &mut TimerWheel<T>, now: u64) -> (u64, usize) {
    let before = wheel.moved();
    wheel.advance(now);
    let fired = std::iter::from_fn(|| wheel.pop_expired()).count();
    (wheel.moved() - before, fired)
}

/// nexus#667: a poll with nothing due cost more, the more timers were armed.
#[test]
fn a_poll_with_nothing_due_moves_nothing_however_many_are_armed() {
    for armed in [100, 50_000] {
        let mut wheel = TimerWheel::new(0);
        for n in 0..armed {
            wheel.insert(1_000 + n, n);
        }
        // The last tick before the slot of the first is entered.
        for now in 0..768 {
            assert_eq!(turn(&mut wheel, now), (0, 0), "{armed} armed, at {now}");
        }
    }
}

/// agrona#73, ratas, `HHWT`: a long sleep was made up for tick by tick.
#[test]
fn a_jump_moves_each_timer_once_and_no_tick() {
    for jump in [1 << 20, 1 << 40, 1 << 63, u64::MAX] {
        let mut wheel = TimerWheel::new(0);
        for n in 0..10 {
            wheel.insert(jump >> (6 * n), n);
        }
        assert_eq!(turn(&mut wheel, jump), (10, 10), "over {jump} ticks");
    }
}

/// The promise of the crate's manual: filed at most seven times more, most of them twice.
#[test]
fn a_timer_is_moved_at_most_once_per_level() {
    // One that is alone waits at the bottom, once its first slot has come up.
    for (timers, moves) in [(1, 2), (32, 2), (33, 8), (1_000, 8)] {
        let mut wheel = TimerWheel::new(0);
        for _ in 0..timers {
            wheel.insert(u64::MAX, ());
        }
        // Into each slot it waits in, from the highest down: always to the tick where that begins.
        for level in (0..8).rev() {
            wheel.advance(u64::MAX >> (8 * level) << (8 * level));
        }
        assert_eq!(wheel.due_len(), timers);
        assert_eq!(wheel.moved(), moves * timers as u64, "{timers} timers");
    }

    let mut wheel = TimerWheel::new(0);
    let timers = 10_000;
    for n in 0..timers {
        wheel.insert(1 + n * 7919 % 60_000, n);
    }
    let fired: usize = (0..=60_000).map(|now| turn(&mut wheel, now).1).sum();
    assert_eq!(fired as u64, timers);
    assert!(wheel.moved() <= 2 * timers, "{} moves within a minute", wheel.moved());
}

/// nexus#674: while a crowded coarse slot was cascading, what was due had to wait.
#[test]
fn a_crowded_coarse_slot_delays_nobody() {
    const CROWD: u64 = 200_000;
    let mut wheel = TimerWheel::new(0);
    for n in 0..CROWD {
        wheel.insert((1 << 16) + 1_000 + n % 60_000, true);
    }
    for tick in 1..=1_000 {
        wheel.insert((1 << 16) - 500 + tick, false);
    }
    for now in (1 << 16) - 499..=(1 << 16) + 500 {
        wheel.advance(now);
        let fired: Vec<_> = std::iter::from_fn(|| wheel.pop_expired()).collect();
        assert_eq!(fired.iter().map(|e| (e.late, e.value)).collect::<Vec<_>>(), [(0, false)]);
    }
    assert!(wheel.moved() <= CROWD + 3_000, "the crowd was moved once: {}", wheel.moved());
}

/// netty#2561, tokio#7384, niri#3439: the idle timeout of a connection is put off with every byte
/// that comes in, and fires once if at all.
#[test]
fn a_timeout_that_is_put_off_all_the_time_moves_once_per_timeout() {
    let mut wheel = TimerWheel::new(0);
    let handles: Vec<_> = (0..100).map(|n| wheel.insert(5_000, n)).collect();
    for now in 0..100_000 {
        for handle in handles.iter().step_by(10) {
            assert!(wheel.reschedule(*handle, now + 5_000));
        }
        wheel.advance(now);
        if now < 5_000 {
            continue;
        }
        while wheel.pop_expired().is_some() {}
    }
    assert_eq!(wheel.len(), 10);
    // Ten timers over twenty timeouts, and ninety that fired: not a million reschedules.
    assert!(wheel.moved() < 1_000, "{} moves", wheel.moved());
}

/// Moving to an earlier deadline leaves a record behind each time. They are swept, and the sweeps
/// cost a bounded number of moves per reschedule.
#[test]
fn sweeping_costs_a_bounded_number_of_moves_per_reschedule() {
    let mut wheel = TimerWheel::new(0);
    let handles: Vec<_> = (0..1_000).map(|n| wheel.insert(HOUR, n)).collect();
    let rounds = 300;
    for round in 1..=rounds {
        for (n, handle) in (0..).zip(&handles) {
            // Always into another slot, always earlier.
            assert!(wheel.reschedule(*handle, HOUR - round * 8_192 - n));
        }
    }
    wheel.check_invariants();
    let each = wheel.moved() / (rounds * 1_000);
    assert!(each <= 16, "{each} moves a reschedule");
}

/// A round over all slots goes on with every few cancels: none of them pays for all of it.
#[test]
fn a_cancel_sweeps_a_part_and_never_everything() {
    let mut wheel = TimerWheel::new(0);
    let handles: Vec<_> = (0..200_000).map(|n| wheel.insert(1 + n * 7919 % HOUR, n)).collect();
    let mut most = 0;
    for handle in handles {
        let before = wheel.moved();
        assert!(wheel.cancel(handle).is_some());
        most = most.max(wheel.moved() - before);
    }
    assert!(wheel.moved() > 100_000, "what is left behind is swept");
    assert!(most <= 114 * 9, "{most} records for one cancel");
}

/// What was armed too late, and cancelled before the loop came round to it, is swept as well.
#[test]
fn what_was_overdue_and_cancelled_is_swept() {
    let mut wheel = TimerWheel::new(1);
    for n in 0..200_000 {
        let handle = wheel.insert(n % 2, n);
        assert_eq!(wheel.cancel(handle), Some(n));
    }
    wheel.check_invariants();
}

/// camunda#767, theine-go#64: polled every 100 ticks, a wheel left timers behind. Here with each
/// poll at another distance, and intervals among them.
#[test]
fn irregular_polls_leave_nothing_behind_and_lose_no_tick() {
    for stride in [1, 3, 100, 255, 256, 257, 5_000] {
        let mut wheel = TimerWheel::new(7);
        for n in 0..3_000 {
            wheel.insert(8 + n * 31, n);
        }
        let beat = Interval::new(10, 10).unwrap().missed(MissedTicks::Skip);
        wheel.insert_interval(beat, u64::MAX);
        let (mut now, mut once, mut ticks) = (7, 0, 0);
        while now < 100_000 {
            now += stride;
            wheel.advance(now);
            while let Some(expired) = wheel.pop_expired() {
                assert!(expired.late < stride, "{} late at a stride of {stride}", expired.late);
                if expired.value == u64::MAX {
                    ticks += 1 + expired.missed;
                } else {
                    once += 1;
                }
            }
        }
        assert_eq!((once, ticks), (3_000, now / 10), "by strides of {stride}");
    }
}

/// A place is reserved, so the inserts it was reserved for make none.
#[test]
fn what_was_reserved_is_not_allocated_again() {
    let mut wheel = TimerWheel::new(0);
    wheel.insert(1, 0);
    wheel.reserve(5_000);
    let room = wheel.capacity();
    assert!(room > 5_000);
    for n in 0..5_000 {
        wheel.insert(n, n);
    }
    assert_eq!(wheel.capacity(), room);
}

/// netty#2561: what a million cancels an hour ahead leave behind is bounded, by the bytes that are
/// really held; `memory.rs` asks the allocator.
#[test]
fn a_million_cancels_and_moves_an_hour_ahead_leave_little_behind() {
    let mut wheel = TimerWheel::new(0);
    let moved = wheel.insert(2 * HOUR, u64::MAX);
    let mut most = 0;
    for n in 0..500_000 {
        let handle = wheel.insert(HOUR + n * 7919 % HOUR, n);
        assert_eq!(wheel.cancel(handle), Some(n));
        // Earlier, which leaves a record too; and back.
        assert!(wheel.reschedule(moved, HOUR - n));
        assert!(wheel.reschedule(moved, 2 * HOUR));
        if n % 1_000 == 0 {
            most = most.max(wheel.heap_bytes());
        }
    }
    assert!(most < 400 * 1024, "{most} bytes for one timer");
}

/// A loop that never quite catches up: a thousand are always due and not handed out.
#[test]
fn a_backlog_that_never_empties_does_not_grow() {
    let mut wheel = TimerWheel::new(0);
    for n in 0..1_000 {
        wheel.insert(0, n);
    }
    let mut most = 0;
    for now in 1..=30_000 {
        wheel.advance(now);
        for value in 3 * (now - 1)..3 * now {
            assert_eq!(wheel.pop_expired().map(|expired| expired.value), Some(value), "in order");
            wheel.insert(now, value + 1_000);
        }
        most = most.max(wheel.heap_bytes());
    }
    assert!(most < 400 * 1024, "{most} bytes for a thousand timers");
}

/// A peak of expiries is given back when it is over, and counted while it lasts.
#[test]
fn the_queue_of_a_peak_is_given_back() {
    const PEAK: usize = 100_000;
    let mut wheel = TimerWheel::new(0);
    for n in 0..PEAK {
        wheel.insert(500, n);
    }
    let armed = wheel.heap_bytes();
    wheel.advance(500);
    assert!(wheel.heap_bytes() >= armed + 16 * PEAK, "what is due is held, too");
    assert_eq!(std::iter::from_fn(|| wheel.pop_expired()).count(), PEAK);
    // The numbers of the free places are listed now: that is all that there is more.
    let free = 4 * PEAK.next_power_of_two();
    let kept = wheel.heap_bytes() - armed;
    assert!(kept <= free + 128 * 1024, "{kept} bytes more than before the peak");
}

/// Timers that are due are cancelled one by one, as by a server that closes all connections: a
/// queue that is tidied up each time makes that quadratic, and this test hours.
#[test]
fn cancelling_all_that_is_due_is_not_quadratic() {
    for reverse in [false, true] {
        let mut wheel = TimerWheel::new(0);
        let mut handles: Vec<_> = (0..300_000).map(|n| wheel.insert(1 + n % 100, n)).collect();
        wheel.advance(100);
        if reverse {
            handles.reverse();
        }
        for (n, handle) in handles.into_iter().enumerate() {
            assert!(wheel.cancel(handle).is_some());
            assert_eq!(wheel.due_len(), 299_999 - n);
        }
        assert!(wheel.pop_expired().is_none());
        wheel.check_invariants();
    }
}

/// The count of moves goes on through all that empties or rebuilds the wheel.
#[test]
fn moves_are_counted_through_clearing_and_shrinking() {
    let mut wheel = TimerWheel::new(0);
    wheel.insert(300, ());
    assert_eq!((turn(&mut wheel, 256), turn(&mut wheel, 300)), ((1, 0), (1, 1)));
    assert_eq!(wheel.cascaded(), 1, "filed anew once, due once");
    wheel.shrink_to_fit();
    assert_eq!((wheel.moved(), wheel.cascaded()), (2, 1));
    wheel.clear();
    assert_eq!((wheel.moved(), wheel.cascaded()), (2, 1));
    // More than there is room for at the bottom.
    for _ in 0..100 {
        wheel.insert(300 + (1 << 16), ());
    }
    for tick in [1 << 16, (1 << 16) + 256, (1 << 16) + 300] {
        turn(&mut wheel, tick);
    }
    assert_eq!(wheel.cascaded(), 1 + 2 * 100, "down two levels");
}
