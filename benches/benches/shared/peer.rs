//! One trait for all that keeps timers.

/// A timer store in ticks of `u64`, with a `u64` as value. Values are unique among what is armed.
///
/// An adapter does what the peer's own documentation says to do, and adds no bookkeeping beyond
/// what a user of the peer would need for handles that can be cancelled.
pub(crate) trait Peer: Sized {
    const NAME: &'static str;
    /// What it says of itself. Whether it is true, the model finds out.
    const ABILITY: Ability;

    type Handle;

    /// Stands at tick 0. `capacity` is the most that will be armed at once: for those that must
    /// know it beforehand.
    fn new(capacity: usize) -> Self;

    /// The same where all that will be armed has one delay: for those that must know that.
    fn with_delay(capacity: usize, _delay: u64) -> Self {
        Self::new(capacity)
    }

    fn insert(&mut self, deadline: u64, value: u64) -> Self::Handle;

    /// Arms what nobody will cancel.
    fn insert_forget(&mut self, deadline: u64, value: u64) {
        let _ = self.insert(deadline, value);
    }

    /// The value, if the timer was armed.
    fn cancel(&mut self, handle: Self::Handle) -> Option<u64>;

    /// False if the timer was not armed any more.
    fn reschedule(&mut self, handle: &mut Self::Handle, deadline: u64) -> bool;

    /// Moves the time on and hands out the values of all that is due, in the peer's order.
    fn advance(&mut self, now: u64, fired: impl FnMut(u64));

    /// When to come back. `None` if nothing is armed.
    fn next_deadline(&mut self) -> Option<u64>;

    /// Arms an interval with the period that its value stands for.
    fn insert_interval(&mut self, first: u64, value: u64) {
        self.insert_forget(first, value);
    }

    /// [`advance`](Self::advance) by one tick, where everything armed is an interval. Peers
    /// without intervals arm each anew, through a buffer, for the peer is borrowed while it hands
    /// out.
    fn advance_intervals(&mut self, now: u64, buffer: &mut Vec<u64>, mut fired: impl FnMut(u64)) {
        self.advance(now, |value| buffer.push(value));
        for value in buffer.drain(..) {
            self.insert_forget(now + period_of(value), value);
            fired(value);
        }
    }
}

/// The period of an interval by its value.
pub(crate) const fn period_of(value: u64) -> u64 {
    [10, 100, 1_000, 30_000][(value % 4) as usize]
}

#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)] // independent of each other: a table, not a state
pub(crate) struct Ability {
    /// The time is an argument. Without it, only what needs no time can be measured or checked.
    pub(crate) virtual_time: bool,
    /// It answers when to come back, if only with a bound.
    pub(crate) next_deadline: bool,
    /// Delays that it takes.
    pub(crate) delay_max: u64,
    /// It takes different ones. Without it, it can do nothing but timers of one delay.
    pub(crate) any_delay: bool,
    /// It jumps over empty time. Without it, each tick is walked.
    pub(crate) jumps: bool,
    /// A handle may be used when its timer has fired.
    pub(crate) stale_handles: bool,
}

impl Ability {
    pub(crate) const FULL: Self = Self {
        virtual_time: true,
        next_deadline: true,
        delay_max: u64::MAX,
        any_delay: true,
        jumps: true,
        stale_handles: true,
    };
}
