//! What the fuzzer has found interesting, replayed on every run of the tests.

mod common;

#[test]
fn the_corpus_agrees_with_the_model() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/operations");
    let files = std::fs::read_dir(corpus).expect("the corpus is checked in");
    let mut replayed = 0;
    for file in files {
        let path = file.expect("readable").path();
        common::bytes::run(&std::fs::read(path).expect("readable"));
        replayed += 1;
    }
    assert!(replayed >= 100, "only {replayed} files of the corpus are there");
}
