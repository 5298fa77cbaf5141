//! What has to hold, told by the wire alone: what arrived, what was read, what was written, when.

use std::time::{Duration, Instant};

use netserver::Cause;

use crate::app::{Kind, State};
use crate::client::{Client, Message};
use crate::plan::Plan;
use crate::wire::{Ending, Wire, lock};

/// A wheel tick, and what it takes to round to one.
const TICK: Duration = Duration::from_millis(2);

pub(crate) struct Oracle<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) states: &'a [State],
    pub(crate) now: Instant,
    /// The server has begun to close.
    pub(crate) draining: bool,
    /// The grace is over.
    pub(crate) forced: bool,
    /// The loop has stood still for long, or everybody has.
    pub(crate) stalled: bool,
    pub(crate) jumped: bool,
    pub(crate) longest_turn: Duration,
}

type Verdict = Result<(), String>;

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Oracle<'_> {
    /// At any time: one answer to each request, in order, and none to what is not there.
    pub(crate) fn check_answers(&self, client: &Client) -> Verdict {
        let wire = lock(&client.wire);
        if let Some(fault) = wire.answers.fault.as_deref().or(wire.fault) {
            return Err(fault.to_owned());
        }
        let answers = &wire.answers.list;
        for (number, answer) in answers.iter().enumerate() {
            let message = client.messages.get(number);
            match answer.id {
                Some(id) => {
                    require(message.is_some_and(|message| message.id == id), || {
                        format!("answer {number} is for {id}, wanted {message:?}")
                    })?;
                    let end = message.map_or(0, |message| message.end);
                    require(answer.read >= end, || {
                        format!("{id} is answered when {} of {end} bytes were read", answer.read)
                    })?;
                }
                None if answer.status == 404 => {}
                None => {
                    require(answer.close && number + 1 == answers.len(), || {
                        format!("error {} is not the last word", answer.status)
                    })?;
                    // Read before it kills: what was there in whole is not too late.
                    let whole = message.is_some_and(|message| message.end <= answer.arrived);
                    require(answer.status != 408 || !whole, || {
                        format!("408 for {message:?}, which was there at {:?}", answer.at)
                    })?;
                    let begun = message.filter(|message| answer.read > message.start);
                    let begun = begun.and_then(|message| wire.read_at(message.start));
                    let waited = begun.map(|begun| answer.at - begun);
                    let timeouts = &self.plan.settings.timeouts;
                    let least = timeouts.headers.min(timeouts.request).min(timeouts.min_rate);
                    require(answer.status != 408 || waited.is_none_or(|it| it >= least), || {
                        format!("408 for {message:?} after {waited:?}")
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Once the loop has nothing left to do: nothing that could be done is undone.
    pub(crate) fn check_rest(&self, client: &Client) -> Verdict {
        let wire = lock(&client.wire);
        if wire.dropped.is_some() || wire.token.is_none() || !wire.is_told() {
            return Ok(());
        }
        let answers = &wire.answers;
        let closing = wire.shut.is_some() || answers.list.last().is_some_and(|last| last.close);
        if closing || answers.tunnel.is_some() || wire.blocked.is_some() {
            return Ok(());
        }
        let front = client.messages.get(answers.list.len());
        let taken = front.is_some_and(|front| front.head_end <= wire.read);
        require(wire.unread() == 0 || taken, || {
            format!("{} bytes lie unread, and nothing is under way", wire.unread())
        })?;
        let answered = front.is_some_and(|front| self.states[front.id] == State::Answered);
        require(!answered, || format!("the answer to {front:?} is stuck"))
    }

    /// Once the loop has nothing left to do: nobody is here for longer than allowed.
    pub(crate) fn check_deadlines(&self, client: &Client) -> Verdict {
        let wire = lock(&client.wire);
        if wire.dropped.is_some() || wire.token.is_none() {
            return Ok(());
        }
        let Some((why, bound)) = self.bound(client, &wire) else { return Ok(()) };
        // It counts from the end of the turn that it began in.
        let latest = bound + self.plan.check_interval() + TICK + self.longest_turn;
        require(self.now <= latest, || {
            format!("{why} ended {:?} ago, and it is still here", self.now - bound)
        })
    }

    /// The deadline that a connection is under, if that can be told from outside.
    fn bound(&self, client: &Client, wire: &Wire) -> Option<(&'static str, Instant)> {
        let timeouts = &self.plan.settings.timeouts;
        let after = |why, since: Instant, duration: Duration| {
            (!duration.is_zero()).then(|| (why, since + duration))
        };
        if let Some(shut) = wire.shut {
            return after("lingering", shut, timeouts.linger_total);
        }
        if let Some(blocked) = wire.blocked {
            return after("waiting for the peer to read", blocked, timeouts.write);
        }
        let answers = &wire.answers;
        if let Some(since) = answers.tunnel {
            let last = wire.reads.back().map_or(since, |(_, at)| since.max(*at));
            let last = wire.last_write.map_or(last, |at| last.max(at));
            return after("the tunnel", last, timeouts.upgraded * 2);
        }
        if wire.ending.is_some() && wire.end_seen {
            return None;
        }
        let accepted = wire.accepted?;
        let quiet = wire.last_write.unwrap_or(accepted);
        let front = client.messages.get(answers.list.len());
        let Some(front) = front.filter(|front| front.start < wire.read) else {
            // Nothing is being received, or only what is no message.
            if answers.list.is_empty() {
                let only_blank = wire.read == 0 || client.role == crate::client::Role::CrlfDrip;
                let first = timeouts.first_byte.unwrap_or(timeouts.headers);
                return only_blank.then(|| after("the first byte", accepted, first)).flatten();
            }
            let surplus = wire.read > client.messages[answers.list.len() - 1].end;
            let idle = timeouts.keep_alive + timeouts.keep_alive_buffer;
            return if surplus { None } else { after("idleness", quiet, idle) };
        };
        let since = wire.read_at(front.start)?;
        let since = since.max(quiet);
        if wire.read < front.head_end {
            after("the head", since, timeouts.headers)
        } else if wire.read < front.end {
            // While an exchange takes nothing, time stands still.
            let known = front.kind != Kind::Take;
            known.then(|| after("the body", since, timeouts.request)).flatten()
        } else if matches!(front.kind, Kind::Later | Kind::Never) {
            let whole = wire.read_at(front.end - 1)?.max(quiet);
            after("the handler", whole, timeouts.handler)
        } else {
            None
        }
    }

    /// When a connection has ended: not too early, and nothing lost.
    pub(crate) fn check_end(&self, client: &Client, cause: Cause) -> Verdict {
        let wire = lock(&client.wire);
        let Some((at, arrived)) = wire.dropped else {
            return Err(format!("closed by {cause:?}, and not let go of"));
        };
        let answers = &wire.answers;
        let closing = answers.list.last().is_some_and(|last| last.close);
        let lost = client.messages.get(answers.list.len()).filter(|lost| lost.end <= arrived);
        let front_is_troubled = lost.is_some_and(is_troubled);
        let excused = closing
            || answers.tunnel.is_some()
            || match cause {
                Cause::PeerReset => wire.ending == Some(Ending::Reset),
                // Of the message before it, or its own.
                Cause::WriteStall | Cause::Linger => true,
                Cause::Handler => front_is_troubled,
                // What was not even read is the next connection's, as the last response said, or as
                // the end says to whoever had begun to get it. Who was told by an end alone had time
                // to send more.
                Cause::Drain => {
                    let after = |offset| lost.is_some_and(|lost| lost.end > offset);
                    self.forced
                        || wire.held_at_close.is_some_and(after)
                        || (wire.shut.is_some() && after(wire.arrived_at_close))
                }
                _ => false,
            };
        require(lost.is_none() || excused, || {
            format!("{cause:?} at {at:?}: {lost:?} had arrived and was lost")
        })?;
        // Others are cut off, or had their time to read.
        let in_order = matches!(cause, Cause::MaxRequests | Cause::Drain | Cause::ParseError);
        require(!in_order || self.forced || wire.destroyed == 0, || {
            format!("{cause:?} took {} bytes back from the client", wire.destroyed)
        })?;
        self.check_not_early(client, &wire, cause, at)?;
        if client.role.means_well() {
            self.check_good_end(client, &wire, cause)?;
        }
        Ok(())
    }

    /// A connection that was never one: too many, or the poll did not take it.
    pub(crate) fn check_turned_away(&self, client: &Client) -> Verdict {
        let unwatchable = lock(&client.wire).unwatchable;
        let limited = self.plan.settings.limits.connections > 0;
        require(unwatchable || limited || self.draining, || "turned away for nothing".into())
    }

    fn check_not_early(&self, client: &Client, wire: &Wire, cause: Cause, at: Instant) -> Verdict {
        let timeouts = &self.plan.settings.timeouts;
        let answers = &wire.answers;
        let front = client.messages.get(answers.list.len().saturating_sub(1));
        let started = |front: Option<&Message>| wire.read_at(front?.start);
        let (since, duration) = match cause {
            Cause::FirstByte => {
                let first = timeouts.first_byte.unwrap_or(timeouts.headers);
                (wire.accepted, first.min(timeouts.request))
            }
            Cause::Idle if answers.tunnel.is_none() => {
                (wire.last_write, timeouts.keep_alive + timeouts.keep_alive_buffer)
            }
            Cause::Headers => (started(front), timeouts.headers),
            Cause::Body => (started(front), timeouts.request),
            Cause::MinRate => (started(front), timeouts.min_rate),
            Cause::Linger => (wire.shut, timeouts.linger.min(timeouts.linger_total)),
            // A loop that stood still has not tried meanwhile.
            Cause::WriteStall if self.stalled => (wire.last_write, timeouts.write),
            Cause::WriteStall => (wire.blocked, timeouts.write),
            _ => return Ok(()),
        };
        let Some(since) = since else { return Ok(()) };
        require(at >= since + duration, || {
            format!("{cause:?} after {:?} of {duration:?}", at - since)
        })
    }

    /// Who means well is never late, never refused and never cut off.
    fn check_good_end(&self, client: &Client, wire: &Wire, cause: Cause) -> Verdict {
        let limits = &self.plan.settings.limits;
        let allowed = match cause {
            Cause::Idle | Cause::PeerFin => true,
            Cause::MaxRequests => limits.requests_per_connection > 0,
            Cause::Drain => self.draining,
            Cause::Evicted => limits.connections > 0,
            // A loop that stood still may have been late for the handler.
            Cause::Handler => self.stalled,
            // It sent more than would be answered, or was not told before that there is no more.
            Cause::Linger => {
                self.draining || wire.answers.list.last().is_some_and(|last| last.close)
            }
            // The edge has not been told yet, of so many that there are, or to a loop that stood still.
            Cause::WriteStall if self.stalled || !wire.is_told() => true,
            // Everybody stood still, the network too.
            Cause::Headers
            | Cause::FirstByte
            | Cause::Body
            | Cause::MinRate
            | Cause::WriteStall => self.jumped,
            _ => false,
        };
        require(allowed, || {
            let (had, of) = (wire.answers.list.len(), client.messages.len());
            format!("{cause:?} ended a {:?} client that had {had} answers of {of}", client.role)
        })
    }
}

/// Whether a request may end its connection unanswered.
fn is_troubled(message: &Message) -> bool {
    matches!(message.kind, Kind::Cut | Kind::Panic | Kind::Never | Kind::Drop)
}

/// The most a connection may take, by the limits: what is read of one message and not answered,
/// what is answered and not written.
pub(crate) fn bytes_per_connection(plan: &Plan) -> usize {
    let limits = &plan.settings.limits;
    let body = usize::try_from(limits.body_size).expect("small");
    // Vectors grow by doubling; a read brings up to 64 KiB that are not used yet.
    let input = 2 * (limits.header_size + body + (64 << 10));
    let output = 2 * ((64 << 10) + (8 << 10));
    input + output + limits.pipelined * 512 + 4096
}
