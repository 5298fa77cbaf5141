//! How long requests take, told by the turns of the loop: no clock is read for it.

use std::collections::VecDeque;
use std::time::Instant;

use crate::histogram::Histogram;

/// The requests of one connection that outlived the turn in which they came. Never more than may
/// be pipelined, and no memory at all for a connection whose requests are answered at once.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "8 bytes in an idle connection instead of 32")]
pub(super) struct Waits {
    since: Option<Box<VecDeque<Instant>>>,
    /// Requests answered.
    answered: u64,
}

impl Waits {
    /// At the end of a turn: `begun` requests came in it, and `complete` in all have been answered
    /// and written, if that is known.
    pub(super) fn note(
        &mut self,
        begun: u64,
        complete: Option<u64>,
        now: Instant,
        latency: &mut Histogram,
    ) {
        let complete = complete.unwrap_or(self.answered);
        if self.since.is_none() && complete == self.answered + begun {
            self.answered = complete;
            return latency.note_none(begun);
        }
        let waiting = self.since.get_or_insert_default();
        // A handful: as many as were read in one turn.
        waiting.extend((0..begun).map(|_| now));
        while self.answered < complete
            && let Some(since) = waiting.pop_front()
        {
            self.answered += 1;
            latency.note(now.saturating_duration_since(since));
        }
        if waiting.is_empty() {
            self.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn requests_are_timed_from_the_turn_they_came_in_to_the_one_they_were_answered_in() {
        let (start, mut latency, mut waits) =
            (Instant::now(), Histogram::default(), Waits::default());
        let at = |millis| start + Duration::from_millis(millis);
        waits.note(3, Some(3), at(0), &mut latency);
        assert_eq!((latency.count(), latency.sum()), (3, Duration::ZERO));
        // Two come, one of them is answered; then both have been written.
        waits.note(2, Some(4), at(10), &mut latency);
        waits.note(1, None, at(20), &mut latency);
        assert_eq!(latency.count(), 4);
        waits.note(0, Some(6), at(40), &mut latency);
        assert_eq!((latency.count(), latency.sum()), (6, Duration::from_millis(30 + 20)));
        assert!(waits.since.is_none());
    }
}
