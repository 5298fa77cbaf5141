//! What it tells a person: help, why connections closed, what a drain waits for.

use std::io::Read;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Binary, LIMIT, command};

#[test]
fn the_help_has_examples_and_no_colours_where_nobody_sees_them() {
    for (flags, parts) in [
        (
            &["--help"][..],
            &["Usage: netserver [OPTIONS]", "Timeouts:", "Limits:", "Examples:", "-vv", "SIGTERM"]
                as &[&str],
        ),
        (&["-h"], &["Examples:", "netserver top"]),
        (&["top", "--help"], &["[ADDRESS]", "--once", "Examples:", "127.0.0.1:8080"]),
    ] {
        let output = command(flags).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success() && output.stderr.is_empty(), "{flags:?}");
        assert!(!text.contains('\x1b'), "{flags:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{flags:?}: {part} in\n{text}");
        }
    }
    // Who asks for colours gets them.
    let coloured = command(&["--help"]).env("CLICOLOR_FORCE", "1").output().expect("it runs");
    let text = String::from_utf8(coloured.stdout).expect("text");
    assert!(text.contains("\x1b[1m\x1b[32mTimeouts:") && text.contains("Examples:"), "{text:?}");
}

/// A running binary, and what it writes to stderr until it ends.
fn listened_to(flags: &[&str]) -> (Binary, thread::JoinHandle<String>) {
    let mut binary = Binary::run(
        command(&[&["--listen", "127.0.0.1:0"], flags].concat()).stderr(Stdio::piped()),
    );
    let mut stderr = binary.child.stderr.take().expect("piped");
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).expect("text");
        text
    });
    (binary, reader)
}

fn end(mut binary: Binary, stderr: thread::JoinHandle<String>) -> String {
    binary.signal("TERM");
    assert_eq!(binary.ended().code(), Some(0));
    stderr.join().expect("read")
}

#[test]
fn v_says_why_each_connection_closed_and_vv_what_it_went_through() {
    for (flag, closes, phases, timers) in [
        ("", 0, false, false),
        ("-v", 2, false, false),
        ("-vv", 2, true, false),
        ("-vvv", 2, true, true),
    ] {
        let flags = ["--connections-checking-interval", "20ms", "--headers-timeout", "300ms", flag];
        let (binary, stderr) = listened_to(&flags[..5 - usize::from(flag.is_empty())]);
        assert!(binary.ask("GET /json").starts_with("HTTP/1.1 200 "));
        let mut slow = binary.client();
        slow.send("GET / HTTP/1.1\r\nHo");
        assert!(slow.rest().starts_with("HTTP/1.1 408 "), "it was closed");
        let peer = slow.stream.local_addr().expect("connected").to_string();
        // Or it would be lingered for, and that be the end.
        drop(slow);
        let text = end(binary, stderr);
        let closed: Vec<_> = text.lines().filter(|line| line.contains(": closed ")).collect();
        assert_eq!(closed.len(), closes, "{flag}: {text}");
        assert_eq!(text.contains("phase from=first_byte to=headers"), phases, "{flag}: {text}");
        assert_eq!(text.contains("expired class=headers rescued=false"), phases, "{flag}: {text}");
        assert_eq!(text.contains("timer value=Check"), timers, "{flag}: {text}");
        assert!(!text.contains('\x1b'), "no colours in a file: {text}");
        if closes > 0 {
            let late = closed.iter().find(|line| line.contains(&peer)).expect(&text);
            assert!(
                late.contains(" INFO connection{id=") && late.contains("cause=headers"),
                "{late}"
            );
            assert!(late.contains(" requests=") && late.contains("age_ms="), "{late}");
        }
    }
}

#[test]
fn signals_that_mean_nothing_are_told_under_v_and_usr1_says_how_things_are() {
    for (flag, told) in [("--threads=1", 0), ("-v", 2)] {
        let (binary, stderr) = listened_to(&[flag]);
        let mut silent = binary.client();
        assert!(binary.ask("GET /json").starts_with("HTTP/1.1 200 "));
        while !binary.ask("GET /status.json").contains(r#""first_byte":1"#) {
            assert!(silent.started.elapsed() < LIMIT, "it is not taken in");
        }
        for signal in ["HUP", "USR2", "USR1"] {
            binary.signal(signal);
            // Who comes later is told of later.
            assert!(binary.ask("GET /json").starts_with("HTTP/1.1 200 "), "it survives {signal}");
            thread::sleep(Duration::from_millis(100));
        }
        let text = end(binary, stderr);
        assert_eq!(silent.rest(), "");
        let reports = text.lines().filter(|line| {
            line.starts_with("netserver: ")
                && line.contains(" first byte")
                && line.contains("; so far ")
        });
        assert_eq!(reports.count(), 1, "{flag}: {text}");
        assert_eq!(text.matches("means nothing here").count(), told, "{flag}: {text}");
    }
}

#[test]
fn a_drain_says_once_a_second_what_it_waits_for_and_how_it_ended() {
    let (binary, stderr) = listened_to(&["--grace", "2500ms"]);
    let (mut short, mut long) = (binary.client(), binary.client());
    short.send("GET /slow?ms=1500 HTTP/1.1\r\nHost: a\r\n\r\n");
    long.send("GET /slow?ms=3600000 HTTP/1.1\r\nHost: a\r\n\r\n");
    while !binary.ask("GET /status.json").contains(r#""handler":2"#) {
        assert!(short.started.elapsed() < LIMIT, "the requests are not taken up");
    }
    let started = Instant::now();
    let text = end(binary, stderr);
    assert!(started.elapsed() >= Duration::from_millis(2400), "the grace is kept");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() >= 3, "{text}");
    assert!(
        lines[0]
            .starts_with("netserver: draining: waits for 2 connections (2 handler); cut off in "),
        "{text}"
    );
    let last = lines[lines.len() - 1];
    // The status was asked for on connections of its own, which may end as late.
    assert!(last.starts_with("netserver: drained: "), "{text}");
    assert!(last.ends_with(" finished, 1 cut off"), "{text}");
    assert!(
        lines[..lines.len() - 1].iter().all(|line| line.contains("draining: waits for")),
        "{text}"
    );
}
