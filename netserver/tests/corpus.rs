//! What the fuzzer has found worth keeping, and the wire cases: `fuzz/corpus/connection`.

mod support;

use std::path::Path;

#[test]
fn whole_and_split_agree_on_the_corpus() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/connection");
    let mut files = 0;
    for file in std::fs::read_dir(directory).expect("the corpus is checked in") {
        let bytes = std::fs::read(file.expect("readable").path()).expect("readable");
        // As it was found, and cut byte by byte.
        support::agree::whole_and_split_agree(&bytes);
        let by_bytes = [&[0; 4], bytes.get(4..).unwrap_or_default()].concat();
        support::agree::whole_and_split_agree(&by_bytes);
        files += 1;
    }
    assert!(files > 100, "only {files} files");
}
