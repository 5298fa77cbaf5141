//! An HTTP/1.1 server on mio.
#![forbid(unsafe_code)]

mod cause;
mod clock;
pub mod conn;
mod context;
mod event_loop;
mod gauges;
mod handler;
pub mod http;
mod loop_handle;
mod net;
mod reply;
mod server;
mod settings;
mod stats;
pub mod track;
mod workers;

pub use cause::{Cause, Causes};
pub use conn::Phase;
pub use context::{ConnId, Context};
pub use event_loop::{EventLoop, LoopLinks, LoopTimer};
pub use gauges::{Gauges, LoopStats};
pub use handler::{Closed, Handler, Request};
pub use http::{Head, Response, Status};
pub use loop_handle::LoopHandle;
pub use net::{ListenOptions, Ready, Tokens};
pub use reply::{Exchange, Flow, Pull, Reply, Sink, Ticket};
pub use server::{BindError, ConnectionInfo, Host, Report, Server, ServerBuilder};
pub use settings::{ConnectionCheck, Limits, OverLimit, SettingError, Settings, Timeouts};
pub use stats::{Phases, Stats};
pub use workers::Workers;
