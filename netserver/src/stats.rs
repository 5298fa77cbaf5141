//! What a server counts. Plain numbers, summed over workers by adding.

use crate::cause::Causes;
use crate::conn::Phase;
use crate::histogram::Histogram;

/// Counters of a server since it was bound, and gauges of now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Connections accepted or adopted.
    pub accepted: u64,
    /// Of those, ended, by cause.
    pub closed: Causes,
    /// Connections turned away above a limit.
    pub refused: u64,
    /// Connections turned away for too many from their address or prefix without a head; or
    /// closed for that, as soon as a proxy has named the address.
    pub refused_pending: u64,
    /// Requests begun.
    pub requests: u64,
    /// Bytes read from peers.
    pub bytes_in: u64,
    /// Bytes written to peers.
    pub bytes_out: u64,
    /// Connections that had run out of time, but whose request was found complete in the kernel's
    /// buffer, and was served.
    pub rescued: u64,
    /// Times that accepting paused for want of descriptors.
    pub accept_pauses: u64,
    /// Connection checks made.
    pub checks: u64,
    /// Connections open now.
    pub open: u64,
    /// Of those, by what they are in.
    pub phases: Phases,
    /// How long requests took, from the turn of the loop in which the head was complete to the one
    /// in which the last byte of the response was written. No clock is read for it: what is
    /// answered in the turn in which it came took no time.
    pub latency: Histogram,
}

/// Connections by phase. A connection may be in `write` beside another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Phases {
    /// Waiting for a first byte.
    pub first_byte: u64,
    /// Receiving a head.
    pub headers: u64,
    /// Receiving a body.
    pub body: u64,
    /// Waiting for the handler.
    pub handler: u64,
    /// Waiting for the peer to take output.
    pub write: u64,
    /// Waiting for another request.
    pub idle: u64,
    /// Not HTTP any more.
    pub upgraded: u64,
    /// Answered for good, waiting for the peer to close.
    pub linger: u64,
}

impl Phases {
    /// Connections in this phase.
    pub const fn count(&self, phase: Phase) -> u64 {
        match phase {
            Phase::FirstByte => self.first_byte,
            Phase::Headers => self.headers,
            Phase::Body => self.body,
            Phase::Handler => self.handler,
            Phase::Write => self.write,
            Phase::Idle => self.idle,
            Phase::Upgraded => self.upgraded,
            Phase::Linger => self.linger,
        }
    }
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.closed += other.closed;
        self.refused += other.refused;
        self.refused_pending += other.refused_pending;
        self.requests += other.requests;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.rescued += other.rescued;
        self.accept_pauses += other.accept_pauses;
        self.checks += other.checks;
        self.open += other.open;
        self.phases += other.phases;
        self.latency += other.latency;
    }
}

impl std::ops::AddAssign for Phases {
    fn add_assign(&mut self, other: Self) {
        self.first_byte += other.first_byte;
        self.headers += other.headers;
        self.body += other.body;
        self.handler += other.handler;
        self.write += other.write;
        self.idle += other.idle;
        self.upgraded += other.upgraded;
        self.linger += other.linger;
    }
}
