//! The clock is read in one file of `netserver`, and nowhere in `timerwheel`: an embedder's time is
//! the only time there is.

use std::fs;
use std::path::{Path, PathBuf};

/// What reads a clock, written so that this file is none of it.
const READINGS: [&str; 3] = ["Instant::now", "SystemTime::now", ".elapsed("];

/// The code of a file that is compiled into the library: without comments and tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("it is there");
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect()
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("it is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_clock_is_read_in_one_file() {
    let netserver = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&netserver.join("src"), &mut found);
    files(&netserver.join("../timerwheel/src"), &mut found);
    // The binary is somebody's program, with a loop of its own.
    found.retain(|path| !path.starts_with(netserver.join("src/bin")));
    assert!(found.len() > 60, "{} files", found.len());
    found.retain(|path| READINGS.iter().any(|reading| code(path).contains(reading)));
    assert_eq!(found, [netserver.join("src/clock.rs")]);
}
