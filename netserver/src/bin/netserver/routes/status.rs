//! `GET /status.json`: live counters of all loops together.

use std::time::Duration;

use netserver::http::{Response, Status};
use netserver::{Cause, Gauges, LoopStats, Reply, Request};
use serde_json::{Map, Value, json};

/// Says how the server is.
#[derive(Debug)]
pub(super) struct Reporter {
    gauges: Gauges,
}

impl Reporter {
    pub(super) fn new(gauges: Gauges) -> Self {
        Self { gauges }
    }

    pub(super) fn report(&self, _: &Request<'_>, reply: Reply<'_>) {
        let mut body = describe(&self.gauges.total(), self.gauges.iter().count()).to_string();
        body.push('\n');
        let fields = [("Content-Type", "application/json"), ("Cache-Control", "no-store")];
        reply.send(Response::new(Status::OK).fields(&fields).body(body.as_bytes()));
    }
}

fn describe(stats: &LoopStats, loops: usize) -> Value {
    let (server, phases) = (&stats.server, &stats.server.phases);
    let closed: Map<_, _> = Cause::ALL
        .into_iter()
        .map(|cause| (cause.name().to_owned(), server.closed.count(cause).into()))
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "loops": loops,
        "connections": {
            "open": server.open,
            "accepted": server.accepted,
            "refused": server.refused,
            "refused_pending": server.refused_pending,
            "accept_pauses": server.accept_pauses,
            "phases": {
                "first_byte": phases.first_byte,
                "headers": phases.headers,
                "body": phases.body,
                "handler": phases.handler,
                "write": phases.write,
                "idle": phases.idle,
                "upgraded": phases.upgraded,
                "linger": phases.linger,
            },
            "closed": closed,
        },
        "requests": server.requests,
        "rescued": server.rescued,
        "bytes_in": server.bytes_in,
        "bytes_out": server.bytes_out,
        "turns": stats.turns,
        "timers": { "armed": stats.timers },
        "checks": {
            "made": server.checks,
            "late_ms": millis(stats.check_late),
            "late_ms_max": millis(stats.check_late_max),
        },
    })
}

/// In milliseconds, with microseconds behind the point.
fn millis(time: Duration) -> f64 {
    let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1000.0
}
