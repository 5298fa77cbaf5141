//! What the last minutes were like, for who looks only now: a point a second, of all loops together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use crate::gauges::LoopStats;

/// The last points. No timer is armed for them: a loop that publishes its figures adds one if it
/// is time. While nothing happens there are none, and nothing to draw but a level line.
#[derive(Debug)]
pub(super) struct History {
    since: Instant,
    /// When the next point is due, in milliseconds.
    due: AtomicU64,
    points: Mutex<VecDeque<Point>>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at_ms: u64,
    requests: u64,
    open: u64,
}

/// Between two points.
const EVERY_MS: u64 = 1_000;

/// Five minutes.
const POINTS_MAX: usize = 300;

impl History {
    pub(super) fn new(since: Instant) -> Self {
        Self { since, due: AtomicU64::new(0), points: Mutex::default() }
    }

    /// Adds a point, if it is time. If not: a load.
    pub(super) fn record(&self, now: Instant, total: impl FnOnce() -> LoopStats) {
        let (at_ms, due) = (self.millis(now), self.due.load(Ordering::Relaxed));
        let next = at_ms + EVERY_MS;
        let mine = at_ms >= due
            && self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !mine {
            return;
        }
        let server = total().server;
        // A point is whole, whoever panics beside it.
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        if points.len() == POINTS_MAX {
            points.pop_front();
        }
        points.push_back(Point { at_ms, requests: server.requests, open: server.open });
    }

    /// The points, oldest first: how many milliseconds ago, requests by then, connections open.
    pub(super) fn describe(&self, now: Instant) -> Value {
        let now_ms = self.millis(now);
        let points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        let point = |it: &Point| json!([now_ms.saturating_sub(it.at_ms), it.requests, it.open]);
        points.iter().map(point).collect()
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.since);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn there_is_a_point_a_second_for_five_minutes_however_often_loops_publish() {
        let began = Instant::now();
        let history = History::new(began);
        let mut stats = LoopStats::default();
        for turn in 0..100_000 {
            stats.server.requests += 1;
            stats.server.open = turn;
            history.record(began + Duration::from_millis(turn * 10), || stats);
        }
        let points = history.describe(began + Duration::from_secs(1_000));
        let points = points.as_array().expect("an array");
        assert_eq!(points.len(), POINTS_MAX);
        assert_eq!(points[POINTS_MAX - 1], json!([1_000, 99_901, 99_900]));
        assert_eq!(points[0], json!([300_000, 70_001, 70_000]));
    }
}
