//! `mio-extras`: one level of slots, each a list of entries of all rounds. It reads the clock
//! itself, so only what needs no time can be measured: arming and cancelling.

use std::time::Duration;

use mio_extras::timer::{Builder, Timeout, Timer};

use crate::shared::peer::{Ability, Peer};

pub(crate) struct MioExtras(Timer<u64>);

impl Peer for MioExtras {
    const NAME: &'static str = "mio-extras";
    const ABILITY: Ability = Ability {
        virtual_time: false,
        next_deadline: false,
        delay_max: u64::MAX,
        any_delay: true,
        jumps: false,
        stale_handles: true,
    };

    type Handle = Timeout;

    fn new(capacity: usize) -> Self {
        let builder = Builder::default().tick_duration(Duration::from_millis(1));
        Self(builder.num_slots(1 << 16).capacity(capacity).build())
    }

    fn insert(&mut self, deadline: u64, value: u64) -> Timeout {
        self.0.set_timeout(Duration::from_millis(deadline), value)
    }

    fn cancel(&mut self, handle: Timeout) -> Option<u64> {
        self.0.cancel_timeout(&handle)
    }

    fn reschedule(&mut self, handle: &mut Timeout, deadline: u64) -> bool {
        let Some(value) = self.0.cancel_timeout(handle) else { return false };
        *handle = self.insert(deadline, value);
        true
    }

    fn advance(&mut self, _: u64, _: impl FnMut(u64)) {}

    fn next_deadline(&mut self) -> Option<u64> {
        None
    }
}
