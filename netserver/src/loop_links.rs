//! What a handler and its loop know of each other: the timers it may arm, the figures, the way to
//! end it.

use timerwheel::Remote;

use crate::gauges::Gauges;
use crate::loop_handle::LoopHandle;
use crate::reply::Ticket;

/// What a loop's timers are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoopTimer {
    /// The server's connection check.
    Check,
    /// A request that was put off is to be [woken](crate::Handler::on_wake).
    Wake(Ticket),
    /// The live page is to be brought up to date (feature `live`).
    Live,
}

#[cfg(feature = "live")]
impl LoopTimer {
    pub(crate) const fn purpose(&self) -> crate::live::Purpose {
        match *self {
            Self::Check => crate::live::Purpose::Check,
            Self::Wake(ticket) => crate::live::Purpose::Request(ticket),
            Self::Live => crate::live::Purpose::Page,
        }
    }
}

/// What a handler may want of the loop it runs on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoopLinks {
    /// Arms [`LoopTimer::Wake`], from this thread and from others.
    pub remote: Remote<LoopTimer>,
    /// What this loop and its siblings count.
    pub gauges: Gauges,
    /// Closes or stops this loop.
    pub handle: LoopHandle,
    #[cfg(feature = "live")]
    pub(crate) index: usize,
}

#[cfg(feature = "live")]
impl LoopLinks {
    /// For a [`LivePage`](crate::live::LivePage).
    pub fn live(&self) -> crate::live::LiveLink {
        crate::live::LiveLink::new(self.gauges.clone(), self.index)
    }
}
