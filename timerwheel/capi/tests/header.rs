//! The header that is checked in is the one that the code makes.

use std::path::Path;

#[test]
fn the_header_is_what_cbindgen_makes_of_the_code() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(package.join("cbindgen.toml")).expect("well-formed");
    let bindings = cbindgen::Builder::new()
        .with_src(package.join("src/lib.rs"))
        .with_src(package.join("src/handle.rs"))
        .with_config(config)
        .generate()
        .expect("the code can be read");
    let mut made = Vec::new();
    bindings.write(&mut made);
    let made = String::from_utf8(made).expect("text");
    let header = package.join("include/timerwheel.h");
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&header, &made).expect("the directory is there");
    }
    let kept = std::fs::read_to_string(&header).unwrap_or_default();
    assert!(kept == made, "UPDATE_HEADER=1 cargo test -p timerwheel-capi brings it up to date");
}
