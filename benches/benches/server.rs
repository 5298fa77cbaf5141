//! What does a request cost, and a connection, beside hyper, actix-web and the least that a loop on
//! mio can do?
//!
//! Each server runs in a process of its own, on one thread and one processor, and the client on
//! another. It is measured by the CPU time that the kernel counts for it: how many requests a second
//! there are depends on the client and on what else runs, CPU time per request less so. The peers
//! take turns, round by round; what counts are the ratios within one run.
//!
//! ```text
//! cargo bench -p benches --bench server             six minutes
//! cargo bench -p benches --bench server -- --quick  a smoke test, under half a minute
//! ```
//!
//! Further arguments are parts to run only those: requests, memory, check, servers, loops, slow.

// Some of what is there is for the other benchmark.
#[allow(dead_code)]
mod serving;

use std::time::Duration;

use serving::child::{self, Running};
use serving::load::{Batch, Until};
use serving::slow::{Ends, Outcome};
use serving::{cycles, load, loops, peers, place, slow, tracked};

#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: usize,
    slice: Duration,
    idle: usize,
    tracked: &'static [usize],
    slow: usize,
    timeout: Duration,
}

impl Plan {
    fn from_arguments() -> Self {
        if std::env::args().any(|argument| argument == "--quick") {
            let slice = Duration::from_millis(150);
            let (tracked, timeout) = (&[100, 10_000], Duration::from_secs(1));
            return Self { rounds: 1, slice, idle: 500, tracked, slow: 200, timeout };
        }
        let tracked = &[100, 10_000, 100_000, 1_000_000];
        let (slice, timeout) = (Duration::from_millis(500), Duration::from_secs(10));
        Self { rounds: 7, slice, idle: 10_000, tracked, slow: 5_000, timeout }
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
    let only: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wants = |part: &str| only.is_empty() || only.iter().any(|it| it == part);
    if wants("requests") {
        print_loads(plan);
    }
    let room = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(100);
    if wants("memory") {
        print_memory(plan.idle.min(room));
    }
    if wants("check") {
        print_checks(plan.tracked);
    }
    if wants("servers") {
        print_cycles(plan);
    }
    if wants("loops") {
        print_loops(plan);
    }
    if wants("slow") {
        // Half of them send heads and half of them bodies.
        print_slow(plan.slow.min(room / 2), plan.timeout, plan.rounds.min(3));
    }
}

fn print_loads(plan: Plan) {
    let servers: Vec<Running> = peers::ALL.into_iter().map(Running::start).collect();
    // The client on a thread of its own, which goes to another processor without this one.
    let measured = std::thread::scope(|scope| {
        let client = scope.spawn(|| measure_loads(plan, &servers));
        client.join().expect("they answer")
    });
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

/// For each server and load, the rounds: CPU time per request in µs, and requests per second.
fn measure_loads(plan: Plan, servers: &[Running]) -> Vec<Vec<Vec<(f64, f64)>>> {
    place::apart(servers);
    let mut measured = vec![vec![Vec::new(); LOADS.len()]; servers.len()];
    for round in 0..plan.rounds {
        for (at, (_, load)) in LOADS.into_iter().enumerate() {
            // None is always the first, or always after the same one.
            for turn in 0..servers.len() {
                let which = (round + turn) % servers.len();
                measured[which][at].push(measure(&servers[which], load, plan.slice));
            }
        }
    }
    measured
}

#[allow(clippy::cast_precision_loss)] // millions, not quadrillions
fn measure(server: &Running, load: Load, slice: Duration) -> (f64, f64) {
    let (before, until) = (server.cpu(), Until::Elapsed(slice));
    let requests = match load {
        Load::KeepAlive { connections, depth } => {
            load::keep_alive(server.address, connections, &Batch::alike(depth), until)
        }
        Load::OneEach => load::one_each(server.address, None, until),
    };
    let cpu = server.cpu().saturating_sub(before);
    (cpu.as_secs_f64() * 1e6 / requests as f64, requests as f64 / slice.as_secs_f64())
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
    print_header("Servers: bind and close, cycles per second (ratio)", &["cycles".to_owned()]);
    let address = cycles::free();
    let rounds = (0..plan.rounds)
        .map(|_| (cycles::ours(address, plan.slice), cycles::hyper(address, plan.slice)));
    let rounds: Vec<(f64, f64)> = rounds.collect();
    let print = |name, cycles, ratio| {
        println!("{name:<20}{:>18}", format!("{cycles:.0} ({ratio:.2})"));
    };
    let ratio = median(rounds.iter().map(|(ours, theirs)| theirs / ours));
    print("netserver", median(rounds.iter().map(|(ours, _)| *ours)), 1.0);
    print("tokio and hyper", median(rounds.iter().map(|(_, theirs)| *theirs)), ratio);
    println!("\nA server is built and dropped in {:?}.", cycles::build(1_000_000));
}

/// Requests take the handler a few hundred microseconds here, so that clients leave the processors
/// to the loops. On a machine that is not idle the processors used tell what there was to be had.
fn print_loops(plan: Plan) {
    let until = Until::Elapsed(plan.slice);
    let servers = peers::LOOPS.map(Running::start);
    let mut measured = [const { Vec::new() }; 2];
    for _ in 0..plan.rounds {
        for (server, measured) in servers.iter().zip(&mut measured) {
            let (before, start) = (server.cpu(), std::time::Instant::now());
            let requests = load::keep_alive(server.address, 64, &Batch::alike(1), until);
            let (cpu, time) = (server.cpu().saturating_sub(before), start.elapsed());
            #[allow(clippy::cast_precision_loss)] // thousands
            let requests = requests as f64;
            let (cpu, time) = (cpu.as_secs_f64(), time.as_secs_f64());
            measured.push((requests / time, cpu * 1e6 / requests, cpu / time));
        }
    }
    drop(servers);
    let columns = ["per-second", "µs-of-cpu", "processors"];
    print_header("Loops: requests that take a while", &columns.map(str::to_owned));
    for (peer, rounds) in peers::LOOPS.iter().zip(&measured) {
        let per_second = median(rounds.iter().map(|round| round.0));
        let cpu = median(rounds.iter().map(|round| round.1));
        let processors = median(rounds.iter().map(|round| round.2));
        println!("{:<20}{per_second:>18.0}{cpu:>18.0}{processors:>18.2}", peer.name);
    }
    let pairs = || measured[0].iter().zip(&measured[1]);
    println!(
        "{:<20}{:>18.2}{:>18.2}{:>18.2}",
        "two to one",
        median(pairs().map(|(one, two)| two.0 / one.0)),
        median(pairs().map(|(one, two)| two.1 / one.1)),
        median(pairs().map(|(one, two)| two.2 / one.2))
    );
    let sizes = [8, 64, 1000];
    let columns = sizes.map(|size| size.to_string());
    print_header("Loops: % of the connections on the fullest, of so many", &columns);
    for loops in [2, 4] {
        print!("{:<20}", format!("{loops} loops"));
        for size in sizes {
            print!("{:>18.0}", loops::fullest(loops, size));
        }
        println!();
    }
}

fn print_slow(each: usize, timeout: Duration, rounds: usize) {
    let millis = timeout.as_millis().to_string();
    let mut outcomes = [peers::BARE, peers::WITH_SLOW_CLIENTS[0], peers::WITH_SLOW_CLIENTS[1]]
        .map(|peer| (peer, Vec::new()));
    for _ in 0..rounds {
        for (peer, outcomes) in &mut outcomes {
            let server = Running::start_with(slow::TIMEOUT, &millis, *peer);
            let closes = peer.name != peers::BARE.name;
            outcomes.push(slow::clients(&server, each, timeout, closes));
        }
    }
    let title = format!("Slow clients: answered after × of the timeout, {each} heads and bodies");
    let columns = ["first-head", "last-head", "first-body", "last-body", "told", "untold"];
    print_header(&title, &columns.map(str::to_owned));
    for (peer, outcomes) in &outcomes[1..] {
        let heads = Ends::of_all(outcomes.iter().map(|it| &it.heads));
        let bodies = Ends::of_all(outcomes.iter().map(|it| &it.bodies));
        print!("{:<20}", peer.name);
        for share in [heads.first, heads.last, bodies.first, bodies.last] {
            print!("{share:>18.4}");
        }
        let (told, untold) = (heads.told + bodies.told, heads.untold + bodies.untold);
        println!("{told:>18}{untold:>18}");
        // What is promised whatever else runs.
        let least = heads.first.min(bodies.first);
        assert!(least >= 1.0, "somebody was closed early: after {least} of the timeout");
        assert_eq!(untold, 0, "somebody was not told why");
    }
    let title = "Slow clients: the 99th percentile of a healthy one beside them, µs";
    let columns = ["alone", "beside", "ratio", "while-slow", "at-their-end"];
    print_header(title, &columns.map(str::to_owned));
    for (peer, outcomes) in &outcomes {
        let micros = |of: fn(&Outcome) -> Duration| {
            median(outcomes.iter().map(|it| of(it).as_secs_f64() * 1e6))
        };
        let ratios = outcomes.iter().map(|it| it.beside.as_secs_f64() / it.alone.as_secs_f64());
        print!("{:<20}", peer.name);
        print!("{:>18.0}{:>18.0}", micros(|it| it.alone), micros(|it| it.beside));
        print!("{:>18.2}{:>18.0}", median(ratios), micros(|it| it.while_slow));
        let ends = outcomes.iter().filter_map(|it| it.at_the_end);
        let ends: Vec<f64> = ends.map(|end| end.as_secs_f64() * 1e6).collect();
        let end = if ends.is_empty() {
            "-".to_owned()
        } else {
            format!("{:.0}", median(ends.into_iter()))
        };
        println!("{end:>18}");
    }
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
