//! What the routes answer.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Binary, Client, LIMIT, field};

#[test]
fn every_route_answers_as_the_table_says() {
    let binary = Binary::start(&[]);
    let cases = [
        ("GET /plaintext", "200 OK", "text/plain", "Hello, World!"),
        ("GET /json", "200 OK", "application/json", r#"{"message":"Hello, World!"}"#),
        ("GET /slow?ms=1", "200 OK", "text/plain", ""),
        ("GET /status.json", "200 OK", "application/json", r#""requests":"#),
        ("GET /", "200 OK", "text/plain", "/status.json"),
        ("GET /metrics", "200 OK", "text/plain; version=0.0.4", "netserver_requests_total"),
        ("GET /stream?chunks=2&size=3", "200 OK", "text/plain", "3\r\n...\r\n3\r\n...\r\n0\r\n"),
        ("GET /stream?chunks=many", "400 Bad Request", "text/plain", "chunks"),
        ("GET /slow?ms=-1", "400 Bad Request", "text/plain", "ms"),
        ("GET /nowhere", "404 Not Found", "text/plain", ""),
        ("BREW /plaintext", "501 Not Implemented", "text/plain", ""),
    ];
    for (request, status, content_type, body) in cases {
        let response = binary.ask(request);
        assert!(response.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {response}");
        assert_eq!(field(&response, "Content-Type"), Some(content_type), "{request}");
        assert!(response.contains(body), "{request}: {response}");
    }
}

/// Prometheus' own checker has nothing to say about the metrics. Debian has it in `prometheus`.
#[test]
fn promtool_accepts_the_metrics() {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut promtool) = command.stderr(Stdio::piped()).spawn() else {
        eprintln!("skipped: there is no promtool (Debian: apt-get install prometheus)");
        return;
    };
    let binary = Binary::start(&[]);
    binary.ask("GET /plaintext");
    let response = binary.ask("GET /metrics");
    let (_, metrics) = response.split_once("\r\n\r\n").expect("a response");
    assert!(metrics.contains("\nnetserver_connections_accepted_total "), "{metrics}");
    let mut stdin = promtool.stdin.take().expect("piped");
    stdin.write_all(metrics.as_bytes()).expect("promtool reads");
    drop(stdin);
    let said = promtool.wait_with_output().expect("promtool ends");
    let text = [said.stdout, said.stderr].concat();
    assert!(said.status.success() && text.is_empty(), "{}", String::from_utf8_lossy(&text));
}

#[test]
fn head_is_get_without_the_body() {
    let binary = Binary::start(&[]);
    for path in ["/", "/plaintext", "/json", "/stream", "/slow?ms=1", "/status.json", "/nowhere"] {
        let (get, head) = (binary.ask(&format!("GET {path}")), binary.ask(&format!("HEAD {path}")));
        let (get, body) = get.split_once("\r\n\r\n").expect(path);
        assert!(!body.is_empty() && head.ends_with("\r\n\r\n"), "{path}: {head}");
        let head = head.trim_end();
        for name in ["Content-Type", "Content-Length", "Transfer-Encoding", "Connection"] {
            // What the status says has grown by a request.
            if (path, name) != ("/status.json", "Content-Length") {
                assert_eq!(field(head, name), field(get, name), "{path}");
            }
        }
        assert_eq!(head.lines().next(), get.lines().next(), "{path}");
    }
}

#[test]
fn another_method_on_a_known_path_is_told_what_is_allowed() {
    let binary = Binary::start(&[]);
    let cases = [
        ("DELETE /plaintext", "GET, HEAD"),
        ("OPTIONS /json", "GET, HEAD"),
        ("GET /echo", "POST, PUT"),
    ];
    for (request, allow) in cases {
        let response = binary.ask(request);
        assert!(response.starts_with("HTTP/1.1 405 "), "{request}: {response}");
        assert_eq!(field(&response, "Allow"), Some(allow));
    }
}

#[test]
fn options_without_a_path_asks_about_the_whole_server() {
    let binary = Binary::start(&[]);
    for (target, status) in [
        ("*", "204"),
        ("http://a", "204"),
        ("http://a:80", "204"),
        ("http://a/", "405"),
        ("http://a?b", "405"),
        ("/*", "404"),
    ] {
        let response = binary.ask(&format!("OPTIONS {target}"));
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {response}");
        assert!(status == "404" || field(&response, "Allow").is_some(), "{target}: {response}");
    }
}

#[test]
fn echo_gives_back_what_comes_in_chunks_with_its_type() {
    let binary = Binary::start(&[]);
    let mut client = binary.client();
    let body: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_be_bytes).collect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: image/x\r\n");
    client.send("Transfer-Encoding: chunked\r\n\r\n");
    let mut sender = Client { stream: client.stream.try_clone().expect("a clone"), ..client };
    let sending = thread::spawn({
        let body = body.clone();
        move || {
            for chunk in body.chunks(10_000) {
                sender.send(format!("{:x}\r\n", chunk.len()));
                sender.send(chunk);
                sender.send("\r\n");
            }
            sender.send("0\r\n\r\n");
        }
    });
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(field(&head, "Content-Type"), Some("image/x"));
    assert_eq!(field(&head, "Transfer-Encoding"), Some("chunked"));
    assert!(client.chunks().concat() == body, "the body comes back");
    sending.join().expect("all was sent");
    // A small one is answered whole, on the same connection.
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nsmall");
    let (head, body) = client.response();
    assert_eq!(field(&head, "Content-Type"), Some("application/octet-stream"));
    assert_eq!(body, b"small");
}

#[test]
fn a_stream_has_as_many_chunks_as_asked_for() {
    let binary = Binary::start(&[]);
    let mut client = binary.client();
    client.send("GET /stream?chunks=1000&size=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(field(&client.head(), "Transfer-Encoding"), Some("chunked"));
    let chunks = client.chunks();
    assert_eq!(chunks.len(), 1000);
    assert!(chunks.iter().all(|chunk| chunk.len() == 1000));
}

#[test]
fn pipelined_requests_are_answered_in_order_and_the_connection_is_kept() {
    let binary = Binary::start(&[]);
    let mut client = binary.client();
    client.send("GET /slow?ms=80 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send("GET /slow?ms=1 HTTP/1.1\r\nHost: a\r\n\r\nGET /json HTTP/1.1\r\nHost: a\r\n\r\n");
    let started = client.started;
    let bodies = [client.response().1, client.response().1, client.response().1];
    assert!(started.elapsed() >= Duration::from_millis(80));
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[2], br#"{"message":"Hello, World!"}"#);
    for _ in 0..100 {
        client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, body) = client.response();
        assert_eq!(field(&head, "Keep-Alive"), Some("timeout=5"));
        assert_eq!(body, b"Hello, World!");
    }
}

#[test]
fn several_loops_share_an_address_and_are_counted_together() {
    let binary = Binary::start(&["--threads", "3"]);
    for _ in 0..30 {
        assert!(binary.ask("GET /plaintext").ends_with("Hello, World!"));
    }
    // A loop publishes its counts after the turn in which it answered.
    let started = Instant::now();
    loop {
        let status = binary.ask("GET /status.json");
        let (_, json) = status.split_once("\r\n\r\n").expect("a body");
        let status: serde_json::Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(status["loops"], 3);
        assert!(status["timers"]["armed"].as_u64() <= Some(3), "one check for each: {status}");
        if status["connections"]["accepted"].as_u64() >= Some(31)
            && status["requests"].as_u64() >= Some(30)
            && status["connections"]["closed"].as_object().is_some()
        {
            return;
        }
        assert!(started.elapsed() < LIMIT, "{status}");
    }
}
