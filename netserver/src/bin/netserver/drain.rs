//! What a drain still waits for, told on stderr once a second by an interval on a wheel.

use std::time::{Duration, Instant};

use netserver::{Gauges, Phases, Report};
use timerwheel::{MissedTicks, Period, Timers};

use crate::signals;
use crate::units::{counted, written};

/// A drain under way.
#[derive(Debug)]
pub(crate) struct Drain {
    timers: Timers<()>,
    /// When what is left is cut off; `None` is never.
    ends: Option<Instant>,
}

/// Long enough for the loops to have heard of it, and to have ended what is idle.
const FIRST: Duration = Duration::from_millis(200);
const EVERY: Duration = Duration::from_secs(1);

impl Drain {
    /// Begins now.
    pub(crate) fn begin(grace: Duration, now: Instant) -> Self {
        let mut timers = Timers::new(now);
        let Ok(period) = Period::new(EVERY) else { unreachable!("not zero") };
        timers.insert_interval(now + FIRST, period, MissedTicks::Skip, ());
        Self { timers, ends: now.checked_add(grace) }
    }

    /// There is another grace period.
    pub(crate) fn hurry(&mut self, grace: Duration, now: Instant) {
        self.ends = now.checked_add(grace);
    }

    /// How long until there is something to tell.
    pub(crate) fn timeout(&mut self, now: Instant) -> Option<Duration> {
        self.timers.timeout(now)
    }

    /// What to tell now, if it is time and there is something to wait for.
    pub(crate) fn progress(&mut self, gauges: &Gauges, now: Instant) -> Option<String> {
        self.timers.advance(now);
        // Late ones have been skipped: it is one at most.
        let _late = self.timers.pop_expired()?;
        let server = gauges.total().server;
        let left = self.ends.map(|ends| ends.saturating_duration_since(now));
        (server.open > 0).then(|| waiting(server.open, &server.phases, left))
    }
}

fn waiting(open: u64, phases: &Phases, left: Option<Duration>) -> String {
    let then = left.map_or_else(String::new, |left| match left {
        Duration::ZERO => "; they are being cut off".to_owned(),
        left => format!("; cut off in {}", written(left)),
    });
    format!(
        "draining: waits for {} ({}){then}",
        counted(open, "connection"),
        signals::phases(phases)
    )
}

/// How it ended.
pub(crate) fn outcome(report: &Report) -> String {
    let finished = counted(report.finished, "connection");
    match (report.forced, report.upgraded) {
        (0, _) => format!("drained: {finished} finished"),
        (forced, 0) => format!("drained: {finished} finished, {forced} cut off"),
        (forced, upgraded) => {
            format!("drained: {finished} finished, {forced} cut off ({upgraded} of them upgraded)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_a_second_what_is_waited_for_and_how_long() {
        let now = Instant::now();
        let mut drain = Drain::begin(Duration::from_secs(10), now);
        let nothing = Gauges::default();
        assert!(drain.timeout(now).is_some_and(|first| first <= FIRST + Duration::from_millis(3)));
        assert_eq!(drain.progress(&nothing, now + EVERY), None, "nobody is waited for");
        assert_eq!(drain.timers.len(), 1, "and it goes on");

        let phases = Phases { handler: 2, first_byte: 1, ..Phases::default() };
        let left = Some(Duration::from_millis(8_800));
        assert_eq!(
            waiting(3, &phases, left),
            "draining: waits for 3 connections (1 first byte, 2 handler); cut off in 8.8 s"
        );
        let one = Phases { upgraded: 1, ..Phases::default() };
        assert_eq!(waiting(1, &one, None), "draining: waits for 1 connection (1 upgraded)");
        let over = waiting(1, &one, Some(Duration::ZERO));
        assert!(over.ends_with("; they are being cut off"), "{over}");
    }

    #[test]
    fn the_outcome_names_what_was_cut_off() {
        let report = |finished, forced, upgraded| Report { finished, forced, upgraded };
        assert_eq!(outcome(&report(1, 0, 0)), "drained: 1 connection finished");
        assert_eq!(outcome(&report(3, 2, 0)), "drained: 3 connections finished, 2 cut off");
        assert_eq!(
            outcome(&report(0, 2, 1)),
            "drained: 0 connections finished, 2 cut off (1 of them upgraded)"
        );
    }
}
