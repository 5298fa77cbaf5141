//! [`TimerWheel`]: entries by handle over the slots of the levels. Pure ticks; no clock, no I/O.
//!
//! Who knows what:
//!
//! ```text
//!            TimerWheel            contract: handles, two phases, total order
//!           /    |     \
//!      Store  Filing    Due        entries by number · records by slot · collected, in order
//!      /   \   /  |   \
//!   Free    | Slot | Occupancy     free numbers · records, the last nine in the slot · a bit per slot
//!           |    Ahead · Pace      what comes next on each level, sorted ahead of time · how fast
//!        Segments                  grow without copying
//! ```

mod advance;
mod arm;
mod batch;
mod check;
mod expire;
mod next;
mod sweep;

use core::fmt;

use crate::due::Due;
use crate::filing::Filing;
use crate::full::Full;
use crate::handle::{TimerHandle, WheelId};
use crate::hint::seldom;
use crate::interval::Interval;
use crate::store::{Armed, Kind, Store};

/// A hierarchical timer wheel: entries of `T` by deadline, in ticks, each known by a handle.
///
/// The caller passes the time in with [`advance`](Self::advance), takes what is due out with
/// [`pop_expired`](Self::pop_expired), and asks how long it may sleep with
/// [`next_wakeup`](Self::next_wakeup). What a tick is, is the caller's affair; for real time see
/// `Timers`.
///
/// `BITS` sets the slots of a level, 2<sup>`BITS`</sup> from 2 to 256, and with it the number of
/// levels that cover all of `u64`. The default of 256 slots on 8 levels is the right one; small
/// levels serve tests, which reach every cascade within few ticks.
///
/// ```
/// use timerwheel::TimerWheel;
///
/// let mut wheel = TimerWheel::new(0);
/// let tea = wheel.insert(180, "tea");
/// wheel.insert(60, "egg");
/// assert_eq!(wheel.next_wakeup(), Some(60));
///
/// wheel.advance(60);
/// assert_eq!(wheel.pop_expired().map(|expired| expired.value), Some("egg"));
/// assert!(wheel.pop_expired().is_none());
/// assert!(wheel.reschedule(tea, 240));
/// assert_eq!(wheel.cancel(tea), Some("tea"));
/// assert_eq!(wheel.next_wakeup(), None);
/// ```
pub struct TimerWheel<T, const BITS: u32 = 8> {
    id: WheelId,
    now: u64,
    /// Counts the armings: the order among equal deadlines.
    armings: u64,
    store: Store<T>,
    filing: Filing<BITS>,
    due: Due,
    /// How to copy the value of an interval; known once there has been one, so that a wheel of
    /// one-shots takes values that cannot be copied.
    clone: Option<fn(&T) -> T>,
    sweep: sweep::Sweep,
    /// Intervals due before this tick do not make up for what they missed.
    skip_before: u64,
    /// How far into the tick `now` the time is, in 2^-32 of it; 0 when ticks are all there is.
    part: u32,
    limit: usize,
    /// Entries filed nearer to their deadline by `advance`.
    cascaded: u64,
}

/// An entry that is due, handed out by [`TimerWheel::pop_expired`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "an expiry that is dropped is a timer that never fired"]
pub struct Expired<T> {
    /// The handle it was armed under. Stale for a one-shot; for an interval, already armed again.
    pub handle: TimerHandle,
    /// The value; for an interval, a clone of it.
    pub value: T,
    /// The tick it was armed for.
    pub deadline: u64,
    /// Ticks from the deadline to the `advance` that last moved the wheel.
    pub late: u64,
    /// Ticks of the interval that passed after `deadline` and are left out; 0 for a one-shot and
    /// for [`Burst`](crate::MissedTicks::Burst), which leaves none out.
    pub missed: u64,
}

impl<T> TimerWheel<T> {
    /// An empty wheel that stands at tick `now`. Allocates nothing.
    pub fn new(now: u64) -> Self {
        Self::with_levels(now)
    }
}

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// [`new`](TimerWheel::new) for levels of any width.
    pub fn with_levels(now: u64) -> Self {
        Self {
            id: WheelId::next(),
            now,
            armings: 0,
            store: Store::new(),
            filing: Filing::new(now),
            due: Due::new(),
            clone: None,
            sweep: sweep::Sweep::new::<BITS>(),
            skip_before: 0,
            part: 0,
            limit: usize::MAX,
            cascaded: 0,
        }
    }

    // Inputs.

    /// Arms a one-shot for the tick `deadline`. O(1).
    ///
    /// A deadline that is not after [`now`](Self::now) is taken as it is, and is due at the next
    /// [`advance`](Self::advance), whatever tick that is for.
    ///
    /// # Panics
    ///
    /// When the wheel holds 2<sup>32</sup> − 1024 timers.
    #[inline(always)]
    #[allow(clippy::inline_always)] // a call would pass what it hands over through memory, and save registers
    pub fn insert(&mut self, deadline: u64, value: T) -> TimerHandle {
        self.arm_once(deadline, value)
    }

    /// [`insert`](Self::insert) that respects the [limit](Self::set_limit).
    ///
    /// # Errors
    ///
    /// The value comes back if as many timers are armed as may be.
    pub fn try_insert(&mut self, deadline: u64, value: T) -> Result<TimerHandle, Full<T>> {
        if self.len() >= self.limit {
            Err(Full { value })
        } else {
            Ok(self.insert(deadline, value))
        }
    }

    /// How many timers [`try_insert`](Self::try_insert) arms at most, the others included; without
    /// limit at first.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Arms an interval. O(1). It stays armed under one handle until it is cancelled.
    ///
    /// Each expiry hands out a clone of `value`.
    ///
    /// # Panics
    ///
    /// When the wheel holds 2<sup>32</sup> − 1024 timers.
    pub fn insert_interval(&mut self, interval: Interval, value: T) -> TimerHandle
    where
        T: Clone,
    {
        self.clone = Some(T::clone);
        let handle = self.arm(interval.first, value, Kind::Interval);
        self.store.set_rhythm(handle.index(), interval.rhythm);
        handle
    }

    /// Moves a timer to another deadline under the same handle. O(1), and one store if that is
    /// later. False if the handle is stale.
    ///
    /// The timer counts as armed now: among equal deadlines it comes last. One that is due but not
    /// handed out yet is no longer due. An interval goes on from its new deadline with its period.
    #[inline]
    pub fn reschedule(&mut self, handle: TimerHandle, deadline: u64) -> bool {
        // Later: the record stays where it is, and whoever empties that slot files it anew.
        if let Some(entry) = self.store.armed_mut(self.id.index_of(handle))
            && entry.at.may_stay()
            && entry.generation == handle.generation
            && deadline >= entry.deadline
        {
            entry.deadline = deadline;
            entry.armed = self.armings;
            self.armings += 1;
            return true;
        }
        self.refile(handle, deadline)
    }

    /// Takes a timer out and hands its value back, at once. O(1). `None` if the handle is stale.
    #[inline]
    pub fn cancel(&mut self, handle: TimerHandle) -> Option<T> {
        // What is rare is left to calls in tail position, so that the rest calls and saves nothing.
        if self.spend_credit() || self.store.free_is_full() {
            return self.cancel_after_upkeep(handle);
        }
        let is_meant = |entry: &Armed<T>| entry.generation == handle.generation;
        let is_filed = |entry: &Armed<T>| is_meant(entry) && !entry.at.is_due();
        let Some(entry) = self.store.remove_if(self.id.index_of(handle), is_filed) else {
            return self.cancel_due(handle);
        };
        Some(entry.value)
    }

    /// Moves the time on to `now` and collects what is due: everything armed so far with a
    /// deadline up to `now`.
    ///
    /// Costs the entries moved, never the ticks elapsed; if there is nothing to move, one comparison
    /// says so. A `now` before the last one is taken as the last one.
    ///
    /// Only this makes entries due. What is armed afterwards waits for the next call, even with a
    /// deadline in the past, so a consumer that arms again with no delay cannot keep its own loop
    /// from ending.
    #[inline]
    pub fn advance(&mut self, now: u64) {
        if now < self.filing.next_event() {
            // A branch that is guessed, and not the larger one: that would have each call wait for the last.
            if now > self.now {
                self.now = now;
            }
            return;
        }
        seldom();
        let now = now.max(self.now);
        if self.filing.passes_a_slot(now) {
            self.collect(now);
        } else {
            self.collect_bottom(now);
        }
    }

    /// [`advance`](Self::advance) for a time that is `part` / 2<sup>32</sup> of a tick into `now`:
    /// where the phase of a delayed interval begins.
    #[cfg(feature = "std")]
    pub(crate) fn advance_within(&mut self, now: u64, part: u32) {
        if now > self.now {
            self.part = part;
        } else if now == self.now {
            self.part = self.part.max(part);
        }
        self.advance(now);
    }

    /// Hands out the next entry that is due, by deadline and, among equal ones, in the order of
    /// arming. O(1).
    ///
    /// An interval is armed again before it is handed out, so the consumer may cancel or
    /// reschedule it by its handle.
    ///
    /// ```
    /// use timerwheel::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// for (deadline, value) in [(7, 'c'), (3, 'a'), (3, 'b')] {
    ///     wheel.insert(deadline, value);
    /// }
    /// wheel.advance(10);
    /// let order: String = std::iter::from_fn(|| wheel.pop_expired()).map(|due| due.value).collect();
    /// assert_eq!(order, "abc");
    /// ```
    #[inline(always)]
    #[allow(clippy::inline_always)] // a call would pass what it hands over through memory, and save registers
    pub fn pop_expired(&mut self) -> Option<Expired<T>> {
        self.pop_due()
    }

    /// Lets intervals leave out what they missed before `tick`, as if all were
    /// [`Skip`](crate::MissedTicks::Skip): for a clock that has jumped, where making up for an
    /// hour of ticks would help nobody.
    pub fn skip_missed_before(&mut self, tick: u64) {
        self.skip_before = self.skip_before.max(tick);
    }

    /// Takes all entries out, and drops them. Handles from before are stale.
    pub fn clear(&mut self) {
        drop(self.take_all());
    }

    /// Takes all entries out and hands them over in the order of expiry, each with the handle and
    /// the deadline it had. O(n log n).
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (TimerHandle, u64, T)> + use<T, BITS> {
        let wheel = self.id;
        let mut entries = self.take_all().into_entries();
        entries.sort_unstable_by_key(|(_, entry)| (entry.deadline, entry.armed));
        entries.into_iter().map(move |(index, entry)| {
            (wheel.handle(index, entry.generation), entry.deadline, entry.value)
        })
    }

    /// Makes room for `additional` more timers. Growing never moves what is there, so this only
    /// takes the allocation out of later inserts.
    ///
    /// # Panics
    ///
    /// When that would be more than 2<sup>32</sup> − 1024.
    pub fn reserve(&mut self, additional: usize) {
        self.store.reserve(additional);
    }

    /// Gives back what memory can be given back: free places at the end, and all slots of records.
    /// O(n).
    pub fn shrink_to_fit(&mut self) {
        if self.is_empty() && self.capacity() > 0 {
            // Under another number, all handles there are stay stale, and no place has to count on.
            self.id = WheelId::next();
            self.store = Store::new();
        }
        let mut filing = self.filing.renewed(self.now);
        for (index, entry) in self.store.iter_mut() {
            if !entry.at.is_due() {
                entry.at = entry.at.moved(filing.file(self.now, entry.deadline, index));
            }
        }
        self.filing = filing;
        self.store.shrink_to_fit();
    }

    // Observers.

    /// The tick of the last [`advance`](Self::advance).
    #[inline]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Timers armed, those that are due and not handed out included.
    #[inline]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether nothing is armed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries that are due and not handed out.
    #[inline]
    pub fn due_len(&self) -> usize {
        self.due.len()
    }

    /// How often `advance` has filed an entry anew, nearer to its deadline: the price of the levels.
    pub fn cascaded(&self) -> u64 {
        self.cascaded
    }

    /// Timers there is room for without allocating places.
    pub fn capacity(&self) -> usize {
        self.store.capacity()
    }

    /// Whether the timer is still armed, or due and not handed out.
    #[inline]
    pub fn contains(&self, handle: TimerHandle) -> bool {
        self.locate(handle).is_some()
    }

    /// The value of a timer.
    pub fn get(&self, handle: TimerHandle) -> Option<&T> {
        self.locate(handle).map(|entry| &entry.value)
    }

    /// The value of a timer, to change it in place.
    pub fn get_mut(&mut self, handle: TimerHandle) -> Option<&mut T> {
        self.locate_mut(handle).map(|entry| &mut entry.value)
    }

    /// The deadline of a timer; of an interval, its next one.
    pub fn deadline_of(&self, handle: TimerHandle) -> Option<u64> {
        self.locate(handle).map(|entry| entry.deadline)
    }

    /// All timers with handle, deadline and value, in no particular order. O(capacity).
    pub fn iter(&self) -> impl Iterator<Item = (TimerHandle, u64, &T)> {
        self.store.iter().map(|(index, entry)| {
            (self.id.handle(index, entry.generation), entry.deadline, &entry.value)
        })
    }

    /// The work done so far, in entries: how often one was taken out of a slot, or of the few that are sorted
    /// beside them, to be due or to be filed anew, those included that were cancelled meanwhile. What [`advance`](Self::advance)
    /// costs is what it adds to this.
    pub fn moved(&self) -> u64 {
        self.filing.moved()
    }

    /// Heap bytes that the wheel holds, values included, what those own not.
    pub fn heap_bytes(&self) -> usize {
        self.store.heap_bytes() + self.filing.heap_bytes() + self.due.heap_bytes()
    }

    // Private.

    #[inline]
    fn locate(&self, handle: TimerHandle) -> Option<&Armed<T>> {
        let entry = self.store.armed(self.id.index_of(handle))?;
        (entry.generation == handle.generation).then_some(entry)
    }

    #[inline]
    fn locate_mut(&mut self, handle: TimerHandle) -> Option<&mut Armed<T>> {
        let entry = self.store.armed_mut(self.id.index_of(handle))?;
        (entry.generation == handle.generation).then_some(entry)
    }

    /// Says how far before its tick the deadline of an interval lies; see
    /// [`Interval::phase`](crate::Interval::phase).
    #[cfg(feature = "std")]
    pub(crate) fn set_phase(&mut self, handle: TimerHandle, phase: u32) {
        if self.locate(handle).is_some_and(|entry| entry.at.is_interval())
            && let Some(rhythm) = self.store.rhythm_mut(handle.index())
        {
            rhythm.restart(phase);
        }
    }

    /// Leaves an empty wheel behind, of another identity, so that old handles are stale without
    /// touching a single place.
    fn take_all(&mut self) -> Store<T> {
        let mut empty = Self::with_levels(self.now);
        empty.armings = self.armings;
        empty.skip_before = self.skip_before;
        empty.part = self.part;
        empty.limit = self.limit;
        empty.filing = self.filing.renewed(self.now);
        empty.cascaded = self.cascaded;
        core::mem::replace(self, empty).store
    }
}

impl<T: fmt::Debug, const BITS: u32> fmt::Debug for TimerWheel<T, BITS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel")
            .field("now", &self.now)
            .field("len", &self.len())
            .field("next_wakeup", &self.next_wakeup())
            .finish_non_exhaustive()
    }
}
