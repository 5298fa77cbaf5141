//! The handler of the simulation: does what the request asks, and keeps books on it.

use std::collections::HashMap;
use std::time::Duration;

use netserver::http::Fields;
use netserver::{
    Cause, Closed, Exchange, Flow, Handler, Head, Pull, Reply, Request, Response, Sink, Status,
    Ticket,
};

use crate::wire::Clock;

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// An answer at once.
    Now,
    /// An answer after a while, or never.
    Later,
    Never,
    /// An answer in pieces, or one that is cut in the middle by a panic.
    Stream,
    Cut,
    Panic,
    /// The reply is dropped.
    Drop,
    /// The loop stands still for a while.
    Block,
    /// A body, gathered or taken a piece at a time.
    Echo,
    Take,
    /// A body that is not wanted.
    Refuse,
    Upgrade,
}

impl Kind {
    pub(crate) const ALL: [(Self, &'static str); 12] = [
        (Self::Now, "now"),
        (Self::Later, "later"),
        (Self::Never, "never"),
        (Self::Stream, "stream"),
        (Self::Cut, "cut"),
        (Self::Panic, "panic"),
        (Self::Drop, "drop"),
        (Self::Block, "block"),
        (Self::Echo, "echo"),
        (Self::Take, "take"),
        (Self::Refuse, "refuse"),
        (Self::Upgrade, "upgrade"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).expect("all of them").1
    }
}

/// How far a request has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Unseen,
    /// The handler has it.
    Taken,
    /// Its answer has been given in whole.
    Answered,
}

/// What the world is to do after the server's turn.
pub(crate) struct Wake(pub(crate) Duration, pub(crate) Ticket);

/// The books. All room is made before, so that none of it is taken for the server's memory.
pub(crate) struct App {
    pub(crate) states: Vec<State>,
    pub(crate) wakes: Vec<Wake>,
    clock: Clock,
    pub(crate) closed: Vec<Closed>,
    pub(crate) put_off: HashMap<Ticket, Ask>,
    pub(crate) faults: Vec<String>,
}

/// `/kind/id/millis/size`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) kind: Kind,
    pub(crate) id: usize,
    pub(crate) millis: u64,
    pub(crate) size: usize,
}

impl Ask {
    pub(crate) fn path(self) -> String {
        format!("/{}/{}/{}/{}", self.kind.name(), self.id, self.millis, self.size)
    }

    fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let name = parts.next()?;
        let (kind, _) = *Kind::ALL.iter().find(|(_, other)| *other == name)?;
        let id = parts.next()?.parse().ok()?;
        let millis = parts.next()?.parse().ok()?;
        Some(Self { kind, id, millis, size: parts.next()?.parse().ok()? })
    }
}

pub(crate) const PIECE: usize = 1000;
static CONTENT: [u8; 8192] = [b'x'; 8192];

impl App {
    pub(crate) fn new(requests: usize, connections: usize, clock: &Clock) -> Self {
        Self {
            states: vec![State::Unseen; requests],
            wakes: Vec::with_capacity(4096),
            clock: clock.clone(),
            closed: Vec::with_capacity(connections + 1),
            put_off: HashMap::with_capacity(requests),
            faults: Vec::new(),
        }
    }

    fn take(&mut self, ask: Ask) {
        if self.states[ask.id] != State::Unseen {
            self.faults.push(format!("{ask:?} is handled twice"));
        }
        self.states[ask.id] = State::Taken;
    }

    fn answer(&mut self, ask: Ask, reply: Reply<'_>) {
        self.states[ask.id] = State::Answered;
        let id = ask.id.to_string();
        let fields = [("Id", &id[..])];
        reply.send(Response::new(Status::OK).fields(&fields).body(&CONTENT[..ask.size]));
    }
}

impl Handler for App {
    fn on_head(&mut self, head: &Head<'_>, reply: Reply<'_>) {
        match Ask::parse(head.path()) {
            Some(ask) if ask.kind == Kind::Take => {
                self.take(ask);
                self.wakes.push(Wake(Duration::from_millis(ask.millis), reply.ticket()));
                reply.stream_body(Box::new(Taking { ask, length: 0 }));
            }
            Some(ask) if ask.kind == Kind::Refuse => {
                self.take(ask);
                self.states[ask.id] = State::Answered;
                let id = ask.id.to_string();
                reply.send(Response::new(Status::CONTENT_TOO_LARGE).fields(&[("Id", &id)]));
            }
            _ => reply.buffer_body(),
        }
    }

    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        let Some(ask) = Ask::parse(request.path()) else {
            // Of a client that sends what it likes.
            return reply.send(Response::new(Status::NOT_FOUND));
        };
        self.take(ask);
        let wait = Duration::from_millis(ask.millis);
        let id = ask.id.to_string();
        let fields = [("Id", &id[..])];
        let response = Response::new(Status::OK).fields(&fields);
        match ask.kind {
            Kind::Later => {
                let ticket = reply.later();
                self.put_off.insert(ticket, ask);
                self.wakes.push(Wake(wait, ticket));
            }
            Kind::Never => drop(reply.later()),
            Kind::Stream | Kind::Cut => {
                // It always has the next piece.
                self.states[ask.id] = State::Answered;
                let pieces = ask.size / PIECE + 1;
                reply.stream(response, Box::new(Pieces { ask, pieces }));
            }
            Kind::Panic => panic!("{ASKED}"),
            Kind::Drop => drop(reply),
            Kind::Block => {
                self.clock.pass(wait);
                self.answer(ask, reply);
            }
            Kind::Upgrade => {
                reply.upgrade(&[("Upgrade", "echo")], Box::new(Tunnel::default()));
            }
            Kind::Echo if request.body().len() != ask.size => {
                self.faults.push(format!("{ask:?} came with {} bytes", request.body().len()));
                self.answer(ask, reply);
            }
            _ => self.answer(ask, reply),
        }
    }

    fn on_wake(&mut self, ticket: Ticket, reply: Reply<'_>) {
        match self.put_off.remove(&ticket) {
            Some(ask) => self.answer(ask, reply),
            None => self.faults.push(format!("{ticket:?} is woken and was not put off")),
        }
    }

    fn on_close(&mut self, closed: &Closed) {
        self.closed.push(*closed);
    }
}

struct Pieces {
    ask: Ask,
    pieces: usize,
}

impl Exchange for Pieces {
    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        if self.pieces == 0 {
            return Pull::End;
        }
        self.pieces -= 1;
        assert!(self.ask.kind != Kind::Cut || self.pieces > 1, "{ASKED}");
        sink.write(&CONTENT[..PIECE]);
        Pull::More
    }
}

/// Takes one piece, then none before it is woken; from then on as they come.
struct Taking {
    ask: Ask,
    length: usize,
}

impl Exchange for Taking {
    fn on_data(&mut self, data: &[u8], flow: &mut Flow<'_>) {
        if self.length == 0 {
            flow.pause();
        }
        self.length += data.len();
    }

    fn on_end(&mut self, _: Fields<'_>, flow: &mut Flow<'_>) {
        let id = self.ask.id.to_string();
        // A body of another length is told by another status.
        let whole = self.length == self.ask.size;
        let status = if whole { Status::OK } else { Status::CONFLICT };
        flow.send(Response::new(status).fields(&[("Id", &id)]));
    }
}

/// Says back what it is told.
#[derive(Default)]
struct Tunnel {
    unsent: Vec<u8>,
    ended: bool,
}

impl Exchange for Tunnel {
    fn on_data(&mut self, data: &[u8], flow: &mut Flow<'_>) {
        self.unsent.extend_from_slice(data);
        flow.pause();
    }

    fn on_end(&mut self, _: Fields<'_>, _: &mut Flow<'_>) {
        self.ended = true;
    }

    fn on_drain(&mut self, _: &mut Flow<'_>) {
        self.ended = true;
    }

    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        sink.write(&std::mem::take(&mut self.unsent));
        sink.resume();
        if self.ended { Pull::End } else { Pull::Wait }
    }

    fn aborted(&mut self, _: Cause) {}
}

pub(crate) const ASKED: &str = "as the simulation asked";

/// Keeps the panics that requests ask for out of what is printed.
pub(crate) fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let asked = payload.downcast_ref::<String>().is_some_and(|text| text == ASKED)
                || payload.downcast_ref::<&str>().is_some_and(|text| *text == ASKED);
            if !asked {
                default(info);
            }
        }));
    });
}
