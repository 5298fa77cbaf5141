//! The live page: the wheel, the connections and who holds what, for a person to look at (feature
//! `live`).
//!
//! ```text
//!  browser ── GET / ──────▶ LivePage::answer ─▶ the page, in one piece
//!          ── GET events ─▶        ├──────────▶ Viewer, a stream that is pulled
//!          ── POST close ─▶        └─ orders ─▶ Desk ─▶ LiveLoop::turn ─▶ Server::close_connection
//!  wheel ──── beat ───────▶ LiveLoop::on_timer ─▶ view ─▶ Desk ─▶ frame ─▶ Viewer::pull
//! ```
//!
//! A handler has a [`LivePage`] and answers with it under any path; the loop has a [`LiveLoop`],
//! which looks at the server and at the wheel. The beat is an interval on that wheel, and armed
//! only while somebody looks.
//!
//! What it costs is bounded: [`VIEWERS_MAX`] viewers, [`FRAME_BYTES_MAX`] a frame, of connections
//! and timers so many are listed; a viewer that is slow is skipped, and nothing is queued for it. A
//! look that took long is followed by a rest two hundred times as long.
//!
//! It shows peers' addresses, and can close connections. So it is for peers on loopback unless it
//! is [opened](Access::Any), and its buttons are for them in any case.

mod access;
mod beat;
mod history;
mod hub;
mod page;
mod status;
mod trial;
mod view;
mod viewer;

pub use access::Access;
pub use beat::{LiveLoop, Purpose};
pub use hub::{FRAME_BYTES_MAX, LiveLink, VIEWERS_MAX};
pub use page::LivePage;
pub use status::status;

pub(crate) use hub::Hub;
