//! What `/status.json` says, as numbers. The fields are described in `docs/STATUS.md`.

use std::fmt;
use std::time::Duration;

use netserver::Phase;
use serde_json::Value;

use crate::units::written;

/// The figures of one moment.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sample {
    pub(super) version: String,
    pub(super) loops: u64,
    pub(super) open: u64,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) phases: Vec<(String, u64)>,
    pub(super) closed: Vec<(String, u64)>,
    pub(super) requests: u64,
    pub(super) rescued: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) turns: u64,
    pub(super) timers: u64,
    pub(super) servers: u64,
    pub(super) server_timers: u64,
    pub(super) checks: u64,
    pub(super) latency: Buckets,
    pub(super) lateness: Buckets,
    pub(super) resident: Option<u64>,
}

/// Of a histogram: where each bucket ends, `None` for the last, and how many are in it.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Buckets(pub(super) Vec<(Option<Duration>, u64)>);

impl Sample {
    /// An error names what is missing.
    pub(super) fn read(json: &str) -> Result<Self, String> {
        let status: Value =
            serde_json::from_str(json).map_err(|_| "/status.json is no JSON".to_owned())?;
        let at = |path: &str| {
            status.pointer(path).ok_or_else(|| {
                let name = path.trim_start_matches('/').replace('/', ".");
                format!("/status.json has no {name}")
            })
        };
        let number = |path: &str| at(path).map(|value| value.as_u64().unwrap_or(0));
        let counts = |path: &str| {
            let named = at(path)?.as_object().into_iter().flatten();
            Ok::<_, String>(
                named.map(|(name, n)| (name.clone(), n.as_u64().unwrap_or(0))).collect(),
            )
        };
        let mut phases: Vec<(String, u64)> = counts("/connections/phases")?;
        // In the order of a connection's life; one that this version does not know comes last.
        let place = |name: &str| Phase::ALL.iter().position(|phase| phase.name() == name);
        phases.sort_by_key(|(name, _)| place(name).unwrap_or(Phase::ALL.len()));
        Ok(Self {
            version: at("/version")?.as_str().unwrap_or_default().to_owned(),
            loops: number("/loops")?,
            open: number("/connections/open")?,
            accepted: number("/connections/accepted")?,
            refused: number("/connections/refused")?,
            phases,
            closed: counts("/connections/closed")?,
            requests: number("/requests")?,
            rescued: number("/rescued")?,
            bytes_in: number("/bytes_in")?,
            bytes_out: number("/bytes_out")?,
            turns: number("/turns")?,
            timers: number("/timers/armed")?,
            servers: number("/servers/alive")?,
            server_timers: number("/servers/timers")?,
            checks: number("/checks/made")?,
            latency: Buckets::read(at("/latency/buckets")?),
            lateness: Buckets::read(at("/lateness/buckets")?),
            resident: at("/memory/resident_bytes")?.as_u64(),
        })
    }

    /// Connections ended, whatever the cause.
    pub(super) fn ended(&self) -> u64 {
        self.closed.iter().map(|(_, count)| count).sum()
    }
}

impl Buckets {
    fn read(value: &Value) -> Self {
        let buckets = value.as_array().into_iter().flatten().map(|bucket| {
            let ends = bucket["le_ms"].as_f64().map(|millis| Duration::from_secs_f64(millis / 1e3));
            (ends, bucket["count"].as_u64().unwrap_or(0))
        });
        Self(buckets.collect())
    }

    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// What has been added since.
    pub(super) fn since(&self, before: &Self) -> Self {
        let earlier = before.0.iter().map(|(_, count)| *count).chain(std::iter::repeat(0));
        let added = self.0.iter().zip(earlier);
        Self(added.map(|((ends, count), before)| (*ends, count.saturating_sub(before))).collect())
    }

    /// How long this part of them took at most, in parts of a thousand.
    pub(super) fn quantile(&self, per_mille: u64) -> Quantile {
        let all = self.count();
        let (mut seen, mut begins) = (0, Duration::ZERO);
        for (ends, count) in &self.0 {
            seen += count;
            if *count > 0 && seen * 1000 >= all * per_mille {
                return ends.map_or(Quantile::Above(begins), Quantile::UpTo);
            }
            begins = ends.unwrap_or(begins);
        }
        Quantile::OfNothing
    }
}

/// As much as buckets tell of a quantile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Quantile {
    OfNothing,
    UpTo(Duration),
    Above(Duration),
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfNothing => f.write_str("none"),
            Self::UpTo(ends) => write!(f, "≤ {}", written(*ends)),
            Self::Above(begins) => write!(f, "> {}", written(*begins)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use netserver::Gauges;

    /// As this version writes it.
    pub(in super::super) fn sample() -> Sample {
        Sample::read(&netserver::live::status(&Gauges::default())).expect("its own status")
    }

    #[test]
    fn it_reads_what_this_version_writes_and_names_what_another_does_not() {
        let sample = sample();
        assert_eq!((sample.version.as_str(), sample.requests), (env!("CARGO_PKG_VERSION"), 0));
        let phases: Vec<_> = sample.phases.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(phases, Phase::ALL.map(Phase::name));
        assert_eq!(sample.closed.len(), netserver::Cause::ALL.len());
        assert_eq!(sample.latency.0.len(), netserver::Histogram::BOUNDS.len() + 1);
        assert_eq!(sample.latency.0[0].0, Some(netserver::Histogram::BOUNDS[0]));
        let read = |json: &str| Sample::read(json).expect_err("incomplete");
        assert_eq!(read("<html>"), "/status.json is no JSON");
        assert_eq!(read("{}"), "/status.json has no connections.phases");
        let partly = r#"{"connections":{"phases":{}},"version":"9","loops":1}"#;
        assert_eq!(read(partly), "/status.json has no connections.open");
    }

    #[test]
    fn a_quantile_is_where_its_bucket_ends() {
        let millis = Duration::from_millis;
        let buckets = |counts: [u64; 3]| {
            let ends = [Some(millis(1)), Some(millis(5)), None];
            Buckets(ends.into_iter().zip(counts).collect())
        };
        assert_eq!(buckets([0, 0, 0]).quantile(500), Quantile::OfNothing);
        assert_eq!(buckets([99, 1, 0]).quantile(990), Quantile::UpTo(millis(1)));
        assert_eq!(buckets([98, 2, 0]).quantile(990), Quantile::UpTo(millis(5)));
        assert_eq!(buckets([0, 0, 7]).quantile(500), Quantile::Above(millis(5)));
        let since = buckets([5, 5, 5]).since(&buckets([5, 3, 0]));
        assert_eq!(since, buckets([0, 2, 5]));
    }
}
