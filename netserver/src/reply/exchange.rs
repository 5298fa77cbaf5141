//! A body streamed in, out, or both ways.

use super::flow::{Flow, Sink};
use crate::cause::Cause;
use crate::http::Fields;

/// Receives the body of a request in pieces, produces that of a response in pieces, or carries
/// another protocol after an upgrade.
///
/// Production is pulled: the server asks for more when the peer has taken what there was, so a
/// response of any length needs no more memory than a piece. Reception pushes back the same way:
/// while [`Flow::pause`] is in force nothing is read, and nothing is read either while responses
/// to earlier requests are on their way.
///
/// ```
/// use netserver::{Exchange, Handler, Pull, Reply, Request, Response, Sink, Status};
///
/// /// A response of so many lines, one at a time.
/// struct Lines(u32);
///
/// impl Exchange for Lines {
///     fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
///         if self.0 == 0 {
///             return Pull::End;
///         }
///         self.0 -= 1;
///         sink.write(b"all work and no play makes a dull server\n");
///         Pull::More
///     }
/// }
///
/// struct Novel;
///
/// impl Handler for Novel {
///     fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
///         reply.stream(Response::new(Status::OK), Box::new(Lines(1_000_000)));
///     }
/// }
/// ```
pub trait Exchange {
    /// A piece of the request body, never empty. After an upgrade, of whatever the peer sends.
    fn on_data(&mut self, data: &[u8], flow: &mut Flow<'_>) {
        let _ = (data, flow);
    }

    /// The request body is complete. The last chance to begin a response from this side; an
    /// exchange that has not may still do so when its ticket is woken.
    fn on_end(&mut self, trailers: Fields<'_>, flow: &mut Flow<'_>) {
        let _ = (trailers, flow);
    }

    /// Its ticket was woken: there may be something to say now.
    fn on_wake(&mut self, flow: &mut Flow<'_>) {
        let _ = flow;
    }

    /// The peer has ended its side after the whole request. It may be gone, or may still read. Not
    /// told while the server does not read, because enough is under way on the connection.
    fn on_client_gone(&mut self, flow: &mut Flow<'_>) {
        let _ = flow;
    }

    /// Produces a piece of the response body. Called only once the response has begun and its
    /// turn has come, while the peer takes what is there.
    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        let _ = sink;
        Pull::End
    }

    /// The server is closing, and waits for this upgraded connection to end.
    fn on_drain(&mut self, flow: &mut Flow<'_>) {
        let _ = flow;
    }

    /// The connection was lost, or taken away, before this exchange was complete.
    fn aborted(&mut self, cause: Cause) {
        let _ = cause;
    }
}

/// What there is to pull next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pull {
    /// More can be pulled at once.
    More,
    /// Nothing for now: pull again after more of the request, or when the ticket is woken.
    Wait,
    /// That was all. The response is complete.
    End,
}

/// Something for an exchange to take note of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arrival<'a> {
    Data(&'a [u8]),
    End(Fields<'a>),
    Wake,
    ClientGone,
    Drain,
}

impl Arrival<'_> {
    pub(crate) fn tell(self, exchange: &mut dyn Exchange, flow: &mut Flow<'_>) {
        match self {
            Arrival::Data(data) => exchange.on_data(data, flow),
            Arrival::End(trailers) => exchange.on_end(trailers, flow),
            Arrival::Wake => exchange.on_wake(flow),
            Arrival::ClientGone => exchange.on_client_gone(flow),
            Arrival::Drain => exchange.on_drain(flow),
        }
    }
}
