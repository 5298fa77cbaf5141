//! The counters of all loops as JSON: what `/status.json` says. Each field is described in
//! `docs/STATUS.md`, and stays what it is.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::cause::Cause;
use crate::conn::Phase;
use crate::gauges::Gauges;
use crate::histogram::Histogram;
use crate::memory;

/// The status, in one line. Costs some microseconds, whatever the number of connections.
///
/// ```
/// let status = netserver::live::status(&netserver::Gauges::default());
/// assert!(status.starts_with('{') && status.contains(r#""requests":0"#));
/// ```
pub fn status(gauges: &Gauges) -> String {
    let mut text = describe(gauges).to_string();
    text.push('\n');
    text
}

pub(super) fn describe(gauges: &Gauges) -> Value {
    let stats = gauges.total();
    let server = &stats.server;
    let closed: Map<_, _> = Cause::ALL
        .into_iter()
        .map(|cause| (cause.name().to_owned(), server.closed.count(cause).into()))
        .collect();
    let phases: Map<_, _> = Phase::ALL
        .into_iter()
        .map(|phase| (phase.name().to_owned(), server.phases.count(phase).into()))
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "loops": gauges.iter().count(),
        "connections": {
            "open": server.open,
            "accepted": server.accepted,
            "refused": server.refused,
            "refused_pending": server.refused_pending,
            "accept_pauses": server.accept_pauses,
            "phases": phases,
            "closed": closed,
        },
        "requests": server.requests,
        "rescued": server.rescued,
        "bytes_in": server.bytes_in,
        "bytes_out": server.bytes_out,
        "turns": stats.turns,
        "timers": { "armed": stats.timers },
        "servers": { "alive": stats.servers, "timers": stats.server_timers },
        "checks": {
            "made": server.checks,
            "late_ms": millis(stats.check_late),
            "late_ms_max": millis(stats.check_late_max),
        },
        "latency": histogram(&server.latency),
        "lateness": histogram(&stats.lateness),
        "memory": { "resident_bytes": memory::resident_bytes() },
    })
}

fn histogram(histogram: &Histogram) -> Value {
    let buckets = histogram
        .buckets()
        .map(|(bound, count)| json!({ "le_ms": bound.map(millis), "count": count }));
    json!({
        "count": histogram.count(),
        "sum_ms": millis(histogram.sum()),
        "buckets": buckets.collect::<Vec<_>>(),
    })
}

/// In milliseconds, with microseconds behind the point.
#[allow(clippy::cast_precision_loss)] // exact for three hundred years
pub(super) fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
