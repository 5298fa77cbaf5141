//! Timers that all have the same delay: a queue, because who is armed first is due first.
//!
//! The idle timeout of a thousand connections is one duration. In a wheel each of them is filed by
//! its deadline; here it goes to the back of a list, and the list is in order by itself.

use alloc::vec::Vec;
use core::fmt;

use crate::handle::{TimerHandle, WheelId};
use crate::slot::Tag;
use crate::store::{Armed, At, Entry, Kind, Store, Vacancy};
use crate::wheel::Expired;

/// One-shots of one delay, in ticks: whatever is done with one of them is O(1), and so is the exact next
/// deadline. Each takes 41 bytes if its value is a word.
///
/// It keeps the promises of [`TimerWheel`](crate::TimerWheel) that concern one-shots: exact, in the
/// order of arming, in two phases, by handles that can go stale but never wrong, with values that
/// are dropped at once, and without garbage of any kind.
///
/// Arming, cancelling and firing take it less time than the wheel, firing a third of it where timers are
/// many. Refreshing takes twice the wheel's, which leaves a timer that moves to a later deadline where it
/// is; here it goes to the back.
///
/// ```
/// use timerwheel::SameDelay;
///
/// let mut idle = SameDelay::new(5, 0);
/// let a = idle.insert("a");
/// idle.advance(3);
/// idle.insert("b");
/// assert_eq!(idle.next_deadline(), Some(5));
/// assert!(idle.refresh(a), "it is not idle after all: five ticks from now");
/// assert_eq!(idle.next_deadline(), Some(8));
/// idle.advance(8);
/// assert_eq!(idle.pop_expired().map(|expired| expired.value), Some("b"));
/// assert_eq!(idle.pop_expired().map(|expired| expired.value), Some("a"));
/// ```
pub struct SameDelay<T> {
    id: WheelId,
    delay: u64,
    now: u64,
    armings: u64,
    /// Armings before this one can be due: what was armed since waits for the next `advance`.
    collected: u64,
    store: Store<Linked<T>>,
    /// The first and the last of the list.
    head: u32,
    tail: u32,
    /// When the first one is due; the end of time, if there is none. All that is looked at while nothing is.
    next: u64,
}

/// A value in the order of arming.
#[derive(Debug)]
struct Linked<T> {
    previous: u32,
    next: u32,
    value: T,
}

/// Where all entries are.
const IN_THE_LIST: Tag = Tag::of(0);

/// No place.
const NIL: u32 = u32::MAX;

impl<T> SameDelay<T> {
    /// An empty queue that stands at tick `now`, for timers of `delay` ticks. Allocates nothing.
    pub fn new(delay: u64, now: u64) -> Self {
        Self {
            id: WheelId::next(),
            delay,
            now,
            armings: 0,
            collected: 0,
            store: Store::new(),
            head: NIL,
            tail: NIL,
            next: u64::MAX,
        }
    }

    // Inputs.

    /// Arms a timer: due a delay after the tick of the last [`advance`](Self::advance).
    ///
    /// # Panics
    ///
    /// When 2<sup>32</sup> − 1024 timers are armed.
    #[inline]
    pub fn insert(&mut self, value: T) -> TimerHandle {
        let deadline = self.now.saturating_add(self.delay);
        if let Some(Vacancy { index, entry }) = self.store.vacancy()
            && let Entry::Vacant { generation } = *entry
        {
            let value = Linked { previous: self.tail, next: NIL, value };
            let (armed, at) = (self.armings, At::filed(Kind::Once, IN_THE_LIST));
            *entry = Entry::Armed(Armed { deadline, armed, value, generation, at });
            self.store.filled();
            self.comes_last(index, deadline);
            return self.id.handle(index, generation);
        }
        self.insert_growing(value)
    }

    /// [`insert`](Self::insert) when there is no room.
    #[cold]
    #[inline(never)]
    fn insert_growing(&mut self, value: T) -> TimerHandle {
        self.store.make_room();
        assert!(self.store.vacancy().is_some(), "room has been made");
        self.insert(value)
    }

    /// Arms a timer anew, a whole delay from now, under the same handle. False if that is stale.
    #[inline]
    pub fn refresh(&mut self, handle: TimerHandle) -> bool {
        let (deadline, tail) = (self.now.saturating_add(self.delay), self.tail);
        let entry = self.store.armed_mut(self.id.index_of(handle));
        let Some(entry) = entry.filter(|entry| entry.generation == handle.generation) else {
            return false;
        };
        (entry.deadline, entry.armed) = (deadline, self.armings);
        if tail == handle.index() {
            self.armings += 1;
            self.next = if self.head == tail { deadline } else { self.next };
            return true;
        }
        let Linked { previous, next, .. } = entry.value;
        (entry.value.previous, entry.value.next) = (tail, NIL);
        self.unlink(previous, next);
        self.comes_last(handle.index(), deadline);
        true
    }

    /// Takes a timer out and hands its value back, at once. `None` if the handle is stale.
    #[inline]
    pub fn cancel(&mut self, handle: TimerHandle) -> Option<T> {
        if self.store.free_is_full() {
            return self.cancel_growing(handle);
        }
        let is_meant = |entry: &Armed<_>| entry.generation == handle.generation;
        Some(self.remove_if(self.id.index_of(handle), is_meant)?.value.value)
    }

    /// [`cancel`](Self::cancel) when there is no room for the number that becomes free.
    #[cold]
    #[inline(never)]
    fn cancel_growing(&mut self, handle: TimerHandle) -> Option<T> {
        self.store.reserve_free();
        self.cancel(handle)
    }

    /// Moves the time on. A `now` before the last one is taken as the last one.
    ///
    /// Only this makes timers due: what is armed afterwards waits for the next call, even with no delay.
    #[inline]
    pub fn advance(&mut self, now: u64) {
        self.collected = self.armings;
        // A branch that is guessed, and not the larger one: that would have each call wait for the last.
        if now > self.now {
            self.now = now;
        }
    }

    /// Hands out the next timer that is due, in the order of arming.
    #[inline]
    pub fn pop_expired(&mut self) -> Option<Expired<T>> {
        if self.next > self.now {
            return None;
        }
        if self.store.free_is_full() {
            self.store.reserve_free();
        }
        let (head, collected) = (self.head, self.collected);
        let entry = self.remove_if(head, |entry| entry.armed < collected)?;
        let Armed { value: Linked { value, .. }, generation, deadline, .. } = entry;
        let handle = self.id.handle(head, generation);
        Some(Expired { handle, value, deadline, late: self.now - deadline, missed: 0 })
    }

    /// Takes all timers out, and drops them. Handles from before are stale, and all memory is given back.
    pub fn clear(&mut self) {
        *self = Self::new(self.delay, self.now);
    }

    /// Takes all timers out and hands them over in the order of expiry, each with the handle and
    /// the deadline it had. O(n).
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (TimerHandle, u64, T)> + use<T> {
        let mut all = core::mem::replace(self, Self::new(self.delay, self.now));
        let mut timers = Vec::with_capacity(all.len());
        while let Some(head) = all.store.armed(all.head) {
            let handle = all.id.handle(all.head, head.generation);
            let deadline = head.deadline;
            timers.extend(all.cancel(handle).map(|value| (handle, deadline, value)));
        }
        timers.into_iter()
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

    /// Gives back what memory can be given back: free places at the end. O(n).
    pub fn shrink_to_fit(&mut self) {
        if self.is_empty() {
            self.clear();
        } else {
            self.store.shrink_to_fit();
        }
    }

    // Observers.

    /// The delay of all its timers, in ticks.
    pub fn delay(&self) -> u64 {
        self.delay
    }

    /// The tick of the last [`advance`](Self::advance).
    #[inline]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The earliest deadline, exactly. `None` if nothing is armed.
    #[inline]
    pub fn next_deadline(&self) -> Option<u64> {
        (self.head != NIL).then_some(self.next)
    }

    /// The deadline of a timer.
    pub fn deadline_of(&self, handle: TimerHandle) -> Option<u64> {
        self.locate(handle).map(|entry| entry.deadline)
    }

    /// The value of a timer.
    pub fn get(&self, handle: TimerHandle) -> Option<&T> {
        self.locate(handle).map(|entry| &entry.value.value)
    }

    /// The value of a timer, to change it in place.
    pub fn get_mut(&mut self, handle: TimerHandle) -> Option<&mut T> {
        let entry = self.store.armed_mut(self.id.index_of(handle))?;
        (entry.generation == handle.generation).then_some(&mut entry.value.value)
    }

    /// Whether the timer is armed.
    pub fn contains(&self, handle: TimerHandle) -> bool {
        self.locate(handle).is_some()
    }

    /// Timers armed.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether nothing is armed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All timers with handle, deadline and value, in the order of expiry.
    pub fn iter(&self) -> impl Iterator<Item = (TimerHandle, u64, &T)> {
        let with_number = |index| Some((index, self.store.armed(index)?));
        let list = core::iter::successors(with_number(self.head), move |(_, entry)| {
            with_number(entry.value.next)
        });
        list.map(|(index, entry)| {
            (self.id.handle(index, entry.generation), entry.deadline, &entry.value.value)
        })
    }

    /// Timers there is room for without allocating places.
    pub fn capacity(&self) -> usize {
        self.store.capacity()
    }

    /// Heap bytes that the queue holds, values included, what those own not.
    pub fn heap_bytes(&self) -> usize {
        self.store.heap_bytes()
    }

    // Private.

    #[inline]
    fn locate(&self, handle: TimerHandle) -> Option<&Armed<Linked<T>>> {
        let entry = self.store.armed(self.id.index_of(handle))?;
        (entry.generation == handle.generation).then_some(entry)
    }

    /// An entry that says what was the last before it is the last now.
    #[inline]
    fn comes_last(&mut self, index: u32, deadline: u64) {
        self.armings += 1;
        let before = core::mem::replace(&mut self.tail, index);
        if let Some(before) = self.store.armed_mut(before) {
            before.value.next = index;
        } else {
            (self.head, self.next) = (index, deadline);
        }
    }

    /// Joins the neighbours of an entry that leaves its place in the list.
    #[inline]
    fn unlink(&mut self, previous: u32, next: u32) {
        let mut behind = u64::MAX;
        if let Some(entry) = self.store.armed_mut(next) {
            entry.value.previous = previous;
            behind = entry.deadline;
        } else {
            self.tail = previous;
        }
        if let Some(before) = self.store.armed_mut(previous) {
            before.value.next = next;
        } else {
            (self.head, self.next) = (next, behind);
        }
    }

    /// Takes an entry out if it is the one that `is_meant`. There is room for its number.
    #[inline]
    fn remove_if(
        &mut self,
        index: impl Into<u64>,
        is_meant: impl FnOnce(&Armed<Linked<T>>) -> bool,
    ) -> Option<Armed<Linked<T>>> {
        let entry = self.store.remove_if(index, is_meant)?;
        self.unlink(entry.value.previous, entry.value.next);
        Some(entry)
    }
}

/// Without the values, and so for all of them.
impl<T> fmt::Debug for SameDelay<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SameDelay")
            .field("delay", &self.delay)
            .field("now", &self.now)
            .field("len", &self.len())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}
