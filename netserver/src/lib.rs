//! An HTTP/1.1 server on mio.
#![forbid(unsafe_code)]

mod cause;
mod settings;
pub mod track;

pub use cause::{Cause, Causes};
pub use settings::{Limits, OverLimit, SettingError, Settings, Timeouts};
