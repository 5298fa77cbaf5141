//! An HTTP/1.1 server on mio.
#![forbid(unsafe_code)]

mod cause;
pub mod conn;
mod context;
mod handler;
pub mod http;
mod reply;
mod settings;
pub mod track;

pub use cause::{Cause, Causes};
pub use context::{ConnId, Context};
pub use handler::{Closed, Handler, Request};
pub use http::{Response, Status};
pub use reply::{Exchange, Flow, Pull, Reply, Sink, Ticket};
pub use settings::{Limits, OverLimit, SettingError, Settings, Timeouts};
