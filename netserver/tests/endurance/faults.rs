//! The machine fails, or those who use it do: the process survives, and is then as it was before.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::alone;
use crate::process::{Binary, Client, LIMIT, command};
use crate::proxy::Proxy;
use crate::vitals::{Vitals, descriptors, status};

const SHORT: [&str; 8] = [
    "--headers-timeout",
    "1s",
    "--request-timeout",
    "2s",
    "--keep-alive-timeout",
    "1s",
    "--connections-checking-interval",
    "100ms",
];

fn is_healthy(binary: &Binary) {
    let answer = binary.ask("GET /plaintext");
    assert!(answer.ends_with("\r\n\r\nHello, World!"), "{answer}");
}

/// So few that a hundred clients are too many.
const DESCRIPTORS: u64 = 32;

#[test]
fn out_of_descriptors_it_pauses_and_all_who_wait_are_served_in_the_end() {
    let _alone = alone();
    let mut limited = Command::new("sh");
    let script = format!("ulimit -n {DESCRIPTORS}; exec \"$@\"");
    limited.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_netserver")]);
    limited.args(["--listen", "127.0.0.1:0"]).args(SHORT);
    let binary = Binary::run(&mut limited);
    let before = Vitals::of(&binary);
    // Far more than it has descriptors for; all are in the kernel's queue at least.
    let mut clients: Vec<_> = (0..100).map(|_| binary.client()).collect();
    // A connection whose request is there already is answered and closed as soon as it is accepted,
    // so nobody asks before there are none left.
    let started = Instant::now();
    while descriptors(&binary) < DESCRIPTORS {
        assert!(started.elapsed() < LIMIT, "it does not run out");
        thread::sleep(Duration::from_millis(1));
    }
    for client in &mut clients {
        client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    // Those it has taken are answered and let go of, which makes room for the others.
    let answers = clients.iter_mut().map(Client::rest);
    assert!(answers.into_iter().all(|answer| answer.ends_with("Hello, World!")));
    drop(clients);
    before.wait_for(&binary);
    let pauses = &status(&binary)["connections"]["accept_pauses"];
    assert!(pauses.as_u64().is_some_and(|pauses| pauses > 0), "it never ran out: {pauses}");
    is_healthy(&binary);
}

/// A client that is a process of its own, with something under way.
fn client_process(binary: &Binary, request: &str) -> Child {
    let port = binary.address.port();
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{request}' >&3; echo ok; exec sleep 60"
    );
    let mut child =
        Command::new("bash").args(["-c", &script]).stdout(Stdio::piped()).spawn().expect("bash");
    let mut said = [0; 3];
    child.stdout.as_mut().expect("piped").read_exact(&mut said).expect("it has sent");
    child
}

#[test]
fn clients_that_are_killed_leave_nothing_behind() {
    let _alone = alone();
    let binary = Binary::start(&[]);
    is_healthy(&binary);
    let before = Vitals::of(&binary);
    let requests = [
        "",
        "GET /plai",
        "POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 1000\\r\\n\\r\\npart",
        "GET /slow?ms=3000 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
        "GET /stream?chunks=100000&size=1000 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    ];
    let mut clients: Vec<_> =
        requests.iter().map(|request| client_process(&binary, request)).collect();
    for client in &mut clients {
        // SIGKILL: no goodbye of its own, the kernel's alone.
        client.kill().expect("a child");
        client.wait().expect("a child");
    }
    before.wait_for(&binary);
    is_healthy(&binary);
}

#[test]
fn a_network_that_drops_and_delays_costs_answers_and_nothing_else() {
    let _alone = alone();
    let binary = Binary::start(&SHORT);
    is_healthy(&binary);
    let before = Vitals::of(&binary);
    let proxy = Proxy::before(binary.address, 7);
    let address = proxy.address;
    let whole: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| scope.spawn(move || (0..12).filter(|_| ask_through(address)).count()))
            .collect();
        clients.into_iter().map(|client| client.join().expect("no panic")).sum()
    });
    assert!(whole > 0, "none of 96 came through");
    drop(proxy);
    before.wait_for(&binary);
    is_healthy(&binary);
}

/// Whether all the answers came. What comes is right as far as it goes.
fn ask_through(address: std::net::SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_read_timeout(Some(LIMIT)).expect("not zero");
    let body = "b".repeat(3000);
    let requests = format!(
        "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\nConnection: close\r\n\r\n{body}"
    );
    let mut answers = Vec::new();
    if stream.write_all(requests.as_bytes()).is_err() {
        return false;
    }
    let ended = stream.read_to_end(&mut answers).is_ok();
    let text = String::from_utf8(answers).expect("text");
    let first = "HTTP/1.1 200 OK\r\n";
    let common = first.len().min(text.len());
    // Cut off in the middle, its own request may be late or no request.
    let refused = text.starts_with("HTTP/1.1 408 ") || text.starts_with("HTTP/1.1 400 ");
    assert!(refused || text[..common] == first[..common], "{text}");
    ended && text.contains("\r\n\r\nHello, World!") && text.ends_with(&body)
}

#[test]
fn a_full_disk_for_all_it_says_is_no_reason_not_to_serve() {
    let _alone = alone();
    let directory = std::env::temp_dir().join(format!("netserver-full-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    let socket = directory.join("socket");
    let full = || OpenOptions::new().write(true).open("/dev/full").expect("Linux");
    let place = format!("unix:{}", socket.display());
    let mut child = command(&["--listen", &place, "-v"])
        .stdout(full())
        .stderr(full())
        .spawn()
        .expect("the binary starts");
    for _ in 0..20 {
        assert!(ask_at(&socket).ends_with("Hello, World!"));
    }
    let kill = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
    assert_eq!(wait(&mut child).code(), Some(0));
    fs::remove_dir_all(&directory).expect("it is there");
}

fn ask_at(socket: &Path) -> String {
    let started = Instant::now();
    let mut stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) => assert!(started.elapsed() < LIMIT, "{error}"),
        }
        thread::sleep(Duration::from_millis(5));
    };
    stream.set_read_timeout(Some(LIMIT)).expect("not zero");
    let request = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("no reset");
    answer
}

fn wait(child: &mut Child) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        assert!(started.elapsed() < LIMIT, "it does not end");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Signals that mean nothing to it, though by default many of them end a process, and those that stop
/// it and let it go on.
#[test]
fn signals_in_the_thick_of_it_change_nothing() {
    let _alone = alone();
    let binary = Binary::start(&["--threads", "2"]);
    is_healthy(&binary);
    let before = Vitals::of(&binary);
    thread::scope(|scope| {
        let busy = scope.spawn(|| {
            for _ in 0..100 {
                let mut client = binary.client();
                client.send("GET /stream?chunks=20&size=1000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                let answer = client.rest();
                assert!(answer.ends_with("\r\n0\r\n\r\n"), "{} bytes", answer.len());
            }
        });
        let signals = [
            "STOP", "CONT", "PIPE", "WINCH", "CHLD", "URG", "HUP", "USR1", "USR2", "ALRM",
            "VTALRM", "PROF", "POLL", "XCPU", "XFSZ",
        ];
        for signal in signals.iter().cycle().take(75) {
            binary.signal(signal);
        }
        binary.signal("CONT");
        busy.join().expect("all answers are whole");
    });
    before.wait_for(&binary);
    is_healthy(&binary);
}

/// From the moment it listens, SIGTERM, SIGINT and SIGQUIT end it in good order, whatever it is doing.
#[test]
fn it_can_be_told_to_end_at_any_moment() {
    let _alone = alone();
    for number in 0..12_u64 {
        let mut binary = Binary::start(&["--threads", "2", "--grace", "5s"]);
        let mut client = (number % 3 > 0).then(|| binary.client());
        if let Some(client) = client.as_mut().filter(|_| number % 3 == 2) {
            client.send("GET /slow?ms=20 HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        thread::sleep(Duration::from_millis(number * 3));
        binary.signal(match number % 4 {
            0 => "TERM",
            2 => "QUIT",
            _ => "INT",
        });
        if let Some(mut client) = client {
            // Who had not been accepted before it was told is reset, and what had not arrived is not
            // answered.
            let mut answer = Vec::new();
            let _ = client.stream.read_to_end(&mut answer);
            let whole = answer.is_empty() || answer.starts_with(b"HTTP/1.1 200 OK\r\n");
            assert!(whole, "{}", answer.escape_ascii());
        }
        assert_eq!(binary.ended().code(), Some(0), "told after {number} rounds");
    }
}
