//! Where the binary listens, other than on an address.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::process::{Binary, LIMIT};
use super::refusing::refusal;

const ASK: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A path in a directory of its own, which goes with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place = std::env::temp_dir().join(format!("netserver-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir(&place).expect("a directory for temporary files");
        Self(place)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("http.sock")
    }

    fn flag(&self) -> String {
        format!("unix:{}", self.socket().display())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ask_unix(place: &Place) -> String {
    let mut stream = UnixStream::connect(place.socket()).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("not zero");
    stream.write_all(ASK).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn assert_served(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nHello, World!"), "{answer}");
}

#[test]
fn a_unix_socket_is_served_by_all_loops_and_its_file_goes_at_the_end() {
    let place = Place::new("serves");
    let mut binary = Binary::listening_on(&place.flag(), &["--threads", "2"]);
    assert_eq!(binary.line, format!("listening on {}", place.flag()));
    for _ in 0..20 {
        assert_served(&ask_unix(&place));
    }
    binary.signal("TERM");
    assert!(binary.ended().success());
    assert!(!place.socket().exists(), "its file is left behind");
}

#[test]
fn a_socket_file_that_nobody_listens_on_is_replaced() {
    let place = Place::new("stale");
    drop(UnixListener::bind(place.socket()).expect("a free path"));
    assert!(place.socket().exists());
    let _binary = Binary::listening_on(&place.flag(), &[]);
    assert_served(&ask_unix(&place));
}

#[test]
fn a_socket_file_that_somebody_listens_on_is_left_alone() {
    let place = Place::new("taken");
    let listener = UnixListener::bind(place.socket()).expect("a free path");
    let line = refusal(&["--listen", &place.flag()]);
    let socket = place.socket();
    let said = format!("cannot listen on unix:{}: another process listens there", socket.display());
    assert!(line.contains(&said), "{line}");
    UnixStream::connect(&socket).expect("it is there still");
    drop(listener);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let place = Place::new("file");
    fs::write(place.socket(), "precious").expect("a free path");
    let line = refusal(&["--listen", &place.flag()]);
    assert!(line.contains("which is not a socket"), "{line}");
    assert_eq!(fs::read_to_string(place.socket()).expect("the file"), "precious");
}

#[test]
fn a_file_that_has_taken_the_sockets_place_is_left_alone_at_the_end() {
    let place = Place::new("replaced");
    let mut binary = Binary::listening_on(&place.flag(), &[]);
    fs::remove_file(place.socket()).expect("the socket");
    fs::write(place.socket(), "precious").expect("a free path");
    binary.signal("TERM");
    assert!(binary.ended().success());
    assert_eq!(fs::read_to_string(place.socket()).expect("the file"), "precious");
}

/// Starts the binary as a service manager does: with the socket as descriptor 3.
fn activated(socket: OwnedFd, flags: &[&str]) -> Binary {
    let mut shell = Command::new("sh");
    let script = r#"LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --listen systemd "$@" 3<&0 </dev/null"#;
    shell.args(["-c", script, env!("CARGO_BIN_EXE_netserver")]).args(flags);
    shell.stdin(Stdio::from(socket));
    Binary::run(&mut shell)
}

#[test]
fn a_socket_that_a_service_manager_passes_is_served_and_outlives_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    // Who comes before it runs waits in the queue.
    let mut early = TcpStream::connect(address).expect("the socket listens");
    early.write_all(ASK).expect("room");
    let socket = OwnedFd::from(listener.try_clone().expect("a descriptor"));
    let mut binary = activated(socket, &["--threads", "2"]);
    assert_eq!(binary.address, address);
    early.set_read_timeout(Some(LIMIT)).expect("not zero");
    let mut answer = String::new();
    early.read_to_string(&mut answer).expect("an answer");
    assert_served(&answer);
    for _ in 0..20 {
        assert_served(&binary.ask("GET /plaintext"));
    }
    binary.signal("TERM");
    assert!(binary.ended().success());
    TcpStream::connect(address).expect("the service manager has it still");
}

#[test]
fn a_unix_socket_that_a_service_manager_passes_is_served_and_its_file_stays() {
    let place = Place::new("passed");
    let listener = UnixListener::bind(place.socket()).expect("a free path");
    let mut binary = activated(OwnedFd::from(listener), &[]);
    assert_served(&ask_unix(&place));
    binary.signal("TERM");
    assert!(binary.ended().success());
    assert!(place.socket().exists(), "its file is the service manager's");
}

#[test]
fn a_socket_that_does_not_listen_is_refused() {
    let (socket, _other) = UnixStream::pair().expect("a pair of sockets");
    let mut shell = Command::new("sh");
    let script = r#"LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --listen systemd 3<&0"#;
    shell.args(["-c", script, env!("CARGO_BIN_EXE_netserver")]).stdin(OwnedFd::from(socket));
    let output = shell.output().expect("a shell");
    let line = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && line.contains("needs Accept=no"), "{line}");
}

#[test]
fn without_a_socket_passed_it_says_what_to_do() {
    let line = refusal(&["--listen", "systemd"]);
    assert!(line.contains("none were passed") && line.contains("LISTEN_FDS"), "{line}");
}

#[test]
fn behind_a_proxy_the_header_comes_first() {
    let binary = Binary::start(&["--proxy-protocol"]);
    let mut client = binary.client();
    client.send([b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n", ASK].concat());
    assert_served(&client.rest());
    // Everything else is closed unanswered, by a FIN or a reset.
    let mut client = binary.client();
    client.send(ASK);
    let mut answer = Vec::new();
    let _ = client.stream.read_to_end(&mut answer);
    assert_eq!(answer, b"");
}
