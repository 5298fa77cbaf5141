//! Real clients against the binary: curl, and ureq with its pool of connections.
#![cfg(feature = "cli")]

#[path = "binary/process.rs"]
#[allow(dead_code)] // this program uses its part
mod process;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use process::{Binary, LIMIT};

/// What curl did: its exit code, 0 if nothing was cut short, and what it printed.
struct Curled {
    code: Option<i32>,
    out: String,
}

/// Runs curl; `None`, with a word about it, where it is not installed.
fn curl(args: &[&str], input: &[u8]) -> Option<Curled> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "20"]).args(args);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: curl is not installed, and this test is about it");
            return None;
        }
        child => child.expect("curl starts"),
    };
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    // It may end without having read all of it.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("curl ends");
    writer.join().expect("no panic");
    let out = String::from_utf8(output.stdout).expect("text");
    let code = output.status.code();
    Some(Curled { code, out: out + &String::from_utf8_lossy(&output.stderr) })
}

fn url(binary: &Binary, path: &str) -> String {
    format!("http://{}{path}", binary.address)
}

#[test]
fn curl_gets_posts_and_reuses_its_connection() {
    let binary = Binary::start(&[]);
    let (plain, echo) = (url(&binary, "/plaintext"), url(&binary, "/echo"));
    let each = "\n%{http_code} %{num_connects}\n";
    let Some(three) = curl(&["-w", each, &plain, &plain, &plain], b"") else { return };
    assert_eq!(three.code, Some(0), "{}", three.out);
    assert_eq!(three.out, "Hello, World!\n200 1\nHello, World!\n200 0\nHello, World!\n200 0\n");

    let head = curl(&["--head", "-w", each, &plain], b"").expect("curl");
    assert!(head.out.contains("\r\nContent-Length: 13\r\n"), "{}", head.out);
    assert!(head.out.ends_with("\n200 1\n") && !head.out.contains("Hello"), "{}", head.out);

    let old = curl(&["--http1.0", "-w", each, &plain], b"").expect("curl");
    assert_eq!((old.code, old.out.as_str()), (Some(0), "Hello, World!\n200 1\n"));

    // Chunked, with an expectation; small, with a length.
    let large = vec![b'x'; 3_000_000];
    let count = ["-o", "/dev/null", "-w", "%{http_code} %{size_download}"];
    let chunked = ["-T", "-", "-H", "Expect: 100-continue"];
    let there = curl(&[&count[..], &chunked, &[&echo]].concat(), &large).expect("curl");
    assert_eq!((there.code, there.out.as_str()), (Some(0), "200 3000000"));
    let back = curl(&["--data-binary", "@-", &echo], b"small").expect("curl");
    assert_eq!((back.code, back.out.as_str()), (Some(0), "small"));
}

#[test]
fn curl_reads_why_an_upload_of_40_mb_is_refused() {
    let binary = Binary::start(&[]);
    let plain = url(&binary, "/plaintext");
    let upload = vec![0; 40_000_000];
    let cases = [
        // Asked first, the server says what is wrong with the request, whatever its size.
        ("Expect: 100-continue", "HTTP/1.1 405 Method Not Allowed\r\n"),
        ("Expect:", "HTTP/1.1 413 Content Too Large\r\n"),
    ];
    for (expect, status) in cases {
        let args = ["-i", "-X", "PUT", "--data-binary", "@-", "-H", expect, &plain];
        let Some(curled) = curl(&args, &upload) else { return };
        assert_eq!(curled.code, Some(0), "{expect} {}", curled.out);
        assert!(curled.out.starts_with(status), "{}", curled.out);
        assert!(curled.out.contains("\r\nConnection: close\r\n"), "{}", curled.out);
    }
}

#[test]
fn a_client_that_sends_and_reads_in_turns_reads_the_whole_413_and_a_fin() {
    let binary = Binary::start(&[]);
    let mut client = binary.client();
    client.send("PUT /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n");
    client.stream.set_nonblocking(true).expect("a socket");
    let (mut sent, mut read, piece) = (0, Vec::new(), vec![0; 64 * 1024]);
    let started = Instant::now();
    // Every error but "not now" fails the test: a reset, a broken pipe.
    loop {
        assert!(started.elapsed() < LIMIT, "no end after {sent} bytes");
        let mut buffer = [0; 1024];
        match client.stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => read.extend_from_slice(&buffer[..n]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
        // It goes on sending until it has read an answer, and then no more.
        if read.is_empty() {
            match client.stream.write(&piece[..piece.len().min(40_000_000 - sent)]) {
                Ok(n) => sent += n,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
    }
    let text = String::from_utf8(read).expect("text");
    assert!(text.starts_with("HTTP/1.1 413 Content Too Large\r\n"), "{text}");
    assert!(text.ends_with("\r\nConnection: close\r\n\r\n"), "{text}");
    assert!(client.stream.take_error().expect("a socket").is_none(), "no reset came after it");
}

fn until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LIMIT, "it does not come to be");
        thread::sleep(Duration::from_millis(1));
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .http_status_as_error(false)
        .build()
        .into()
}

fn get(agent: &ureq::Agent, url: &str) -> Result<String, ureq::Error> {
    let mut response = agent.get(url).call()?;
    assert_eq!(response.status(), 200);
    response.body_mut().read_to_string()
}

fn count(binary: &Binary, path: &[&str]) -> u64 {
    let answer = binary.ask("GET /status.json");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let status: serde_json::Value = serde_json::from_str(body).expect("JSON");
    path.iter().fold(&status, |value, key| &value[key]).as_u64().expect("a number")
}

#[test]
fn a_pool_under_churn_never_sees_an_error() {
    let binary = Binary::start(&["--threads", "2", "--max-requests-per-socket", "7"]);
    let (plain, echo) = (url(&binary, "/plaintext"), url(&binary, "/echo"));
    thread::scope(|scope| {
        for client in 0..8 {
            let (plain, echo) = (&plain, &echo);
            scope.spawn(move || {
                let mut pool = agent();
                for request in 0..100 {
                    // Every so often all connections are dropped, idle as they are.
                    if request % (11 + client) == 0 {
                        pool = agent();
                    }
                    assert_eq!(get(&pool, plain).expect("an answer"), "Hello, World!");
                    let mut echoed = pool.post(echo).send(&[b'x'; 5000][..]).expect("an answer");
                    let body = echoed.body_mut().read_to_vec().expect("a body");
                    assert_eq!(body.len(), 5000);
                }
            });
        }
    });
    // Loops publish what they count after the turn that has answered.
    until(|| count(&binary, &["requests"]) >= 1600);
    let accepted = count(&binary, &["connections", "accepted"]);
    assert!((1600 / 7..800).contains(&accepted), "connections are used again: {accepted}");
    let closed = |cause| count(&binary, &["connections", "closed", cause]);
    assert_eq!((closed("parse_error"), closed("handler"), closed("headers")), (0, 0, 0));
}

#[test]
fn a_connection_may_be_used_up_to_the_moment_that_was_told_and_beyond() {
    let binary = Binary::start(&["--keep-alive-timeout", "1s"]);
    let plain = url(&binary, "/plaintext");
    thread::scope(|scope| {
        // Some come just before the second is over, some just after, as their clocks may say.
        for millis in (900..1_100).step_by(20) {
            let plain = &plain;
            scope.spawn(move || {
                let pool = agent();
                for _ in 0..4 {
                    assert_eq!(get(&pool, plain).expect("an answer"), "Hello, World!");
                    thread::sleep(Duration::from_millis(millis));
                }
            });
        }
    });
    // And perhaps that which asks.
    let accepted = count(&binary, &["connections", "accepted"]);
    assert!((10..=11).contains(&accepted), "each pool has used one: {accepted}");
}

#[test]
fn a_drain_finishes_what_a_pool_has_asked_and_ends_the_process() {
    let mut binary = Binary::start(&["--threads", "2"]);
    let (plain, slow) = (url(&binary, "/plaintext"), url(&binary, "/slow?ms=600"));
    thread::scope(|scope| {
        for _ in 0..8 {
            let (plain, slow) = (&plain, &slow);
            scope.spawn(move || {
                let pool = agent();
                get(&pool, plain).expect("an answer");
                let response = pool.get(slow).call().expect("the drain waits for it");
                assert_eq!(response.status(), 200);
                assert_eq!(response.headers()["connection"], "close");
                drop(response);
                // The connection is not used again, and there is no other.
                get(&pool, plain).expect_err("it is over");
            });
        }
        until(|| count(&binary, &["connections", "phases", "handler"]) == 8);
        binary.signal("TERM");
    });
    assert!(binary.ended().success());
}

#[test]
fn curl_finds_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("netserver-curl-{}.sock", std::process::id()));
    let place = format!("unix:{}", path.display());
    let binary = Binary::listening_on(&place, &[]);
    let path_text = path.to_str().expect("text");
    let asked = curl(&["--unix-socket", path_text, "http://localhost/plaintext"], b"");
    if let Some(curled) = asked {
        assert_eq!((curled.code, curled.out.as_str()), (Some(0), "Hello, World!"));
    }
    drop(binary);
    // It was killed, and has left its file.
    let _ = fs::remove_file(path);
}
