//! One connection's turn: read, run, write, until there is nothing to do or its portion is used.

use std::time::Instant;

use super::Server;
use super::connection::Connection;
use super::lines::Line;
use super::work::Work;
use crate::cause::Cause;
use crate::conn::{How, Phase};
use crate::context::Context;
use crate::handler::{Closed, Handler};
use crate::net::Transfer;
use crate::reply::guarded;

/// Bytes read at once. Shared by all connections, so it costs nothing to be generous.
const READ_BYTES: usize = 64 * 1024;

/// Bytes that a connection may have sent, or be about to, before the kernel is told how much to keep
/// of it: as many as fit below that bound anyway.
const SAID_MUCH: u64 = 64 * 1024;

/// What a step has come to.
enum Step {
    /// There may be more to do.
    On,
    /// Nothing to do until an event comes.
    Rest,
}

impl<H: Handler, T: Copy> Server<H, T> {
    /// Gives a connection its turn, and sees to what has become of it.
    pub(super) fn drive(&mut self, key: u32, now: Instant) {
        self.drive_after(key, now, |_, _, _| ());
    }

    /// The same, after something was done to it.
    pub(super) fn drive_after<R>(
        &mut self,
        key: u32,
        now: Instant,
        act: impl FnOnce(&mut Connection, &mut H, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let connection = self.connections.get_mut(key as usize)?;
        let requests = connection.conn.requests();
        connection.conn.lend_output(&mut self.buffers.output);
        if self.drain.is_some() {
            // It may be some turns until it is told, and what it reads then would be answered as if it
            // could go on.
            connection.conn.begin_drain();
        }
        let _inside = connection.trace.enter();
        let mut cx = connection.context(&self.settings, &mut self.date, now);
        let outcome = act(connection, &mut self.handler, &mut cx);
        let until = self.work.portion();
        let rested = loop {
            if let Step::Rest = self.step(key, now) {
                break true;
            }
            if self.work.is_past(until) {
                self.flush(key);
                break false;
            }
        };
        self.end_turn(key, requests, rested, now);
        Some(outcome)
    }

    /// What its portion has brought about is written before others get their turn: kept, it would
    /// have to be copied.
    fn flush(&mut self, key: u32) {
        if let Some(connection) = self.connections.get_mut(key as usize) {
            self.stats.bytes_out += write(connection, &mut self.work);
        }
    }

    /// Writes first, so that output is short and streams can go on; then ends, reads or resumes.
    fn step(&mut self, key: u32, now: Instant) -> Step {
        self.work.step();
        let Some(connection) = self.connections.get_mut(key as usize) else { return Step::Rest };
        self.stats.bytes_out += write(connection, &mut self.work);
        if let Some(end) = connection.conn.end() {
            match end.how {
                // What has arrived and is not read makes a close a reset, which takes back what the
                // peer has not read yet: one look, after which it may have to linger.
                How::Close if connection.readable && connection.conn.wants_read() => {}
                How::Close => return Step::Rest,
                How::Linger => {
                    connection.stream.shut_down_writing();
                    // It sends a packet, as a write does.
                    self.work.write(0);
                    connection.owes_end = false;
                    connection.conn.shut_down();
                }
            }
        }
        let requests = connection.conn.requests();
        let mut cx = connection.context(&self.settings, &mut self.date, now);
        if connection.read_closed && connection.conn.is_sated() {
            connection.conn.receive_eof(&mut self.handler, &mut cx);
            return Step::On;
        }
        if connection.readable && connection.conn.wants_read() {
            let read = &mut self.buffers.read;
            if read.is_empty() {
                read.resize(READ_BYTES, 0);
            }
            match connection.stream.read(read) {
                Transfer::Bytes(n) => {
                    // A short read has emptied a socket; the next byte comes with an edge. Only
                    // a FIN that the poll has told of already does not come with another.
                    connection.readable = n == read.len()
                        || connection.read_closed
                        || !connection.stream.moves_all_there_is();
                    self.stats.bytes_in += n as u64;
                    self.work.read(n as u64);
                    let Some(used) = connection.take_proxy_header(
                        &read[..n],
                        &self.settings.limits,
                        &self.admission,
                        &mut self.stats,
                    ) else {
                        return Step::On;
                    };
                    cx.peer = connection.peer;
                    connection.conn.receive(&read[used..n], &mut self.handler, &mut cx);
                    self.work.requests(connection.conn.requests() - requests);
                    if !connection.readable {
                        self.stats.bytes_out += write(connection, &mut self.work);
                        // Mostly that was all there is to do.
                        if connection.conn.is_at_rest() {
                            return Step::Rest;
                        }
                    }
                }
                Transfer::Blocked => {
                    connection.readable = false;
                    self.work.read(0);
                }
                Transfer::End => {
                    connection.readable = false;
                    connection.conn.receive_eof(&mut self.handler, &mut cx);
                }
                Transfer::Broken => connection.conn.break_off(),
            }
            return Step::On;
        }
        if connection.conn.wants_resume() {
            connection.conn.resume(&mut self.handler, &mut cx);
            self.work.requests(connection.conn.requests() - requests);
            return Step::On;
        }
        if std::mem::take(&mut connection.doubtful)
            && !connection.conn.wants_read()
            && connection.stream.is_broken()
        {
            // Nobody is there to take an answer, and no read would have said so.
            connection.conn.break_off();
            return Step::On;
        }
        let unsent = !connection.conn.output().is_empty() && !connection.blocked;
        if unsent { Step::On } else { Step::Rest }
    }

    /// After a turn, before which the connection had brought so many requests: closed, queued for
    /// more, or at rest; tracked in any case.
    fn end_turn(&mut self, key: u32, requests_before: u64, rested: bool, now: Instant) {
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        connection.conn.take_output(&mut self.buffers.output);
        let requests = connection.conn.requests();
        let begun = requests - requests_before;
        self.stats.requests += begun;
        let complete = connection.conn.answered();
        connection.waits.note(begun, complete, now, &mut self.stats.latency);
        if let Some(end) = connection.conn.end()
            && end.how == How::Close
        {
            return self.remove(key, end.cause, now);
        }
        if connection.blocked && !connection.watches_writing {
            connection.watches_writing = true;
            let token = self.tokens.connection(key);
            if connection.stream.watch_writing(self.listening.registry(), token).is_err() {
                // Out of kernel memory, and nobody would tell when it can go on.
                connection.conn.break_off();
                return self.drive(key, now);
            }
        }
        if connection.conn.gives_up_socket() {
            self.hand_over(key, now);
        }
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        if rested {
            self.lines.remove(key);
        } else {
            self.lines.push(key, Line::Rest);
        }
        if connection.pending.is_some() && requests > 0 {
            connection.pending = None;
        }
        let changes = connection.conn.take_changes();
        let phase = connection.conn.phase();
        let before = connection.enter(phase, begun, self.tracker.observe(now));
        self.tracker.apply(key, changes, now);
        if phase != before {
            connection.trace.phase(before, phase);
            self.count_phase(before, false);
            self.count_phase(phase, true);
        }
    }

    /// Ends a connection now, whatever it is doing.
    pub(super) fn abort(&mut self, key: u32, cause: Cause, now: Instant) {
        if let Some(connection) = self.connections.get_mut(key as usize) {
            connection.conn.abort(cause);
            self.drive(key, now);
        }
    }

    /// The connection has ended: its socket closes, its links go, its slot is another's.
    fn remove(&mut self, key: u32, cause: Cause, now: Instant) {
        let mut connection = self.connections.remove(key as usize);
        connection.stream.unwatch(self.listening.registry());
        if connection.conn.is_cut() {
            connection.stream.reset_when_closed();
        } else if connection.owes_end {
            // Of what the kernel holds back: closing would send it too, but for what arrives meanwhile,
            // which makes a close a reset, and it would be lost.
            connection.stream.shut_down_writing();
        }
        self.tracker.remove(key);
        self.lines.remove(key);
        self.work.accept_or_close();
        self.generations[key as usize] = self.generations[key as usize].wrapping_add(1);
        self.count_phase(connection.phase, false);
        self.stats.closed.add(cause);
        let closed = Closed {
            id: connection.id,
            peer: connection.peer,
            cause,
            requests: connection.conn.requests(),
            bytes_in: connection.conn.bytes_in(),
            bytes_out: connection.conn.bytes_out(),
            age: self.tracker.age(connection.accepted, now),
        };
        connection.trace.closed(&closed);
        // The socket is closed before the handler hears of it, so that it may count on that.
        drop(connection);
        self.shrink_if_earned();
        self.note_drained(cause);
        // A panic is reported by the hook, and there is no connection left that it could end.
        let _ = guarded(|| self.handler.on_close(&closed));
    }

    pub(super) fn count_phase(&mut self, phase: Phase, enters: bool) {
        let phases = &mut self.stats.phases;
        let gauge = match phase {
            Phase::FirstByte => &mut phases.first_byte,
            Phase::Headers => &mut phases.headers,
            Phase::Body => &mut phases.body,
            Phase::Handler => &mut phases.handler,
            Phase::Write => &mut phases.write,
            Phase::Idle => &mut phases.idle,
            Phase::Upgraded => &mut phases.upgraded,
            Phase::Linger => &mut phases.linger,
        };
        *gauge = if enters { *gauge + 1 } else { *gauge - 1 };
    }
}

/// Writes what the socket takes of what there is; how much that was.
#[inline]
fn write(connection: &mut Connection, work: &mut Work) -> u64 {
    let nothing = connection.conn.output().is_empty() || connection.blocked;
    if nothing { 0 } else { write_out(connection, work) }
}

#[inline(never)]
fn write_out(connection: &mut Connection, work: &mut Work) -> u64 {
    let output = connection.conn.output();
    let len = output.len();
    if !connection.bounded && connection.conn.bytes_out() + len as u64 > SAID_MUCH {
        connection.bounded = true;
        connection.stream.bound_unsent();
    }
    let is_last = connection.stream.holds_back() && connection.conn.ends_with_output();
    connection.owes_end |= is_last;
    let written = if is_last {
        connection.stream.write_last(output)
    } else {
        connection.stream.write(output)
    };
    match written {
        Transfer::Bytes(n) => {
            work.write(n as u64);
            // Less than all: a socket is full, and says when it is not.
            connection.blocked = n < len && connection.stream.moves_all_there_is();
            connection.conn.wrote(n);
            n as u64
        }
        Transfer::Blocked => {
            work.write(0);
            connection.blocked = true;
            0
        }
        Transfer::End | Transfer::Broken => {
            connection.conn.break_off();
            0
        }
    }
}
