//! An HTTP/1.1 server on mio.
#![forbid(unsafe_code)]

pub mod http;
