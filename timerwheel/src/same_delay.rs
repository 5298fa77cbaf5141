//! Timers that all have the same delay: a queue, because who is armed first is due first.
//!
//! The idle timeout of a thousand connections is one duration. In a wheel each of them is filed by
//! its deadline; here it goes to the back of a list, and the list is in order by itself.

use alloc::vec::Vec;
use core::fmt;

use crate::handle::{Generation, TimerHandle, WheelId};
use crate::wheel::Expired;

/// One-shots of one delay, in ticks: whatever is done with one of them is O(1), and so is the exact next
/// deadline. Each takes 48 bytes if its value is a word. Growing copies, as a `Vec` does: see
/// [`reserve`](Self::reserve).
///
/// It keeps the promises of [`TimerWheel`](crate::TimerWheel) that concern one-shots: exact, in the
/// order of arming, in two phases, by handles that can go stale but never wrong, with values that
/// are dropped at once, and without garbage of any kind.
///
/// Arming, cancelling and firing take it less time than the wheel, firing a quarter of it where timers are
/// many. Refreshing takes up to a quarter longer.
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
    places: Vec<Place<T>>,
    free: Vec<u32>,
    /// The first and the last of the list.
    head: u32,
    tail: u32,
    /// When the first one is due; the end of time, if there is none. All that is looked at while nothing is.
    next: u64,
    len: usize,
}

#[derive(Debug)]
struct Place<T> {
    deadline: u64,
    armed: u64,
    previous: u32,
    next: u32,
    generation: Generation,
    value: Option<T>,
}

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
            places: Vec::new(),
            free: Vec::new(),
            head: NIL,
            tail: NIL,
            next: u64::MAX,
            len: 0,
        }
    }

    // Inputs.

    /// Arms a timer: due a delay after the tick of the last [`advance`](Self::advance).
    ///
    /// # Panics
    ///
    /// When 2<sup>32</sup> − 1 timers are armed.
    #[inline]
    pub fn insert(&mut self, value: T) -> TimerHandle {
        let index = self.free.pop().unwrap_or_else(|| self.add_place());
        self.places[index as usize].value = Some(value);
        self.len += 1;
        self.push_back(index);
        let generation = self.places[index as usize].generation;
        self.id.handle(index, generation)
    }

    /// Arms a timer anew, a whole delay from now, under the same handle. False if that is stale.
    #[inline]
    pub fn refresh(&mut self, handle: TimerHandle) -> bool {
        let Some(index) = self.locate(handle) else { return false };
        self.unlink(index);
        self.push_back(index);
        true
    }

    /// Takes a timer out and hands its value back, at once. `None` if the handle is stale.
    #[inline]
    pub fn cancel(&mut self, handle: TimerHandle) -> Option<T> {
        self.remove(self.locate(handle)?)
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
        let index = self.head;
        let head = self.places.get(index as usize)?;
        if head.armed >= self.collected {
            return None;
        }
        let (handle, deadline) = (self.id.handle(index, head.generation), head.deadline);
        let value = self.remove(index)?;
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
        while let Some(head) = all.places.get(all.head as usize) {
            let (handle, deadline) = (all.id.handle(all.head, head.generation), head.deadline);
            timers.extend(all.cancel(handle).map(|value| (handle, deadline, value)));
        }
        timers.into_iter()
    }

    /// Makes room for `additional` more timers, so that arming them copies nothing.
    ///
    /// # Panics
    ///
    /// When that would be more than 2<sup>32</sup> − 1.
    pub fn reserve(&mut self, additional: usize) {
        let wanted = self.len.saturating_add(additional);
        assert!(wanted <= NIL as usize, "at most 2^32 - 1 timers can be armed");
        self.places.reserve(wanted.saturating_sub(self.places.len()));
    }

    /// Gives back what memory can be given back: room that was never used, and all of it if nothing is
    /// armed. O(n).
    pub fn shrink_to_fit(&mut self) {
        if self.is_empty() {
            self.clear();
        } else {
            // Places that were used stay: they tell stale handles from others.
            self.places.shrink_to_fit();
            self.free.shrink_to_fit();
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
        self.locate(handle).map(|index| self.places[index as usize].deadline)
    }

    /// The value of a timer.
    pub fn get(&self, handle: TimerHandle) -> Option<&T> {
        self.places[self.locate(handle)? as usize].value.as_ref()
    }

    /// The value of a timer, to change it in place.
    pub fn get_mut(&mut self, handle: TimerHandle) -> Option<&mut T> {
        let index = self.locate(handle)?;
        self.places[index as usize].value.as_mut()
    }

    /// Whether the timer is armed.
    pub fn contains(&self, handle: TimerHandle) -> bool {
        self.locate(handle).is_some()
    }

    /// Timers armed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is armed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All timers with handle, deadline and value, in the order of expiry.
    pub fn iter(&self) -> impl Iterator<Item = (TimerHandle, u64, &T)> {
        let with_number = |index: u32| Some((index, self.places.get(index as usize)?));
        let list = core::iter::successors(with_number(self.head), move |(_, place)| {
            with_number(place.next)
        });
        list.filter_map(|(index, place)| {
            let value = place.value.as_ref()?;
            Some((self.id.handle(index, place.generation), place.deadline, value))
        })
    }

    /// Timers there is room for without allocating places.
    pub fn capacity(&self) -> usize {
        self.places.capacity()
    }

    /// Heap bytes that the queue holds, values included, what those own not.
    pub fn heap_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place<T>>() + self.free.capacity() * size_of::<u32>()
    }

    // Private.

    #[cold]
    fn add_place(&mut self) -> u32 {
        let index = u32::try_from(self.places.len()).unwrap_or(NIL);
        assert!(index != NIL, "at most 2^32 - 1 timers can be armed");
        self.places.push(Place {
            deadline: 0,
            armed: 0,
            previous: NIL,
            next: NIL,
            generation: Generation::FIRST,
            value: None,
        });
        index
    }

    /// The place of an armed timer.
    #[inline]
    fn locate(&self, handle: TimerHandle) -> Option<u32> {
        let place = self.places.get(usize::try_from(self.id.index_of(handle)).ok()?)?;
        let is_armed = place.generation == handle.generation && place.value.is_some();
        is_armed.then_some(handle.index())
    }

    #[inline]
    fn push_back(&mut self, index: u32) {
        let deadline = self.now.saturating_add(self.delay);
        let previous = core::mem::replace(&mut self.tail, index);
        if let Some(before) = self.places.get_mut(previous as usize) {
            before.next = index;
        } else {
            (self.head, self.next) = (index, deadline);
        }
        let place = &mut self.places[index as usize];
        (place.deadline, place.armed) = (deadline, self.armings);
        (place.previous, place.next) = (previous, NIL);
        self.armings += 1;
    }

    #[inline]
    fn unlink(&mut self, index: u32) {
        let Place { previous, next, .. } = self.places[index as usize];
        let mut behind = u64::MAX;
        if let Some(place) = self.places.get_mut(next as usize) {
            place.previous = previous;
            behind = place.deadline;
        } else {
            self.tail = previous;
        }
        if let Some(before) = self.places.get_mut(previous as usize) {
            before.next = next;
        } else {
            (self.head, self.next) = (next, behind);
        }
    }

    #[inline]
    fn remove(&mut self, index: u32) -> Option<T> {
        self.unlink(index);
        let place = &mut self.places[index as usize];
        place.generation = place.generation.next();
        self.len -= 1;
        // At the end of its count a place is retired, as in the wheel.
        if place.generation != Generation::LAST {
            self.free.push(index);
        }
        place.value.take()
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
