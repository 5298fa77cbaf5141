//! Timers that all have the same delay: a queue, because who is armed first is due first.
//!
//! The idle timeout of a thousand connections is one duration. In a wheel each of them is filed by
//! its deadline; here it goes to the back of a list, and the list is in order by itself.

use alloc::vec::Vec;

use crate::handle::{Generation, TimerHandle, WheelId};

/// One-shots of one delay, in ticks: everything is O(1), the exact next deadline included.
///
/// It keeps the promises of [`TimerWheel`](crate::TimerWheel) that concern one-shots: exact, in the
/// order of arming, in two phases, by handles that can go stale but never wrong, with values that
/// are dropped at once, and without garbage of any kind.
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
/// assert_eq!(idle.pop_expired().map(|expired| expired.1), Some("b"));
/// assert_eq!(idle.pop_expired().map(|expired| expired.1), Some("a"));
/// ```
#[derive(Debug)]
pub struct SameDelay<T> {
    id: WheelId,
    delay: u64,
    now: u64,
    armings: u64,
    /// Armings before this one can be due: what was armed since waits for the next `advance`.
    collected: u64,
    places: Vec<Place<T>>,
    free: Vec<u32>,
    head: u32,
    tail: u32,
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
    /// An empty queue that stands at tick `now`, for timers of `delay` ticks.
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
            len: 0,
        }
    }

    // Inputs.

    /// Arms a timer: due a delay after the tick of the last [`advance`](Self::advance).
    ///
    /// # Panics
    ///
    /// When 2<sup>32</sup> − 1 timers are armed.
    pub fn insert(&mut self, value: T) -> TimerHandle {
        let index = self.free.pop().unwrap_or_else(|| self.add_place());
        self.places[index as usize].value = Some(value);
        self.len += 1;
        self.push_back(index);
        let generation = self.places[index as usize].generation;
        self.id.handle(index, generation)
    }

    /// Arms a timer anew, a whole delay from now, under the same handle. False if that is stale.
    pub fn refresh(&mut self, handle: TimerHandle) -> bool {
        let Some(index) = self.locate(handle) else { return false };
        self.unlink(index);
        self.push_back(index);
        true
    }

    /// Takes a timer out and hands its value back, at once. `None` if the handle is stale.
    pub fn cancel(&mut self, handle: TimerHandle) -> Option<T> {
        self.remove(self.locate(handle)?)
    }

    /// Moves the time on. A `now` before the last one is taken as the last one.
    pub fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
        self.collected = self.armings;
    }

    /// Hands out the next timer that is due: its handle, stale by now, and its value.
    pub fn pop_expired(&mut self) -> Option<(TimerHandle, T)> {
        let head = self.places.get(self.head as usize)?;
        if head.deadline > self.now || head.armed >= self.collected {
            return None;
        }
        let handle = self.id.handle(self.head, head.generation);
        self.remove(self.head).map(|value| (handle, value))
    }

    // Observers.

    /// The tick of the last [`advance`](Self::advance).
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The earliest deadline, exactly. `None` if nothing is armed.
    pub fn next_deadline(&self) -> Option<u64> {
        self.places.get(self.head as usize).map(|head| head.deadline)
    }

    /// The deadline of a timer.
    pub fn deadline_of(&self, handle: TimerHandle) -> Option<u64> {
        self.locate(handle).map(|index| self.places[index as usize].deadline)
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

    // Private.

    #[cold]
    fn add_place(&mut self) -> u32 {
        let index = u32::try_from(self.places.len()).unwrap_or(NIL);
        assert!(index != NIL, "a queue holds at most 2^32 - 1 timers");
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
    fn locate(&self, handle: TimerHandle) -> Option<u32> {
        let place = self.places.get(usize::try_from(self.id.index_of(handle)).ok()?)?;
        let is_armed = place.generation == handle.generation && place.value.is_some();
        is_armed.then_some(handle.index())
    }

    fn push_back(&mut self, index: u32) {
        let previous = core::mem::replace(&mut self.tail, index);
        match self.places.get_mut(previous as usize) {
            Some(before) => before.next = index,
            None => self.head = index,
        }
        let place = &mut self.places[index as usize];
        place.deadline = self.now.saturating_add(self.delay);
        place.armed = self.armings;
        place.previous = previous;
        place.next = NIL;
        self.armings += 1;
    }

    fn unlink(&mut self, index: u32) {
        let Place { previous, next, .. } = self.places[index as usize];
        match self.places.get_mut(previous as usize) {
            Some(before) => before.next = next,
            None => self.head = next,
        }
        match self.places.get_mut(next as usize) {
            Some(behind) => behind.previous = previous,
            None => self.tail = previous,
        }
    }

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
