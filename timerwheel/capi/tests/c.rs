//! The example in C, built with the C compiler of the machine against both libraries, and run.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// No wait is longer, whatever breaks.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a connection may be silent: long beside what a loaded machine takes for anything.
const SILENCE_MS: &str = "1500";

/// What a static library of Rust needs of the system.
const SYSTEM: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

#[test]
fn linked_statically_it_serves_and_ends() {
    if let Some(program) = compile("epoll_static", |library, cc| {
        cc.arg(library("a")).args(SYSTEM);
    }) {
        converse(Command::new(program));
    }
}

#[test]
fn linked_to_the_shared_library_it_serves_and_ends() {
    if let Some(program) = compile("epoll_shared", |library, cc| {
        let library = library("so");
        let directory = library.parent().expect("a file is in one").to_owned();
        cc.arg(library).arg(format!("-Wl,-rpath,{}", directory.display()));
    }) {
        converse(Command::new(program));
    }
}

#[test]
fn valgrind_finds_no_error_and_no_leak() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return eprintln!("skipped: there is no valgrind");
    }
    if let Some(program) = compile("epoll_valgrind", |library, cc| {
        cc.arg(library("a")).args(SYSTEM);
    }) {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["-q", "--error-exitcode=99", "--track-fds=no", "--leak-check=full"]);
        valgrind.args(["--show-leak-kinds=all", "--errors-for-leak-kinds=all"]).arg(program);
        converse(valgrind);
    }
}

/// The example as a program; `None` where there is no C compiler.
fn compile(
    name: &str,
    link: impl FnOnce(&dyn Fn(&str) -> PathBuf, &mut Command),
) -> Option<PathBuf> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    if Command::new(&compiler).arg("--version").output().is_err() {
        eprintln!("skipped: there is no C compiler");
        return None;
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut cc = Command::new(compiler);
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"]);
    cc.arg("-I").arg(package.join("include"));
    cc.arg("-o").arg(&program).arg(package.join("examples/epoll.c"));
    link(&library, &mut cc);
    let done = cc.output().expect("it was there a moment ago");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(program)
}

/// The library that was built with this test: the newest of that kind beside it.
fn library(extension: &str) -> PathBuf {
    let test = std::env::current_exe().expect("it runs");
    let directory = test.parent().expect("a file is in one");
    let files = directory.read_dir().expect("it is a directory").flatten().map(|file| file.path());
    let ours = files.filter(|path| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.starts_with("libtimerwheel_capi") && path.extension() == Some(OsStr::new(extension))
    });
    let built = |path: &PathBuf| path.metadata().and_then(|file| file.modified());
    let newest = ours.max_by_key(|path| built(path).unwrap_or(SystemTime::UNIX_EPOCH));
    newest.unwrap_or_else(|| panic!("no .{extension} in {}", directory.display()))
}

/// Talks to the program over loopback, and has it end.
fn converse(mut program: Command) {
    let mut running = program
        .args(["0", SILENCE_MS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built");
    let stdin = running.stdin.take();
    let mut stdout = BufReader::new(running.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("text");
    let address = line.trim().strip_prefix("listening on ").expect(&line).to_owned();

    let mut silent = connect(&address);
    let mut lively = connect(&address);
    lively.write_all(b"hello").expect("it reads");
    let mut echo = [0; 5];
    lively.read_exact(&mut echo).expect("an echo");
    assert_eq!(&echo, b"hello");
    assert_eq!(silent.read(&mut echo).expect("an end, and no reset"), 0, "it was silent too long");
    assert_eq!(lively.read(&mut echo).expect("an end, and no reset"), 0, "and so was this one");
    let mut kept = connect(&address);
    kept.write_all(b"hello").expect("it reads");
    kept.read_exact(&mut echo).expect("an echo");

    // The end of input ends it, with the interval and one connection still armed.
    drop(stdin);
    line.clear();
    stdout.read_line(&mut line).expect("text");
    let (beats, rest) = line.trim().split_once(" beats, ").expect(&line);
    assert_eq!(rest, "2 cut off, 2 armed");
    let beats: u64 = beats.parse().expect("a number");
    assert!(beats >= 1500 / 50 - 1, "{beats} beats of 50 ms: missed ones are counted");
    assert_eq!(kept.read(&mut echo).expect("an end, and no reset"), 0, "taken back and closed");
    let status = running.wait().expect("it ends");
    assert!(status.success(), "{status}");
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("not zero");
    stream
}
