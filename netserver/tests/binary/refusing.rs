//! How it refuses to start.

use std::net::TcpListener;
use std::process::Output;

use crate::process::{Binary, command};

/// Runs a command line that must not start; the line it gives as the reason.
pub(crate) fn refusal(flags: &[&str]) -> String {
    let Output { status, stdout, stderr } = command(flags).output().expect("it runs");
    let stderr = String::from_utf8(stderr).expect("text");
    assert!(status.code().is_some_and(|code| code != 0), "{flags:?}: {status}");
    assert!(stdout.is_empty(), "{flags:?}");
    assert_eq!(stderr.lines().count(), 1, "{flags:?}: {stderr}");
    assert!(stderr.starts_with("netserver: "), "{flags:?}: {stderr}");
    stderr
}

#[test]
fn a_mistake_is_one_line_on_stderr_and_a_failure() {
    let cases: [(&[&str], &str); 11] = [
        (&["--frobnicate"], "--frobnicate"),
        (&["--headers-timeout", "soon"], "soon"),
        (&["--headers-timeout"], "--headers-timeout"),
        (&["--grace", "5"], "5"),
        (&["--max-header-size", "16kb"], "16kb"),
        (&["--listen", "nowhere"], "nowhere"),
        (&["--threads", "0"], "0"),
        (&["--threads", "99999999999"], "at most 1024"),
        (&["--grace", "-1s"], "not negative"),
        (&["--headers-timeout", "10s", "--request-timeout", "5s"], "--headers-timeout is 10s"),
        (&["--connections-checking-interval", "0"], "--connections-checking-interval is 0s"),
    ];
    for (flags, names) in cases {
        let line = refusal(flags);
        assert!(line.contains(names), "{flags:?}: {line}");
    }
}

#[test]
fn a_taken_port_is_one_line_on_stderr_and_a_failure() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let sharing = Binary::start(&["--threads", "2"]);
    let shared = sharing.address.to_string();
    for (address, threads) in [(&address, "1"), (&address, "2"), (&shared, "1"), (&shared, "2")] {
        let line = refusal(&["--listen", address, "--threads", threads]);
        assert!(line.contains(address.as_str()), "{line}");
    }
}
