//! What the fuzzer has found interesting, replayed on every run of the tests.

mod common;
#[cfg(feature = "std")]
mod nanos;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut replayed = 0;
    for file in std::fs::read_dir(corpus).expect("the corpus is checked in") {
        run(&std::fs::read(file.expect("readable").path()).expect("readable"));
        replayed += 1;
    }
    assert!(replayed >= 100, "only {replayed} files of the corpus of {target} are there");
}

#[test]
fn the_corpus_of_the_wheel_agrees_with_the_model() {
    replay("operations", common::bytes::run);
}

#[cfg(feature = "std")]
#[test]
fn the_corpus_of_timers_agrees_with_the_model() {
    replay("timers", nanos::bytes::run);
}
