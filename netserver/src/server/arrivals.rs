//! What to expect of those who come: how many of them wait, and whether they have spoken.
//!
//! Both can be found out by a system call that finds nothing, and that is what is spared here: an
//! accept that finds nobody costs Linux a socket that is made and thrown away again, 3.6 µs where an
//! `epoll_ctl` is 0.3 µs, and a read that finds nothing costs 0.35 µs. Where the poll will tell
//! anyway, it is left to the poll.

/// Of those who come after one that had not spoken yet, so many are not read from at once.
const NOT_ASKED: u8 = 15;

/// What the last turns are to go by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrivals {
    /// Events in this turn.
    heard: usize,
    /// Events in the turn before.
    before: usize,
    /// Who comes next is not asked, so many times more.
    not_asked: u8,
}

impl Arrivals {
    /// The poll has told of something.
    pub(super) fn hear(&mut self) {
        self.heard += 1;
    }

    /// The next turn begins.
    pub(super) fn renew(&mut self) {
        self.before = std::mem::take(&mut self.heard);
    }

    /// How many to accept before the poll is asked whether there are more: one in a loop that has
    /// little to do. A busy one comes round less often, and takes an eighth of what it has to do,
    /// so that nobody waits for being accepted who would not wait for anything else.
    pub(super) fn at_once(&self) -> usize {
        (self.before.max(self.heard) / 8).max(1)
    }

    /// Whether to read from one who has just come.
    pub(super) fn asks(&mut self) -> bool {
        let asks = self.not_asked == 0;
        self.not_asked = self.not_asked.saturating_sub(1);
        asks
    }

    /// One who was asked had spoken, or not.
    pub(super) fn note(&mut self, had_spoken: bool) {
        self.not_asked = if had_spoken { 0 } else { NOT_ASKED };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loop with little to do spares the accept that finds nobody; a busy one keeps nobody waiting.
    #[test]
    fn a_busy_loop_takes_more_at_once() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.at_once(), 1);
        for _ in 0..1024 {
            arrivals.hear();
        }
        assert_eq!(arrivals.at_once(), 128, "of this turn");
        arrivals.renew();
        assert_eq!(arrivals.at_once(), 128, "of the one before");
        arrivals.renew();
        assert_eq!(arrivals.at_once(), 1);
    }

    #[test]
    fn who_comes_silent_spares_those_who_follow_being_asked() {
        let mut arrivals = Arrivals::default();
        for _ in 0..3 {
            assert!(arrivals.asks());
            arrivals.note(true);
        }
        for _ in 0..2 {
            assert!(arrivals.asks());
            arrivals.note(false);
            for _ in 0..NOT_ASKED {
                assert!(!arrivals.asks());
            }
        }
    }
}
