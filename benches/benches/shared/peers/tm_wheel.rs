//! `tm-wheel`: levels of 64 slots, entries in a slab and linked.

use crate::shared::peer::{Ability, Peer};

/// Eight levels of 64 slots: 2^48 ticks.
type Driver = tm_wheel::TimerDriver<u64, 8, 64>;

#[derive(Debug, Default)]
pub(crate) struct TmWheel(Driver);

impl Peer for TmWheel {
    const NAME: &'static str = "tm-wheel";
    const ABILITY: Ability = Ability { delay_max: 1 << 47, ..Ability::FULL };

    type Handle = Option<tm_wheel::TimerHandle>;

    fn new(_: usize) -> Self {
        Self::default()
    }

    fn insert(&mut self, deadline: u64, value: u64) -> Self::Handle {
        // It takes no deadline in the past.
        let deadline = deadline.max(self.0.now());
        Some(self.0.insert(value, deadline))
    }

    fn cancel(&mut self, handle: Self::Handle) -> Option<u64> {
        self.0.remove(handle?)
    }

    fn reschedule(&mut self, handle: &mut Self::Handle, deadline: u64) -> bool {
        let Some(value) = handle.take().and_then(|handle| self.0.remove(handle)) else {
            return false;
        };
        *handle = self.insert(deadline, value);
        true
    }

    fn advance(&mut self, now: u64, fired: impl FnMut(u64)) {
        self.0.advance_to(now).for_each(fired);
    }

    fn next_deadline(&mut self) -> Option<u64> {
        self.0.nearest_wakeup().map(u64::from)
    }
}
