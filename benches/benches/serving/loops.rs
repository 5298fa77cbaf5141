//! Several loops on one address: how the kernel spreads connections over them.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::peers;

/// The share of `connections` that the fullest of `loops` got, in percent: the median of some trials.
pub(crate) fn fullest(loops: usize, connections: usize) -> f64 {
    const TRIALS: usize = 9;
    let mut shares: Vec<f64> = (0..TRIALS).map(|_| trial(loops, connections)).collect();
    shares.sort_by(f64::total_cmp);
    shares[TRIALS / 2]
}

#[allow(clippy::cast_precision_loss)] // thousands
fn trial(loops: usize, connections: usize) -> f64 {
    let workers = peers::workers(loops);
    let address = workers.local_addr().expect("a TCP listener");
    let open: Vec<_> =
        (0..connections).map(|_| TcpStream::connect(address).expect("it listens")).collect();
    let start = Instant::now();
    loop {
        let accepted: Vec<u64> = workers.gauges().iter().map(|one| one.server.accepted).collect();
        if accepted.iter().sum::<u64>() == connections as u64 {
            drop(open);
            let fullest = accepted.into_iter().max().unwrap_or(0);
            return fullest as f64 * 100.0 / connections as f64;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "connections are not accepted");
        std::thread::sleep(Duration::from_millis(1));
    }
}
