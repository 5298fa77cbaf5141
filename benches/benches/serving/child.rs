//! A peer in a process of its own, so that its CPU time and its memory are its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::peers::{self, Peer};

/// Set for the child: the name of the peer.
const INNER: &str = "SERVER_BENCH_PEER";

/// A running peer; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) peer: Peer,
    pub(crate) address: SocketAddr,
    child: Child,
}

/// In a child: serves until its standard input ends, and does not return. So no child outlives the
/// program that started it, and each ends in an orderly way, which those who count want to see.
pub(crate) fn serve_if_child() {
    let Ok(name) = std::env::var(INNER) else { return };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let peer = peers::find(&name).expect("a known peer");
    (peer.serve)(|port| println!("{port}"));
}

impl Running {
    pub(crate) fn start(peer: Peer) -> Self {
        Self::start_under(&[], peer)
    }

    /// The same with a variable of its environment set.
    pub(crate) fn start_with(name: &str, value: &str, peer: Peer) -> Self {
        Self::start_under(&["env", &format!("{name}={value}")], peer)
    }

    /// The same under a program that watches it, which is given as a command line.
    pub(crate) fn start_under(watcher: &[&str], peer: Peer) -> Self {
        let program = std::env::current_exe().expect("the program knows where it is");
        let mut command = match watcher {
            [] => Command::new(program),
            [watcher, arguments @ ..] => {
                let mut command = Command::new(watcher);
                command.args(arguments).arg(program).stderr(Stdio::piped());
                command
            }
        };
        let mut child = command
            .env(INNER, peer.name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let stdout = child.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let port: u16 = line.trim().parse().expect("the child says its port");
        Self { peer, address: SocketAddr::from(([127, 0, 0, 1], port)), child }
    }

    /// Lets it end, and tells what its watcher has said.
    pub(crate) fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut said).expect("text");
        }
        let status = self.child.wait().expect("it runs");
        assert!(status.success(), "{} ended with {status}: {said}", self.peer.name);
        said
    }

    /// The number of its process, and of its first thread.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time of all its threads.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let nanos = tasks.filter_map(|task| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }

    /// Bytes of memory it has.
    pub(crate) fn memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let text = text.expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
        kib * 1024
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have died by itself, which was noticed elsewhere.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
