//! Who armed what, when, how often it fired and how late: the feature `audit`.

use core::fmt;
use core::panic::Location;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::handle::TimerHandle;
use crate::timers::Timers;

/// What is known of one timer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The line of the caller's code that armed it.
    pub site: &'static Location<'static>,
    /// The `now` of the last [`advance`](Timers::advance) before it was armed.
    pub armed_at: Instant,
    /// When it was last moved to another deadline, and how often.
    pub rearmed_at: Option<Instant>,
    /// How often it was moved to another deadline.
    pub rearmed: u64,
    /// How often it fired: more than 0 only for an interval.
    pub fired: u64,
    /// How late it fired last.
    pub last_late: Duration,
    /// How late it ever fired.
    pub worst_late: Duration,
}

impl Record {
    #[track_caller]
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            site: Location::caller(),
            armed_at: now,
            rearmed_at: None,
            rearmed: 0,
            fired: 0,
            last_late: Duration::ZERO,
            worst_late: Duration::ZERO,
        }
    }

    pub(crate) fn rearmed(&mut self, now: Instant) {
        self.rearmed += 1;
        self.rearmed_at = Some(now);
    }

    pub(crate) fn fired(&mut self, late: Duration) {
        self.fired += 1;
        self.last_late = late;
        self.worst_late = self.worst_late.max(late);
    }
}

/// How late expiries were, by powers of two of nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram {
    buckets: [u64; 64],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [0; 64] }
    }
}

impl Histogram {
    pub(crate) fn note(&mut self, late: Duration) {
        let nanos = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
        let bucket = nanos.checked_ilog2().map_or(0, |power| power as usize + 1).min(63);
        self.buckets[bucket] += 1;
    }

    /// For each bucket that is not empty: the lateness it ends below, and the expiries in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let below = |power: usize| Duration::from_nanos(1 << power);
        let filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(move |(power, count)| (below(power), *count))
    }

    /// Expiries in all.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// All that is armed, by the line of code that armed it. Printed, it is a table, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    /// The sites, the one with the oldest timer first.
    pub sites: Vec<Site>,
}

/// A line of code and the timers it armed that are still armed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// Where.
    pub location: &'static Location<'static>,
    /// Its timers, oldest first.
    pub timers: Vec<(TimerHandle, Record)>,
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8}  {:>8}  {:>10}  armed by", "timers", "fired", "worst late")?;
        for Site { location, timers } in &self.sites {
            let fired: u64 = timers.iter().map(|(_, record)| record.fired).sum();
            let worst =
                timers.iter().map(|(_, record)| record.worst_late).max().unwrap_or_default();
            let worst = format!("{worst:.1?}");
            writeln!(f, "{:>8}  {fired:>8}  {worst:>10}  {location}", timers.len())?;
        }
        Ok(())
    }
}

impl<T> Timers<T> {
    /// What is known of a timer; `None` if the handle is stale.
    pub fn record_of(&self, handle: TimerHandle) -> Option<&Record> {
        self.record(handle)
    }

    /// All that is armed, grouped by who armed it, oldest first. O(n log n).
    pub fn audit(&mut self) -> Audit {
        self.settle();
        let mut sites: BTreeMap<(&str, u32, u32), Site> = BTreeMap::new();
        for (handle, record) in self.records() {
            let location = record.site;
            let site = sites
                .entry((location.file(), location.line(), location.column()))
                .or_insert_with(|| Site { location, timers: Vec::new() });
            site.timers.push((handle, record.clone()));
        }
        let mut sites: Vec<Site> = sites.into_values().collect();
        for site in &mut sites {
            site.timers.sort_by_key(|(_, record)| record.armed_at);
        }
        sites.sort_by_key(|site| site.timers.first().map(|(_, record)| record.armed_at));
        Audit { sites }
    }

    /// How late expiries were so far.
    pub fn lateness(&self) -> &Histogram {
        &self.lateness
    }
}
