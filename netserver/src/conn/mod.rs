//! One connection as a state machine: bytes in, calls of the handler and bytes out.
//!
//! Reading and answering go on independently of each other: requests may arrive while earlier ones
//! are still answered. Reading is the machine below; answering is
//! `reply::Outgoing`, a queue in the order of the requests.
//!
//! ```text
//!            byte that is       end of head,
//!            not CR, LF         body expected
//!  ┌▶ Between ──────────▶ Head ──────────────▶ Body ──┐ last byte
//!  │     │                 │ │                        │
//!  │     │        no body  │ └ upgrade, CONNECT ──▶ Barrier ──▶ Tunnel ──▶ HandedOver
//!  │     │                 │                          │ refused
//!  ├─────┼─────────────────┴──────────────────────────┤
//!  │     │                                            │ … and it was the last request
//!  └ next request                                     ▼
//!        └── error, EOF, drain ───────────────────▶ Stopped ──▶ Lingering
//!                                                        write side shut
//! ```
//!
//! The transitions are in `reading`; what deadlines do is in `deadline`.

mod body;
mod deadline;
mod end;
mod input;
mod reading;

pub use end::{End, How, Phase};

use std::fmt;

use crate::cause::Cause;
use crate::context::Context;
use crate::handler::Handler;
use crate::http::{Reject, Scan};
use crate::reply::{Arrival, Outgoing, Panicked, Reply, Slot, Ticket, guarded};
use crate::track::{Class, Classes};

use body::Incoming;
use input::Input;

/// A connection. Small, and without any buffer while idle.
pub struct Conn {
    reading: Reading,
    input: Input,
    /// There is something to do with the input, or with its end, once reading is not held back.
    parked: bool,
    incoming: Option<Box<Incoming>>,
    outgoing: Outgoing,
    /// Heads that were complete and understood. Counted, as what can be seen of requests goes away
    /// with those that are abandoned.
    requests: u64,
    /// CR and LF before the request line that is to come.
    blank: u32,
    draining: bool,
    /// Ended without regard to what is still to be written.
    aborted: Option<Cause>,
    /// Bytes dropped, before and while lingering.
    lingered: u64,
    /// So much has been dropped that the rest stays with the peer.
    sated: bool,
    /// Bytes came that belong to no request: the peer may have more of them on the way.
    surplus: bool,
    rules: Rules,
    /// The oldest request the handler had, and had not answered, at the end of the last turn.
    /// Its number and one, or 0, in half the room of an `Option`: idle connections are many.
    awaited: u64,
    restarted: Classes,
    bytes_in: u64,
    bytes_out: u64,
}

/// What the bytes that arrive belong to. See the picture above.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// To no request yet.
    Between,
    /// To a head.
    Head(Scan),
    /// To the body of `incoming`.
    Body,
    /// To a protocol that is not known before a request is answered: not read.
    Barrier,
    /// To another protocol.
    Tunnel,
    /// To whoever has the socket now.
    HandedOver,
    /// To nothing: no more requests are read.
    Stopped,
    /// To nothing: the write side is shut, and they are dropped until the peer ends.
    Lingering,
}

/// What observers need of the settings, as of the last input.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// In 32 bits, which the requests of one connection never fill: idle connections are many.
    pipeline_limit: u32,
    handler_is_timed: bool,
}

impl Rules {
    /// Before the first input.
    const UNKNOWN: Rules = Rules { pipeline_limit: u32::MAX, handler_is_timed: false };
}

impl Default for Conn {
    fn default() -> Conn {
        Conn::new()
    }
}

/// Inputs. Each runs the machine as far as it goes.
impl Conn {
    /// A connection that has just been accepted.
    pub fn new() -> Conn {
        Conn {
            reading: Reading::Between,
            input: Input::default(),
            parked: false,
            incoming: None,
            outgoing: Outgoing::default(),
            requests: 0,
            blank: 0,
            draining: false,
            aborted: None,
            lingered: 0,
            sated: false,
            surplus: false,
            rules: Rules::UNKNOWN,
            awaited: 0,
            restarted: Classes::default(),
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    /// The peer has sent `bytes`. What is complete is handled from there, without a copy.
    pub fn receive<H: Handler>(&mut self, bytes: &[u8], handler: &mut H, cx: &mut Context<'_>) {
        self.bytes_in += bytes.len() as u64;
        match self.reading {
            Reading::Lingering => return self.drop_bytes(bytes.len(), cx),
            Reading::Stopped => {
                self.surplus = true;
                self.lingered += bytes.len() as u64;
                self.sated = self.lingered >= cx.linger_bytes();
                return;
            }
            _ => {}
        }
        if self.input.is_empty() {
            let used = self.run(bytes, handler, cx);
            self.keep(&bytes[used..]);
        } else {
            self.input.push(bytes);
            self.run_input(handler, cx);
        }
    }

    /// The peer sends no more. Requests that are complete are answered still.
    pub fn receive_eof<H: Handler>(&mut self, handler: &mut H, cx: &mut Context<'_>) {
        let known = std::mem::replace(&mut self.outgoing.peer_is_done, true);
        self.run_input(handler, cx);
        if !known {
            self.tell_client_gone(handler, cx);
        }
    }

    /// Goes on with what was left: output has drained, a stream can be pulled, a quota is renewed.
    pub fn resume<H: Handler>(&mut self, handler: &mut H, cx: &mut Context<'_>) {
        self.run_input(handler, cx);
    }

    /// Has `answer` answer the request of `ticket`. False if that is stale: answered already, or
    /// of another connection.
    pub fn answer<H: Handler>(
        &mut self,
        ticket: Ticket,
        handler: &mut H,
        cx: &mut Context<'_>,
        answer: impl FnOnce(&mut H, Reply<'_>),
    ) -> bool {
        let number = ticket.number();
        let slot = self.outgoing.slot_mut(number).filter(|slot| slot.is_put_off());
        let Some(slot) = slot.filter(|_| ticket.connection() == cx.id) else { return false };
        let turn = slot.turn(number);
        slot.undecided = false;
        self.outgoing.plan = None;
        let reply = Reply::new(&mut self.outgoing, turn, cx.reborrow());
        if let Err(Panicked) = guarded(|| answer(handler, reply)) {
            let date = cx.date.text(cx.now);
            self.outgoing.fail(turn, Reject::Handler, Cause::Handler, date);
        }
        if turn.early {
            self.decided(turn, cx);
        }
        self.parked = true;
        self.run_input(handler, cx);
        true
    }

    /// The time has come for `ticket`: [`Handler::on_wake`] for a request put off,
    /// [`Exchange::on_wake`](crate::Exchange::on_wake) for a streamed one. False if stale.
    pub fn wake<H: Handler>(
        &mut self,
        ticket: Ticket,
        handler: &mut H,
        cx: &mut Context<'_>,
    ) -> bool {
        let number = ticket.number();
        let streamed = self.outgoing.slot_mut(number).is_some_and(|slot| slot.exchange.is_some());
        if !streamed || ticket.connection() != cx.id {
            return self.answer(ticket, handler, cx, |handler, reply| {
                handler.on_wake(ticket, reply);
            });
        }
        self.outgoing.deliver(number, Arrival::Wake, cx);
        self.run_input(handler, cx);
        true
    }

    /// From here on every response that begins is the last, and says so. What has arrived may still
    /// be read before [`drain`](Conn::drain), by which a tunnel is told.
    #[inline]
    pub fn begin_drain(&mut self) {
        self.draining |= !matches!(self.reading, Reading::Tunnel);
    }

    /// Begins no more requests. An idle connection ends at once, others after the response to the
    /// newest request under way. If no response is to come that could say so, and a request has begun
    /// to arrive, that is the last.
    pub fn drain(&mut self, cx: &mut Context<'_>) {
        self.draining = true;
        match self.reading {
            Reading::Between | Reading::Head(_) if self.owes_one_more() => {}
            Reading::Between | Reading::Head(_) => self.stop(Cause::Drain),
            Reading::Barrier => self.outgoing.end_after(self.outgoing.begun() - 1, Cause::Drain),
            Reading::Body => {
                let number = self.incoming.as_ref().map_or(0, |incoming| incoming.turn.number);
                self.outgoing.end_after(number, Cause::Drain);
            }
            Reading::Tunnel => self.drain_tunnel(Cause::Drain, cx),
            Reading::HandedOver | Reading::Stopped | Reading::Lingering => {}
        }
        self.outgoing.pump(cx);
        self.settle(cx);
    }

    /// Ends now, whatever is under way.
    pub fn abort(&mut self, cause: Cause) {
        self.outgoing.end(cause, false);
        self.aborted = Some(self.aborted.unwrap_or(cause));
        self.read_no_more();
    }

    /// The peer has reset the connection, or the network has broken it. While lingering that is as
    /// good an end as any, and the cause is what the connection ended for before.
    pub fn break_off(&mut self) {
        let over = self.outgoing.ending().filter(|_| matches!(self.reading, Reading::Lingering));
        self.abort(over.map_or(Cause::PeerReset, |ending| ending.cause));
    }

    /// The socket has taken the first `n` bytes of [`output`](Conn::output).
    pub fn wrote(&mut self, n: usize) {
        self.bytes_out += n as u64;
        self.outgoing.output_mut().consume(n);
        if n > 0 {
            self.restarted.insert(Class::Write);
            self.restarted.insert(Class::Upgraded);
        }
        if self.outgoing.output().is_empty() {
            self.restarted.insert(Class::Idle);
        }
    }

    /// Lends the connection an empty buffer to write into for this turn, to be taken back with
    /// [`take_output`](Conn::take_output) before the next connection's turn. With one buffer for
    /// all connections, one that is served in a turn never allocates any.
    pub fn lend_output(&mut self, scratch: &mut Vec<u8>) {
        self.outgoing.output_mut().lend(scratch);
    }

    /// Gives the socket up, as [`Reply::hand_over`] asked: which request it was, and what the peer
    /// has sent after it. `None` if it did not, or if it is not time yet.
    pub fn give_up_socket(&mut self, cx: &Context<'_>) -> Option<(Ticket, Vec<u8>)> {
        if !self.gives_up_socket() {
            return None;
        }
        self.reading = Reading::HandedOver;
        self.parked = false;
        let read = self.input.unused().to_vec();
        self.input.clear();
        Some((Ticket::new(cx.id, self.outgoing.front()), read))
    }

    /// Takes the buffer back, empty; the connection keeps a copy of what is not written.
    pub fn take_output(&mut self, scratch: &mut Vec<u8>) {
        self.outgoing.output_mut().give_back(scratch);
    }

    /// The write side is shut, as [`How::Linger`] asked for.
    pub fn shut_down(&mut self) {
        self.reading = Reading::Lingering;
        // What was dropped before has held nobody up.
        self.lingered = 0;
        self.sated = false;
        self.restarted.insert(Class::Linger);
        self.restarted.insert(Class::LingerTotal);
    }
}

impl Conn {
    /// Whether bytes of another request are here, and nothing is under way whose response can still
    /// say that it is the last.
    fn owes_one_more(&self) -> bool {
        let has_begun = matches!(self.reading, Reading::Head(_)) || !self.input.is_empty();
        has_begun && self.outgoing.slots().back().is_none_or(Slot::has_begun)
    }
}

/// Observers.
impl Conn {
    /// What is to be written.
    pub fn output(&self) -> &[u8] {
        self.outgoing.output().unsent()
    }

    /// Whether bytes that arrive could be used now. While false, they are best left in the kernel,
    /// where they hold the peer back.
    pub fn wants_read(&self) -> bool {
        !self.outgoing.peer_is_done
            && match self.reading {
                Reading::Lingering => !self.sated && self.end().is_none(),
                // Nothing is wanted but to know whether the peer is there to be answered, and
                // whether it is sending still: a close before that is read would be a reset.
                Reading::Stopped => !self.sated && !self.is_over(),
                // What is here already is used first, or it would grow without an end.
                _ => !self.parked && !self.is_held_back(),
            }
    }

    /// Whether nothing is read any more, as so much has been dropped, though the peer is to end its
    /// side: whether it has can be told by the poll alone, and is said by
    /// [`receive_eof`](Conn::receive_eof).
    pub fn is_sated(&self) -> bool {
        self.sated && !self.outgoing.peer_is_done
    }

    /// Whether [`resume`](Conn::resume) would find work, though no event will come for it.
    pub fn wants_resume(&self) -> bool {
        (self.parked && !self.is_held_back()) || self.outgoing.can_pump()
    }

    /// Whether nothing is under way, nor left to do with what has arrived.
    #[inline]
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.parked
            && self.outgoing.ending().is_none()
            && self.outgoing.slots().is_empty()
            && self.outgoing.output().is_empty()
    }

    /// Whether the socket is the handler's from now on: see [`give_up_socket`](Conn::give_up_socket).
    pub fn gives_up_socket(&self) -> bool {
        matches!(self.reading, Reading::Tunnel)
            && self.outgoing.output().is_empty()
            && self.outgoing.front_slot().is_some_and(Slot::is_handed_over)
    }

    /// Whether the request of `ticket` is still to be answered, or streamed.
    pub fn is_open(&self, ticket: Ticket) -> bool {
        let slot = self.outgoing.slot(ticket.number());
        slot.is_some_and(|slot| slot.is_put_off() || slot.exchange.is_some())
    }

    /// What the connection is doing.
    pub fn phase(&self) -> Phase {
        match self.reading {
            Reading::Lingering => Phase::Linger,
            Reading::Tunnel | Reading::HandedOver => Phase::Upgraded,
            Reading::Body => Phase::Body,
            Reading::Head(_) => Phase::Headers,
            _ if self.outgoing.slots().iter().any(Slot::awaits_handler) => Phase::Handler,
            _ if !self.outgoing.slots().is_empty() || !self.outgoing.output().is_empty() => {
                Phase::Write
            }
            _ if self.is_untouched() => Phase::FirstByte,
            _ => Phase::Idle,
        }
    }

    /// Requests whose heads have arrived, complete and understood. Never less than before.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests whose responses are complete and written. `None` where that is not known: while
    /// bytes wait to be written, and once those under way have been abandoned.
    pub(crate) fn answered(&self) -> Option<u64> {
        let known = self.outgoing.output().is_empty() && self.aborted.is_none();
        known.then(|| self.outgoing.front())
    }

    /// Bytes received.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    /// Bytes written.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("phase", &self.phase())
            .field("requests", &self.requests())
            .field("unsent", &self.output().len())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}
