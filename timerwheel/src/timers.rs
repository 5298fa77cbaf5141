//! [`Timers`]: the wheel in `Instant` and `Duration`, with what an event loop needs around it.

mod item;
mod jump;
mod observe;
mod places;
mod remotely;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};

pub use item::TimerOptions;
pub use jump::{JumpPolicy, Jumps};
pub use observe::Counters;
pub use places::SlotPlace;

use crate::clock::{self, Clock, Resolution};
use crate::guard::TimerGuard;
use crate::handle::TimerHandle;
use crate::interval::{Interval, MissedTicks, ZeroPeriod};
use crate::remote::{Inbox, Returns, Sleep};
use crate::wheel::TimerWheel;
use item::{Held, Item};
use observe::Coalesced;

/// Timers in real time, for an event loop. Reads no clock: `now` is passed in.
///
/// ```
/// use std::time::{Duration, Instant};
/// use timerwheel::{MissedTicks, Period, Timers};
///
/// let mut now = Instant::now();
/// let mut timers = Timers::new(now);
/// let beat = Period::new(Duration::from_secs(1))?;
/// timers.insert_interval(now + beat.duration(), beat, MissedTicks::Skip, "beat");
/// let job = timers.insert(now + Duration::from_millis(20), "job");
///
/// // The turn of a loop: sleep at most so long, then hand out what is due.
/// let sleep = timers.timeout(now).expect("something is armed");
/// assert!(sleep >= Duration::from_millis(20) && sleep < Duration::from_millis(23));
/// now += sleep;
/// timers.advance(now);
/// let expiry = timers.pop_expired().unwrap();
/// assert_eq!((expiry.value, expiry.handle), ("job", job));
/// assert!(timers.pop_expired().is_none());
/// # Ok::<(), timerwheel::ZeroPeriod>(())
/// ```
pub struct Timers<T> {
    wheel: TimerWheel<Item<T>>,
    clock: Clock,
    now: Instant,
    /// The same, as the clock counts.
    nanos: u64,
    /// Timers that keep the loop alive.
    holding: usize,
    /// Handles of dropped guards and cancelled remote timers.
    dropped: Receiver<TimerHandle>,
    returns: Returns,
    inbox: Option<Inbox<T>>,
    inbox_limit: usize,
    sleep: Arc<Sleep>,
    /// The tick that the loop sleeps to, as the last timeout told it; 0 while it is awake. Unlike
    /// what `sleep` says, it does not become earlier by what is armed meanwhile.
    sleeps_to: u64,
    jumps: Option<Jumps>,
    coalesced: Coalesced,
    counters: Counters,
    #[cfg(feature = "audit")]
    pub(crate) lateness: crate::audit::Histogram,
}

/// A timer that is due, handed out by [`Timers::pop_expired`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "an expiry that is dropped is a timer that never fired"]
pub struct Expiry<T> {
    /// The handle it was armed under. Stale for a one-shot; for an interval, already armed again.
    pub handle: TimerHandle,
    /// The value; for an interval, a clone of it.
    pub value: T,
    /// Time from the tick it was armed for to the `now` of the last [`advance`](Timers::advance).
    pub late: Duration,
    /// Ticks of the interval that passed since and are left out; 0 for a one-shot.
    pub missed: u64,
}

/// How long an interval waits between two ticks: anything but zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Period(Duration);

impl Period {
    /// A period of that length.
    ///
    /// # Errors
    ///
    /// [`ZeroPeriod`] if it is zero: such an interval would be due for ever.
    pub const fn new(period: Duration) -> Result<Self, ZeroPeriod> {
        if period.is_zero() { Err(ZeroPeriod) } else { Ok(Self(period)) }
    }

    /// Its length.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl<T> Timers<T> {
    /// No timers yet, and ticks of about 1 ms counted from `now`.
    pub fn new(now: Instant) -> Self {
        Self::with_resolution(Resolution::default(), now)
    }

    /// [`new`](Self::new) with ticks of another length.
    pub fn with_resolution(resolution: Resolution, now: Instant) -> Self {
        let (sender, dropped) = unbounded();
        let sleep = Arc::new(Sleep::new(now));
        Self {
            wheel: TimerWheel::new(0),
            clock: Clock::new(now, resolution),
            now,
            nanos: 0,
            holding: 0,
            dropped,
            returns: Returns::new(sender, Arc::clone(&sleep)),
            inbox: None,
            inbox_limit: 1024,
            sleep,
            sleeps_to: 0,
            jumps: None,
            coalesced: Coalesced::default(),
            counters: Counters::default(),
            #[cfg(feature = "audit")]
            lateness: crate::audit::Histogram::default(),
        }
    }

    // Inputs.

    /// Arms a one-shot: due at the first [`advance`](Self::advance) at or after `deadline`, never
    /// before. O(1).
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn insert(&mut self, deadline: Instant, value: T) -> TimerHandle {
        let tick = self.clock.deadline(deadline);
        self.arm(tick, TimerOptions::new(), value)
    }

    /// Arms a one-shot `delay` after `now`. Any delay will do, `Duration::MAX` included. O(1).
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn insert_after(&mut self, delay: Duration, value: T, now: Instant) -> TimerHandle {
        let tick = self.clock.deadline_after(delay, now);
        self.arm(tick, TimerOptions::new(), value)
    }

    /// [`insert`](Self::insert) with slack, or without keeping the loop alive.
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn insert_with(
        &mut self,
        deadline: Instant,
        options: TimerOptions,
        value: T,
    ) -> TimerHandle {
        let tick = self.clock.deadline(deadline);
        self.arm(tick, options, value)
    }

    /// Arms an interval that first ticks at `first`, and then every `period` without drift, until
    /// it is cancelled. O(1).
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn insert_interval(
        &mut self,
        first: Instant,
        period: Period,
        missed: MissedTicks,
        value: T,
    ) -> TimerHandle
    where
        T: Clone,
    {
        let (ticks, fraction) = self.clock.split(period.0);
        let tick = self.clock.deadline(first);
        // A period shorter than a tick ticks with every tick.
        let (ticks, fraction) = if ticks == 0 { (1, 0) } else { (ticks, fraction) };
        let Ok(interval) = Interval::new(tick, ticks) else { unreachable!("at least one tick") };
        let interval = interval.missed(missed).fraction(fraction).phase(self.clock.phase(first));
        self.settle();
        let item = Item::new(Held::Here(value), tick, TimerOptions::new(), self.now);
        self.holding += 1;
        self.counters.armed += 1;
        self.wheel.insert_interval(interval, item)
    }

    /// Moves a timer to another deadline under the same handle. False if it is stale. O(1).
    /// Slack it was armed with does not apply to the new deadline.
    pub fn reschedule(&mut self, handle: TimerHandle, deadline: Instant) -> bool {
        self.settle();
        self.move_to(handle, deadline)
    }

    /// Takes a timer out; its value, or `None` if the handle is stale. O(1).
    ///
    /// A timer armed by a [`Remote`](crate::Remote) is cancelled likewise, unless its
    /// [`RemoteTimer`](crate::RemoteTimer) was faster.
    pub fn cancel(&mut self, handle: TimerHandle) -> Option<T> {
        self.settle();
        self.remove(handle)
    }

    /// A guard that cancels the timer when it is dropped.
    pub fn guard(&self, handle: TimerHandle) -> TimerGuard {
        TimerGuard::new(handle, self.returns.clone())
    }

    /// Whether a timer keeps the loop alive; false if the handle is stale. Timers do by default.
    /// See [`keeps_alive`](Self::keeps_alive).
    pub fn set_ref(&mut self, handle: TimerHandle, keeps_alive: bool) -> bool {
        self.settle();
        let Some(item) = self.wheel.get_mut(handle) else { return false };
        let before = core::mem::replace(&mut item.keeps_alive, keeps_alive);
        self.holding = self.holding + usize::from(keeps_alive) - usize::from(before);
        true
    }

    /// What is done when the clock has jumped ahead. By default nothing: all that is due fires.
    pub fn set_jumps(&mut self, jumps: Option<Jumps>) {
        self.jumps = jumps;
    }

    /// Moves the time on to `now` and collects what is due. Costs what is due or moved, never the
    /// time elapsed; see [`TimerWheel::advance`].
    pub fn advance(&mut self, now: Instant) {
        self.settle();
        self.notice_jump(now);
        self.sleep.end();
        self.sleeps_to = 0;
        self.now = self.now.max(now);
        self.nanos = self.clock.nanos_to(self.now);
        let (tick, part) = self.clock.now_within(self.now, self.nanos);
        self.wheel.advance_within(tick, part);
        let idle = self.wheel.due_len() == 0;
        self.counters.advances += 1;
        self.counters.idle_advances += u64::from(idle);
    }

    /// Hands out the next timer that is due, by deadline and, among equal ones, in the order of
    /// arming. O(1).
    pub fn pop_expired(&mut self) -> Option<Expiry<T>> {
        self.settle();
        loop {
            let expired = self.wheel.pop_expired()?;
            let handle = expired.handle;
            let once = !self.wheel.contains(handle);
            self.holding -= usize::from(once && expired.value.keeps_alive);
            // A remote canceller that was faster has the value.
            let Some(value) = expired.value.held.take() else {
                self.counters.cancelled += 1;
                continue;
            };
            let due = self.clock.instant(expired.deadline);
            let late = due.map_or(Duration::ZERO, |due| self.now.saturating_duration_since(due));
            self.counters.fired += 1;
            // An interval has no slack: each tick is the one that was asked for.
            let asked = if once { expired.value.asked } else { expired.deadline };
            self.coalesced.expired(expired.deadline, asked);
            #[cfg(feature = "audit")]
            self.note_expiry(handle, late);
            return Some(Expiry { handle, value, late, missed: expired.missed });
        }
    }

    /// How long the loop may sleep: `None` if nothing is armed, zero if something is due. Call it
    /// right before sleeping, with the time of then; one before the last of
    /// [`advance`](Self::advance) is taken as that. O(1).
    ///
    /// In whole milliseconds, rounded up, because pollers count so: rounded down, a loop would
    /// spin through the last fraction of every wait. At most `i32::MAX` ms, what `epoll_wait`
    /// takes. It may be short of the deadline if many of the earliest timers were cancelled or
    /// moved: then nothing is due, and the next timeout is longer.
    #[must_use = "the loop has to wake up by then"]
    pub fn timeout(&mut self, now: Instant) -> Option<Duration> {
        for _ in 0..2 {
            self.settle();
            self.wheel.refine_wakeup();
            let wakeup = self.wheel.next_wakeup();
            let until = wakeup.map(|tick| self.clock.nanos_to_tick(tick));
            self.sleep.begin(until.unwrap_or(u64::MAX));
            // What came in before the store above saw a loop that was awake.
            if self.sleep.has_mail() {
                continue;
            }
            self.sleeps_to = wakeup.unwrap_or(u64::MAX);
            // What is due by the last `now` is due by an older one too.
            let nanos = if now <= self.now { self.nanos } else { self.clock.nanos_to(now) };
            return Some(match until? {
                u64::MAX => self.timeout_for_far(wakeup?, now),
                until => whole_millis(until.saturating_sub(nanos)),
            });
        }
        // Other threads send faster than this one takes up: no sleep, but a turn of the loop.
        self.sleep.end();
        Some(Duration::ZERO)
    }

    /// Cancels everything; values are dropped, handles go stale.
    pub fn clear(&mut self) {
        self.settle();
        self.counters.cancelled += self.wheel.len() as u64;
        self.holding = 0;
        // The other threads hold these too: out of their reach first, dropped last.
        let shared = self.take_shared();
        self.wheel.clear();
        drop(shared);
    }

    // Private.

    /// For a tick that begins centuries after the first.
    #[cold]
    fn timeout_for_far(&self, tick: u64, now: Instant) -> Duration {
        let now = now.max(self.now);
        let left = self.clock.instant(tick).map(|until| until.saturating_duration_since(now));
        let nanos = left.and_then(|left| u64::try_from(left.as_nanos()).ok());
        nanos.map_or(LONGEST_TIMEOUT, whole_millis)
    }

    #[cfg_attr(feature = "audit", track_caller)]
    fn arm(&mut self, tick: u64, options: TimerOptions, value: T) -> TimerHandle {
        self.settle();
        let item = Item::new(Held::Here(value), tick, options, self.now);
        self.arm_item(options.slack, item)
    }

    fn arm_item(&mut self, slack: Duration, item: Item<T>) -> TimerHandle {
        self.holding += usize::from(item.keeps_alive);
        self.counters.armed += 1;
        let latest = item.asked.saturating_add(self.clock.ticks_within(slack));
        self.wheel.insert(clock::coalesce(item.asked, latest), item)
    }

    fn remove(&mut self, handle: TimerHandle) -> Option<T> {
        let item = self.wheel.cancel(handle)?;
        self.holding -= usize::from(item.keeps_alive);
        self.counters.cancelled += 1;
        item.held.take()
    }

    fn move_to(&mut self, handle: TimerHandle, deadline: Instant) -> bool {
        let tick = self.clock.deadline(deadline);
        let earlier = self.wheel.deadline_of(handle).is_some_and(|before| tick < before);
        let Some(item) = self.wheel.get_mut(handle) else { return false };
        item.asked = tick;
        #[cfg(feature = "audit")]
        item.record.rearmed(self.now);
        self.counters.moved(earlier);
        self.wheel.reschedule(handle, tick);
        self.wheel.set_phase(handle, self.clock.phase(deadline));
        true
    }

    #[cfg(feature = "audit")]
    pub(crate) fn record(&self, handle: TimerHandle) -> Option<&crate::audit::Record> {
        self.wheel.get(handle).map(|item| &item.record)
    }

    #[cfg(feature = "audit")]
    pub(crate) fn records(&self) -> impl Iterator<Item = (TimerHandle, &crate::audit::Record)> {
        self.wheel.iter().map(|(handle, _, item)| (handle, &item.record))
    }

    #[cfg(feature = "audit")]
    fn note_expiry(&mut self, handle: TimerHandle, late: Duration) {
        self.lateness.note(late);
        if let Some(item) = self.wheel.get_mut(handle) {
            item.record.fired(late);
        }
    }

    /// Takes up what guards and remotes have sent. At the start of every call that changes
    /// anything, so that what they left behind is never seen.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.sleep.has_mail() {
            self.take_up_mail();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Timers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("wheel", &self.wheel).finish_non_exhaustive()
    }
}

/// What `epoll_wait` takes at most.
const LONGEST_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

fn whole_millis(nanos: u64) -> Duration {
    Duration::from_millis(nanos.div_ceil(1_000_000)).min(LONGEST_TIMEOUT)
}
