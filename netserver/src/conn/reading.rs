//! The transitions of reading: from bytes to requests to the handler.

use super::{Conn, Reading, Rules};
use crate::cause::Cause;
use crate::context::Context;
use crate::handler::{Handler, Request};
use crate::http::{Before, Fields, Framing, Head, Reject, Scan, find_head};
use crate::reply::{Arrival, Panicked, Reply, Shape, Ticket, Turn, guarded};
use crate::track::Class;

/// Parts of messages (a head with a body that is there, a chunk) that are read in one go: with one
/// read there may come thousands, and others are to have their turn meanwhile.
const PARTS: usize = 64;

/// How far one step got.
pub(super) enum Step {
    /// So many bytes are used; go on.
    Used(usize),
    /// So many bytes are used, and the rest is not enough.
    Starved(usize),
}

impl Conn {
    /// Runs on what was left of earlier reads.
    pub(super) fn run_input<H: Handler>(&mut self, handler: &mut H, cx: &mut Context<'_>) {
        // A deadline or a late answer may have written the last response: what waits behind it is
        // not run.
        self.settle(cx);
        let mut input = std::mem::take(&mut self.input);
        let used = self.run(input.unused(), handler, cx);
        input.consume(used);
        self.input = input;
        if let Reading::Stopped = self.reading {
            self.drop_input();
        }
    }

    /// Keeps what a read has brought and could not be used yet.
    pub(super) fn keep(&mut self, rest: &[u8]) {
        if let Reading::Stopped = self.reading {
            self.surplus |= !rest.is_empty();
        } else {
            self.input.push(rest);
        }
    }

    fn drop_input(&mut self) {
        self.surplus |= !self.input.is_empty();
        self.input.clear();
    }

    /// Reads, answers, and reads again what answering has made room for. Returns the bytes used.
    pub(super) fn run<H: Handler>(
        &mut self,
        bytes: &[u8],
        handler: &mut H,
        cx: &mut Context<'_>,
    ) -> usize {
        self.rules = Rules {
            pipeline_limit: u32::try_from(cx.pipeline_limit()).unwrap_or(u32::MAX),
            handler_is_timed: cx.handler_timeout().is_some(),
        };
        let (mut used, mut parts) = (0, PARTS);
        loop {
            used += self.read(&bytes[used..], &mut parts, handler, cx);
            self.outgoing.pump(cx);
            self.settle(cx);
            if !self.parked || parts == 0 || self.is_held_back() {
                break;
            }
        }
        if self.outgoing.peer_is_done && !self.parked {
            self.read_eof(cx);
            self.outgoing.pump(cx);
            self.settle(cx);
        }
        used
    }

    /// Reads requests until bytes are missing, reading is held back, or so many parts are read.
    fn read<H: Handler>(
        &mut self,
        bytes: &[u8],
        parts: &mut usize,
        handler: &mut H,
        cx: &mut Context<'_>,
    ) -> usize {
        let (mut used, mut before) = (0, Before::default());
        loop {
            if *parts == 0 {
                // Whether there is more, the next go finds out.
                self.parked = true;
                return used;
            }
            let rest = &bytes[used..];
            if rest.is_empty() && matches!(self.reading, Reading::Between) {
                self.parked = false;
                return used;
            }
            if self.is_held_back() {
                self.parked = !rest.is_empty() || matches!(self.reading, Reading::Body);
                return used;
            }
            let step = match self.reading {
                Reading::Between => self.read_start(rest, &mut before, handler, cx),
                Reading::Head(_) => self.read_head(rest, &mut before, handler, cx),
                Reading::Body => self.read_body(rest, handler, cx),
                Reading::Tunnel => self.read_tunnel(rest, cx),
                Reading::Stopped => {
                    self.surplus |= !rest.is_empty();
                    Step::Starved(rest.len())
                }
                Reading::Barrier | Reading::HandedOver | Reading::Lingering => {
                    Step::Starved(rest.len())
                }
            };
            match step {
                Step::Used(n) => {
                    *parts -= 1;
                    used += n;
                    self.settle(cx);
                }
                Step::Starved(n) => {
                    self.parked = false;
                    return used + n;
                }
            }
        }
    }

    /// Whether what has arrived must wait: for the peer to take responses, for the handler to
    /// answer, for an exchange to take the body.
    pub(super) fn is_held_back(&self) -> bool {
        let outgoing = &self.outgoing;
        match self.reading {
            Reading::Between | Reading::Head(_) => {
                outgoing.is_congested()
                    || outgoing.slots().len() >= self.rules.pipeline_limit as usize
            }
            Reading::Body => self.incoming.as_ref().is_some_and(|it| it.is_held_back(outgoing)),
            Reading::Barrier | Reading::HandedOver => true,
            Reading::Tunnel => {
                outgoing.is_congested() || outgoing.front_slot().is_some_and(|slot| slot.paused)
            }
            Reading::Stopped | Reading::Lingering => false,
        }
    }

    /// Skips empty lines before a request line (RFC 9112 section 2.2). They refresh no deadline,
    /// and there is an end to them.
    fn read_start<'a, H: Handler>(
        &mut self,
        bytes: &'a [u8],
        before: &mut Before<'a>,
        handler: &mut H,
        cx: &mut Context<'_>,
    ) -> Step {
        let blank = empty_lines(bytes);
        self.blank = self.blank.saturating_add(u32::try_from(blank).unwrap_or(u32::MAX));
        let reject = match &bytes[blank..] {
            // The limit is far below what the count can hold.
            _ if self.blank as usize > cx.head_limits().size => Reject::BlankLines,
            // What a CR is remains to be seen.
            [] | [b'\r'] => return Step::Starved(blank),
            [b'\r', ..] => Reject::RequestLine,
            _ => return self.read_first(blank, bytes, before, handler, cx),
        };
        self.refuse(reject, Cause::ParseError, cx);
        Step::Starved(bytes.len())
    }

    /// The first byte of a message.
    fn read_first<'a, H: Handler>(
        &mut self,
        blank: usize,
        bytes: &'a [u8],
        before: &mut Before<'a>,
        handler: &mut H,
        cx: &mut Context<'_>,
    ) -> Step {
        self.blank = 0;
        self.reading = Reading::Head(Scan::default());
        self.restarted.insert(Class::Headers);
        self.restarted.insert(Class::Receive);
        if blank > 0 { Step::Used(blank) } else { self.read_head(bytes, before, handler, cx) }
    }

    fn read_head<'a, H: Handler>(
        &mut self,
        bytes: &'a [u8],
        before: &mut Before<'a>,
        handler: &mut H,
        cx: &mut Context<'_>,
    ) -> Step {
        let Reading::Head(scan) = &mut self.reading else { return Step::Used(0) };
        let limits = cx.head_limits();
        let whole = if scan.is_new() { Head::parse_whole(bytes, limits, before) } else { None };
        let parsed = match whole {
            Some(whole) => Ok(whole),
            None => match find_head(scan, bytes, limits) {
                Ok(Some(end)) => Head::parse(&bytes[..end], limits).map(|head| (head, end)),
                Ok(None) => return Step::Starved(0),
                Err(reject) => Err(reject),
            },
        };
        match parsed {
            Ok((head, end)) => {
                let (raw, rest) = bytes.split_at(end);
                Step::Used(end + self.begin(&head, raw, rest, handler, cx))
            }
            Err(reject) => {
                self.refuse(reject, Cause::ParseError, cx);
                Step::Starved(bytes.len())
            }
        }
    }

    /// A head has arrived. Returns how many bytes of `rest` its body took.
    #[inline]
    fn begin<H: Handler>(
        &mut self,
        head: &Head<'_>,
        raw: &[u8],
        rest: &[u8],
        handler: &mut H,
        cx: &mut Context<'_>,
    ) -> usize {
        self.requests += 1;
        let number = self.outgoing.begun();
        let semantics = head.semantics();
        if !semantics.keep_alive {
            self.outgoing.end_after(number, Cause::PeerFin);
        } else if self.draining {
            self.outgoing.end_after(number, Cause::Drain);
        } else if cx.is_last_request(number + 1) {
            self.outgoing.end_after(number, Cause::MaxRequests);
        }
        let has_body = semantics.framing != Framing::Length(0);
        let shape = Shape::of(head, !rest.is_empty());
        if shape.is_connect() {
            // What follows is the tunnel's, even if there will be none.
            self.outgoing.end_after(number, Cause::Handler);
        }
        let turn = Turn { number, shape, early: has_body };
        if has_body {
            self.reading = Reading::Body;
            return self.begin_body(head, raw, rest, turn, handler, cx);
        }
        self.dispatch(head, &[], Fields::EMPTY, turn, handler, cx);
        0
    }

    /// A message is complete: hands it to the handler.
    #[inline]
    pub(super) fn dispatch<H: Handler>(
        &mut self,
        head: &Head<'_>,
        body: &[u8],
        trailers: Fields<'_>,
        turn: Turn,
        handler: &mut H,
        cx: &mut Context<'_>,
    ) {
        self.reading = self.after_message(turn.shape);
        let request = Request {
            head,
            body,
            trailers,
            id: cx.id,
            peer: cx.peer,
            now: cx.now,
            timeout: cx.handler_timeout(),
        };
        // A panic has been answered there.
        let _ = self.hand_over(turn, cx, |reply| handler.on_request(&request, reply));
    }

    /// Calls the handler with the reply to `turn`, and answers in its place should it panic.
    pub(super) fn hand_over(
        &mut self,
        turn: Turn,
        cx: &mut Context<'_>,
        call: impl FnOnce(Reply<'_>),
    ) -> Result<(), Panicked> {
        self.outgoing.open(turn);
        let reply = Reply::new(&mut self.outgoing, turn, cx.reborrow());
        guarded(|| call(reply)).inspect_err(|_| {
            let date = cx.date.text(cx.now);
            self.outgoing.fail(turn, Reject::Handler, Cause::Handler, date);
        })
    }

    /// What follows the message that is complete now.
    pub(super) fn after_message(&self, shape: Shape) -> Reading {
        if shape.upgrade {
            Reading::Barrier
        } else if self.outgoing.last().is_some() {
            Reading::Stopped
        } else {
            Reading::Between
        }
    }

    fn read_tunnel(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        if !bytes.is_empty() {
            self.restarted.insert(Class::Upgraded);
            let number = self.outgoing.front();
            self.outgoing.deliver(number, Arrival::Data(bytes), cx);
        }
        Step::Starved(bytes.len())
    }

    /// The peer has ended its side, and all it sent is used.
    fn read_eof(&mut self, cx: &mut Context<'_>) {
        match self.reading {
            Reading::Between => self.stop(Cause::PeerFin),
            Reading::Head(_) => self.refuse(Reject::Truncated, Cause::PeerFin, cx),
            Reading::Body => self.fail_body(Reject::Truncated, Cause::PeerFin, cx),
            Reading::Tunnel => {
                let number = self.outgoing.front();
                // Told once: from then on it is not receiving.
                if self.outgoing.front_slot().is_some_and(|slot| slot.receiving) {
                    self.outgoing.deliver(number, Arrival::End(Fields::EMPTY), cx);
                }
            }
            Reading::Barrier => {
                self.outgoing.end_after(self.outgoing.begun() - 1, Cause::PeerFin);
            }
            Reading::HandedOver | Reading::Stopped | Reading::Lingering => {}
        }
    }

    /// Tells those who are to answer that the peer has ended its side.
    pub(super) fn tell_client_gone<H: Handler>(&mut self, handler: &mut H, cx: &mut Context<'_>) {
        for number in self.outgoing.front()..self.outgoing.begun() {
            let Some(slot) = self.outgoing.slot(number) else { continue };
            if slot.is_put_off() {
                let (turn, ticket) = (slot.turn(number), Ticket::new(cx.id, number));
                if let Err(Panicked) = guarded(|| handler.on_client_gone(ticket)) {
                    let date = cx.date.text(cx.now);
                    self.outgoing.fail(turn, Reject::Handler, Cause::Handler, date);
                }
            } else if !slot.receiving && !slot.is_tunnel() {
                self.outgoing.deliver(number, Arrival::ClientGone, cx);
            }
        }
        self.outgoing.pump(cx);
        self.settle(cx);
    }

    /// Reads no more requests; the connection ends after the responses that are owed.
    pub(super) fn stop(&mut self, cause: Cause) {
        if self.outgoing.slots().is_empty() {
            // A response that is on its way said that the connection stays, and another request may be
            // on its way too: closing upon that would be a reset.
            self.outgoing.end(cause, !self.outgoing.output().is_empty());
        } else {
            self.outgoing.end_after(self.outgoing.begun() - 1, cause);
        }
        self.reading = Reading::Stopped;
        self.drop_input();
    }

    /// Refuses what is being read, of which nothing has been handed to the handler: in its turn,
    /// after the responses to earlier requests.
    pub(super) fn refuse(&mut self, reject: Reject, cause: Cause, cx: &mut Context<'_>) {
        let turn = Turn { number: self.outgoing.begun(), shape: Shape::UNKNOWN, early: true };
        self.outgoing.refuse(turn, reject, cause, cx.date.text(cx.now));
        self.reading = Reading::Stopped;
        self.incoming = None;
        self.drop_input();
    }

    /// Follows up on what has been answered: a connection that ends reads no more, a barrier falls.
    #[inline]
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        let goes_on = self.outgoing.ending().is_none() && self.outgoing.last().is_none();
        if !(goes_on && matches!(self.reading, Reading::Between | Reading::Head(_))) {
            self.follow_up(cx);
        }
    }

    #[inline(never)]
    fn follow_up(&mut self, cx: &mut Context<'_>) {
        if let Reading::Lingering = self.reading {
            return;
        }
        if self.outgoing.ending().is_some() {
            return self.read_no_more();
        }
        match self.reading {
            // The response to an earlier request ends the connection.
            Reading::Between | Reading::Head(_) if self.outgoing.last().is_some() => {
                self.read_no_more();
            }
            Reading::Body => {
                let number = self.incoming.as_ref().map_or(0, |incoming| incoming.turn.number);
                let passed = self.outgoing.last().is_some_and(|last| last.number < number);
                if passed || self.outgoing.is_final(number) {
                    self.read_no_more();
                }
            }
            Reading::Barrier => self.pass_barrier(cx),
            _ => {}
        }
    }

    /// The request that could leave HTTP has been answered, perhaps.
    fn pass_barrier(&mut self, cx: &mut Context<'_>) {
        match self.outgoing.slots().back() {
            Some(slot) if slot.is_tunnel() && slot.has_begun() => {
                self.reading = Reading::Tunnel;
                self.restarted.insert(Class::Upgraded);
                if self.draining {
                    self.drain_tunnel(Cause::Drain, cx);
                }
            }
            Some(_) => {}
            None if self.outgoing.last().is_some() => self.read_no_more(),
            None => self.reading = Reading::Between,
        }
    }

    pub(super) fn read_no_more(&mut self) {
        self.reading = Reading::Stopped;
        self.parked = false;
        self.incoming = None;
        self.drop_input();
    }

    /// No byte of a request has ever arrived.
    pub(super) fn is_untouched(&self) -> bool {
        matches!(self.reading, Reading::Between)
            && self.outgoing.begun() == 0
            && self.incoming.is_none()
    }
}

/// How many bytes of empty lines there are to begin with. A bare LF ends one too, as everybody has
/// it here; a bare CR does not (RFC 9112 section 2.2).
fn empty_lines(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match bytes[at..] {
            [b'\r', b'\n', ..] => at += 2,
            [b'\n', ..] => at += 1,
            _ => return at,
        }
    }
}
