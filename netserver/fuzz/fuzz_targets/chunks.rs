//! Chunked bodies: as a dull decoder, `chunked_transfer` and httparse read them.

#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    support::differential::chunks_mean_the_same_to_others(bytes);
});
