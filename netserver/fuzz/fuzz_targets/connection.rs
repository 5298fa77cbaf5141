//! A whole connection, from its bytes to its answers: in one piece and cut up, which must agree.

#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| support::agree::whole_and_split_agree(bytes));
