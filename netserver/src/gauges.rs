//! What the loops of a process count, for whoever asks. Each loop writes its own figures, with plain
//! stores and without a lock; the reader adds them up. They are 20 ms old at most: a loop writes
//! them after a turn unless it has just done so, and then a little later.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::cause::Cause;
use crate::histogram::Histogram;
use crate::stats::Stats;

/// The figures of all loops. Clones show the same ones.
#[derive(Clone)]
pub struct Gauges {
    loops: Arc<[Slot]>,
    /// What the live page is passed on by.
    #[cfg(feature = "live")]
    hub: Arc<crate::live::Hub>,
}

/// What one loop counts, or several together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoopStats {
    /// Its server.
    pub server: Stats,
    /// Turns made.
    pub turns: u64,
    /// Servers that are bound and not closed: one for each loop.
    pub servers: u64,
    /// Of the timers armed, those of servers: one for each.
    pub server_timers: u64,
    /// Timers armed: the connection check, and one for each request that was put off.
    pub timers: u64,
    /// How late the last connection check was.
    pub check_late: Duration,
    /// How late the latest was.
    pub check_late_max: Duration,
    /// How late timers were handed out, all of them.
    pub lateness: Histogram,
}

/// One loop's figures, on cache lines of their own.
#[repr(align(128))]
struct Slot([AtomicU64; WORDS]);

/// Figures of a loop, as [`LoopStats::each`] lists them.
const WORDS: usize = 22 + Cause::ALL.len() + 2 * Histogram::WORDS + 2;

impl Gauges {
    pub(crate) fn new(loops: usize) -> Self {
        let slot = |_| Slot(std::array::from_fn(|_| AtomicU64::new(0)));
        Self {
            loops: (0..loops).map(slot).collect(),
            #[cfg(feature = "live")]
            hub: Arc::new(crate::live::Hub::new(loops)),
        }
    }

    #[cfg(feature = "live")]
    pub(crate) fn hub(&self) -> &crate::live::Hub {
        &self.hub
    }

    /// All loops together, each as of 20 ms ago at most.
    pub fn total(&self) -> LoopStats {
        self.iter().fold(LoopStats::default(), LoopStats::and)
    }

    /// The loops one by one.
    pub fn iter(&self) -> impl Iterator<Item = LoopStats> {
        self.loops.iter().map(|slot| {
            let mut stats = LoopStats::default();
            let mut words = slot.0.iter();
            stats.each(|figure| {
                *figure = words.next().map_or(0, |word| word.load(Ordering::Relaxed));
            });
            stats
        })
    }

    /// Figures may be read while others of the same turn are still being written: each is right
    /// by itself.
    pub(crate) fn publish(&self, index: usize, stats: &mut LoopStats) {
        let mut words = self.loops[index].0.iter();
        stats.each(|figure| {
            if let Some(word) = words.next() {
                word.store(*figure, Ordering::Relaxed);
            }
        });
    }
}

impl LoopStats {
    /// A timer was handed out so late.
    pub(crate) fn note_expiry(&mut self, late: Duration) {
        self.lateness.note(late);
    }

    pub(crate) fn note_check(&mut self, late: Duration) {
        self.check_late = late;
        self.check_late_max = self.check_late_max.max(late);
    }

    fn and(mut self, other: Self) -> Self {
        self.server += other.server;
        self.turns += other.turns;
        self.timers += other.timers;
        self.servers += other.servers;
        self.server_timers += other.server_timers;
        self.lateness += other.lateness;
        self.check_late = self.check_late.max(other.check_late);
        self.check_late_max = self.check_late_max.max(other.check_late_max);
        self
    }

    /// Visits every figure, to take it or to set it: the one list of them.
    fn each(&mut self, mut visit: impl FnMut(&mut u64)) {
        let server = &mut self.server;
        let phases = &mut server.phases;
        [
            &mut server.accepted,
            &mut server.refused,
            &mut server.refused_pending,
            &mut server.requests,
            &mut server.bytes_in,
            &mut server.bytes_out,
            &mut server.rescued,
            &mut server.accept_pauses,
            &mut server.checks,
            &mut server.open,
            &mut phases.first_byte,
            &mut phases.headers,
            &mut phases.body,
            &mut phases.handler,
            &mut phases.write,
            &mut phases.idle,
            &mut phases.upgraded,
            &mut phases.linger,
            &mut self.turns,
            &mut self.timers,
            &mut self.servers,
            &mut self.server_timers,
        ]
        .into_iter()
        .for_each(&mut visit);
        server.closed.counts_mut().iter_mut().for_each(&mut visit);
        server.latency.each(&mut visit);
        self.lateness.each(&mut visit);
        for late in [&mut self.check_late, &mut self.check_late_max] {
            let mut nanos = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
            visit(&mut nanos);
            *late = Duration::from_nanos(nanos);
        }
    }
}

/// Of no loop at all.
impl Default for Gauges {
    fn default() -> Self {
        Self::new(0)
    }
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A different number in every figure.
    fn numbered(mut next: u64) -> LoopStats {
        let mut stats = LoopStats::default();
        stats.each(|figure| {
            *figure = next;
            next += 1;
        });
        stats
    }

    #[test]
    fn every_figure_has_a_word_of_its_own() {
        let mut figures = 0;
        LoopStats::default().each(|_| figures += 1);
        assert!(figures <= WORDS, "{figures} figures in {WORDS} words");
        let gauges = Gauges::new(1);
        let mut stats = numbered(1000);
        gauges.publish(0, &mut stats);
        assert_eq!(gauges.total(), stats);
        assert_eq!(stats.check_late_max, Duration::from_nanos(1000 + figures as u64 - 1));
    }

    #[test]
    fn loops_add_up_but_for_lateness_of_which_the_worst_counts() {
        let gauges = Gauges::new(2);
        gauges.publish(0, &mut numbered(1000));
        gauges.publish(1, &mut numbered(2000));
        let total = gauges.total();
        assert_eq!(total.server.accepted, 3000);
        assert_eq!(total.timers, numbered(1000).timers + numbered(2000).timers);
        assert_eq!(total.check_late, numbered(2000).check_late);
        assert_eq!(gauges.iter().count(), 2);
    }
}
