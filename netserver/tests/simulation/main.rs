//! A world in one process, out of a seed: a virtual clock, pipes that give and take in parts, stand
//! still, break and end in the middle, a listener without descriptors, a loop that stands still, a
//! machine that sleeps, handlers that are slow, panic or never answer, and clients by the thousand,
//! most of which mean no good. The server, its connections, their tracking and the wheel are the
//! real ones. After every turn of the loop it is told from the wires alone whether they kept their
//! promises.
//!
//! ```text
//!  scripts ──▶ network ──▶ wires ──▶ Server ──▶ wires ──▶ answers ──▶ oracle
//!  (client)    latency     parts     Timers     parts     strict      order, loss, deadlines,
//!              endings     edges     handler    room                  rest, memory, what is left
//! ```
//!
//! A seed that fails says so, with what to set to see it again. The fixed seeds and some fresh ones:
//! `cargo test -p netserver --test simulation`. One seed: `SIMULATION_SEED=7` before it. For as long
//! as one likes, in seconds, with a line for every thousand seeds:
//! `SIMULATION_TIME=3600 cargo test --release -p netserver --test simulation -- --nocapture`.

mod answers;
mod app;
mod client;
mod oracle;
mod plan;
mod wire;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use world::{Told, World};

/// The same on every machine, at every time.
const FIXED_SEEDS: u64 = 100;

/// Others on every run.
const FRESH_SEEDS: u64 = 30;

// One test, and not one for each kind of seed: memory is counted for the whole process.
#[test]
fn promises_are_kept_in_every_world() {
    app::quiet_panics();
    let number = |name| std::env::var(name).ok().map(|value| value.parse().expect(name));
    if let Some(seed) = number("SIMULATION_SEED") {
        println!("{:#?}", World::new(seed).plan());
        println!("seed {seed}: {}", run(seed).line());
        return;
    }
    let start = Instant::now();
    let mut all = Sum::default();
    for seed in 0..FIXED_SEEDS {
        all.add(&run(seed));
    }
    let time = number("SIMULATION_TIME").map(Duration::from_secs);
    let mut fresh = std::iter::repeat_with(|| fastrand::u64(..));
    let is_over = |seeds| time.map_or(seeds >= FRESH_SEEDS, |time| start.elapsed() >= time);
    let mut seeds = 0;
    while !is_over(seeds) {
        all.add(&run(fresh.next().expect("endless")));
        seeds += 1;
        if seeds % 1000 == 0 {
            println!("{}", all.line());
        }
    }
    println!("{}", all.line());
    all.check_coverage();
}

fn run(seed: u64) -> Told {
    // A panic in the server is a finding too.
    let outcome = catch_unwind(AssertUnwindSafe(|| World::new(seed).run()));
    let what = match outcome {
        Ok(Ok(told)) => return told,
        Ok(Err(what)) => what,
        Err(_) => "a panic, see above".to_owned(),
    };
    panic!(
        "seed {seed}: {what}\nto see it again: SIMULATION_SEED={seed} cargo test -p netserver \
         --test simulation -- --nocapture"
    );
}

impl Told {
    fn line(&self) -> String {
        format!(
            "{} connections, {} turns in {:?}, {} requests, at most {} KiB",
            self.connections,
            self.turns,
            self.virtual_time,
            self.stats.requests,
            self.bytes_max >> 10
        )
    }
}

/// Of all seeds together.
#[derive(Default)]
struct Sum {
    seeds: u64,
    turns: u64,
    virtual_time: Duration,
    stats: netserver::Stats,
}

impl Sum {
    fn add(&mut self, told: &Told) {
        self.seeds += 1;
        self.turns += told.turns;
        self.virtual_time += told.virtual_time;
        self.stats += told.stats;
    }

    fn line(&self) -> String {
        let causes = netserver::Cause::ALL
            .map(|cause| format!("{} {}", cause.name(), self.stats.closed.count(cause)));
        format!(
            "{} seeds, {} turns, {:?}, {} connections, {} requests, {} rescued, {} pauses; {}",
            self.seeds,
            self.turns,
            self.virtual_time,
            self.stats.accepted,
            self.stats.requests,
            self.stats.rescued,
            self.stats.accept_pauses,
            causes.join(", ")
        )
    }

    /// What is never reached is never tested.
    fn check_coverage(&self) {
        for cause in netserver::Cause::ALL {
            // There is no proxy here; and who is one too many has no connection to be closed.
            let elsewhere =
                matches!(cause, netserver::Cause::ProxyHeader | netserver::Cause::OverLimit);
            let count = self.stats.closed.count(cause);
            assert!(elsewhere || count > 0, "no connection ended by {cause:?}");
        }
        assert!(self.stats.rescued > 0, "nobody was rescued");
        assert!(self.stats.accept_pauses > 0, "accepting never paused");
    }
}
