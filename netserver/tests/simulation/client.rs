//! Clients, as scripts: those that mean well, and those that do not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;

use crate::app::{Ask, Kind, PIECE};
use crate::plan::{Plan, choose};
use crate::wire::{Ending, Shared, Wire, lock};

/// What a client does next.
#[derive(Debug)]
pub(crate) enum Act {
    Send(Vec<u8>),
    Wait(Duration),
    /// Until so many answers have come, or the end.
    Await(usize),
    End(Ending),
    /// Takes nothing any more.
    Deaf,
}

/// One request in a client's stream of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) id: usize,
    pub(crate) start: u64,
    pub(crate) head_end: u64,
    pub(crate) end: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Asks, reads, asks again; may leave when it has its answers.
    Honest,
    /// The same, but what it asks for breaks the connection, or is never answered.
    Troubled,
    /// Many requests at once, of which it reads the answers.
    Flood,
    /// Whole requests, then the end of its side.
    HalfClose,
    Silent,
    CrlfDrip,
    SlowHead,
    SlowBody,
    /// Asks for much and reads nothing.
    Deaf,
    /// What no server takes.
    Garbage,
    /// Leaves by a reset at any moment.
    Vanish,
    Tunnel,
}

impl Role {
    const HOSTILE: [Self; 9] = [
        Self::Troubled,
        Self::Silent,
        Self::CrlfDrip,
        Self::SlowHead,
        Self::SlowBody,
        Self::Deaf,
        Self::Garbage,
        Self::Vanish,
        Self::Tunnel,
    ];
    const HONEST: [Self; 4] = [Self::Honest, Self::Honest, Self::Flood, Self::HalfClose];

    /// Only what the settings say ends its connection, and never for being late.
    pub(crate) fn means_well(self) -> bool {
        Self::HONEST.contains(&self)
    }
}

pub(crate) struct Client {
    pub(crate) wire: Shared,
    pub(crate) role: Role,
    pub(crate) script: VecDeque<Act>,
    pub(crate) messages: Vec<Message>,
    pub(crate) deaf: bool,
    /// Waits for answers, and has an appointment to give up.
    pub(crate) awaiting: Option<usize>,
    /// A taking is on its way.
    pub(crate) taking: bool,
    /// It has seen the end of what the server has to say.
    pub(crate) told_of_end: bool,
    /// Why it was closed, as the server says.
    pub(crate) closed: Option<netserver::Cause>,
    /// When its last bytes arrive: none overtakes another.
    pub(crate) last_arrival: Duration,
}

impl Client {
    pub(crate) fn new(
        wire: Wire,
        role: Role,
        script: VecDeque<Act>,
        messages: Vec<Message>,
    ) -> Self {
        Self {
            wire: Arc::new(Mutex::new(wire)),
            role,
            script,
            messages,
            deaf: false,
            awaiting: None,
            taking: false,
            told_of_end: false,
            closed: None,
            last_arrival: Duration::ZERO,
        }
    }

    /// A fault, and all that tells how it came about.
    pub(crate) fn blame(&self, number: u32, what: &str) -> String {
        let wire = lock(&self.wire);
        let asked: Vec<_> = self.messages.iter().map(|it| (it.kind, it.id, it.end)).collect();
        let answers = wire.answers.list.iter().map(|it| (it.status, it.id, it.close));
        let answered: Vec<_> = answers.collect();
        format!(
            "connection {number}, {:?}: {what}\nasked {asked:?}\nanswered {answered:?}\n\
             {} bytes arrived, {} read, {} written, {} taken, ended {:?}, closed {:?}\n\
             blocked {:?}, last write {:?}, let go {:?}",
            self.role,
            wire.arrived,
            wire.read,
            wire.written,
            wire.written - wire.untaken() as u64,
            wire.ending,
            self.closed,
            wire.blocked,
            wire.last_write,
            wire.dropped
        )
    }
}

/// Writes scripts; requests are numbered through all clients.
pub(crate) struct Scribe<'a> {
    pub(crate) rng: &'a mut Rng,
    pub(crate) plan: &'a Plan,
    pub(crate) next_id: &'a mut usize,
    script: VecDeque<Act>,
    messages: Vec<Message>,
    offset: u64,
}

impl<'a> Scribe<'a> {
    pub(crate) fn new(rng: &'a mut Rng, plan: &'a Plan, next_id: &'a mut usize) -> Self {
        Self { rng, plan, next_id, script: VecDeque::new(), messages: Vec::new(), offset: 0 }
    }

    pub(crate) fn write(mut self) -> (Role, VecDeque<Act>, Vec<Message>) {
        let honest = self.rng.u32(..100) < self.plan.honest;
        let roles: &[Role] = if honest { &Role::HONEST } else { &Role::HOSTILE };
        let role = choose(self.rng, roles);
        match role {
            Role::Honest => self.honest(),
            Role::Troubled => self.troubled(),
            Role::Flood => self.flood(),
            Role::HalfClose => self.half_close(),
            Role::Silent => {}
            Role::CrlfDrip => self.drip(),
            Role::SlowHead => self.slow_head(),
            Role::SlowBody => self.slow_body(),
            Role::Deaf => self.deaf(),
            Role::Garbage => self.garbage(),
            Role::Vanish => self.vanish(),
            Role::Tunnel => self.tunnel(),
        }
        (role, self.script, self.messages)
    }

    fn honest(&mut self) {
        for _ in 0..self.rng.usize(1..6) {
            let batch = if self.rng.bool() { 1 } else { self.rng.usize(1..8) };
            for _ in 0..batch {
                let kinds = [Kind::Now, Kind::Later, Kind::Stream, Kind::Echo, Kind::Take];
                let kind = choose(self.rng, &kinds);
                self.request(kind);
            }
            self.script.push_back(Act::Await(self.messages.len()));
            self.pause(self.plan.settings.timeouts.keep_alive * 2);
        }
        if self.rng.bool() {
            self.script.push_back(Act::End(Ending::Fin));
        }
    }

    fn troubled(&mut self) {
        let kinds = [
            Kind::Now,
            Kind::Later,
            Kind::Panic,
            Kind::Cut,
            Kind::Drop,
            Kind::Never,
            Kind::Refuse,
            Kind::Block,
        ];
        for _ in 0..self.rng.usize(1..6) {
            let kind = choose(self.rng, &kinds);
            self.request(kind);
        }
        self.script.push_back(Act::Await(self.messages.len()));
    }

    fn flood(&mut self) {
        for _ in 0..self.rng.usize(50..150) {
            self.request(Kind::Now);
        }
        self.script.push_back(Act::Await(self.messages.len()));
    }

    fn half_close(&mut self) {
        for _ in 0..self.rng.usize(1..4) {
            let kind = choose(self.rng, &[Kind::Now, Kind::Later, Kind::Echo, Kind::Stream]);
            self.request(kind);
        }
        self.script.push_back(Act::End(Ending::Fin));
    }

    fn drip(&mut self) {
        for _ in 0..self.rng.usize(1..50) {
            self.send(b"\r\n");
            self.script.push_back(Act::Wait(Duration::from_millis(self.rng.u64(1..2_000))));
        }
    }

    fn slow_head(&mut self) {
        if self.rng.bool() {
            self.request(Kind::Now);
            self.script.push_back(Act::Await(1));
        }
        let (start, bytes) = (self.offset, self.head(Kind::Now, ""));
        self.message(Kind::Now, start, bytes.len(), bytes.len());
        let pace = self.plan.settings.timeouts.headers / 20;
        self.trickle(&bytes, pace);
    }

    fn slow_body(&mut self) {
        let (start, size) = (self.offset, 3_000);
        let kind = choose(self.rng, &[Kind::Echo, Kind::Take]);
        let ask = self.ask(kind, size);
        let head =
            format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n", ask.path());
        self.note(ask, start, head.len(), head.len() + size);
        self.send(head.as_bytes());
        let pace = choose(self.rng, &[Duration::from_millis(100), Duration::from_secs(1)]);
        let sent = self.rng.usize(1..200);
        self.trickle(&vec![b'b'; sent], pace);
    }

    fn deaf(&mut self) {
        self.script.push_back(Act::Deaf);
        for _ in 0..self.rng.usize(1..60) {
            let kind = choose(self.rng, &[Kind::Now, Kind::Stream]);
            self.request(kind);
        }
    }

    fn garbage(&mut self) {
        if self.rng.bool() {
            self.request(Kind::Now);
        }
        let long = vec![b'a'; 40 << 10];
        let bytes: Vec<u8> = match self.rng.u32(..7) {
            0 => std::iter::repeat_with(|| self.rng.u8(..)).take(200).collect(),
            1 => [b"GET /", &long[..], b" HTTP/1.1\r\n\r\n"].concat(),
            2 => [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", &long[..], b"\r\n\r\n"].concat(),
            3 => {
                let start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;";
                [start, &long[..], b"\r\na\r\n0\r\n\r\n"].concat()
            }
            4 => b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\
                   Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_vec(),
            5 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            _ => [b"GET / HTTP/1.1\r\nHost: a\r\n", &b"A: b\r\n".repeat(300)[..]].concat(),
        };
        self.send(&bytes);
        if self.rng.bool() {
            // And goes on, so that the server has something to linger over.
            for _ in 0..20 {
                self.send(&long[..2000]);
                self.script.push_back(Act::Wait(Duration::from_millis(200)));
            }
        }
    }

    fn vanish(&mut self) {
        for _ in 0..self.rng.usize(0..5) {
            let kind = choose(self.rng, &[Kind::Now, Kind::Later, Kind::Stream, Kind::Take]);
            self.request(kind);
        }
        self.pause(Duration::from_millis(500));
        self.script.push_back(Act::End(Ending::Reset));
    }

    fn tunnel(&mut self) {
        self.request(Kind::Upgrade);
        for _ in 0..self.rng.usize(0..20) {
            self.send(b"to and fro");
            self.pause(self.plan.settings.timeouts.upgraded / 2);
        }
        if self.rng.bool() {
            self.script.push_back(Act::End(Ending::Fin));
        }
    }

    // Bytes.

    fn pause(&mut self, most: Duration) {
        let millis = u64::try_from(most.as_millis()).expect("seconds").max(1);
        self.script.push_back(Act::Wait(Duration::from_millis(self.rng.u64(..millis))));
    }

    fn send(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.script.push_back(Act::Send(bytes.to_vec()));
    }

    fn trickle(&mut self, bytes: &[u8], pace: Duration) {
        for byte in bytes {
            self.send(&[*byte]);
            self.script.push_back(Act::Wait(pace));
        }
    }

    fn ask(&mut self, kind: Kind, size: usize) -> Ask {
        let id = *self.next_id;
        *self.next_id += 1;
        let most = if kind == Kind::Block { 300 } else { 2_000 };
        Ask { kind, id, millis: self.rng.u64(..most), size }
    }

    fn head(&mut self, kind: Kind, fields: &str) -> Vec<u8> {
        let size = match kind {
            Kind::Stream | Kind::Cut => PIECE * self.rng.usize(2..40),
            _ => self.rng.usize(..4096),
        };
        let ask = self.ask(kind, size);
        let method = if kind == Kind::Refuse { "POST" } else { "GET" };
        let length = if kind == Kind::Refuse { "Content-Length: 100000\r\n" } else { "" };
        format!("{method} {} HTTP/1.1\r\nHost: a\r\n{fields}{length}\r\n", ask.path()).into_bytes()
    }

    fn message(&mut self, kind: Kind, start: u64, head: usize, whole: usize) {
        let ask = Ask { kind, id: *self.next_id - 1, millis: 0, size: 0 };
        self.note(ask, start, head, whole);
    }

    fn note(&mut self, ask: Ask, start: u64, head: usize, whole: usize) {
        let Ask { kind, id, .. } = ask;
        let (head_end, end) = (start + head as u64, start + whole as u64);
        self.messages.push(Message { kind, id, start, head_end, end });
    }

    /// A whole request, in one piece or in several.
    fn request(&mut self, kind: Kind) {
        let start = self.offset;
        let (bytes, head) = match kind {
            Kind::Echo | Kind::Take => {
                let size = self.rng.usize(1..4000);
                let ask = self.ask(kind, size);
                let (framing, body) = self.body(size);
                let path = ask.path();
                let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
                self.note(ask, start, head.len(), head.len() + body.len());
                ([head.as_bytes(), &body].concat(), head.len())
            }
            kind => {
                let fields = match kind {
                    Kind::Upgrade => "Connection: upgrade\r\nUpgrade: echo\r\n",
                    _ => "",
                };
                let bytes = self.head(kind, fields);
                self.message(kind, start, bytes.len(), bytes.len());
                let length = bytes.len();
                (bytes, length)
            }
        };
        // Where it is cut matters most within the head.
        let cut = if self.rng.bool() { self.rng.usize(1..=head) } else { bytes.len() };
        let (now, later) = bytes.split_at(cut);
        self.send(now);
        if !later.is_empty() {
            self.pause(Duration::from_millis(500));
            self.send(later);
        }
    }

    fn body(&mut self, size: usize) -> (String, Vec<u8>) {
        let content = vec![b'b'; size];
        if self.rng.bool() {
            return (format!("Content-Length: {size}"), content);
        }
        let mut body = Vec::new();
        for chunk in content.chunks(self.rng.usize(1..=size).max(100)) {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        ("Transfer-Encoding: chunked".to_owned(), body)
    }
}
