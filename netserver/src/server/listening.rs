//! The listener in the embedder's poll.

use std::io;
use std::sync::Arc;

use mio::{Registry, Token};

use crate::net::{Accept, Endpoint, ListenOptions, Listener, Source};

/// A listener that is registered, for as long as this is here or until it is
/// [stopped](Listening::stop).
#[derive(Debug)]
pub(super) struct Listening {
    registry: Arc<Registry>,
    token: Token,
    endpoint: Endpoint,
    /// It was opened here, and nobody else has it: it leaves the poll by being closed.
    own: bool,
    /// `None` once closing.
    listener: Option<Listener>,
}

impl Listening {
    /// Opens what is to be opened, and has the poll watch it. A failure leaves nothing behind.
    pub(super) fn start(
        source: Source,
        options: ListenOptions,
        registry: &Arc<Registry>,
        token: Token,
    ) -> io::Result<Self> {
        let own = matches!(source, Source::Address(_));
        let mut listener = source.open(options)?;
        listener.register(registry, token)?;
        let endpoint = listener.endpoint().clone();
        let registry = Arc::clone(registry);
        Ok(Self { registry, token, endpoint, own, listener: Some(listener) })
    }

    /// Where connections are registered too.
    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What it listens on, or did until it was stopped.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Who comes next; `None` once stopped.
    pub(super) fn accept(&mut self) -> Option<Accept> {
        self.listener.as_mut().map(Listener::accept)
    }

    /// Has the poll tell once more if somebody waits. False if it does not: then accepting says.
    pub(super) fn remind(&mut self) -> bool {
        self.listener.as_mut().is_some_and(|it| it.remind(&self.registry, self.token))
    }

    /// Listens no more, which frees the port.
    pub(super) fn stop(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            listener.deregister(&self.registry);
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Saves a system call; and who has the same socket would wake this poll for ever.
        if !self.own {
            self.stop();
        }
    }
}
