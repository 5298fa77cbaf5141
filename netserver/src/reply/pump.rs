//! Moves what is owed into the output, oldest first, and pulls streams.

use super::exchange::{Arrival, Pull};
use super::flow::{Flow, Sink};
use super::outgoing::Outgoing;
use super::slot::{Answer, Content, Method, Stream};
use super::ticket::Ticket;
use super::{Panicked, discard, guarded};
use crate::cause::Cause;
use crate::context::Context;
use crate::http::{Connection, Reject, encode_last_chunk, encode_reject};

impl Outgoing {
    /// Writes all that can be written: complete responses whose turn it is, and of streamed ones
    /// as much as fits below high water.
    #[inline]
    pub(crate) fn pump(&mut self, cx: &mut Context<'_>) {
        if !self.slots.is_empty() {
            self.pump_slots(cx);
        }
    }

    #[inline(never)]
    fn pump_slots(&mut self, cx: &mut Context<'_>) {
        while self.ending.is_none() && !self.slots.is_empty() {
            self.write_interim();
            let connection = self.connection(cx);
            let slot = &mut self.slots[0];
            match &mut slot.answer {
                Answer::Pending => return,
                Answer::Refused(reject) => {
                    encode_reject(self.out.buffer(), *reject, cx.date.text(cx.now));
                    self.complete_front(true);
                }
                Answer::Whole(draft) => {
                    draft.write(self.out.buffer(), cx.date.lines(cx.now, connection));
                    self.complete_front(false);
                }
                Answer::Stream(stream) => {
                    if let Some(draft) = stream.head.take() {
                        let connection = match (&stream.content, slot.shape.method) {
                            (Content::Tunnel | Content::Socket, Method::Connect) => {
                                Connection::Silent
                            }
                            (Content::Tunnel | Content::Socket, _) => Connection::Upgrade,
                            _ => connection,
                        };
                        self.held -= draft.len();
                        draft.write(self.out.buffer(), cx.date.lines(cx.now, connection));
                    }
                    if !self.pull(cx) {
                        return;
                    }
                }
            }
        }
    }

    /// Whether [`pump`](Outgoing::pump) would find something to do.
    pub(crate) fn can_pump(&self) -> bool {
        self.ending.is_none()
            && self.slots.front().is_some_and(|slot| match &slot.answer {
                Answer::Pending => false,
                Answer::Whole(_) | Answer::Refused(_) => true,
                Answer::Stream(stream) => {
                    stream.head.is_some()
                        || (!stream.waiting && self.out.len() < Outgoing::HIGH_WATER)
                }
            })
    }

    /// Pulls the stream whose turn it is. True when that completed it.
    fn pull(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let Some(slot) = self.slots.front_mut() else { return false };
            let Answer::Stream(Stream { content, waiting, .. }) = &mut slot.answer else {
                return false;
            };
            let before = self.out.len();
            if *waiting || before >= Outgoing::HIGH_WATER {
                return false;
            }
            let Some(exchange) = &mut slot.exchange else { return false };
            let mut sink = Sink {
                room: Outgoing::HIGH_WATER - before,
                out: self.out.buffer(),
                content,
                paused: &mut slot.paused,
                ticket: Ticket::new(cx.id, self.front),
            };
            match guarded(|| exchange.pull(&mut sink)) {
                Ok(Pull::More) if self.out.len() > before => {}
                // Nothing written: asked again, but not before the loop has turned.
                Ok(Pull::More) => return false,
                Ok(Pull::Wait) => {
                    *waiting = true;
                    return false;
                }
                Ok(Pull::End) => return self.complete_stream(),
                Err(Panicked) => {
                    self.end(Cause::Handler, true);
                    return false;
                }
            }
        }
    }

    fn complete_stream(&mut self) -> bool {
        let Some(slot) = self.slots.front_mut() else { return false };
        if let Answer::Stream(stream) = &slot.answer {
            match &stream.content {
                Content::Chunked { trailers } => encode_last_chunk(self.out.buffer(), trailers),
                // Less than was promised: only a cut tells the peer.
                Content::Length { left: 1.. } => {
                    self.end(Cause::Handler, true);
                    return false;
                }
                Content::Length { left: 0 }
                | Content::UntilClose
                | Content::Tunnel
                | Content::Socket => {}
            }
        }
        // Taken before the slot goes, so that only unfinished exchanges are told of an abort.
        discard(slot.exchange.take());
        self.complete_front(false);
        true
    }

    /// Tells the exchange of this request what has arrived. It may answer, and may then be gone.
    pub(crate) fn deliver(&mut self, number: u64, arrival: Arrival<'_>, cx: &mut Context<'_>) {
        let Some(slot) = self.slot_mut(number) else { return };
        let Some(mut exchange) = slot.exchange.take() else { return };
        if let Answer::Stream(stream) = &mut slot.answer {
            stream.waiting = false;
        }
        match arrival {
            Arrival::End(_) => slot.receiving = false,
            Arrival::Wake => slot.paused = false,
            Arrival::Data(_) | Arrival::ClientGone | Arrival::Drain => {}
        }
        let turn = slot.turn(number);
        let mut flow = Flow { outgoing: self, turn, cx: cx.reborrow() };
        if let Err(Panicked) = guarded(|| arrival.tell(&mut *exchange, &mut flow)) {
            let date = cx.date.text(cx.now);
            self.fail(turn, Reject::Handler, Cause::Handler, date);
            discard(exchange);
        } else if let Some(slot) = self.slot_mut(number) {
            slot.exchange = Some(exchange);
        } else {
            discard(exchange);
        }
    }
}
