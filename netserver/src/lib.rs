//! An HTTP/1.1 server on mio.
#![forbid(unsafe_code)]

pub mod cause;
pub mod conn;
pub mod context;
pub mod handler;
pub mod http;
pub mod reply;
pub mod settings;
pub mod track;
