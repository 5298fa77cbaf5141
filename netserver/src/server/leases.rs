//! Connections whose sockets are the handler's, and how the server hears of their end.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::Server;
use crate::cause::Cause;
use crate::context::ConnId;
use crate::handler::Handler;
use crate::reply::guarded;
use crate::upgraded::{Leased, Upgraded};

/// The leases that are out.
#[derive(Debug)]
pub(super) struct Leases {
    ended: Receiver<ConnId>,
    sender: Sender<ConnId>,
    out: usize,
}

impl Default for Leases {
    fn default() -> Self {
        let (sender, ended) = channel();
        Self { ended, sender, out: 0 }
    }
}

impl<H: Handler, T: Copy> Server<H, T> {
    /// Gives the handler the socket of a connection that has left HTTP.
    pub(super) fn hand_over(&mut self, key: u32, now: Instant) {
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        let cx = connection.context(&self.settings, &mut self.date, now);
        let Some((ticket, read)) = connection.conn.give_up_socket(&cx) else { return };
        let stream = connection.stream.take(self.listening.registry());
        let leases = self.leases.get_or_insert_default();
        let (ours, lease) = Leased::new(connection.id, &stream, leases.sender.clone());
        leases.out += 1;
        if self.drain.is_some() {
            ours.drain();
        }
        connection.leased = Some(ours);
        let upgraded = Upgraded { ticket, peer: connection.peer, stream, read, lease };
        // A panic is reported by the hook, and the lease that it drops ends the connection.
        let _ = guarded(|| self.handler.on_upgrade(upgraded));
    }

    /// Ends the connections whose leases have ended.
    pub(super) fn collect_leases(&mut self, now: Instant) {
        while let Some(leases) = &mut self.leases
            && let Ok(id) = leases.ended.try_recv()
        {
            leases.out -= 1;
            // Forced ones have ended before.
            if let Some(key) = self.key_of(id) {
                self.abort(key, Cause::Handler, now);
            }
        }
    }

    /// Whether a lease may end that no event tells of.
    pub(super) fn has_leases(&self) -> bool {
        self.leases.as_ref().is_some_and(|leases| leases.out > 0)
    }
}
