//! What can be asked of [`Timers`](super::Timers).

use std::collections::BTreeSet;

use super::Timers;
use crate::handle::TimerHandle;

/// What has happened so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Timers armed.
    pub armed: u64,
    /// Timers cancelled, by handle, guard, remote or clear.
    pub cancelled: u64,
    /// Expiries handed out.
    pub fired: u64,
    /// Timers moved to an earlier deadline.
    pub rescheduled_earlier: u64,
    /// Timers moved to a later deadline, or to the same one.
    pub rescheduled_later: u64,
    /// Times that an entry of the wheel was filed anew, nearer to its deadline.
    pub cascaded: u64,
    /// Calls of [`advance`](Timers::advance).
    pub advances: u64,
    /// Of those, with nothing due.
    pub idle_advances: u64,
    /// Wake-ups that slack has saved: expiries that share a tick and asked for different ones.
    pub coalesced: u64,
    /// Times `now` went backwards.
    pub backward: u64,
    /// [Jumps](crate::Jumps) of the clock.
    pub jumps: u64,
}

impl<T> Timers<T> {
    /// Timers armed, after dropped guards and the commands of remotes are taken up; that is why it
    /// takes `&mut self`.
    pub fn len(&mut self) -> usize {
        self.settle();
        self.wheel.len()
    }

    /// Whether nothing is armed; see [`len`](Self::len).
    pub fn is_empty(&mut self) -> bool {
        self.len() == 0
    }

    /// Whether anything is armed that keeps the loop alive: a loop whose timers all are
    /// [unref'd](crate::TimerOptions::unref), and that has nothing else to wait for, may end.
    pub fn keeps_alive(&mut self) -> bool {
        self.settle();
        self.holding > 0
    }

    /// Whether the timer is still armed, or due and not handed out.
    pub fn contains(&mut self, handle: TimerHandle) -> bool {
        self.settle();
        self.wheel.contains(handle)
    }

    /// The value of a timer; `None` if the handle is stale, or if the timer was armed by a
    /// [`Remote`](crate::Remote), where the value is shared with another thread.
    pub fn get(&self, handle: TimerHandle) -> Option<&T> {
        self.wheel.get(handle)?.held.here()
    }

    /// The value of a timer, to change it in place; see [`get`](Self::get).
    pub fn get_mut(&mut self, handle: TimerHandle) -> Option<&mut T> {
        self.wheel.get_mut(handle)?.held.here_mut()
    }

    /// When a timer is due; of an interval, its next tick. `None` if the handle is stale, or if
    /// the time is beyond what `Instant` can say.
    pub fn deadline_of(&self, handle: TimerHandle) -> Option<std::time::Instant> {
        self.clock.instant(self.wheel.deadline_of(handle)?)
    }

    /// All timers with handle and value, in no particular order; see [`get`](Self::get) for the
    /// value.
    pub fn iter(&self) -> impl Iterator<Item = (TimerHandle, Option<&T>)> {
        self.wheel.iter().map(|(handle, _, item)| (handle, item.held.here()))
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        let coalesced = self.coalesced.saved;
        Counters { coalesced, cascaded: self.wheel.cascaded(), ..self.counters }
    }

    /// The tick that the last [`advance`](Self::advance) came to.
    pub fn tick(&self) -> u64 {
        self.wheel.now()
    }
}

impl Counters {
    pub(super) fn moved(&mut self, earlier: bool) {
        if earlier {
            self.rescheduled_earlier += 1;
        } else {
            self.rescheduled_later += 1;
        }
    }
}

/// Counts the wake-ups that slack saves: of the expiries of one tick, how many different ticks
/// they had asked for, less one.
#[derive(Clone, Debug, Default)]
pub(super) struct Coalesced {
    tick: u64,
    /// What the first expiry of the tick asked for: all that there is without slack.
    first: Option<u64>,
    /// What others asked for that is different. A tree, because slack of an hour can bring a
    /// million of them together in no order.
    others: BTreeSet<u64>,
    saved: u64,
}

impl Coalesced {
    #[inline]
    pub(super) fn expired(&mut self, tick: u64, asked: u64) {
        if tick != self.tick {
            self.tick = tick;
            self.first = None;
            self.others.clear();
        }
        let first = *self.first.get_or_insert(asked);
        if asked != first {
            self.saved += u64::from(self.others.insert(asked));
        }
    }
}
