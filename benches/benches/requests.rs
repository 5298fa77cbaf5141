//! How many instructions does a request take, and how many system calls?
//!
//! Instructions of user space are counted by callgrind, system calls by strace, so both are about the
//! same on a busy machine and on an idle one: what CI can hold a bound against. Each server runs in a
//! process of its own, twice, under a load of few requests and of many; the difference is the
//! requests', and starting up is nobody's. What is not installed is not counted, which is said.
//!
//! ```text
//! cargo bench -p benches --bench requests             the tables, peers included
//! cargo bench -p benches --bench requests -- --check  ours alone, held against its bounds (CI)
//! ```

// Some of what is there is for the other benchmark.
#[allow(dead_code)]
mod serving;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use serving::child::{self, Running};
use serving::cycles;
use serving::load::{self, Batch, Until};
use serving::peers::{self, Peer};

#[derive(Clone, Copy, Debug)]
enum Load {
    KeepAlive {
        connections: usize,
        depth: usize,
    },
    /// On one connection, with nothing in a request that the one before had in its place.
    Unalike {
        depth: usize,
    },
    /// In batches, whose steps are seen at once.
    OneEach {
        batch: usize,
    },
    /// Connecting, asking and closing are seen by turns of their own.
    OneEachAlone,
}

/// Each with what ours may take. Figures are published every 10 ms, so that some of it is up to the
/// clock: a hundred or two per request on a machine that is busy with other things, which the bounds
/// allow for, and more where the client pauses, which has no bound.
const INSTRUCTIONS: [(&str, Load, f64); 5] = [
    ("depth-1", Load::KeepAlive { connections: 1, depth: 1 }, 4_000.0),
    ("depth-16", Load::KeepAlive { connections: 1, depth: 16 }, 1_200.0),
    ("unalike-16", Load::Unalike { depth: 16 }, 1_800.0),
    ("one-each", Load::OneEach { batch: 50 }, 5_500.0),
    ("one-each-alone", Load::OneEachAlone, f64::INFINITY),
];

const CALLS: [(&str, Load, f64); 3] = [
    ("64", Load::KeepAlive { connections: 64, depth: 1 }, 2.2),
    ("64x16", Load::KeepAlive { connections: 64, depth: 16 }, 0.14),
    ("one-each-alone", Load::OneEachAlone, 14.0),
];

/// Set for a process that builds servers: how many.
const BUILDS: &str = "SERVER_BENCH_BUILDS";

fn main() -> ExitCode {
    child::serve_if_child();
    if let Some(servers) = std::env::var(BUILDS).ok().and_then(|servers| servers.parse().ok()) {
        cycles::build(servers);
        return ExitCode::SUCCESS;
    }
    let check = std::env::args().any(|argument| argument == "--check" || argument == "--quick");
    let peers = if check { vec![peers::NETSERVER] } else { peers::ALL.to_vec() };
    let instructions = is_there("valgrind", "--version", "instructions are not counted")
        .then(|| print_instructions(&peers));
    let calls = is_there("strace", "--version", "system calls are not counted")
        .then(|| print_calls(&peers));
    let kept = instructions.unwrap_or(true) & calls.unwrap_or(true);
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_there(program: &str, argument: &str, otherwise: &str) -> bool {
    let found = Command::new(program).arg(argument).stderr(Stdio::null()).output();
    let there = found.is_ok_and(|output| output.status.success());
    if !there {
        println!("{program} is not installed: {otherwise}");
    }
    there
}

/// The table, and whether ours keeps its bounds.
fn print_instructions(peers: &[Peer]) -> bool {
    print_header("Instructions: of user space, per request", &INSTRUCTIONS.map(|it| it.0));
    let mut kept = true;
    for &peer in peers {
        let counts =
            INSTRUCTIONS.map(|(_, load, _)| difference(load, |n| instructions(peer, load, n)));
        kept &= print_row(peer, &counts, &INSTRUCTIONS.map(|it| it.2), 0);
    }
    print_bounds(&INSTRUCTIONS.map(|it| it.2), 0);
    kept
}

/// The table, what they are, and whether ours keeps its bounds.
fn print_calls(peers: &[Peer]) -> bool {
    print_header("System calls: per request", &CALLS.map(|it| it.0));
    let (mut kept, mut lists) = (true, Vec::new());
    for &peer in peers {
        let mut totals = [0.0; CALLS.len()];
        for (total, (name, load, _)) in totals.iter_mut().zip(CALLS) {
            let (few, many) = sizes(load);
            let (before, after) = (calls(peer, load, few), calls(peer, load, many));
            let list = per_request(&before, &after, many - few);
            *total = list.values().sum();
            if peer.name == peers::NETSERVER.name {
                kept &= are_those_expected(name, load, &after, &list);
            }
            lists.push((peer, name, list));
        }
        kept &= print_row(peer, &totals, &CALLS.map(|it| it.2), 2);
    }
    print_bounds(&CALLS.map(|it| it.2), 2);
    let built = calls_of_building(2_000) - calls_of_building(1_000);
    println!("\nA thousand servers built and dropped: {built} system calls.");
    kept &= built == 0;
    println!("\nWhich they are:\n");
    for (peer, name, list) in lists {
        let list = list.iter().filter(|(_, count)| **count >= 0.005);
        let list: Vec<_> = list.map(|(call, count)| format!("{call} {count:.2}")).collect();
        println!("{:<20}{name:<16}{}", peer.name, list.join(", "));
    }
    kept
}

/// Of ours, beside how many there are: no registration of a connection but the first (which cannot
/// be told from one of the listener, so both are counted together), no timer of the kernel, no read
/// or write that finds it has nothing to do.
fn are_those_expected(
    name: &str,
    load: Load,
    all: &BTreeMap<String, (u64, u64)>,
    list: &BTreeMap<String, f64>,
) -> bool {
    let mut kept = true;
    let mut hold = |holds: bool, what: &str| {
        if !holds {
            println!("{name}: {what}: {all:?}");
            kept = false;
        }
    };
    hold(!all.keys().any(|call| call.contains("timerfd")), "a timer of the kernel's");
    let count = |call: &str| list.get(call).copied().unwrap_or(0.0);
    let registrations = count("epoll_ctl");
    if let Load::KeepAlive { connections, .. } = load {
        // Once each, and the listener at most once for each that came alone: how many did is chance.
        let (registered, _) = all.get("epoll_ctl").copied().unwrap_or_default();
        let once_each = 2 * connections as u64 + 16;
        hold(registered <= once_each, "connections are registered more than once");
        let in_vain: u64 = ["recvfrom", "sendto", "read", "write"]
            .iter()
            .filter_map(|call| all.get(*call))
            .map(|(_, errors)| errors)
            .sum();
        // Whoever has just been accepted may not have spoken.
        hold(in_vain <= 200, "reads or writes in vain");
    } else {
        // Whether somebody else waits is asked by accepting, or of the poll by an `epoll_ctl`.
        let calls = registrations + count("accept4");
        hold(calls < 3.1, "more than an accept, a registration, and a look if there are others");
    }
    kept
}

/// Few and many requests: enough for what is not the requests' to be lost in rounding.
fn sizes(load: Load) -> (u64, u64) {
    match load {
        Load::KeepAlive { depth: 1, .. } => (2_000, 10_000),
        Load::KeepAlive { .. } | Load::Unalike { .. } => (6_400, 38_400),
        Load::OneEach { .. } => (500, 2_500),
        Load::OneEachAlone => (100, 500),
    }
}

#[allow(clippy::cast_precision_loss)] // millions, not quadrillions
fn difference(load: Load, count: impl Fn(u64) -> u64) -> f64 {
    let (few, many) = sizes(load);
    let (before, after) = (count(few), count(many));
    after.saturating_sub(before) as f64 / (many - few) as f64
}

#[allow(clippy::cast_precision_loss)]
fn per_request(
    before: &BTreeMap<String, (u64, u64)>,
    after: &BTreeMap<String, (u64, u64)>,
    requests: u64,
) -> BTreeMap<String, f64> {
    let more = after.iter().map(|(call, (count, _))| {
        let before = before.get(call).map_or(0, |(count, _)| *count);
        (call.clone(), count.saturating_sub(before) as f64 / requests as f64)
    });
    more.collect()
}

fn instructions(peer: Peer, load: Load, requests: u64) -> u64 {
    const WATCHER: [&str; 3] = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let server = Running::start_under(&WATCHER, peer);
    put_on(&server, load, requests);
    let said = server.end();
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    collected
        .and_then(|(_, count)| count.trim().parse().ok())
        .unwrap_or_else(|| panic!("callgrind tells no count: {said}"))
}

/// How often each is called, and how often in vain.
fn calls(peer: Peer, load: Load, requests: u64) -> BTreeMap<String, (u64, u64)> {
    let server = Running::start_under(&["strace", "-f", "-c", "-U", "calls,errors,name"], peer);
    put_on(&server, load, requests);
    let said = server.end();
    let rows = said.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [count, errors @ .., call] = words.as_slice() else { return None };
        let errors = errors.first().map_or(Some(0), |errors| errors.parse().ok())?;
        Some(((*call).to_owned(), (count.parse().ok()?, errors)))
    });
    let mut calls: BTreeMap<_, _> = rows.collect();
    assert!(calls.remove("total").is_some(), "strace tells no sum: {said}");
    calls
}

/// System calls of a process that builds so many servers.
fn calls_of_building(servers: u32) -> i64 {
    let program = std::env::current_exe().expect("the program knows where it is");
    let output = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,errors,name"])
        .arg(program)
        .env(BUILDS, servers.to_string())
        .output()
        .expect("strace was there a moment ago");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let total = said.lines().find_map(|line| line.trim().strip_suffix("total"));
    let calls = total.and_then(|total| total.split_whitespace().next()?.parse().ok());
    calls.unwrap_or_else(|| panic!("strace tells no sum: {said}"))
}

fn put_on(server: &Running, load: Load, requests: u64) {
    let until = Until::Answers(requests);
    match load {
        Load::KeepAlive { connections, depth } => {
            load::keep_alive(server.address, connections, &Batch::alike(depth), until);
        }
        Load::Unalike { depth } => {
            load::keep_alive(server.address, 1, &Batch::unalike(depth), until);
        }
        Load::OneEach { batch } => _ = load::one_each_in_batches(server.address, batch, until),
        Load::OneEachAlone => {
            load::one_each(server.address, Some(Duration::from_millis(2)), until);
        }
    }
}

fn print_header(title: &str, columns: &[&str]) {
    print!("\n## {title}\n\n{:<20}", "");
    for column in columns {
        print!("{column:>18}");
    }
    println!();
}

/// Whether ours keeps its bounds.
fn print_row(peer: Peer, counts: &[f64], bounds: &[f64], digits: usize) -> bool {
    let ours = peer.name == peers::NETSERVER.name;
    let mut kept = true;
    print!("{:<20}", peer.name);
    for (&count, &bound) in counts.iter().zip(bounds) {
        let over = ours && count > bound;
        kept &= !over;
        let mark = if over { "OVER " } else { "" };
        print!("{:>18}", format!("{mark}{count:.digits$}"));
    }
    println!();
    kept
}

fn print_bounds(bounds: &[f64], digits: usize) {
    print!("{:<20}", "at most, of ours");
    for bound in bounds {
        let bound = if bound.is_finite() { format!("{bound:.digits$}") } else { "-".into() };
        print!("{bound:>18}");
    }
    println!();
}
