//! `POST`, `PUT /echo`: the request's body with its content type, streamed.

use std::fmt;

use netserver::http::{Fields, Head, Response, Status};
use netserver::{Exchange, Flow, Pull, Reply, Request, Sink};

/// Gives back what it gets.
///
/// Up to [`HELD_BYTES`] it waits for the end, so that a small body is answered whole, and one that
/// never ends by 408. A longer one is sent on as it comes, and its reception is paused while the
/// peer does not take what is sent.
pub(super) struct Echo {
    content_type: String,
    /// As the request states it; the response then states the same.
    length: Option<u64>,
    /// Received and not sent yet.
    held: Vec<u8>,
    begun: bool,
    ended: bool,
}

const HELD_BYTES: usize = 64 * 1024;

impl Echo {
    pub(super) fn take(head: &Head<'_>, reply: Reply<'_>) {
        let echo = Self {
            content_type: content_type(head).to_owned(),
            length: head.content_length(),
            held: Vec::new(),
            begun: false,
            ended: false,
        };
        reply.stream_body(Box::new(echo));
    }

    /// Echoes a request without a body.
    pub(super) fn nothing(request: &Request<'_>, reply: Reply<'_>) {
        let fields = [("Content-Type", content_type(request.head()))];
        reply.send(Response::new(Status::OK).fields(&fields));
    }
}

impl Exchange for Echo {
    fn on_data(&mut self, data: &[u8], flow: &mut Flow<'_>) {
        self.held.extend_from_slice(data);
        if self.held.len() < HELD_BYTES {
            return;
        }
        if !self.begun {
            self.begun = true;
            let fields = [("Content-Type", self.content_type.as_str())];
            let response = Response::new(Status::OK).fields(&fields);
            flow.stream(match self.length {
                Some(length) => response.length(length),
                None => response,
            });
        }
        flow.pause();
    }

    fn on_end(&mut self, _: Fields<'_>, flow: &mut Flow<'_>) {
        self.ended = true;
        if !self.begun {
            let fields = [("Content-Type", self.content_type.as_str())];
            flow.send(Response::new(Status::OK).fields(&fields).body(&self.held));
        }
    }

    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        sink.write(&self.held);
        self.held.clear();
        sink.resume();
        if self.ended { Pull::End } else { Pull::Wait }
    }
}

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Echo").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

fn content_type<'a>(head: &Head<'a>) -> &'a str {
    head.field_str("content-type").unwrap_or("application/octet-stream")
}
