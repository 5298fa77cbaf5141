//! How many instructions does an operation take?
//!
//! Counted by callgrind, so the same on a busy machine and on an idle one: what CI can hold a bound
//! against. The program runs itself under valgrind, once per workload and peer, and counts only
//! the measured section; a run with a peer that does nothing is taken off, so what is left is the
//! timers' own. Without valgrind it says so and passes.
//!
//! ```text
//! cargo bench -p benches --bench instructions             the table, peers included
//! cargo bench -p benches --bench instructions -- --check  ours alone, held against its bounds
//! ```

mod shared;

use std::process::{Command, ExitCode};

use shared::contender::{ALL, Contender, NOTHING};
use shared::meter::SECTION;
use shared::peers;
use shared::workload::Workload;

/// Set for the run under valgrind: `workload peer size`.
const INNER: &str = "TIMERS_INSTRUCTIONS_OF";

const SIZE: usize = 100_000;

/// What one operation of ours may take, net of the harness: what the wheel reaches and a twelfth
/// more at most, for other compilers, so that a change that costs instructions does not pass unseen. Behind
/// it is what the wheel should take.
const BOUNDS: [(Workload, f64); 14] = [
    (Workload::Insert, 125.0),       // 50
    (Workload::Cancel, 139.0),       // 30
    (Workload::Reschedule, 49.0),    // 15
    (Workload::Drain, 460.0),        // 250
    (Workload::IdleAdvance, 12.0),   // 8
    (Workload::Interval, 275.0),     // 90
    (Workload::Mixed, 190.0),        // 88
    (Workload::NextDeadline, 117.0), // 70
    (Workload::Sparse, 560.0),       // 400
    (Workload::OneAdvance, 244.0),   // 250
    (Workload::SingleDuration, 430.0),
    (Workload::Timeouts, 181.0),
    (Workload::KeepAlive, 45.0),
    (Workload::EqualDeadlines, 395.0),
];

/// The same of the queue for timers of one delay.
const SAME_DELAY_BOUNDS: [(Workload, f64); 4] = [
    (Workload::SingleDuration, 113.0),
    (Workload::Timeouts, 113.0),
    (Workload::KeepAlive, 64.0),
    (Workload::EqualDeadlines, 134.0),
];

/// The peers that come first in time; the rest take valgrind too long to be worth it.
const PEERS: [&str; 7] = [
    "timerwheel",
    "timerwheel SameDelay",
    "BTreeMap",
    "BinaryHeap",
    "orx-priority-queue",
    "tm-wheel",
    "nexus-timer, bounded",
];

fn main() -> ExitCode {
    if let Ok(inner) = std::env::var(INNER) {
        run_inner(&inner);
        return ExitCode::SUCCESS;
    }
    let version = Command::new("valgrind").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        println!("valgrind is not installed: instructions are not counted");
        return ExitCode::SUCCESS;
    }
    let check = std::env::args().any(|argument| argument == "--check" || argument == "--quick");
    if check { check_bounds() } else { print_table() }
}

fn check_bounds() -> ExitCode {
    let mut kept = true;
    println!("\n## Instructions per operation at {SIZE} timers, net of the harness\n");
    for (peer, bounds) in ALL.iter().zip([&BOUNDS[..], &SAME_DELAY_BOUNDS]) {
        println!("{}:", peer.name);
        for &(workload, bound) in bounds {
            let (title, unit) = workload.title();
            let count = net(workload, peer);
            let verdict = if count <= bound { "" } else { "  OVER" };
            kept &= count <= bound;
            println!("{title:<20} {count:>8.1} of at most {bound:>6.1} per {unit}{verdict}");
        }
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_table() -> ExitCode {
    println!("\n## Instructions per operation at {SIZE} timers, net of the harness\n");
    print!("{:<20}", "");
    for name in PEERS {
        print!("{name:>22}");
    }
    println!("{:>10}", "bound");
    for (workload, bound) in BOUNDS {
        print!("{:<20}", workload.title().0);
        for peer in ALL.iter().filter(|peer| PEERS.contains(&peer.name)) {
            let counted = peer.can(workload).then(|| net(workload, peer));
            print!("{:>22}", counted.map_or("–".into(), |count| format!("{count:.1}")));
        }
        println!("{bound:>10.0}");
    }
    ExitCode::SUCCESS
}

/// Instructions per operation, less those of the same run with a peer that does nothing.
fn net(workload: Workload, peer: &Contender) -> f64 {
    let (with_peer, operations) = count(workload, peer);
    let (harness, _) = count(workload, &NOTHING);
    #[allow(clippy::cast_precision_loss)] // millions, not quadrillions
    let per_operation = with_peer.saturating_sub(harness) as f64 / operations as f64;
    per_operation
}

/// Instructions of the measured section, and operations in it.
fn count(workload: Workload, peer: &Contender) -> (u64, u64) {
    let program = std::env::current_exe().expect("the program knows where it is");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={SECTION}"))
        .arg(program)
        .env(INNER, format!("{workload:?}/{}", peer.name))
        .output()
        .expect("valgrind was there a moment ago");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{workload:?} of {} under valgrind: {said}", peer.name);
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    let instructions = collected
        .and_then(|(_, count)| count.trim().parse().ok())
        .unwrap_or_else(|| panic!("callgrind tells no count: {said}"));
    let operations = String::from_utf8_lossy(&output.stdout);
    (instructions, operations.trim().parse().expect("the inner run prints its operations"))
}

/// One run of one workload of one peer: what valgrind sees.
fn run_inner(what: &str) {
    let (workload, name) = what.split_once('/').expect("workload/peer");
    let (workload, _) = BOUNDS
        .into_iter()
        .find(|(known, _)| format!("{known:?}") == workload)
        .expect("a workload of the table");
    let peer = ALL.iter().chain([&NOTHING]).find(|peer| peer.name == name).expect("a known peer");
    let _in_tokio = peers::tokio_time::enter();
    let size = workload.fixed_size().unwrap_or(SIZE);
    let outcome = peer.run(workload, size).expect("it does not panic");
    println!("{}", outcome.operations);
}
