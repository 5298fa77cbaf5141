//! An HTTP/1.1 server for any event loop, with its connections' deadlines on a timer wheel.
//!
//! It tracks connections as Node.js does (headers, request, keep-alive and other timeouts, enforced
//! by a connection check) with *one* entry in the wheel per server: armed after bind has succeeded,
//! gone when the server is closed or dropped, and unable to own any part of it.
//!
//! - [`Server`] is driven by your loop: your `mio::Registry`, a range of tokens, your
//!   [`Timers`](timerwheel::Timers).
//! - [`EventLoop`] brings a loop, and can be polled by another one; [`Workers`] are several.
//! - [`Handler`] is what you write.
//! - [`conn`], [`http`] and [`track`] are the pure layers: no socket, no clock, no thread.
//!
//! ```text
//!  poll ─► on_event ─► read ─► Conn::receive ─► Handler ─► Reply ─► output ─► write
//!                                    │
//!                                    └► Tracker: since when is it waiting, and for what
//!  wheel ─► on_timer, turn ─► Tracker::expired ─► Conn::expire ─► 408, close
//! ```
//!
//! Features: `cli` (default) builds the `netserver` binary, and has the others in it: `live`, a page
//! to look at and the status in JSON; `metrics` for Prometheus; `tracing`, spans and events;
//! `proxy-protocol` takes the peer's address from a proxy in front. Without them the dependencies
//! are mio, socket2, slab, httparse, httpdate, memchr and timerwheel.
#![forbid(unsafe_code)]

mod cause;
mod clock;
pub mod conn;
mod context;
#[cfg(doctest)]
mod doctests;
mod event_loop;
mod gauges;
mod handler;
mod histogram;
pub mod http;
#[cfg(feature = "live")]
pub mod live;
mod loop_handle;
mod loop_links;
#[cfg(any(feature = "live", feature = "metrics"))]
mod memory;
#[cfg(feature = "metrics")]
pub mod metrics;
mod net;
mod reply;
mod server;
mod settings;
mod stats;
mod trace;
pub mod track;
mod upgraded;
mod workers;

pub use cause::{Cause, Causes};
pub use conn::Phase;
pub use context::{ConnId, Context};
pub use event_loop::EventLoop;
pub use gauges::{Gauges, LoopStats};
pub use handler::{Closed, Handler, Request};
pub use histogram::Histogram;
pub use http::{Head, Response, Status};
pub use loop_handle::LoopHandle;
pub use loop_links::{LoopLinks, LoopTimer};
pub use net::{Endpoint, Incoming, ListenOptions, Listener, Ready, Stream, Tokens, Transport};
pub use reply::{Exchange, Flow, Pull, Reply, Sink, Ticket};
pub use server::{
    Admission, AdoptError, BindError, ConnectionInfo, Host, Report, Server, ServerBuilder,
};
pub use settings::{ConnectionCheck, Limits, OverLimit, SettingError, Settings, Timeouts};
pub use stats::{Phases, Stats};
pub use upgraded::{Lease, Upgraded};
pub use workers::Workers;
