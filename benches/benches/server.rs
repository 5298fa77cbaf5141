//! What does a request cost, and a connection, beside hyper, actix-web and the least that a loop on
//! mio can do?
//!
//! Each server runs in a process of its own, on one thread, and is measured by the CPU time that
//! the kernel counts for it: how many requests a second there are depends on the client and on what
//! else runs, CPU time per request less so. The peers take turns, round by round; what counts are
//! the ratios within one run.
//!
//! ```text
//! cargo bench -p benches --bench server             two minutes
//! cargo bench -p benches --bench server -- --quick  a smoke test, under half a minute
//! ```

mod serving;

use std::time::Duration;

use serving::child::{self, Running};
use serving::{cycles, load, peers, tracked};

#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: usize,
    slice: Duration,
    idle: usize,
    tracked: &'static [usize],
}

impl Plan {
    fn from_arguments() -> Self {
        if std::env::args().any(|argument| argument == "--quick") {
            let slice = Duration::from_millis(150);
            return Self { rounds: 1, slice, idle: 500, tracked: &[100, 10_000] };
        }
        let tracked = &[100, 10_000, 100_000, 1_000_000];
        Self { rounds: 7, slice: Duration::from_millis(500), idle: 10_000, tracked }
    }
}

/// A workload under load.
#[derive(Clone, Copy, Debug)]
enum Load {
    KeepAlive { connections: usize, depth: usize },
    OneEach,
}

const LOADS: [(&str, Load); 5] = [
    ("1", Load::KeepAlive { connections: 1, depth: 1 }),
    ("64", Load::KeepAlive { connections: 64, depth: 1 }),
    ("1024", Load::KeepAlive { connections: 1024, depth: 1 }),
    ("64x16", Load::KeepAlive { connections: 64, depth: 16 }),
    ("one-each", Load::OneEach),
];

fn main() {
    child::serve_if_child();
    // A connection takes a descriptor here and one there.
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let plan = Plan::from_arguments();
    let servers: Vec<Running> = peers::ALL.into_iter().map(Running::start).collect();
    print_loads(plan, &servers);
    drop(servers);
    let room = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(100);
    print_memory(plan.idle.min(room));
    print_checks(plan.tracked);
    print_cycles(plan);
}

fn print_loads(plan: Plan, servers: &[Running]) {
    // For each server and load, the rounds: CPU time per request, and requests per second.
    let mut measured = vec![vec![Vec::new(); LOADS.len()]; servers.len()];
    for _ in 0..plan.rounds {
        for (at, (_, load)) in LOADS.into_iter().enumerate() {
            for (server, measured) in servers.iter().zip(&mut measured) {
                let before = server.cpu();
                let requests = match load {
                    Load::KeepAlive { connections, depth } => {
                        load::keep_alive(server.address, connections, depth, plan.slice)
                    }
                    Load::OneEach => load::one_each(server.address, plan.slice),
                };
                let cpu = server.cpu().saturating_sub(before);
                #[allow(clippy::cast_precision_loss)] // millions, not quadrillions
                let requests = requests as f64;
                let per_second = requests / plan.slice.as_secs_f64();
                measured[at].push((cpu.as_secs_f64() * 1e6 / requests, per_second));
            }
        }
    }
    let title = "Requests: CPU time of the server, µs per request (ratio to the bare loop)";
    print_header(title, &LOADS.map(|(name, _)| name.to_owned()));
    for (server, rounds) in servers.iter().zip(&measured) {
        print!("{:<20}", server.peer.name);
        for (rounds, floor) in rounds.iter().zip(&measured[0]) {
            let cpu = median(rounds.iter().map(|(cpu, _)| *cpu));
            let ratio = median(rounds.iter().zip(floor).map(|((cpu, _), (bare, _))| cpu / bare));
            print!("{:>18}", format!("{cpu:.2} ({ratio:.2})"));
        }
        println!();
    }
    print_header("Requests: per second", &LOADS.map(|(name, _)| name.to_owned()));
    for (server, rounds) in servers.iter().zip(&measured) {
        print!("{:<20}", server.peer.name);
        for rounds in rounds {
            print!("{:>18.0}", median(rounds.iter().map(|(_, per_second)| *per_second)));
        }
        println!();
    }
}

fn print_memory(connections: usize) {
    let title = format!("Memory: bytes per connection, of {connections}");
    let columns = ["idle", "half-a-head", "left-after-1s"];
    print_header(&title, &columns.map(str::to_owned));
    for peer in peers::ALL {
        let per_connection = |sent: &[u8]| {
            let server = Running::start(peer);
            // The first connection makes what all of them share.
            drop(load::idle(server.address, 1, load::REQUEST));
            let before = server.memory();
            let open = load::idle(server.address, connections, sent);
            std::thread::sleep(Duration::from_millis(300));
            let during = server.memory();
            drop(open);
            std::thread::sleep(Duration::from_secs(1));
            let after = server.memory();
            let each = |memory: u64| memory.saturating_sub(before) / connections as u64;
            (each(during), each(after))
        };
        let (idle, left) = per_connection(load::REQUEST);
        let (half, _) = per_connection(&load::REQUEST[..20]);
        println!("{:<20}{idle:>18}{half:>18}{left:>18}", peer.name);
    }
}

fn print_checks(sizes: &[usize]) {
    let title = "Check: µs, over so many tracked connections";
    let columns = ["none-due", "longest-turn", "all-due"];
    print_header(title, &columns.map(str::to_owned));
    for &size in sizes {
        let check = tracked::check(size);
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        println!(
            "{size:<20}{:>18.2}{:>18.0}{:>18.0}",
            micros(check.none_due),
            micros(check.longest_turn),
            micros(check.all_due)
        );
    }
}

fn print_cycles(plan: Plan) {
    print_header("Servers: bind and close, cycles per second", &["cycles".to_owned()]);
    let rounds = (0..plan.rounds).map(|_| (cycles::ours(plan.slice), cycles::hyper(plan.slice)));
    let rounds: Vec<(f64, f64)> = rounds.collect();
    println!("{:<20}{:>18.0}", "netserver", median(rounds.iter().map(|(ours, _)| *ours)));
    println!("{:<20}{:>18.0}", "tokio and hyper", median(rounds.iter().map(|(_, theirs)| *theirs)));
    println!("\nA server is built and dropped in {:?}.", cycles::build(1_000_000));
}

fn print_header(title: &str, columns: &[String]) {
    print!("\n## {title}\n\n{:<20}", "");
    for column in columns {
        print!("{column:>18}");
    }
    println!();
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
