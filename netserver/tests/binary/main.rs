//! The `netserver` binary from outside: its routes, its limits, its deadlines in real time, how it
//! ends, and how it refuses to start.

#![cfg(feature = "cli")]

mod deadlines;
mod ending;
mod limits;
mod listening;
mod process;
mod refusing;
mod routes;
mod status;
mod telling;
mod top;
