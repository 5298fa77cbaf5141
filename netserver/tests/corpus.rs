//! What the fuzzers have found worth keeping, and the wire cases: `fuzz/corpus`.

mod support;

use std::path::Path;

/// All files of a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(directory).expect("the corpus is checked in");
    let files = files.map(|file| std::fs::read(file.expect("readable").path()).expect("readable"));
    let files: Vec<_> = files.collect();
    assert!(files.len() > 100, "only {} files of {target}", files.len());
    files
}

#[test]
fn whole_and_split_agree_on_the_corpus() {
    for bytes in corpus("connection") {
        // As it was found, and cut byte by byte.
        support::agree::whole_and_split_agree(&bytes);
        let by_bytes = [&[0; 4], bytes.get(4..).unwrap_or_default()].concat();
        support::agree::whole_and_split_agree(&by_bytes);
    }
}

/// The same for what other parsers of HTTP/1 have an opinion on.
#[test]
fn messages_of_the_corpus_mean_the_same_to_others() {
    for (target, check) in [
        ("heads", support::differential::heads_mean_the_same_to_others as fn(&[u8])),
        ("chunks", support::differential::chunks_mean_the_same_to_others),
    ] {
        for bytes in corpus(target) {
            check(&bytes);
        }
    }
    // Whole connections begin with heads too, after the four bytes that say how to cut them.
    for bytes in corpus("connection") {
        let bytes = bytes.get(4..).unwrap_or_default();
        support::differential::heads_mean_the_same_to_others(bytes);
        support::differential::chunks_mean_the_same_to_others(bytes);
    }
}
