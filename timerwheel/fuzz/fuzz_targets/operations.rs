//! The wheel against the dull reference, with operations out of the fuzzer's bytes.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| common::bytes::run(bytes));
