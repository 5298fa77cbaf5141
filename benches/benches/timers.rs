//! Which timer store is fastest at what, and which of them are right?
//!
//! All peers run in one process, round by round in turn, so that a noisy machine disturbs all of
//! them alike: the *ratios* within one run are what counts, not the nanoseconds. Each workload
//! asserts that what fired, and in which order, is what the sorted map of the standard library
//! says.
//!
//! ```text
//! cargo bench -p benches --bench timers             1,000 to 1,000,000 timers, under ten minutes
//! cargo bench -p benches --bench timers -- --quick  a smoke test, under one minute
//! cargo bench -p benches --bench timers -- --full   10,000,000 timers as well
//! ```
//!
//! Further arguments are parts of workload names to run only those.

mod shared;

use std::time::{Duration, Instant};

use shared::contender::{ALL, Contender, OURS, REFERENCE};
use shared::peer::Peer;
use shared::peers;
use shared::workload::{self, Outcome, Workload};

#[derive(Debug)]
struct Plan {
    sizes: Vec<usize>,
    /// For all peers and rounds of one workload at one size.
    slice: Duration,
    rounds_max: usize,
    only: Vec<String>,
}

impl Plan {
    fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        let only =
            arguments.iter().filter(|argument| !argument.starts_with('-')).cloned().collect();
        if has("--quick") {
            let slice = Duration::from_millis(500);
            return Self { sizes: vec![1_000, 100_000], slice, rounds_max: 3, only };
        }
        let mut sizes = vec![1_000, 100_000, 1_000_000];
        if has("--full") {
            sizes.push(10_000_000);
        }
        Self { sizes, slice: Duration::from_secs(8), rounds_max: 15, only }
    }

    fn wants(&self, title: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| title.contains(part.as_str()))
    }
}

fn main() {
    // Peers that panic are part of the result; their messages are not.
    std::panic::set_hook(Box::new(|_| {}));
    let _in_tokio = peers::tokio_time::enter();
    let plan = Plan::from_arguments();
    let start = Instant::now();

    let exact = print_findings();
    for workload in Workload::TIMED {
        if plan.wants(workload.title().0) {
            print_times(&plan, workload, &exact);
        }
    }
    if plan.wants("worst tick") {
        print_worst_ticks(&plan);
    }
    println!("\n{:.0} s in all", start.elapsed().as_secs_f64());
}

/// Which peers are exact: in what they fire, and in their next deadline as well.
#[derive(Debug)]
struct Exact {
    on_time: Vec<bool>,
    fires: Vec<bool>,
    answers: Vec<bool>,
}

fn print_findings() -> Exact {
    println!("\n## Exactness: five trials of 40,000 random steps against a sorted map\n");
    println!(
        "{:<30} {:>8} {:>18} {:>16} {:>12} {:>8} {:>13} {:>22} {:>18} {:>7}",
        "",
        "fired",
        "early",
        "late",
        "out of order",
        "lost",
        "wrong cancels",
        "next too early",
        "next too late",
        "panics"
    );
    let mut exact = Exact { on_time: Vec::new(), fires: Vec::new(), answers: Vec::new() };
    for peer in ALL {
        let found = peer.check();
        exact.on_time.push(found.on_time());
        exact.fires.push(found.exact());
        exact.answers.push(found.exact_next());
        if found.unchecked {
            println!("{:<30} reads the clock itself: cannot be checked", peer.name);
            continue;
        }
        let next = |fault: String| if peer.ability.next_deadline { fault } else { "none".into() };
        println!(
            "{:<30} {:>8} {:>18} {:>16} {:>12} {:>8} {:>13} {:>22} {:>18} {:>7}",
            peer.name,
            found.fired,
            found.early.to_string(),
            found.late.to_string(),
            found.out_of_order,
            found.lost,
            found.wrong_cancels,
            next(found.next_early.to_string()),
            next(found.next_late.to_string()),
            found.panics
        );
    }
    assert!((0..OURS).all(|at| exact.fires[at] && exact.answers[at]), "ours is not exact");
    exact
}

/// Runs of one peer.
#[derive(Debug, Default)]
struct Runs {
    nanos: Vec<f64>,
    /// To the time of ours in the same round.
    ratios: Vec<f64>,
    panicked: bool,
    differs: bool,
    too_slow: bool,
}

fn print_times(plan: &Plan, workload: Workload, exact: &Exact) {
    let (title, unit) = workload.title();
    let sizes = workload.fixed_size().map_or_else(|| plan.sizes.clone(), |size| vec![size]);
    println!("\n## {title}: ns per {unit} (ratio to ours in the same round)\n");
    print!("{:<30}", "");
    for size in &sizes {
        print!("{size:>22}");
    }
    println!();
    let columns: Vec<_> = sizes.iter().map(|size| run_all(plan, workload, *size, exact)).collect();
    for (at, peer) in ALL.iter().enumerate() {
        if !peer.can(workload) {
            continue;
        }
        print!("{:<30}", peer.name);
        for column in &columns {
            print!("{:>22}", cell(&column[at]));
        }
        println!();
    }
    // Who fires on time may still fire out of order; who answers wrongly has not answered.
    let answers = workload.needs().next_deadline;
    print_ratios("ours to the best exact peer", &columns, |at, runs| {
        exact.fires[at] && !runs.differs
    });
    print_ratios("ours to the best on time", &columns, |at, runs| {
        exact.on_time[at] && !(answers && runs.differs)
    });
}

/// The time of ours in parts of that of the fastest peer that counts.
fn print_ratios(title: &str, columns: &[Vec<Runs>], counts: impl Fn(usize, &Runs) -> bool) {
    print!("{title:<30}");
    for column in columns {
        let best = (OURS..ALL.len())
            .filter(|&at| !column[at].ratios.is_empty() && counts(at, &column[at]))
            .min_by(|a, b| median(&column[*a].ratios).total_cmp(&median(&column[*b].ratios)));
        let cell = best.map_or("–".into(), |at| {
            format!("{:.2} {:.12}", 1.0 / median(&column[at].ratios), ALL[at].name)
        });
        print!("{cell:>22}");
    }
    println!();
}

fn cell(runs: &Runs) -> String {
    if runs.panicked {
        return "panics".into();
    }
    if runs.nanos.is_empty() {
        return if runs.too_slow { "too slow".into() } else { "–".into() };
    }
    let wrong = if runs.differs { "≠ " } else { "" };
    format!("{wrong}{:.1} ({:.2})", median(&runs.nanos), median(&runs.ratios))
}

/// Runs a peer twice, of which the second counts: what the first one meets in the caches and on the heap
/// was left by another peer, which would be charged to whoever comes after it.
fn run_warm(plan: &Plan, workload: Workload, size: usize, peer: &Contender) -> Option<Outcome> {
    let first = peer.run(workload, size)?;
    if is_too_slow(plan, &first) { Some(first) } else { peer.run(workload, size) }
}

/// One that takes a large part of the slice alone is run once.
fn is_too_slow(plan: &Plan, outcome: &Outcome) -> bool {
    outcome.time > plan.slice / 10
}

/// Round by round, each peer once in each, [warm](run_warm).
fn run_all(plan: &Plan, workload: Workload, size: usize, exact: &Exact) -> Vec<Runs> {
    let mut all: Vec<Runs> = ALL.iter().map(|_| Runs::default()).collect();
    let expected = REFERENCE.run(workload, size).expect("the sorted map does not panic").digest;
    let start = Instant::now();
    for round in 0..plan.rounds_max {
        if round >= 2 && start.elapsed() > plan.slice {
            break;
        }
        let mut ours = None;
        for (at, (peer, runs)) in ALL.iter().zip(&mut all).enumerate() {
            let enough = runs.too_slow && round > 0;
            if !peer.can(workload) || runs.panicked || enough {
                continue;
            }
            let Some(outcome) = run_warm(plan, workload, size, peer) else {
                runs.panicked = true;
                continue;
            };
            runs.too_slow = is_too_slow(plan, &outcome);
            runs.differs |= outcome.digest != expected;
            let must = if workload.needs().next_deadline { &exact.answers } else { &exact.fires };
            assert!(
                !(must[at] && runs.differs),
                "{} is exact and differs: {workload:?}",
                peer.name
            );
            let nanos = nanos_per_operation(&outcome);
            let ours = *ours.get_or_insert(nanos);
            runs.nanos.push(nanos);
            runs.ratios.push(nanos / ours);
        }
    }
    all
}

#[allow(clippy::cast_precision_loss)] // operations are millions, not quadrillions
fn nanos_per_operation(outcome: &Outcome) -> f64 {
    outcome.time.as_secs_f64() * 1e9 / outcome.operations as f64
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A workload that tells how long each tick took.
type ByTick = fn(usize) -> (Vec<Duration>, Outcome);

/// The peers whose ticks are told, with a drain and with timers of one duration.
const BY_TICK: [(Contender, ByTick, ByTick); 8] = [
    by_tick::<peers::wheel::Ours>(),
    by_tick::<peers::same_delay::Queue>(),
    by_tick::<peers::btree_map::Map>(),
    by_tick::<peers::orx::IndexedHeap>(),
    by_tick::<peers::tm_wheel::TmWheel>(),
    by_tick::<peers::nexus::Bounded>(),
    by_tick::<peers::bitwheel::BitWheel>(),
    by_tick::<peers::hashed_wheel::HashedWheel>(),
];

const fn by_tick<P: Peer>() -> (Contender, ByTick, ByTick) {
    (Contender::of::<P>(), workload::drain_by_tick::<P>, workload::minutes_by_tick::<P>)
}

/// Tick by tick: what a loop would feel.
fn print_worst_ticks(plan: &Plan) {
    for &size in &plan.sizes {
        println!("\n## Worst tick: µs per advance and its expiries, draining {size} timers\n");
        let drains = BY_TICK.iter().filter(|(peer, ..)| peer.can(Workload::Drain));
        print_ticks(plan, size, drains.map(|(peer, drain, _)| (peer.name, *drain)));
    }
    // Fewer of them are a pause nowhere.
    if let Some(&size) = plan.sizes.last() {
        println!(
            "\n## Worst tick of one duration: µs per advance and its expiries, {size} timers of 60,000 ticks\n"
        );
        print_ticks(plan, size, BY_TICK.iter().map(|(peer, _, minutes)| (peer.name, *minutes)));
    }
}

/// The same ticks do the same work in every round, so the least time of each over the rounds is that
/// of the work, and not of the machine's noise.
fn print_ticks(plan: &Plan, size: usize, peers: impl Iterator<Item = (&'static str, ByTick)>) {
    let peers: Vec<_> = peers.collect();
    println!("{:<30}{:>10}{:>10}{:>10}{:>10}", "", "p50", "p99", "p99.9", "max");
    let mut least: Vec<Vec<Duration>> = vec![Vec::new(); peers.len()];
    for _ in 0..plan.rounds_max.min(5) {
        for ((_, run), least) in peers.iter().zip(&mut least) {
            let (ticks, _) = run(size);
            if least.is_empty() {
                *least = ticks;
            } else {
                least.iter_mut().zip(ticks).for_each(|(least, tick)| *least = tick.min(*least));
            }
        }
    }
    for ((name, _), mut ticks) in peers.iter().zip(least) {
        ticks.sort_unstable();
        let micros = |permille: usize| {
            let at = (ticks.len() * permille / 1000).min(ticks.len() - 1);
            ticks[at].as_secs_f64() * 1e6
        };
        println!(
            "{name:<30}{:>10.2}{:>10.2}{:>10.2}{:>10.2}",
            micros(500),
            micros(990),
            micros(999),
            micros(1000)
        );
    }
}
