//! What to expect of those who come: whether one comes alone, and whether it has spoken.
//!
//! Both can be found out by a system call that finds nothing, and that is what is spared here: an
//! accept that finds nobody costs Linux a socket that is made and thrown away again, 3.6 µs where an
//! `epoll_ctl` is 0.3 µs, and a read that finds nothing costs 0.35 µs. The poll will tell anyway.
//! Where many come at once, or come with their request, it is the event that is for nothing.

/// So many turns in a row the poll is left to tell if somebody else is there.
const REMINDERS: u8 = 3;

/// Of those who come after one that had not spoken yet, so many are not read from at once.
const NOT_ASKED: u8 = 15;

/// What those who came last have shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    /// There was nobody behind the last one, when that was last looked for.
    alone: bool,
    /// The poll was left to tell in this turn.
    reminded: bool,
    /// And in so many turns before it, one after the other.
    reminders: u8,
    /// Who comes next is not asked, so many times more.
    not_asked: u8,
}

impl Arrivals {
    /// Whether to leave it to the poll if there is somebody else behind the one of whom it tells. Not
    /// if that was done turn after turn, and it told of somebody each time: they may have been there
    /// all the while, in any number.
    pub(super) fn come_alone(&self) -> bool {
        self.alone && self.reminders < REMINDERS
    }

    /// It was left to the poll.
    pub(super) fn note_reminder(&mut self) {
        self.reminded = true;
    }

    /// So many came, and behind them there was nobody.
    pub(super) fn note_last(&mut self, came: usize) {
        if came > 0 {
            self.alone = came == 1;
        }
    }

    /// The next turn begins.
    pub(super) fn renew(&mut self) {
        let reminded = std::mem::take(&mut self.reminded);
        self.reminders = if reminded { self.reminders.saturating_add(1) } else { 0 };
    }

    /// Whether to read from one who has just come.
    pub(super) fn asks(&mut self) -> bool {
        let asks = self.not_asked == 0;
        self.not_asked = self.not_asked.saturating_sub(1);
        asks
    }

    /// One who was asked had spoken, or not.
    pub(super) fn note_spoken(&mut self, had_spoken: bool) {
        self.not_asked = if had_spoken { 0 } else { NOT_ASKED };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_alone_is_not_looked_behind_unless_somebody_was() {
        let mut arrivals = Arrivals::default();
        assert!(!arrivals.come_alone(), "nothing is known");
        arrivals.note_last(1);
        for _ in 0..3 {
            for _ in 0..REMINDERS {
                assert!(arrivals.come_alone());
                arrivals.note_reminder();
                arrivals.renew();
            }
            assert!(!arrivals.come_alone(), "somebody came in each turn");
            arrivals.note_last(1);
            arrivals.renew();
        }
        assert!(arrivals.come_alone());
        arrivals.note_last(2);
        assert!(!arrivals.come_alone());
        arrivals.note_last(0);
        assert!(!arrivals.come_alone(), "that was nothing");
        arrivals.note_last(1);
        assert!(arrivals.come_alone());
    }

    #[test]
    fn who_comes_silent_spares_those_who_follow_being_asked() {
        let mut arrivals = Arrivals::default();
        for _ in 0..3 {
            assert!(arrivals.asks());
            arrivals.note_spoken(true);
        }
        for _ in 0..2 {
            assert!(arrivals.asks());
            arrivals.note_spoken(false);
            for _ in 0..NOT_ASKED {
                assert!(!arrivals.asks());
            }
        }
    }
}
