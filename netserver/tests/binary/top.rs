//! `netserver top`, as a script uses it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Output;
use std::thread;

use crate::process::{Binary, command};
use crate::refusing::refusal;

fn top(flags: &[&str]) -> Output {
    command(&[&["top"], flags].concat()).output().expect("it runs")
}

#[test]
fn once_prints_a_report_of_a_running_server() {
    let binary = Binary::start(&["--threads", "2"]);
    let mut idle = binary.client();
    idle.send("GET /json HTTP/1.1\r\nHost: a\r\n\r\n");
    idle.response();
    let output = top(&["--once", "--interval", "200ms", &binary.address.to_string()]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && output.stderr.is_empty(), "{:?}", output.stderr);
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in\n{text}")).trim().to_owned()
    };
    assert_eq!(value("event loops"), "2");
    assert_eq!((value("servers alive"), value("their timers")), ("2".into(), "2".into()));
    assert_eq!(value("phase idle"), "1");
    let requests: u64 = value("requests ").parse().expect("a number");
    assert!(requests >= 1, "{text}");
    assert!(value("server ").contains(&binary.address.to_string()), "{text}");
}

#[test]
fn it_works_over_a_unix_socket_too() {
    let path = std::env::temp_dir().join(format!("netserver-top-{}.sock", std::process::id()));
    let place = format!("unix:{}", path.display());
    let binary = Binary::listening_on(&place, &[]);
    let output = top(&["--once", "--interval", "100ms", &place]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    drop(binary);
    // It was killed, and could not remove it.
    let _ = std::fs::remove_file(path);
}

#[test]
fn what_is_not_there_or_is_no_netserver_is_told_in_one_line() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("bound").to_string();
    drop(nobody);
    for flags in [&["top", &address][..], &["top", "--once", &address]] {
        let line = refusal(flags);
        assert!(line.contains(&address) && line.contains("no server answers"), "{line}");
    }
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = stranger.local_addr().expect("bound").to_string();
    let answering = thread::spawn(move || {
        let (mut stream, _) = stranger.accept().expect("a client");
        let mut request = [0; 512];
        let _ = stream.read(&mut request).expect("a request");
        stream.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n").expect("it reads");
    });
    let line = refusal(&["top", "--once", &address]);
    assert!(line.contains("is not netserver: /status.json is answered 404"), "{line}");
    answering.join().expect("answered");
    // What draws needs something to draw on.
    let binary = Binary::start(&[]);
    let line = refusal(&["top", &binary.address.to_string()]);
    assert!(line.contains("--once"), "{line}");
    let line = refusal(&["top", "8080"]);
    assert!(line.contains("HOST:PORT"), "{line}");
}
