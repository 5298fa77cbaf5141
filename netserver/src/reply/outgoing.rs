//! The responses of one connection: which are owed, in what order they go out, after which one
//! the connection ends.

use std::collections::VecDeque;

use super::exchange::Exchange;
use super::output::Output;
use super::slot::{Answer, Content, Method, Slot, Stream, Turn};
use super::to::Plan;
use super::{discard, guarded};
use crate::cause::Cause;
use crate::context::Context;
use crate::http::{
    Coding, Connection, DateCache, Draft, Reject, Response, Status, encode_continue,
    encode_informational, encode_reject,
};

/// Requests are numbered from 0 as their heads arrive. `front` is the oldest whose response is not
/// complete; the request numbered `front + i` has `slots[i]`.
///
/// A request handled while nothing else is under way has no slot unless its answer is put off or
/// streamed: then `slots` is empty and the answer goes straight to `out`.
#[derive(Default)]
pub(crate) struct Outgoing {
    pub(super) out: Output,
    pub(super) slots: VecDeque<Slot>,
    pub(super) front: u64,
    /// Bytes that wait in drafts.
    pub(super) held: usize,
    pub(super) last: Option<Last>,
    pub(super) ending: Option<Ending>,
    /// A response that only the end of the connection tells the end of has been left unfinished.
    pub(super) cut: bool,
    /// What the handler decided about the body of the head it was given.
    pub(crate) plan: Option<Plan>,
    /// The peer sends no more.
    pub(crate) peer_is_done: bool,
}

/// The connection ends after the response to this request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    pub(crate) number: u64,
    pub(crate) cause: Cause,
    /// Its head had gone out before this was known, and said that the connection stays.
    untold: bool,
}

/// The last response is complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) cause: Cause,
    /// The peer may be sending still: closing at once could destroy what it has not read yet.
    pub(crate) linger: bool,
}

impl Outgoing {
    /// Nothing more is pulled, and no more requests are begun, while so many bytes wait.
    pub(crate) const HIGH_WATER: usize = 64 * 1024;

    /// A request is about to be handed to the handler: for the first time, or, complete, for the
    /// second.
    pub(crate) fn open(&mut self, turn: Turn) {
        if !self.slots.is_empty() {
            self.slot_or_new(turn).receiving = turn.early;
        }
    }

    // Answers, from Reply and Flow.

    /// Sends a whole response, now or in its turn.
    #[inline]
    pub(crate) fn send(&mut self, turn: Turn, response: &Response<'_>, cx: &mut Context<'_>) {
        let status = response.status;
        let tunnel = turn.shape.method == Method::Connect && status.is_success();
        if status.is_informational() || tunnel {
            return self.refuse(turn, Reject::Handler, Cause::Handler, cx.date.text(cx.now));
        }
        if response.close || turn.early {
            self.end_after(turn.number, Cause::Handler);
        }
        let with_body = turn.shape.method != Method::Head && status.has_body();
        // What GET would have said, where the content itself is not sent.
        let stated = if with_body { None } else { response.length };
        let coding = Coding::of(status, stated.unwrap_or(response.body.len() as u64));
        let body = if with_body { response.body } else { &[] };
        if turn.number == self.front {
            self.write_interim();
            let connection = self.connection(cx);
            let (out, date) = (self.out.buffer(), (&mut *cx.date, cx.now));
            match Draft::write_now(out, response, coding, body, connection, date) {
                Ok(()) => self.complete_front(turn.early),
                Err(reject) => {
                    self.refuse(turn, reject, Cause::Handler, cx.date.text(cx.now));
                }
            }
        } else {
            match Draft::new(response, coding, body) {
                Ok(draft) => self.hold(turn, draft, Answer::Whole),
                Err(reject) => {
                    self.refuse(turn, reject, Cause::Handler, cx.date.text(cx.now));
                }
            }
        }
    }

    /// Begins a response that is pulled, now or in its turn. Without `exchange` the slot has it.
    pub(crate) fn stream(
        &mut self,
        turn: Turn,
        response: &Response<'_>,
        exchange: Option<Box<dyn Exchange>>,
        cx: &mut Context<'_>,
    ) {
        let silent = turn.shape.method == Method::Head || !response.status.has_body();
        let tunnel = turn.shape.method == Method::Connect && response.status.is_success();
        if response.status.is_informational() || tunnel {
            return self.refuse(turn, Reject::Handler, Cause::Handler, cx.date.text(cx.now));
        }
        let coding = Coding::streamed(response, turn.shape.version);
        if response.close || coding == Coding::UntilClose || (silent && turn.early) {
            self.end_after(turn.number, Cause::Handler);
        }
        if let Some(exchange) = exchange {
            self.slot_or_new(turn).exchange = Some(exchange);
            self.invite(turn);
        }
        match Draft::new(response, coding, &[]) {
            // The head is all there is to say, but for what GET would have said.
            Ok(draft) if silent => self.hold(turn, draft, Answer::Whole),
            Ok(draft) => {
                let content = Content::new(coding);
                self.hold(turn, draft, |head| {
                    Answer::Stream(Stream { head: Some(head), content, waiting: false })
                });
            }
            Err(reject) => self.refuse(turn, reject, Cause::Handler, cx.date.text(cx.now)),
        }
    }

    /// Leaves HTTP when it is this request's turn. Without an exchange the handler gets the socket.
    pub(crate) fn upgrade(
        &mut self,
        turn: Turn,
        fields: &[(&str, &str)],
        exchange: Option<Box<dyn Exchange>>,
        cx: &mut Context<'_>,
    ) {
        let status = match turn.shape.method {
            Method::Connect => Status::OK,
            _ => Status::SWITCHING_PROTOCOLS,
        };
        let response = Response::new(status).fields(fields);
        match Draft::new(&response, Coding::None, &[]) {
            Ok(draft) if turn.shape.upgrade && !turn.early => {
                self.end_after(turn.number, Cause::Handler);
                let slot = self.slot_or_new(turn);
                slot.receiving = true;
                // There is nothing to pull from, and nobody to give what arrives to.
                let to_handler = exchange.is_none();
                slot.paused = to_handler;
                slot.exchange = exchange;
                let content = if to_handler { Content::Socket } else { Content::Tunnel };
                self.hold(turn, draft, |head| {
                    Answer::Stream(Stream { head: Some(head), content, waiting: to_handler })
                });
            }
            _ => self.refuse(turn, Reject::Handler, Cause::Handler, cx.date.text(cx.now)),
        }
    }

    /// Sends an interim response, now or in its turn.
    pub(crate) fn informational(&mut self, turn: Turn, response: &Response<'_>) {
        let known = turn.shape.version == crate::http::Version::Http11;
        let status = response.status;
        if known && status.is_informational() && status != Status::SWITCHING_PROTOCOLS {
            // An unsendable one appends nothing.
            let _ = encode_informational(self.interim(turn), response);
        }
    }

    /// The handler is willing to read the body: keeps the exchange that is to have it.
    pub(crate) fn take_body(
        &mut self,
        turn: Turn,
        plan: Plan,
        exchange: Option<Box<dyn Exchange>>,
    ) {
        self.plan = Some(plan);
        if let Some(exchange) = exchange {
            self.slot_or_new(turn).exchange = Some(exchange);
        }
        self.invite(turn);
    }

    /// Invites the client to send the body, if it waits for that (RFC 9110 section 10.1.1).
    fn invite(&mut self, turn: Turn) {
        if turn.early && turn.shape.continue_due {
            encode_continue(self.interim(turn));
        }
    }

    /// Answers with an error, now or in its turn, and ends the connection after it.
    pub(crate) fn refuse(
        &mut self,
        turn: Turn,
        reject: Reject,
        cause: Cause,
        date: &[u8; DateCache::LEN],
    ) {
        self.end_after(turn.number, cause);
        self.blame(cause);
        if turn.number == self.front {
            self.write_interim();
            encode_reject(self.out.buffer(), reject, date);
            self.complete_front(true);
        } else {
            let slot = self.slot_or_new(turn);
            let held = slot.held();
            slot.answer = Answer::Refused(reject);
            discard(slot.exchange.take());
            self.held -= held;
        }
    }

    // What the connection does to them.

    /// No response follows the one to this request.
    pub(crate) fn end_after(&mut self, number: u64, cause: Cause) {
        if self.last.is_none_or(|last| number < last.number) {
            let untold = self.slot(number).is_some_and(Slot::has_begun);
            self.last = Some(Last { number, cause, untold });
        }
    }

    /// Whatever ends after the last response, ends for this reason.
    pub(crate) fn blame(&mut self, cause: Cause) {
        if let Some(last) = &mut self.last {
            last.cause = cause;
        }
    }

    /// Ends now: what is in the output is the last that goes out.
    pub(crate) fn end(&mut self, cause: Cause, linger: bool) {
        if self.ending.is_none() {
            self.ending = Some(Ending { cause, linger });
        }
        self.abandon(cause);
    }

    /// The handler, or the exchange, of this request has panicked, or the request has failed while
    /// it was answered: an error if nothing of the response is out, else nothing more.
    pub(crate) fn fail(
        &mut self,
        turn: Turn,
        reject: Reject,
        cause: Cause,
        date: &[u8; DateCache::LEN],
    ) {
        let complete = turn.number < self.front;
        match self.slot_mut(turn.number) {
            Some(slot) if slot.has_begun() => self.end(cause, true),
            Some(slot) if matches!(slot.answer, Answer::Whole(_) | Answer::Refused(_)) => {
                self.end_after(turn.number, cause);
            }
            Some(slot) => {
                if let Some(exchange) = slot.exchange.take() {
                    abort(exchange, cause);
                }
                self.refuse(turn, reject, cause, date);
            }
            None if complete => self.end(cause, true),
            None => self.refuse(turn, reject, cause, date),
        }
    }

    /// Lets go of all that is under way.
    pub(crate) fn abandon(&mut self, cause: Cause) {
        self.held = 0;
        self.cut |= self.slots.front().is_some_and(Slot::ends_with_connection);
        for mut slot in std::mem::take(&mut self.slots) {
            self.front += 1;
            if let Some(exchange) = slot.exchange.take() {
                abort(exchange, cause);
            }
        }
    }

    // Observers.

    /// Requests whose heads have arrived, but for one whose body is being gathered.
    pub(crate) fn begun(&self) -> u64 {
        self.front + self.slots.len() as u64
    }

    pub(crate) fn slot(&self, number: u64) -> Option<&Slot> {
        let index = usize::try_from(number.checked_sub(self.front)?).ok()?;
        self.slots.get(index)
    }

    pub(crate) fn slot_mut(&mut self, number: u64) -> Option<&mut Slot> {
        let index = usize::try_from(number.checked_sub(self.front)?).ok()?;
        self.slots.get_mut(index)
    }

    pub(crate) fn front_slot(&self) -> Option<&Slot> {
        self.slots.front()
    }

    pub(crate) fn slots(&self) -> &VecDeque<Slot> {
        &self.slots
    }

    /// The number of the oldest request whose response is not complete.
    pub(crate) fn front(&self) -> u64 {
        self.front
    }

    pub(crate) fn last(&self) -> Option<Last> {
        self.last
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Whether the peer would take what it has got of a response for the whole of it, were the
    /// connection to end in order.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn output(&self) -> &Output {
        &self.out
    }

    pub(crate) fn output_mut(&mut self) -> &mut Output {
        &mut self.out
    }

    /// Enough is waiting to be written.
    pub(crate) fn is_congested(&self) -> bool {
        self.out.len() + self.held >= Outgoing::HIGH_WATER
    }

    /// Whether the response to this request is settled though the request may not be complete.
    pub(crate) fn is_final(&self, number: u64) -> bool {
        let settled = |slot: &Slot| matches!(slot.answer, Answer::Whole(_) | Answer::Refused(_));
        number < self.front || self.slot(number).is_some_and(settled)
    }

    // Private.

    pub(crate) fn slot_or_new(&mut self, turn: Turn) -> &mut Slot {
        let index = usize::try_from(turn.number - self.front).expect("a request under way");
        if index == self.slots.len() {
            self.slots.push_back(Slot::new(turn));
        }
        &mut self.slots[index]
    }

    fn hold(&mut self, turn: Turn, draft: Draft, answer: impl FnOnce(Draft) -> Answer) {
        self.held += draft.len();
        self.slot_or_new(turn).answer = answer(draft);
    }

    /// Where interim responses to this request go.
    fn interim(&mut self, turn: Turn) -> &mut Vec<u8> {
        if turn.number == self.front {
            self.write_interim();
            self.out.buffer()
        } else {
            &mut self.slot_or_new(turn).interim
        }
    }

    /// What the response whose turn it is says about the connection.
    pub(super) fn connection(&self, cx: &Context<'_>) -> Connection {
        match self.last {
            Some(last) if last.number == self.front => Connection::Close,
            _ => cx.keep_alive(),
        }
    }

    pub(super) fn write_interim(&mut self) {
        if let Some(slot) = self.slots.front_mut() {
            self.out.buffer().append(&mut slot.interim);
        }
    }

    /// The response whose turn it is, is in the output to its end.
    #[inline]
    pub(super) fn complete_front(&mut self, early: bool) {
        let number = self.front;
        self.front += 1;
        // Without a slot there is nothing more to be known of it.
        let early = early || (!self.slots.is_empty() && self.drop_front_slot());
        if early {
            self.end_after(number, Cause::Handler);
        }
        if let Some(last) = self.last
            && last.number == number
        {
            // Who was not told may be sending the next request, which would be answered by a reset.
            self.end(last.cause, early || last.untold);
        }
    }

    /// Whether its request has not arrived in full.
    fn drop_front_slot(&mut self) -> bool {
        let slot = self.slots.pop_front();
        if self.slots.is_empty() {
            // An idle connection owns nothing.
            self.slots = VecDeque::new();
        }
        self.held -= slot.as_ref().map_or(0, Slot::held);
        let receiving = slot.as_ref().is_some_and(|slot| slot.receiving);
        discard(slot);
        receiving
    }
}

/// Tells an exchange that it is over, and lets go of it.
fn abort(mut exchange: Box<dyn Exchange>, cause: Cause) {
    // A panic is reported by the hook, and there is nothing left that it could end.
    let _ = guarded(move || exchange.aborted(cause));
}
