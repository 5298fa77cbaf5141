//! The counters of all loops as Prometheus text (feature `metrics`).
//!
//! Names and units are by the conventions of Prometheus: a prefix, base units, counters that end in
//! `_total`. What each one counts is said by its `HELP` line.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as HistogramProto, LabelPair, Metric, MetricFamily,
    MetricType,
};
use prometheus::{TEXT_FORMAT, TextEncoder};

use crate::cause::Cause;
use crate::conn::Phase;
use crate::gauges::Gauges;
use crate::histogram::Histogram;
use crate::memory;

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = TEXT_FORMAT;

/// All counters and gauges. Costs a few microseconds and some ten kilobytes, whatever the number of
/// connections.
///
/// ```
/// let text = netserver::metrics::text(&netserver::Gauges::default());
/// assert!(text.contains("# TYPE netserver_requests_total counter\n"));
/// ```
pub fn text(gauges: &Gauges) -> String {
    // Fails only on families without a metric or a name, of which there are none here.
    TextEncoder::new().encode_to_string(&families(gauges)).unwrap_or_default()
}

fn families(gauges: &Gauges) -> Vec<MetricFamily> {
    let stats = gauges.total();
    let server = &stats.server;
    let closed = Cause::ALL.map(|cause| ("cause", cause.name(), server.closed.count(cause)));
    let phases = Phase::ALL.map(|phase| ("phase", phase.name(), server.phases.count(phase)));
    let mut families = vec![
        gauge("event_loops", "Event loops of the process.", gauges.iter().count() as u64),
        gauge("servers", "Servers that are bound and not closed.", stats.servers),
        counter("connections_accepted_total", "Connections accepted.", server.accepted),
        family(
            "connections_closed_total",
            "Connections ended, by cause.",
            MetricType::COUNTER,
            closed.map(|(name, value, count)| counted(count, &[(name, value)])).into(),
        ),
        counter(
            "connections_refused_total",
            "Connections turned away above the limit.",
            server.refused,
        ),
        counter(
            "connections_refused_pending_total",
            "Of those, turned away for too many without a head from the same address or prefix.",
            server.refused_pending,
        ),
        gauge("connections_open", "Connections open now.", server.open),
        family(
            "connections_phase",
            "Connections open now, by phase.",
            MetricType::GAUGE,
            phases.map(|(name, value, count)| measured(count, &[(name, value)])).into(),
        ),
        counter(
            "connections_rescued_total",
            "Connections out of time whose request was found complete and was served.",
            server.rescued,
        ),
        counter(
            "accept_pauses_total",
            "Times that accepting paused for want of descriptors.",
            server.accept_pauses,
        ),
        counter("requests_total", "Requests begun.", server.requests),
        histogram(
            "request_duration_seconds",
            "Time from a complete head to the last byte written, by turns of the loop: 0 when \
             answered in the turn it came in.",
            &server.latency,
        ),
        counter("received_bytes_total", "Bytes read from peers.", server.bytes_in),
        counter("sent_bytes_total", "Bytes written to peers.", server.bytes_out),
        counter("checks_total", "Connection checks made.", server.checks),
        counter("loop_turns_total", "Turns of the event loops.", stats.turns),
        gauge("timers_armed", "Entries of the timer wheels.", stats.timers),
        gauge("server_timers_armed", "Entries that belong to a server.", stats.server_timers),
        histogram(
            "timer_lateness_seconds",
            "Time from a timer's tick until it was handed out.",
            &stats.lateness,
        ),
    ];
    if let Some(bytes) = memory::resident_bytes() {
        let mut family = gauge("resident_memory_bytes", "Physical memory of the process.", bytes);
        // Known by this name everywhere.
        family.set_name("process_resident_memory_bytes".to_owned());
        families.push(family);
    }
    families
}

fn counter(name: &str, help: &str, count: u64) -> MetricFamily {
    family(name, help, MetricType::COUNTER, vec![counted(count, &[])])
}

fn gauge(name: &str, help: &str, value: u64) -> MetricFamily {
    family(name, help, MetricType::GAUGE, vec![measured(value, &[])])
}

fn histogram(name: &str, help: &str, histogram: &Histogram) -> MetricFamily {
    let mut cumulative = 0;
    // The bucket without a bound is the count of all, which the encoder adds as `+Inf`.
    let buckets = histogram.buckets().filter_map(|(bound, count)| {
        cumulative += count;
        let mut bucket = Bucket::default();
        bucket.set_cumulative_count(cumulative);
        bucket.set_upper_bound(bound?.as_secs_f64());
        Some(bucket)
    });
    let mut proto = HistogramProto::default();
    proto.set_bucket(buckets.collect());
    proto.set_sample_count(histogram.count());
    proto.set_sample_sum(histogram.sum().as_secs_f64());
    let mut metric = Metric::default();
    metric.set_histogram(proto);
    family(name, help, MetricType::HISTOGRAM, vec![metric])
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(format!("netserver_{name}"));
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn counted(count: u64, labels: &[(&str, &str)]) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(float(count));
    let mut metric = Metric::from_label(pairs(labels));
    metric.set_counter(counter);
    metric
}

fn measured(value: u64, labels: &[(&str, &str)]) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(float(value));
    let mut metric = Metric::from_label(pairs(labels));
    metric.set_gauge(gauge);
    metric
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    pairs.collect()
}

/// Samples are floating-point numbers: exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_help_and_a_type_and_every_sample_a_family() {
        let text = text(&Gauges::new(2));
        let typed: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .filter_map(|line| line.split(' ').next())
            .collect();
        let helped = text.lines().filter(|line| line.starts_with("# HELP ")).count();
        assert_eq!(typed.len(), helped);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().expect("a name");
            let of_family = |family: &&str| name.starts_with(*family);
            assert!(typed.iter().any(of_family), "{line}");
        }
        assert!(text.contains("netserver_event_loops 2\n"), "{text}");
        assert!(text.contains("netserver_connections_closed_total{cause=\"idle\"} 0\n"), "{text}");
        assert!(text.contains("netserver_request_duration_seconds_bucket{le=\"+Inf\"} 0\n"));
    }
}
