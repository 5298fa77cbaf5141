//! The examples do what they say.

#![cfg(feature = "std")]

#[path = "../examples/channel_loop.rs"]
#[allow(dead_code)]
mod channel_loop;
#[path = "../examples/executor.rs"]
#[allow(dead_code)]
mod executor;
#[path = "../examples/simulation.rs"]
#[allow(dead_code)]
mod simulation;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

#[test]
fn the_executor_sleeps_in_virtual_time_and_leaves_nothing_armed() {
    let base = Instant::now();
    let mut executor = executor::Executor::new(base);
    let time = executor.time();
    let told = Rc::new(RefCell::new(Vec::new()));
    executor.spawn(executor::story(time.clone(), {
        let told = Rc::clone(&told);
        move |line| told.borrow_mut().push(line.to_owned())
    }));

    let mut now = base;
    let mut waits = 0;
    executor.run(|timeout| {
        waits += 1;
        assert!(waits < 10, "it spins");
        now += timeout.expect("a sleeping task has armed a timer");
        now
    });
    let slept = (now - base).as_millis();
    assert!((95..=101).contains(&slept), "30, 45 and 20 ms, at most a tick late each: {slept}");
    let lines = [
        "begin",
        "first beat",
        "slept through the second",
        "which came at once",
        "an hour was too long",
    ];
    assert_eq!(*told.borrow(), lines);
    assert_eq!(time.armed(), 0);
}

#[test]
fn the_simulation_is_the_same_in_steps_of_any_size() {
    let by_one = simulation::run(42, 10_000, 1);
    assert!(by_one.loaves > 300 && by_one.cleanings == 20, "{by_one:?}");
    for stride in [7, 256, 10_000] {
        assert_eq!(simulation::run(42, 10_000, stride), by_one, "in strides of {stride}");
    }
    assert_ne!(simulation::run(43, 10_000, 1), by_one, "another seed, another story");
}

#[test]
fn the_channel_loop_is_woken_by_its_workers_and_ends() {
    let mut lines = channel_loop::run();
    lines.sort_unstable();
    assert_eq!(lines, ["hasty worker is done", "patient worker is done", "reminder fired"]);
}
