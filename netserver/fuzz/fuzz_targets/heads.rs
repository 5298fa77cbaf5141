//! Message heads, and where the next one starts: as httparse and khttp read them.

#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    support::differential::heads_mean_the_same_to_others(bytes);
});
