//! Which deadlines a connection is under, and what happens when one passes.

use super::{Conn, Reading};
use crate::cause::Cause;
use crate::context::Context;
use crate::handler::Handler;
use crate::http::Reject;
use crate::reply::{Arrival, Slot};
use crate::track::{Changes, Class, Classes};

/// The classes a connection is in.
struct Timed {
    active: Classes,
    /// Those in which time stands still.
    held: Classes,
}

/// Deadlines.
impl Conn {
    /// The classes the connection is in, in which its time stands still, and which of them start
    /// afresh. To be asked once at the
    /// end of a turn: what came and went in between left no trace, and needs none.
    pub fn take_changes(&mut self) -> Changes {
        let awaited = self.oldest_awaited().map_or(0, |number| number + 1);
        if awaited != self.awaited {
            // Each request has the handler's time for itself, from when it is the oldest.
            self.awaited = awaited;
            self.restarted.insert(Class::Handler);
        }
        let Timed { active, held } = self.timed();
        let restarted = std::mem::take(&mut self.restarted).intersection(active.union(held));
        Changes { active, held, restarted }
    }

    /// The deadline of `class` has passed. Nothing happens if the connection is not in it.
    pub fn expire<H: Handler>(&mut self, class: Class, handler: &mut H, cx: &mut Context<'_>) {
        if !self.timed().active.contains(class) {
            return;
        }
        match class {
            Class::FirstByte => self.expire_first_byte(cx),
            Class::Headers => self.refuse(Reject::Timeout, Cause::Headers, cx),
            Class::Receive => match self.reading {
                Reading::Body => self.fail_body(Reject::Timeout, Cause::Body, cx),
                Reading::Head(_) => self.refuse(Reject::Timeout, Cause::Headers, cx),
                _ => self.expire_first_byte(cx),
            },
            Class::MinRate => self.judge_rate(cx),
            Class::Handler => {
                let number = self.oldest_awaited();
                let slot = number.and_then(|number| self.outgoing.slot_mut(number));
                if let (Some(number), Some(slot)) = (number, slot) {
                    let (turn, date) = (slot.turn(number), cx.date.text(cx.now));
                    self.outgoing.fail(turn, Reject::HandlerTimeout, Cause::Handler, date);
                }
            }
            Class::Write => self.abort(Cause::WriteStall),
            Class::Idle => self.stop(Cause::Idle),
            Class::Linger | Class::LingerTotal => self.abort(Cause::Linger),
            Class::Upgraded => self.expire_tunnel(cx),
        }
        self.run_input(handler, cx);
    }

    fn expire_first_byte(&mut self, cx: &mut Context<'_>) {
        if cx.first_byte_is_silent() {
            self.stop(Cause::FirstByte);
        } else {
            self.refuse(Reject::Timeout, Cause::FirstByte, cx);
        }
    }

    fn judge_rate(&mut self, cx: &mut Context<'_>) {
        let progress = self.incoming.as_mut().map_or(0, |incoming| incoming.take_progress());
        if progress < cx.body_bytes_due() {
            self.fail_body(Reject::Timeout, Cause::MinRate, cx);
        } else {
            self.restarted.insert(Class::MinRate);
        }
    }

    /// First the other protocol is asked to end, then it is ended.
    fn expire_tunnel(&mut self, cx: &mut Context<'_>) {
        if self.draining {
            return self.abort(Cause::Idle);
        }
        self.draining = true;
        self.restarted.insert(Class::Upgraded);
        self.drain_tunnel(Cause::Idle, cx);
    }

    /// Asks the other protocol to end.
    pub(super) fn drain_tunnel(&mut self, cause: Cause, cx: &mut Context<'_>) {
        self.outgoing.blame(cause);
        self.outgoing.deliver(self.outgoing.front(), Arrival::Drain, cx);
    }

    /// While lingering, bytes only count.
    pub(super) fn drop_bytes(&mut self, count: usize, cx: &Context<'_>) {
        self.lingered += count as u64;
        self.restarted.insert(Class::Linger);
        // Closing now would be a reset, for the rest is on its way. Left where it is, it holds the
        // peer back, and that has time to read why.
        self.sated = self.lingered > cx.linger_bytes();
    }

    /// The one place that says which state is under which deadline. Receiving is timed only while
    /// the connection is willing to receive; meanwhile the time of a message stands still.
    fn timed(&self) -> Timed {
        let (mut active, mut held) = (Classes::default(), Classes::default());
        if self.aborted.is_some() {
            return Timed { active, held };
        }
        let willing = !self.outgoing.peer_is_done && !self.is_held_back();
        let receiving = if willing { &mut active } else { &mut held };
        let quiet = self.outgoing.slots().is_empty() && self.outgoing.output().is_empty();
        match self.reading {
            Reading::Between if self.is_untouched() => {
                active.insert(Class::FirstByte);
                active.insert(Class::Receive);
            }
            Reading::Between if quiet => active.insert(Class::Idle),
            Reading::Head(_) => {
                receiving.insert(Class::Headers);
                receiving.insert(Class::Receive);
            }
            // A client that waits to be told to go on is not late.
            Reading::Body if self.awaits_invitation() => held.insert(Class::Receive),
            Reading::Body => {
                receiving.insert(Class::Receive);
                // A rate is measured over a span without a pause.
                if willing {
                    active.insert(Class::MinRate);
                }
            }
            Reading::Tunnel => active.insert(Class::Upgraded),
            Reading::Lingering => {
                active.insert(Class::Linger);
                active.insert(Class::LingerTotal);
            }
            Reading::Between | Reading::Barrier | Reading::HandedOver | Reading::Stopped => {}
        }
        if self.rules.handler_is_timed && self.oldest_awaited().is_some() {
            // One pace at a time: the handler's, where there is one.
            active.remove(Class::MinRate);
            active.insert(Class::Handler);
        }
        if !self.outgoing.output().is_empty() {
            active.insert(Class::Write);
        }
        Timed { active, held }
    }

    fn awaits_invitation(&self) -> bool {
        self.incoming.as_ref().is_some_and(|it| it.awaits_invitation(&self.outgoing))
    }

    /// The oldest request the handler has and has not answered. O(requests under way).
    fn oldest_awaited(&self) -> Option<u64> {
        let index = self.outgoing.slots().iter().position(Slot::awaits_handler)?;
        Some(self.outgoing.front() + index as u64)
    }
}
