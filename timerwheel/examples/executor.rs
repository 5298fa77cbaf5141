//! A minimal async executor whose sleeps are entries of the wheel, with a `Waker` as value.
//!
//! `cargo run -p timerwheel --example executor`
//!
//! One thread, no allocation per sleep beyond the wheel's, and no clock inside: [`Executor::run`]
//! is given a way to wait, which is `thread::park_timeout` here and virtual time in the test.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use timerwheel::{MissedTicks, Period, TimerGuard, TimerHandle, Timers};

fn main() {
    let mut executor = Executor::new(Instant::now());
    let time = executor.time();
    executor.spawn(story(time.clone(), |line| println!("{line}")));
    executor.run(|timeout| {
        match timeout {
            Some(timeout) => thread::park_timeout(timeout),
            None => thread::park(),
        }
        Instant::now()
    });
    println!("{} timers left", time.armed());
}

/// Two beats of an interval race a sleep; then a sleep is given up long before its time.
pub(crate) async fn story(time: Time, mut tell: impl FnMut(&str)) {
    let beat = Period::new(Duration::from_millis(30)).expect("longer than zero");
    let mut beats = time.interval(beat);
    tell("begin");
    beats.tick().await;
    tell("first beat");
    time.sleep(Duration::from_millis(45)).await;
    tell("slept through the second");
    beats.tick().await;
    tell("which came at once");
    drop(beats);
    first_of(time.sleep(Duration::from_secs(3600)), time.sleep(Duration::from_millis(20))).await;
    tell("an hour was too long");
}

/// Completes when one of the two does. The other one is dropped.
async fn first_of(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => other.as_mut().poll(cx),
    })
    .await;
}

/// What tasks hold: the time, and the timers to sleep on.
#[derive(Clone)]
pub(crate) struct Time(Rc<RefCell<Shared>>);

struct Shared {
    now: Instant,
    timers: Timers<Waker>,
}

impl Time {
    /// Completes `delay` from now.
    pub(crate) fn sleep(&self, delay: Duration) -> Sleep {
        let deadline = self.0.borrow().now + delay;
        Sleep { time: self.clone(), deadline, timer: None }
    }

    /// Ticks every `period`, the first time a period from now.
    pub(crate) fn interval(&self, period: Period) -> Interval {
        let mut shared = self.0.borrow_mut();
        let next = shared.now + period.duration();
        // One entry for all ticks. Skipping is right: being woken once is enough to see them all.
        let waker = Waker::noop().clone();
        let handle = shared.timers.insert_interval(next, period, MissedTicks::Skip, waker);
        let timer = shared.timers.guard(handle);
        Interval { time: self.clone(), period, next, timer }
    }

    /// Timers that sleeping tasks have armed.
    pub(crate) fn armed(&self) -> usize {
        self.0.borrow_mut().timers.len()
    }

    /// Has the timer wake whoever waits now.
    fn set_waker(&self, timer: TimerHandle, waker: &Waker) {
        if let Some(armed) = self.0.borrow_mut().timers.get_mut(timer) {
            armed.clone_from(waker);
        }
    }
}

/// Made by [`Time::sleep`]. Dropping it cancels its timer.
pub(crate) struct Sleep {
    time: Time,
    deadline: Instant,
    /// Armed when it is first polled.
    timer: Option<TimerGuard>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        if time.0.borrow().now >= self.deadline {
            return Poll::Ready(());
        }
        if let Some(timer) = &self.timer {
            time.set_waker(timer.handle(), cx.waker());
        } else {
            let timers = &mut time.0.borrow_mut().timers;
            let handle = timers.insert(self.deadline, cx.waker().clone());
            self.timer = Some(timers.guard(handle));
        }
        Poll::Pending
    }
}

/// Made by [`Time::interval`]. Dropping it cancels its timer.
pub(crate) struct Interval {
    time: Time,
    period: Period,
    next: Instant,
    timer: TimerGuard,
}

impl Interval {
    /// Waits for the next tick; at once if it has passed. Without drift: ticks are counted from
    /// the first, not from when somebody came to wait.
    pub(crate) async fn tick(&mut self) {
        poll_fn(|cx| self.poll_tick(cx)).await;
    }

    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.time.0.borrow().now < self.next {
            self.time.set_waker(self.timer.handle(), cx.waker());
            return Poll::Pending;
        }
        self.next += self.period.duration();
        Poll::Ready(())
    }
}

/// Runs tasks until none is left.
pub(crate) struct Executor {
    time: Time,
    ready: Ready,
    tasks: Vec<Option<Task>>,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

impl Executor {
    pub(crate) fn new(now: Instant) -> Self {
        let shared = Shared { now, timers: Timers::new(now) };
        let time = Time(Rc::new(RefCell::new(shared)));
        Self { time, ready: Ready::default(), tasks: Vec::new() }
    }

    pub(crate) fn time(&self) -> Time {
        self.time.clone()
    }

    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + 'static) {
        self.ready.push(self.tasks.len());
        self.tasks.push(Some(Box::pin(task)));
    }

    /// `wait` sleeps at most as long as it is told and says what time it is then.
    pub(crate) fn run(&mut self, mut wait: impl FnMut(Option<Duration>) -> Instant) {
        loop {
            self.run_ready();
            if self.tasks.iter().all(Option::is_none) {
                return;
            }
            let now = self.time.0.borrow().now;
            let timeout = self.time.0.borrow_mut().timers.timeout(now);
            self.turn(wait(timeout));
        }
    }

    fn turn(&mut self, now: Instant) {
        let mut shared = self.time.0.borrow_mut();
        shared.now = shared.now.max(now);
        let now = shared.now;
        shared.timers.advance(now);
        while let Some(expiry) = shared.timers.pop_expired() {
            expiry.value.wake();
        }
    }

    fn run_ready(&mut self) {
        while let Some(number) = self.ready.pop() {
            let waker = Waker::from(Arc::new(TaskWaker {
                number,
                ready: self.ready.clone(),
                thread: thread::current(),
            }));
            let Some(task) = &mut self.tasks[number] else { continue };
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                self.tasks[number] = None;
            }
        }
    }
}

/// Numbers of the tasks to poll, in the order in which they were woken.
#[derive(Clone, Default)]
struct Ready(Arc<Mutex<VecDeque<usize>>>);

impl Ready {
    fn push(&self, number: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(number);
    }

    fn pop(&self) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

struct TaskWaker {
    number: usize,
    ready: Ready,
    thread: thread::Thread,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.number);
        self.thread.unpark();
    }
}
