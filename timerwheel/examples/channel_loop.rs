//! The smallest loop there is: a channel to wait on, timers beside it, and worker threads that arm
//! and cancel timers of the loop through a `Remote`.
//!
//! `cargo run -p timerwheel --example channel_loop`

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use timerwheel::{Remote, Timers};

fn main() {
    for line in run() {
        println!("{line}");
    }
}

/// What the loop waits for besides timers.
enum Event {
    /// A remote has armed a timer earlier than the loop sleeps: nothing to do but turn.
    Wake,
    Done(&'static str),
}

/// Two workers: one asks for a reminder and lets it come, one asks and takes it back.
pub(crate) fn run() -> Vec<String> {
    let (events, inbox) = channel();
    let mut timers = Timers::new(Instant::now());
    let wake = events.clone();
    // Only fails when the loop has ended, and then there is nobody to wake.
    let remote = timers.remote(move || drop(wake.send(Event::Wake)));

    let patient = work(&remote, &events, |remote| {
        let soon = Instant::now() + Duration::from_millis(20);
        remote.arm(soon, "reminder").expect("the loop is there");
        "patient worker"
    });
    let hasty = work(&remote, &events, |remote| {
        let later = Instant::now() + Duration::from_secs(60);
        let reminder = remote.arm(later, "never seen").expect("the loop is there");
        reminder.cancel().expect("nobody else has it yet");
        "hasty worker"
    });

    let lines = turn_until_quiet(&mut timers, &inbox);
    for worker in [patient, hasty] {
        worker.join().expect("workers do not panic");
    }
    lines
}

fn work(
    remote: &Remote<&'static str>,
    events: &Sender<Event>,
    job: impl FnOnce(&Remote<&'static str>) -> &'static str + Send + 'static,
) -> thread::JoinHandle<()> {
    let (remote, events) = (remote.clone(), events.clone());
    thread::spawn(move || drop(events.send(Event::Done(job(&remote)))))
}

/// The loop itself: ends when both workers are done and nothing is armed.
fn turn_until_quiet(timers: &mut Timers<&'static str>, inbox: &Receiver<Event>) -> Vec<String> {
    let (mut lines, mut working) = (Vec::new(), 2);
    while working > 0 || timers.keeps_alive() {
        let event = match timers.timeout(Instant::now()) {
            Some(timeout) => inbox.recv_timeout(timeout),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if let Ok(Event::Done(worker)) = event {
            working -= 1;
            lines.push(format!("{worker} is done"));
        }
        timers.advance(Instant::now());
        while let Some(expiry) = timers.pop_expired() {
            lines.push(format!("{} fired", expiry.value));
        }
    }
    lines
}
