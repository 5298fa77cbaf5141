//! What a seed makes of the world: settings, faults, and how many come.

use std::time::Duration;

use fastrand::Rng;
use netserver::{ConnectionCheck, OverLimit, Settings};

/// Everything that is drawn before the first connection comes.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) connections: u32,
    /// Over which they come.
    pub(crate) span: Duration,
    /// Bytes that fit a pipe, at most.
    pub(crate) room: usize,
    /// Between a client's doing and its arrival.
    pub(crate) latency: Duration,
    /// Of a hundred connections, those of clients that mean well.
    pub(crate) honest: u32,
    pub(crate) stalls: u32,
    /// The machine sleeps for so long, once.
    pub(crate) jump: Option<Duration>,
    pub(crate) exhaustions: u32,
    pub(crate) grace: Duration,
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut settings = Settings::default();
        draw_timeouts(&mut settings, rng);
        let connections = if rng.u32(..25) == 0 { rng.u32(1000..3000) } else { rng.u32(1..200) };
        draw_limits(&mut settings, connections as usize, rng);
        let span = Duration::from_secs(rng.u64(1..60));
        Self {
            settings,
            connections,
            span,
            room: choose(rng, &[300, 4096, 65_536]),
            latency: Duration::from_millis(choose(rng, &[0, 1, 40, 300])),
            honest: choose(rng, &[20, 50, 90]),
            stalls: choose(rng, &[0, 0, 5, 50]),
            jump: (rng.u32(..4) == 0).then(|| Duration::from_secs(rng.u64(10..10_000))),
            exhaustions: choose(rng, &[0, 0, 1, 5]),
            grace: Duration::from_millis(choose(rng, &[0, 500, 5_000, 100_000])),
        }
    }

    /// How late a check may be after the deadline.
    pub(crate) fn check_interval(&self) -> Duration {
        match self.settings.timeouts.check {
            ConnectionCheck::Interval(interval) => interval,
            ConnectionCheck::Exact => Duration::ZERO,
        }
    }
}

pub(crate) fn choose<V: Copy>(rng: &mut Rng, from: &[V]) -> V {
    from[rng.usize(..from.len())]
}

fn draw_timeouts(settings: &mut Settings, rng: &mut Rng) {
    let millis = |rng: &mut Rng, from: &[u64]| Duration::from_millis(choose(rng, from));
    let timeouts = &mut settings.timeouts;
    timeouts.headers = millis(rng, &[2_000, 10_000, 60_000]);
    timeouts.request = timeouts.headers * choose(rng, &[1, 3]);
    timeouts.first_byte = choose(rng, &[None, Some(Duration::from_secs(1))]);
    timeouts.first_byte_silent = rng.bool();
    timeouts.keep_alive = millis(rng, &[500, 5_000, 30_000]);
    timeouts.keep_alive_buffer = millis(rng, &[0, 1_000]);
    timeouts.check = match rng.u32(..3) {
        0 => ConnectionCheck::Exact,
        1 => ConnectionCheck::Interval(Duration::from_millis(100)),
        _ => ConnectionCheck::default(),
    };
    timeouts.write = millis(rng, &[1_000, 10_000]);
    timeouts.handler = millis(rng, &[0, 3_000]);
    timeouts.upgraded = millis(rng, &[1_000, 20_000]);
    timeouts.min_rate = millis(rng, &[1_000, 5_000]);
    timeouts.linger = millis(rng, &[500, 5_000]);
    timeouts.linger_total = millis(rng, &[5_000, 30_000]);
}

fn draw_limits(settings: &mut Settings, connections: usize, rng: &mut Rng) {
    let limits = &mut settings.limits;
    limits.header_size = choose(rng, &[512, 16 << 10]);
    limits.body_size = choose(rng, &[4 << 10, 64 << 10]);
    limits.pipelined = choose(rng, &[1, 2, 32]);
    limits.requests_per_connection = choose(rng, &[0, 0, 4]);
    limits.linger_bytes = choose(rng, &[1000, 256 << 10]);
    limits.connections = choose(rng, &[0, 0, connections.div_ceil(4)]);
    limits.over_limit = choose(
        rng,
        &[OverLimit::Refuse, OverLimit::Unavailable, OverLimit::Pause, OverLimit::EvictIdle],
    );
}
