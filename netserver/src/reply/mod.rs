//! Answers: what a handler does with a request, turned into bytes in the order of the requests.
//!
//! ```text
//!  Reply ─┬─ the oldest request ─────────────────────────▶ Output ──▶ socket
//!         └─ a later one ──▶ Slot ─┐                          ▲
//!  Flow ──────────────────▶ Slot ──┤ in order of the requests │
//!  Exchange::pull ◀─────────────── Outgoing::pump ────────────┘ while below high water
//! ```
//!
//! A reply to the oldest request, given at once, is encoded straight into the output: nothing is
//! queued and nothing allocated. Everything else waits in a slot for its turn.

mod exchange;
mod flow;
mod outgoing;
mod output;
mod pump;
mod slot;
mod ticket;
mod to;

pub use exchange::{Exchange, Pull};
pub use flow::{Flow, Sink};
pub use ticket::Ticket;
pub use to::Reply;

pub(crate) use exchange::Arrival;
pub(crate) use outgoing::{Ending, Outgoing};
pub(crate) use slot::{Shape, Slot, Turn};
pub(crate) use to::Plan;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The handler has panicked; the panic hook has reported it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panicked;

/// Calls into the embedder's code, so that its panic ends one connection and not the server. What
/// it may leave half changed is the embedder's own, or a connection about to be closed.
pub(crate) fn guarded<R>(call: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| Panicked)
}

/// Drops what is the embedder's, and whose `Drop` is its code, too.
pub(crate) fn discard<T>(theirs: T) {
    // A panic is reported by the hook, and what it was about is gone.
    let _ = guarded(move || drop(theirs));
}
