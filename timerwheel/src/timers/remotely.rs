//! The loop's side of [`Remote`](crate::Remote): taking commands up, and shutting down.

use std::sync::Arc;
use std::time::Duration;

use super::Timers;
use super::item::{Held, Item, TimerOptions};
use crate::remote::{Command, Inbox, Remote};

impl<T> Timers<T> {
    /// A way to arm and cancel timers from other threads. `wake` is called on those threads when
    /// a deadline is earlier than the loop sleeps, or so many commands wait for it that it has to
    /// take them up: let it end the sleep (`mio::Waker::wake`, a write to an eventfd).
    pub fn remote(&mut self, wake: impl Fn() + Send + Sync + 'static) -> Remote<T> {
        let limit = self.inbox_limit;
        let inbox = self.inbox.get_or_insert_with(|| Inbox::new(limit));
        inbox.remote(self.returns.clone(), Arc::new(wake))
    }

    /// How many commands of all remotes may wait for the loop; 1,024 by default. Takes effect
    /// before the first [`remote`](Self::remote) only, as the room is set aside then.
    pub fn set_inbox_limit(&mut self, limit: usize) {
        if self.inbox.is_none() {
            self.inbox_limit = limit;
        }
    }

    /// Ends it: later commands of remotes are refused and their values handed back there; all
    /// values that are armed come back here, in the order of their deadlines. Nothing can be armed
    /// locally afterwards, as this takes the timers.
    pub fn shut_down(mut self) -> Vec<T> {
        self.sleep.shut_down();
        // Whether or not there is mail: a thread that has sent a command and saw the timers open
        // may not have posted it yet, and believes that all is well.
        self.take_up_mail();
        self.wheel.drain().filter_map(|(_, _, item)| item.held.take()).collect()
    }

    /// Takes the values that are shared with other threads out of their cells.
    pub(super) fn take_shared(&mut self) -> Vec<T> {
        if self.inbox.is_none() {
            return Vec::new();
        }
        self.wheel.iter().filter_map(|(_, _, item)| item.held.take_shared()).collect()
    }

    /// Takes up what guards and remotes have sent.
    #[cold]
    #[inline(never)]
    pub(super) fn take_up_mail(&mut self) {
        self.sleep.take_mail();
        let taking = TakingUp(self);
        taking.0.take_up_returns();
        taking.0.take_up_commands();
    }

    fn take_up_returns(&mut self) {
        // Values that are dropped here may own guards, so the channel is emptied, not just of what
        // is there now. Each message takes a timer or is stale, and of the stale ones no more are
        // taken than there are now: other threads may be sending all the while.
        let mut stale = self.dropped.len();
        while let Ok(handle) = self.dropped.try_recv() {
            if self.wheel.contains(handle) {
                drop(self.remove(handle));
            } else if stale > 0 {
                stale -= 1;
            } else {
                return;
            }
        }
    }

    fn take_up_commands(&mut self) {
        let mut left = self.inbox_limit;
        while left > 0
            && let Some(command) = self.inbox.as_ref().and_then(Inbox::next)
        {
            self.take_up(command);
            left -= 1;
        }
    }

    fn take_up(&mut self, command: Command<T>) {
        match command {
            Command::Arm {
                deadline,
                cell,
                #[cfg(feature = "audit")]
                site,
            } => {
                let tick = self.clock.deadline(deadline);
                let held = Held::There(Arc::clone(&cell));
                let item = Item::new(held, tick, TimerOptions::new(), self.now);
                #[cfg(feature = "audit")]
                let item = item.armed_at(site);
                // Under the lock, so that a canceller finds either the value in a timer that is
                // not armed yet, or the handle of one that is.
                let mut state = cell.lock();
                if state.value.is_some() {
                    state.handle = Some(self.arm_item(Duration::ZERO, item));
                }
            }
            Command::Reschedule { deadline, cell } => {
                let handle = cell.lock().handle;
                if let Some(handle) = handle {
                    self.move_to(handle, deadline);
                }
            }
        }
    }
}

/// What is in the inbox would be kept there for as long as anybody has a [`Remote`]: for ever, if one
/// of the values has.
impl<T> Drop for Timers<T> {
    fn drop(&mut self) {
        self.sleep.shut_down();
        let left = (0..self.inbox_limit).map_while(|_| self.inbox.as_ref()?.next());
        // All of them, also if the drop of a value panics.
        drop(left.collect::<Vec<_>>());
    }
}

/// Lasts while mail is taken up. Values are dropped then, and one of them may panic: however it ends,
/// what is left is news again.
struct TakingUp<'a, T>(&'a mut Timers<T>);

impl<T> Drop for TakingUp<'_, T> {
    fn drop(&mut self) {
        let Timers { dropped, inbox, sleep, .. } = &*self.0;
        if !dropped.is_empty() || inbox.as_ref().is_some_and(|inbox| !inbox.is_empty()) {
            sleep.post();
        }
    }
}
