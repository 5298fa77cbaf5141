//! A histogram of durations, small enough to be copied with the counters beside it.

use std::time::Duration;

/// How often something took how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Histogram {
    counts: [u64; Histogram::BOUNDS.len() + 1],
    sum_nanos: u64,
}

impl Histogram {
    /// Where its buckets end; what took longer than the last is in one more.
    pub const BOUNDS: [Duration; 14] = [
        Duration::from_micros(100),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_millis(2),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2500),
        Duration::from_secs(10),
    ];

    /// For each bucket: where it ends, `None` for the last, and how many are in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = Self::BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(self.counts)
    }

    /// How many in all.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_nanos)
    }

    pub(crate) fn note(&mut self, time: Duration) {
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < time);
        self.counts[bucket] += 1;
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos = self.sum_nanos.saturating_add(nanos);
    }

    /// So many that took no time.
    pub(crate) fn note_none(&mut self, how_many: u64) {
        self.counts[0] += how_many;
    }

    pub(crate) fn each(&mut self, visit: impl FnMut(&mut u64)) {
        self.counts.iter_mut().chain([&mut self.sum_nanos]).for_each(visit);
    }

    /// What [`each`](Self::each) visits.
    pub(crate) const WORDS: usize = Self::BOUNDS.len() + 2;
}

impl std::ops::AddAssign for Histogram {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_nanos = self.sum_nanos.saturating_add(other.sum_nanos);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_does_not_end_before_it() {
        let cases = [(0, 0), (100, 0), (101, 1), (1_000, 2), (10_000_000, 13), (10_000_001, 14)];
        for (micros, bucket) in cases {
            let mut histogram = Histogram::default();
            histogram.note(Duration::from_micros(micros));
            let filled = histogram.buckets().position(|(_, count)| count == 1);
            assert_eq!((filled, histogram.count()), (Some(bucket), 1), "{micros} us");
            assert_eq!(histogram.sum(), Duration::from_micros(micros));
        }
        assert!(Histogram::BOUNDS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
