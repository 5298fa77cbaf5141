//! How much a turn of the loop does before it looks at what is new.
//!
//! Work is counted, and no clock is read for it: what a turn does depends on what there is to do
//! alone. A unit is about half a microsecond of a processor of today.
//!
//! ```text
//!   a turn:   who has news, and were idle before     until half of TURN is spent
//!             who had their portion and have more    ┐
//!             accepting                              │ an eighth of TURN each, whatever the
//!             answers that were put off              │ others have spent (`EventLoop`)
//!             telling of a close                     ┘
//!             what has expired                       an eighth of what the others have spent
//!   each connection in it: PORTION, and one step more at most
//! ```
//!
//! What is left over stands in line, and the loop polls before it goes on. So one who asks for little
//! waits for as long as a turn takes and no longer than others who ask for little make it, however
//! many there are who ask for much; and these have their eighth, in the order in which they stand.
//! Nobody is served by what is done about those who have run out of time, of whom there may be very
//! many: so that is little at once, when there is little else to do.

/// What a turn may spend.
const TURN: u64 = 8192;

/// What a connection may spend before others get their turn.
pub(super) const PORTION: u64 = 128;

/// What about those who have run out of time may always be spent: two are told.
const EXPIRY: u64 = 32;

/// Work done since the server was bound.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    done: u64,
    /// What had been done when this turn began.
    began: u64,
    /// What the turn before has spent.
    spent_before: u64,
    /// Up to where this turn serves those who have news.
    news_until: u64,
}

/// Up to where a job goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until(u64);

impl Work {
    pub(super) fn new() -> Self {
        let mut work = Self::default();
        work.renew();
        work
    }

    // What has been done.

    /// Something, however little: there is an end to every job.
    pub(super) fn step(&mut self) {
        self.done += 1;
    }

    /// A call that took no bytes, or so many of them, which are to be understood.
    pub(super) fn read(&mut self, bytes: u64) {
        self.done += 4 + bytes / 512;
    }

    /// The same of bytes that were only copied.
    pub(super) fn write(&mut self, bytes: u64) {
        self.done += 8 + bytes / 1024;
    }

    /// Requests that were handed to the handler.
    pub(super) fn requests(&mut self, requests: u64) {
        self.done += requests;
    }

    /// A connection has come, or gone.
    pub(super) fn accept_or_close(&mut self) {
        self.done += 12;
    }

    // How far to go on.

    /// Where a connection's portion ends that begins now.
    pub(super) fn portion(&self) -> Until {
        Until(self.done + PORTION)
    }

    /// Where a job's part of the turn ends that begins now.
    pub(super) fn part(&self) -> Until {
        Until(self.done + TURN / 8)
    }

    /// Where the turn ends for what has expired, once all else is done.
    pub(super) fn expiry(&self) -> Until {
        Until(self.done + (self.spent() / 8).max(EXPIRY))
    }

    /// Whether turns are short: this one and the one before have spent less than an eighth of what
    /// they may.
    pub(super) fn is_light(&self) -> bool {
        self.spent().max(self.spent_before) < TURN / 8
    }

    fn spent(&self) -> u64 {
        self.done - self.began
    }

    /// Where a job ends that has a turn for itself.
    pub(super) fn turn(&self) -> Until {
        Until(self.done + TURN)
    }

    /// Where the turn ends for those who have news.
    pub(super) fn news(&self) -> Until {
        Until(self.news_until)
    }

    /// The same at the end of a turn: whatever else it did, there is a part for them.
    pub(super) fn rest_of_news(&self) -> Until {
        Until(self.news_until.max(self.part().0))
    }

    /// Whether a job has come to its end.
    pub(super) fn is_past(&self, until: Until) -> bool {
        self.done >= until.0
    }

    /// The next turn begins.
    pub(super) fn renew(&mut self) {
        self.spent_before = self.spent();
        self.began = self.done;
        self.news_until = self.done + TURN / 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_short_again_when_two_of_them_were() {
        let mut work = Work::new();
        assert!(work.is_light());
        work.write(TURN / 8 * 1024);
        assert!(!work.is_light(), "this one is long");
        work.renew();
        assert!(!work.is_light(), "the one before was");
        work.renew();
        assert!(work.is_light());
    }

    #[test]
    fn what_has_expired_has_an_eighth_of_what_others_spent_and_something_in_any_case() {
        let mut work = Work::new();
        assert_eq!(work.expiry().0, EXPIRY);
        work.renew();
        let began = work.done;
        work.write(8 * EXPIRY * 1024 * 2);
        let spent = work.done - began;
        assert_eq!(work.expiry().0, work.done + spent / 8);
    }
}
