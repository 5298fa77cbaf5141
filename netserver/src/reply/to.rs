//! The one chance to answer a request.

use std::fmt;
use std::time::Instant;

use super::exchange::Exchange;
use super::outgoing::Outgoing;
use super::slot::Turn;
use super::ticket::Ticket;
use crate::cause::Cause;
use crate::context::Context;
use crate::http::{Reject, Response};

/// The obligation to answer one request. Every way to meet it consumes the reply; dropped unmet,
/// it is a 500 and the end of the connection, never silence.
#[must_use = "a reply that is dropped answers 500"]
pub struct Reply<'a> {
    outgoing: &'a mut Outgoing,
    turn: Turn,
    body_limit: Option<u64>,
    cx: Context<'a>,
    met: bool,
}

/// What is to become of a body, as decided on its head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plan {
    /// Gather it; over this many bytes it is refused.
    Buffer { limit: u64 },
    /// Give it to the slot's exchange; over this many bytes it is refused.
    Exchange { limit: u64 },
    /// The handler will tell later.
    Undecided,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(outgoing: &'a mut Outgoing, turn: Turn, cx: Context<'a>) -> Reply<'a> {
        Reply { outgoing, turn, body_limit: None, cx, met: false }
    }

    /// Sends a whole response. On a head, before the body has been taken, that refuses the body:
    /// the connection closes after the response.
    pub fn send(mut self, response: Response<'_>) {
        self.met = true;
        self.outgoing.send(self.turn, &response, &mut self.cx);
    }

    /// Sends a response whose body the exchange produces when the peer can take it. On a head, the
    /// exchange gets the request's body too.
    pub fn stream(mut self, response: Response<'_>, exchange: Box<dyn Exchange>) {
        self.met = true;
        if self.turn.early {
            self.outgoing.plan =
                Some(Plan::Exchange { limit: self.body_limit.unwrap_or(u64::MAX) });
        }
        self.outgoing.stream(self.turn, &response, Some(exchange), &mut self.cx);
    }

    /// Puts the answer off. It is given when the ticket is presented to the server, or never: then
    /// the handler deadline, if there is one, answers 503. On a head, the body is not read before.
    pub fn later(mut self) -> Ticket {
        self.met = true;
        self.outgoing.slot_or_new(self.turn).undecided = self.turn.early;
        if self.turn.early {
            self.outgoing.plan = Some(Plan::Undecided);
        }
        Ticket::new(self.cx.id, self.turn.number)
    }

    /// Leaves HTTP: answers 101 with these fields (one of them `Upgrade`), or 200 to CONNECT, and
    /// lets the exchange have the connection. A 500 if the request did not ask for it.
    pub fn upgrade(mut self, fields: &[(&str, &str)], exchange: Box<dyn Exchange>) {
        self.met = true;
        self.outgoing.upgrade(self.turn, fields, Some(exchange), &mut self.cx);
    }

    /// Leaves HTTP as [`upgrade`](Reply::upgrade) does, and takes the socket itself out of the
    /// server: [`Handler::on_upgrade`](crate::Handler::on_upgrade) gets it once the response is
    /// written, with what the peer has sent already. The ticket names it there.
    pub fn hand_over(mut self, fields: &[(&str, &str)]) -> Ticket {
        self.met = true;
        self.outgoing.upgrade(self.turn, fields, None, &mut self.cx);
        Ticket::new(self.cx.id, self.turn.number)
    }

    /// Gathers the body, and then calls [`Handler::on_request`](crate::Handler). What is
    /// longer than [`body_limit`](Reply::body_limit) is refused with 413. Only on a head.
    pub fn buffer_body(self) {
        let limit = self.body_limit.unwrap_or(self.cx.body_limit());
        self.take_body(Plan::Buffer { limit }, None);
    }

    /// Gives the body to the exchange, piece by piece. It has no limit unless
    /// [`body_limit`](Reply::body_limit) sets one: the exchange may count and refuse. Only on a
    /// head.
    pub fn stream_body(self, exchange: Box<dyn Exchange>) {
        let limit = self.body_limit.unwrap_or(u64::MAX);
        self.take_body(Plan::Exchange { limit }, Some(exchange));
    }

    /// Sets the length in bytes over which this body is refused with 413, in place of the
    /// server's limit.
    pub fn body_limit(mut self, bytes: u64) -> Reply<'a> {
        self.body_limit = Some(bytes);
        self
    }

    /// Sends an interim response, such as 103, ahead of the real one. Nothing to HTTP/1.0, which
    /// knows none (RFC 9110 section 15.2), and nothing for a status that is not 1xx, or is 101.
    pub fn informational(&mut self, response: Response<'_>) {
        self.outgoing.informational(self.turn, &response);
    }

    /// Names this request as [`later`](Reply::later) would, to find out first whether it can be
    /// put off: whether there is room in a queue, whether a timer can be armed.
    pub fn ticket(&self) -> Ticket {
        Ticket::new(self.cx.id, self.turn.number)
    }

    /// Whether the peer has ended its side. It may still read, as far as anyone can tell.
    pub fn client_gone(&self) -> bool {
        self.outgoing.peer_is_done
    }

    /// When the server answers 503 in the handler's place, were this put off now; `None` if never.
    pub fn deadline(&self) -> Option<Instant> {
        self.cx.handler_deadline()
    }

    fn take_body(mut self, plan: Plan, exchange: Option<Box<dyn Exchange>>) {
        if self.turn.early {
            self.met = true;
            self.outgoing.take_body(self.turn, plan, exchange);
        }
        // Else there is no body to take, and dropping `self` says so with a 500.
    }
}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        if !self.met {
            let date = self.cx.date.text(self.cx.now);
            self.outgoing.refuse(self.turn, Reject::Handler, Cause::Handler, date);
        }
    }
}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("turn", &self.turn).finish_non_exhaustive()
    }
}
