//! The feature `audit`: who armed it, how often it fired, how late.

#![cfg(feature = "audit")]

use std::time::{Duration, Instant};

use timerwheel::{MissedTicks, Period, Timers};

#[test]
fn the_audit_names_the_line_that_armed_each_timer_oldest_first() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let line = line!() + 1;
    let kept = timers.insert(base + Duration::from_secs(9), "kept");
    timers.advance(base + Duration::from_millis(10));
    let second = Period::new(Duration::from_secs(1)).unwrap();
    for _ in 0..3 {
        timers.insert_interval(base + second.duration(), second, MissedTicks::Skip, "beat");
    }
    let audit = timers.audit();
    assert_eq!(audit.sites.len(), 2);
    let oldest = &audit.sites[0];
    assert_eq!((oldest.location.file(), oldest.location.line()), (file!(), line));
    assert_eq!(oldest.timers[0].0, kept);
    assert_eq!(audit.sites[1].timers.len(), 3);

    timers.advance(base + Duration::from_millis(1_500));
    while timers.pop_expired().is_some() {}
    let audit = timers.audit();
    let record = &audit.sites[1].timers[0].1;
    assert_eq!((record.fired, record.rearmed), (1, 0));
    assert!(record.last_late >= Duration::from_millis(498), "{:?}", record.last_late);
    assert_eq!(record.worst_late, record.last_late);
    let table = audit.to_string();
    assert!(table.contains("audit.rs:") && table.lines().count() == 3, "{table}");

    assert!(timers.reschedule(kept, base + Duration::from_secs(12)));
    let record = timers.record_of(kept).unwrap();
    assert_eq!((record.rearmed, record.armed_at), (1, base));
    assert!(record.rearmed_at > Some(base));
}

#[test]
fn lateness_is_counted_by_powers_of_two() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    for late in [1_u64, 1, 40, 3_000] {
        let now = timers_now(base, &mut timers);
        timers.insert(now, ());
        timers.advance(now + Duration::from_millis(late));
        assert!(timers.pop_expired().is_some());
    }
    assert_eq!(timers.lateness().count(), 4);
    let buckets: Vec<_> = timers.lateness().buckets().collect();
    assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 4);
    assert!(buckets.is_sorted() && buckets.len() >= 3, "{buckets:?}");
    assert!(buckets.last().is_some_and(|(below, _)| *below > Duration::from_secs(3)));
}

/// The time of the last advance, a tick later.
fn timers_now(base: Instant, timers: &mut Timers<()>) -> Instant {
    let tick = Duration::from_nanos(1 << 20);
    base + tick * u32::try_from(timers.tick() + 1).unwrap()
}

#[test]
fn a_timer_armed_from_elsewhere_is_under_the_line_that_armed_it_there() {
    let base = Instant::now();
    let mut timers = Timers::new(base);
    let remote = timers.remote(|| ());
    let line = line!() + 1;
    let _timer = remote.arm(base + Duration::from_secs(1), "remote").expect("room");
    let audit = timers.audit();
    assert_eq!((audit.sites[0].location.file(), audit.sites[0].location.line()), (file!(), line));
    let handle = audit.sites[0].timers[0].0;
    assert_eq!(timers.inspect(handle, |value| *value), Some("remote"));
    assert_eq!(timers.get(handle), None, "a shared value is not lent out");
}

/// What a remote canceller had taken by the time it was to be handed out was noted as late, though
/// it never fired.
#[test]
fn only_what_is_handed_out_is_noted_as_late() {
    /// Does this when it is dropped.
    struct OnDrop(Option<Box<dyn FnOnce()>>);

    impl Drop for OnDrop {
        fn drop(&mut self) {
            if let Some(act) = self.0.take() {
                act();
            }
        }
    }

    let base = Instant::now();
    let mut timers = Timers::new(base);
    let due = timers.remote(|| ()).arm(base, OnDrop(None)).ok().expect("room");
    assert_eq!(timers.len(), 1);
    timers.advance(base + Duration::from_secs(1));
    // Its value is taken while returns are taken up, by the drop of another one; and behind so many
    // stale returns that the wheel is not told of it in this call.
    let stale = timers.insert(base, OnDrop(None));
    assert!(timers.cancel(stale).is_some());
    let guards = [timers.guard(stale), timers.guard(stale)];
    let other = timers.insert(base + Duration::from_secs(9), {
        OnDrop(Some(Box::new(move || {
            drop(guards);
            assert!(due.cancel().is_some(), "it was not handed out yet");
        })))
    });
    drop(timers.guard(other));
    assert!(timers.pop_expired().is_none());
    let counters = timers.counters();
    assert_eq!((counters.armed, counters.fired, counters.cancelled), (3, 0, 3));
    assert_eq!(timers.lateness().count(), 0);
}
