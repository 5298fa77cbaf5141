//! What can be seen of the binary from outside.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Binary, LIMIT};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Vitals {
    pub(crate) resident_kib: u64,
    pub(crate) descriptors: u64,
    /// Entries in the wheels.
    pub(crate) timers: u64,
    /// Connections open, but for the one that asks.
    pub(crate) connections: u64,
}

impl Vitals {
    pub(crate) fn of(binary: &Binary) -> Self {
        let answer = status(binary);
        let number = |path: &str| answer.pointer(path).and_then(serde_json::Value::as_u64);
        Self {
            resident_kib: resident_kib(binary),
            descriptors: descriptors(binary),
            timers: number("/timers/armed").expect("armed"),
            connections: number("/connections/open").expect("open").saturating_sub(1),
        }
    }

    /// Waits until all is as it was, but for memory, of which it may have taken a little more.
    pub(crate) fn wait_for(self, binary: &Binary) -> Self {
        let started = Instant::now();
        loop {
            let now = Self::of(binary);
            let Self { descriptors, timers, connections, .. } = now;
            if descriptors <= self.descriptors && timers <= self.timers && connections == 0 {
                let most = self.resident_kib + MEMORY_SLACK_KIB;
                assert!(now.resident_kib <= most, "memory: {self:?} before, {now:?} after");
                return now;
            }
            assert!(started.elapsed() < LIMIT, "{self:?} before, {now:?} after");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What allocators keep for later, with a thousand empty slots and the buffers of two loops.
const MEMORY_SLACK_KIB: u64 = 8 << 10;

pub(crate) fn descriptors(binary: &Binary) -> u64 {
    fs::read_dir(format!("/proc/{}/fd", binary.child.id())).expect("Linux").count() as u64
}

pub(crate) fn resident_kib(binary: &Binary) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", binary.child.id())).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
    line.trim().strip_suffix(" kB").expect(line).parse().expect(line)
}

pub(crate) fn status(binary: &Binary) -> serde_json::Value {
    let answer = binary.ask("GET /status.json");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}
