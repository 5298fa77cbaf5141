//! Closing and stopping an event loop from elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use mio::Waker;

/// Tells a loop to end, from any thread. Clones speak to the same loop; once that has ended, they
/// do nothing.
#[derive(Clone)]
pub struct LoopHandle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
}

/// What a loop can be told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Close(Duration),
    Stop,
}

impl LoopHandle {
    pub(crate) fn new(commands: Sender<Command>, waker: Arc<Waker>) -> Self {
        Self { commands, waker }
    }

    /// Drains: see [`Server::close`](crate::Server::close). The loop ends when the last connection
    /// has. Told again, it takes the new grace period; one of zero forces what is left.
    pub fn close(&self, grace: Duration) {
        self.tell(Command::Close(grace));
    }

    /// Ends the loop after its turn, and drops the server with everything that is under way.
    pub fn stop(&self) {
        self.tell(Command::Stop);
    }

    fn tell(&self, command: Command) {
        // Both fail only if the loop has ended.
        if self.commands.send(command).is_ok() {
            let _ = self.waker.wake();
        }
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle").finish_non_exhaustive()
    }
}
