//! `tokio::time::Sleep`: a future per timer, in a box of its own, woken by the runtime's driver.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::time::{Instant, Sleep, sleep_until};

use super::tokio_time;
use crate::shared::peer::{Ability, Peer};

/// Which sleeps were woken.
type Woken = Arc<Mutex<Vec<usize>>>;

struct Task {
    at: usize,
    woken: Woken,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.at);
    }
}

struct Timer {
    sleep: Pin<Box<Sleep>>,
    waker: Waker,
    value: u64,
}

pub(crate) struct TokioSleep {
    epoch: Instant,
    now: u64,
    timers: Slab<Timer>,
    woken: Woken,
}

impl Peer for TokioSleep {
    const NAME: &'static str = "tokio Sleep";
    const ABILITY: Ability = Ability {
        next_deadline: false, // the driver keeps it to itself
        delay_max: 1 << 35,
        ..Ability::FULL
    };

    /// Place and value.
    type Handle = (usize, u64);

    fn new(_: usize) -> Self {
        Self { epoch: Instant::now(), now: 0, timers: Slab::new(), woken: Woken::default() }
    }

    fn insert(&mut self, deadline: u64, value: u64) -> (usize, u64) {
        let vacancy = self.timers.vacant_entry();
        let at = vacancy.key();
        let waker = Waker::from(Arc::new(Task { at, woken: Arc::clone(&self.woken) }));
        let mut sleep = Box::pin(sleep_until(self.epoch + Duration::from_millis(deadline)));
        if sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            waker.wake_by_ref();
        }
        vacancy.insert(Timer { sleep, waker, value });
        (at, value)
    }

    fn cancel(&mut self, (at, value): (usize, u64)) -> Option<u64> {
        self.timers.get(at).filter(|timer| timer.value == value)?;
        Some(self.timers.remove(at).value)
    }

    fn reschedule(&mut self, &mut (at, value): &mut (usize, u64), deadline: u64) -> bool {
        let timer = self.timers.get_mut(at).filter(|timer| timer.value == value);
        let Some(timer) = timer else { return false };
        timer.sleep.as_mut().reset(self.epoch + Duration::from_millis(deadline));
        if timer.sleep.as_mut().poll(&mut Context::from_waker(&timer.waker)).is_ready() {
            timer.waker.wake_by_ref();
        }
        true
    }

    fn advance(&mut self, now: u64, mut fired: impl FnMut(u64)) {
        tokio_time::advance(now - self.now);
        self.now = now;
        let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
        for at in woken {
            // Woken is not elapsed: it may have been cancelled or moved since.
            if self.timers.get(at).is_some_and(|timer| timer.sleep.is_elapsed()) {
                fired(self.timers.remove(at).value);
            }
        }
    }

    fn next_deadline(&mut self) -> Option<u64> {
        None
    }
}
