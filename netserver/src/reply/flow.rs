//! What an [`Exchange`](super::Exchange) is given to act with.

use super::Ticket;
use super::outgoing::Outgoing;
use super::slot::{Answer, Content, Turn};
use crate::context::Context;
use crate::http::{Response, encode_chunk, encode_field};

/// The other side of a streamed request body: begin the response, or push back.
pub struct Flow<'a> {
    pub(super) outgoing: &'a mut Outgoing,
    pub(super) turn: Turn,
    pub(super) cx: Context<'a>,
}

impl Flow<'_> {
    /// Sends the whole response. Before the body is complete this refuses the rest of it: the
    /// connection closes after the response. False if the response has begun already.
    pub fn send(&mut self, response: Response<'_>) -> bool {
        let unanswered = self.is_unanswered();
        if unanswered {
            self.outgoing.send(self.turn, &response, &mut self.cx);
        }
        unanswered
    }

    /// Begins the response; from now on the exchange is pulled. False if it has begun already.
    pub fn stream(&mut self, response: Response<'_>) -> bool {
        let unanswered = self.is_unanswered();
        if unanswered {
            self.outgoing.stream(self.turn, &response, None, &mut self.cx);
        }
        unanswered
    }

    /// Reads no more of the body until [`Sink::resume`], or until the ticket is woken.
    pub fn pause(&mut self) {
        if let Some(slot) = self.outgoing.slot_mut(self.turn.number) {
            slot.paused = true;
        }
    }

    /// Names this exchange, so that a timer or another thread can wake it.
    pub fn ticket(&self) -> Ticket {
        Ticket::new(self.cx.id, self.turn.number)
    }

    fn is_unanswered(&mut self) -> bool {
        let slot = self.outgoing.slot_mut(self.turn.number);
        slot.is_some_and(|slot| matches!(slot.answer, Answer::Pending))
    }
}

impl std::fmt::Debug for Flow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("ticket", &self.ticket()).finish_non_exhaustive()
    }
}

/// Takes pieces of a response body.
pub struct Sink<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) content: &'a mut Content,
    pub(super) paused: &'a mut bool,
    pub(super) room: usize,
    pub(super) ticket: Ticket,
}

impl Sink<'_> {
    /// Writes a piece. There is no limit but good sense: after [`room`](Sink::room) bytes the rest
    /// is better kept for the next pull. What goes beyond a stated length is not sent.
    pub fn write(&mut self, data: &[u8]) {
        let before = self.out.len();
        match self.content {
            Content::Chunked { .. } => encode_chunk(self.out, data),
            Content::Length { left } => {
                let fits = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                *left -= fits as u64;
                self.out.extend_from_slice(&data[..fits]);
            }
            Content::UntilClose | Content::Tunnel | Content::Socket => {
                self.out.extend_from_slice(data);
            }
        }
        // What a chunk is wrapped in takes room, and what goes nowhere has been offered all the same.
        let taken = (self.out.len() - before).max(data.len());
        self.room = self.room.saturating_sub(taken);
    }

    /// Bytes until the server has enough for now, with what they are wrapped in. At least 1 at the
    /// start of a pull.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Adds a field to follow the content. Sent only with chunks, that is to HTTP/1.1 clients when
    /// no length was stated; left out otherwise, and if it is not a sendable field.
    pub fn trailer(&mut self, name: &str, value: &str) {
        if let Content::Chunked { trailers } = self.content {
            // An error appends nothing.
            let _ = encode_field(trailers, name, value);
        }
    }

    /// Reads on after [`Flow::pause`].
    pub fn resume(&mut self) {
        *self.paused = false;
    }

    /// Names this exchange, so that a timer or another thread can wake it.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }
}

impl std::fmt::Debug for Sink<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink")
            .field("ticket", &self.ticket)
            .field("room", &self.room)
            .finish_non_exhaustive()
    }
}
