//! The binary as a child process, and clients that read and write bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// No wait of these tests is longer, whatever breaks.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// What a busy machine may add to a deadline.
pub(crate) const SLACK: Duration = Duration::from_millis(500);

/// A running binary; killed if it has not ended by itself.
pub(crate) struct Binary {
    pub(crate) child: Child,
    /// Where it listens; port 0 if that is no address.
    pub(crate) address: SocketAddr,
    /// The first line that it prints.
    pub(crate) line: String,
}

impl Binary {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::listening_on("127.0.0.1:0", flags)
    }

    pub(crate) fn listening_on(place: &str, flags: &[&str]) -> Self {
        Self::run(&mut command(&[&["--listen", place], flags].concat()))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let line = line.trim().to_owned();
        let address = line.strip_prefix("listening on http://");
        let address = address
            .map_or(SocketAddr::from(([0; 4], 0)), |address| address.parse().expect(address));
        assert!(line.starts_with("listening on "), "{line}");
        Self { child, address, line }
    }

    pub(crate) fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("not zero");
        stream.set_write_timeout(Some(LIMIT)).expect("not zero");
        Client { stream, started: Instant::now() }
    }

    /// The response to one request on a connection of its own.
    pub(crate) fn ask(&self, request: &str) -> String {
        let mut client = self.client();
        client.send(format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        client.rest()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status().expect("kill");
        assert!(status.success());
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of this process") {
                return status;
            }
            assert!(started.elapsed() < LIMIT, "the binary does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // Fails if it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) started: Instant,
}

impl Client {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// All that comes until the server ends its side. A reset fails the test.
    pub(crate) fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).expect("an end, and no reset");
        String::from_utf8(bytes).expect("text")
    }

    /// One response with a `Content-Length`: head and body.
    pub(crate) fn response(&mut self) -> (String, Vec<u8>) {
        let head = self.head();
        let length = field(&head, "Content-Length").expect(&head).parse().expect("a number");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("the body");
        (head, body)
    }

    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("a whole head");
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("text")
    }

    /// The content of a chunked body.
    pub(crate) fn chunks(&mut self) -> Vec<Vec<u8>> {
        let mut reader = BufReader::new(&mut self.stream);
        let mut chunks = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a chunk's size");
            let size = usize::from_str_radix(line.trim_end(), 16).expect(&line);
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).expect("a chunk");
            assert!(chunk.ends_with(b"\r\n"));
            chunk.truncate(size);
            if size == 0 {
                return chunks;
            }
            chunks.push(chunk);
        }
    }
}

pub(crate) fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netserver"));
    command.args(flags).stdin(Stdio::null());
    command
}

pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
