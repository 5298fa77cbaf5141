//! Giving memory back after a peak of connections.
//!
//! Slots after the last connection's can go; those between stay, as their numbers are those of
//! others. Looking costs as much as there are slots, so that has to be earned.

use super::Server;

/// Slots that may be looked at for each connection that has ended.
const EARNED: usize = 16;

/// Fewer slots than these are kept: half a megabyte.
const LEAST: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Peak {
    /// Slots that may be looked at.
    credit: usize,
}

impl<H, T> Server<H, T> {
    /// A connection has ended.
    pub(super) fn shrink_if_earned(&mut self) {
        self.peak.credit = self.peak.credit.saturating_add(EARNED);
        let slots = self.connections.capacity();
        if self.is_past_peak() && (self.connections.is_empty() || self.peak.credit >= slots) {
            self.shrink();
        }
    }

    /// At a check: whatever has ended since the last time has not been enough to earn it.
    pub(super) fn shrink_at_check(&mut self) {
        if self.is_past_peak() && self.peak.credit > 0 {
            self.shrink();
        }
    }

    fn is_past_peak(&self) -> bool {
        let slots = self.connections.capacity();
        slots >= LEAST && self.connections.len() <= slots / 4
    }

    fn shrink(&mut self) {
        self.peak.credit = 0;
        self.connections.shrink_to_fit();
        self.tracker.shrink(self.connections.capacity());
        self.lines.shrink(self.connections.capacity());
    }
}
