//! One test for each bug found, named for it.

use timerwheel::TimerWheel;

/// Sweeping a slot noted the new deadline of an entry that had moved to a later slot as the
/// earliest of this one, and the wake-up for everything in between came too late.
#[test]
fn a_moved_entry_that_is_swept_does_not_delay_the_wakeup_of_others() {
    let mut wheel = TimerWheel::new(0);
    let moved = wheel.insert(300, "moved");
    wheel.insert(600, "waiting");
    assert!(wheel.reschedule(moved, 10_000));
    wheel.refine_wakeup();
    wheel.check_invariants();
    assert_eq!(wheel.next_wakeup(), Some(600));
}
