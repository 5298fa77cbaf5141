//! The body that is arriving: gathered for the handler, or passed on to an exchange.

use super::reading::Step;
use super::{Conn, Reading};
use crate::cause::Cause;
use crate::context::Context;
use crate::handler::Handler;
use crate::http::{Decoder, Fields, Framing, Head, HeadLimits, Piece, Reject};
use crate::reply::{Arrival, Outgoing, Plan, Turn};
use crate::track::Class;

/// A request whose body is not complete.
pub(super) struct Incoming {
    pub(super) turn: Turn,
    pub(super) plan: Plan,
    /// The head, to be parsed again when the body is complete: cheaper than to keep it parsed,
    /// and needed only for a body that takes more than one read.
    head: Vec<u8>,
    decoder: Decoder,
    gathered: Vec<u8>,
    /// Bytes of content so far.
    received: u64,
    /// What `received` was when the rate was last judged.
    judged: u64,
}

impl Incoming {
    /// Takes all the bytes there are. Returns how many were used, and whether the body is complete.
    fn gather(&mut self, bytes: &[u8], limits: HeadLimits) -> Result<(usize, bool), Reject> {
        let mut used = 0;
        loop {
            let (taken, piece) = self.decoder.next(&bytes[used..], limits)?;
            used += taken;
            match piece {
                Piece::Data(data) => {
                    self.gathered.extend_from_slice(data);
                    self.count(data)?;
                }
                Piece::Partial => return Ok((used, false)),
                Piece::End => return Ok((used, true)),
            }
        }
    }

    /// Holds the limit against what has come and what has been announced.
    fn count(&mut self, data: &[u8]) -> Result<(), Reject> {
        self.received += data.len() as u64;
        let limit = match self.plan {
            Plan::Buffer { limit } | Plan::Exchange { limit } => limit,
            Plan::Undecided => u64::MAX,
        };
        if self.received.saturating_add(self.decoder.announced()) > limit {
            return Err(Reject::BodyTooLarge);
        }
        Ok(())
    }

    /// Whether what arrives must wait. A gathered body waits for nothing: its size is limited.
    pub(super) fn is_held_back(&self, outgoing: &Outgoing) -> bool {
        match self.plan {
            Plan::Buffer { .. } => false,
            Plan::Undecided => true,
            // Until its turn an exchange could only hoard.
            Plan::Exchange { .. } => {
                outgoing.is_congested()
                    || outgoing.front() != self.turn.number
                    || outgoing.front_slot().is_some_and(|slot| slot.paused)
            }
        }
    }

    /// Whether the client was not told to go on yet: that waits for the responses before.
    pub(super) fn awaits_invitation(&self, outgoing: &Outgoing) -> bool {
        self.turn.shape.continue_due && self.received == 0 && outgoing.front() != self.turn.number
    }

    /// Bytes of content since this was last asked.
    pub(super) fn take_progress(&mut self) -> u64 {
        let progress = self.received - self.judged;
        self.judged = self.received;
        progress
    }
}

impl Conn {
    /// A head has arrived that a body follows. Returns how many bytes of `rest` that took.
    pub(super) fn begin_body<H: Handler>(
        &mut self,
        head: &Head<'_>,
        raw: &[u8],
        rest: &[u8],
        turn: Turn,
        handler: &mut H,
        cx: &mut Context<'_>,
    ) -> usize {
        self.restarted.insert(Class::MinRate);
        self.outgoing.plan = None;
        let handed_over = self.hand_over(turn, cx, |reply| handler.on_head(head, reply));
        let plan = self.outgoing.plan.take().filter(|_| handed_over.is_ok());
        let Some(plan) = plan else {
            // Refused by the handler: what follows is not read.
            self.reading = Reading::Stopped;
            return 0;
        };
        let framing = head.semantics().framing;
        let mut incoming = Incoming {
            turn,
            plan,
            head: Vec::new(),
            decoder: Decoder::new(framing),
            gathered: Vec::new(),
            received: 0,
            judged: 0,
        };
        if let Err(reject) = incoming.count(&[]) {
            self.incoming = Some(Box::new(incoming));
            self.fail_body(reject, Cause::ParseError, cx);
            return 0;
        }
        let Plan::Buffer { .. } = plan else {
            if plan == Plan::Undecided {
                incoming.head = raw.to_vec();
            }
            self.incoming = Some(Box::new(incoming));
            return 0;
        };
        // All there: handed over from where it lies.
        if let Framing::Length(length) = framing
            && let Ok(length) = usize::try_from(length)
            && let Some(body) = rest.get(..length)
        {
            self.dispatch(head, body, Fields::EMPTY, turn.complete(), handler, cx);
            return length;
        }
        let mut used = 0;
        if framing == Framing::Chunked {
            match incoming.gather(rest, cx.head_limits()) {
                Ok((taken, true)) => {
                    self.dispatch_gathered(head, &incoming, handler, cx);
                    return taken;
                }
                Ok((taken, false)) => used = taken,
                Err(reject) => {
                    self.incoming = Some(Box::new(incoming));
                    self.fail_body(reject, Cause::ParseError, cx);
                    return 0;
                }
            }
        }
        incoming.head = raw.to_vec();
        self.incoming = Some(Box::new(incoming));
        used
    }

    pub(super) fn read_body<H: Handler>(
        &mut self,
        bytes: &[u8],
        handler: &mut H,
        cx: &mut Context<'_>,
    ) -> Step {
        let Some(incoming) = &mut self.incoming else {
            self.reading = Reading::Stopped;
            return Step::Used(0);
        };
        let step = match incoming.plan {
            Plan::Buffer { .. } => match incoming.gather(bytes, cx.head_limits()) {
                Ok((used, false)) => Ok(Step::Starved(used)),
                Ok((used, true)) => {
                    self.finish_gathered(handler, cx);
                    Ok(Step::Used(used))
                }
                Err(reject) => Err(reject),
            },
            Plan::Exchange { .. } => self.pass_on(bytes, cx),
            Plan::Undecided => Ok(Step::Starved(0)),
        };
        step.unwrap_or_else(|reject| {
            self.fail_body(reject, Cause::ParseError, cx);
            Step::Used(0)
        })
    }

    /// Gives the exchange the next piece.
    fn pass_on(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<Step, Reject> {
        let Some(incoming) = &mut self.incoming else { return Ok(Step::Used(0)) };
        let turn = incoming.turn;
        let (used, piece) = incoming.decoder.next(bytes, cx.head_limits())?;
        match piece {
            Piece::Partial => return Ok(Step::Starved(used)),
            Piece::Data(data) => {
                incoming.count(data)?;
                if !data.is_empty() {
                    self.outgoing.deliver(turn.number, Arrival::Data(data), cx);
                }
                if self.outgoing.is_final(turn.number) {
                    // It wants no more.
                    self.incoming = None;
                    self.reading = Reading::Stopped;
                }
            }
            Piece::End => {
                let Some(incoming) = self.incoming.take() else { return Ok(Step::Used(used)) };
                with_trailers(&incoming.decoder, |trailers| {
                    self.outgoing.deliver(turn.number, Arrival::End(trailers), cx);
                });
                self.reading = self.after_message(turn.shape);
            }
        }
        Ok(Step::Used(used))
    }

    fn finish_gathered<H: Handler>(&mut self, handler: &mut H, cx: &mut Context<'_>) {
        let Some(incoming) = self.incoming.take() else { return };
        // It was understood before, under the same limits unless those have changed since.
        match Head::parse(&incoming.head, cx.head_limits()) {
            Ok(head) => self.dispatch_gathered(&head, &incoming, handler, cx),
            Err(reject) => {
                self.incoming = Some(incoming);
                self.fail_body(reject, Cause::ParseError, cx);
            }
        }
    }

    fn dispatch_gathered<H: Handler>(
        &mut self,
        head: &Head<'_>,
        incoming: &Incoming,
        handler: &mut H,
        cx: &mut Context<'_>,
    ) {
        with_trailers(&incoming.decoder, |trailers| {
            let turn = incoming.turn.complete();
            self.dispatch(head, &incoming.gathered, trailers, turn, handler, cx);
        });
    }

    /// The handler has decided, after the fact, what to do with the body that waits.
    pub(super) fn decided(&mut self, turn: Turn, cx: &mut Context<'_>) {
        let plan = self.outgoing.plan.take();
        let (Some(incoming), Some(plan)) = (&mut self.incoming, plan) else { return };
        if incoming.turn.number == turn.number {
            incoming.plan = plan;
            if let Err(reject) = incoming.count(&[]) {
                self.fail_body(reject, Cause::ParseError, cx);
            }
        }
    }

    /// The body cannot become complete: an error if nothing of the response is out, nothing if all
    /// of it is, and else the response is cut.
    pub(super) fn fail_body(&mut self, reject: Reject, cause: Cause, cx: &mut Context<'_>) {
        let Some(incoming) = self.incoming.take() else { return };
        let (turn, date) = (incoming.turn, cx.date.text(cx.now));
        self.outgoing.fail(turn, reject, cause, date);
        self.reading = Reading::Stopped;
    }
}

/// Calls with the trailers of a complete body, which were judged when they arrived.
fn with_trailers<R>(decoder: &Decoder, call: impl FnOnce(Fields<'_>) -> R) -> R {
    match decoder.trailers() {
        [] => call(Fields::EMPTY),
        section => call(Fields::of_section(section)),
    }
}
