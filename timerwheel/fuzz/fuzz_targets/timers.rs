//! `Timers` against its model in nanoseconds, with operations out of the fuzzer's bytes.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/nanos/mod.rs"]
mod nanos;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanos::bytes::run(bytes));
