//! What was seen lately: rates need two looks, and a line needs many.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::sample::{Buckets, Sample};

/// The last looks at one server.
#[derive(Debug)]
pub(super) struct History {
    pub(super) address: String,
    looks: VecDeque<(Instant, Sample)>,
    /// Requests per second between two looks, the newest last.
    rates: VecDeque<u64>,
    /// Why the last look failed, if it did.
    pub(super) missed: Option<String>,
}

/// More than a terminal is wide.
const RATES_MAX: usize = 512;

/// Quantiles and closes "lately" are of so many looks.
const LOOKS_MAX: usize = 11;

impl History {
    pub(super) fn new(address: String) -> Self {
        Self { address, looks: VecDeque::new(), rates: VecDeque::new(), missed: None }
    }

    pub(super) fn note(&mut self, sample: Sample, now: Instant) {
        self.missed = None;
        // It was started anew, and counts from zero.
        if self.looks.back().is_some_and(|(_, last)| last.requests > sample.requests) {
            self.looks.clear();
        }
        if let Some((at, last)) = self.looks.back() {
            let requests = sample.requests - last.requests;
            if self.rates.len() == RATES_MAX {
                self.rates.pop_front();
            }
            self.rates.push_back(per_second(requests, now.saturating_duration_since(*at)));
        }
        if self.looks.len() == LOOKS_MAX {
            self.looks.pop_front();
        }
        self.looks.push_back((now, sample));
    }

    /// It could not be seen.
    pub(super) fn miss(&mut self, why: String) {
        self.missed = Some(why);
    }

    /// The last look. There is one, before anything is shown.
    pub(super) fn last(&self) -> Option<&Sample> {
        self.looks.back().map(|(_, sample)| sample)
    }

    /// How much of something came in a second, over the last two looks.
    pub(super) fn rate(&self, of: impl Fn(&Sample) -> u64) -> u64 {
        let mut looks = self.looks.iter().rev();
        let (Some((now, last)), Some((then, before))) = (looks.next(), looks.next()) else {
            return 0;
        };
        per_second(of(last).saturating_sub(of(before)), now.saturating_duration_since(*then))
    }

    /// How much of something came over the last looks.
    pub(super) fn lately(&self, of: impl Fn(&Sample) -> u64) -> u64 {
        let (Some((_, first)), Some((_, last))) = (self.looks.front(), self.looks.back()) else {
            return 0;
        };
        of(last).saturating_sub(of(first))
    }

    /// The same of a histogram; all of it while there is one look.
    pub(super) fn buckets<'a>(&'a self, of: impl Fn(&'a Sample) -> &'a Buckets) -> Buckets {
        match (self.looks.front(), self.looks.back()) {
            (Some((_, first)), Some((_, last))) if self.looks.len() > 1 => {
                of(last).since(of(first))
            }
            (_, Some((_, last))) => of(last).clone(),
            _ => Buckets::default(),
        }
    }

    /// Requests per second, so many looks back, the newest last.
    pub(super) fn rates(&self, most: usize) -> Vec<u64> {
        let skip = self.rates.len().saturating_sub(most);
        self.rates.iter().skip(skip).copied().collect()
    }
}

/// Rounded to the nearest.
fn per_second(count: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    (count.saturating_mul(1000).saturating_add(millis / 2)) / millis
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sample::tests::sample;
    use super::*;

    /// Two looks a second apart, with so many requests between them.
    pub(in super::super) fn busy(requests: u64) -> History {
        let now = Instant::now();
        let mut history = History::new("127.0.0.1:8080".to_owned());
        let first = sample();
        let mut second = first.clone();
        (second.requests, second.open, second.accepted, second.timers) = (requests, 7, 9, 3);
        second.phases.iter_mut().filter(|(name, _)| name == "idle").for_each(|it| it.1 = 5);
        second.phases.iter_mut().filter(|(name, _)| name == "body").for_each(|it| it.1 = 2);
        second.closed.iter_mut().filter(|(name, _)| name == "headers").for_each(|it| it.1 = 2);
        second.latency.0[0].1 = requests;
        second.resident = Some(5 << 20);
        history.note(first, now);
        history.note(second, now + Duration::from_secs(1));
        history
    }

    #[test]
    fn rates_are_of_the_last_two_looks() {
        let history = busy(1_500);
        assert_eq!(history.rate(|it| it.requests), 1_500);
        assert_eq!(history.rates(10), [1_500]);
        assert_eq!(history.lately(Sample::ended), 2);
        assert_eq!(history.buckets(|it| &it.latency).count(), 1_500);
    }

    #[test]
    fn a_server_that_was_started_anew_counts_from_zero() {
        let mut history = busy(1_500);
        history.miss("gone".to_owned());
        history.note(sample(), Instant::now());
        assert_eq!((history.rate(|it| it.requests), history.missed.as_deref()), (0, None));
        assert_eq!(history.last().map(|it| it.requests), Some(0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let now = Instant::now();
        let mut history = History::new(String::new());
        for second in 0..2_000 {
            history.note(sample(), now + Duration::from_secs(second));
        }
        assert_eq!((history.looks.len(), history.rates.len()), (LOOKS_MAX, RATES_MAX));
        assert_eq!(history.rates(3).len(), 3);
    }
}
