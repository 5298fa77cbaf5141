//! Connections that a proxy passes on: whose they are is said first.

use super::admission::{Admission, Crowded};
use super::connection::Connection;
use crate::cause::Cause;
use crate::net::Origin;
use crate::settings::Limits;
use crate::stats::Stats;

impl Connection {
    /// Takes the proxy's header out of what has arrived, if one is expected still. How many bytes
    /// that were; `None` if it is not complete, or if the connection has ended for it.
    pub(super) fn take_proxy_header(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        admission: &Admission,
        stats: &mut Stats,
    ) -> Option<usize> {
        let Some(header) = &mut self.proxy_header else { return Some(0) };
        let Ok(complete) = header.take(bytes, limits.header_size) else {
            self.conn.abort(Cause::ProxyHeader);
            return None;
        };
        let (used, origin) = complete?;
        self.proxy_header = None;
        match origin {
            Origin::Proxy => {}
            Origin::Client(peer) => self.peer = Some(peer),
            Origin::Unnamed => self.peer = None,
        }
        self.trace.peer(self.peer);
        match self.peer.map(|peer| admission.pend(peer.ip(), limits)) {
            Some(Err(Crowded)) => {
                stats.refused_pending += 1;
                self.conn.abort(Cause::OverLimit);
                return None;
            }
            Some(Ok(pending)) => self.pending = pending,
            None => {}
        }
        Some(used)
    }
}
