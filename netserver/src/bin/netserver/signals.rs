//! What signals mean to it. All that by default end a process are here, but for SIGKILL and those that
//! say that the process itself is broken: nobody who means something else ends it by mistake.

use netserver::{Phase, Phases, Stats};
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM,
    SIGXCPU, SIGXFSZ,
};

use crate::units::{counted, grouped, written_size};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    /// Drain, and the second time do not wait.
    End,
    /// Say how things are.
    Report,
    /// Nothing. SIGHUP is for daemons with settings to read again, and for terminals that close;
    /// SIGXFSZ is a log that may grow no more, which is no reason not to serve.
    Nothing,
}

/// Every one that is waited for.
pub(crate) const ALL: [i32; 12] = [
    SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO,
    SIGXCPU, SIGXFSZ,
];

pub(crate) fn meaning(signal: i32) -> Meaning {
    match signal {
        SIGTERM | SIGINT | SIGQUIT => Meaning::End,
        SIGUSR1 => Meaning::Report,
        _ => Meaning::Nothing,
    }
}

/// How things are, in a line.
pub(crate) fn report(stats: &Stats) -> String {
    let open = match stats.open {
        0 => "no connections".to_owned(),
        open => format!("{} ({})", counted(open, "connection"), phases(&stats.phases)),
    };
    format!(
        "{open}; so far {}, {} closed, {} turned away, {}, {} in, {} out",
        counted(stats.accepted, "connection"),
        grouped(stats.closed.total()),
        grouped(stats.refused),
        counted(stats.requests, "request"),
        written_size(stats.bytes_in),
        written_size(stats.bytes_out),
    )
}

/// How many connections are in which phase.
pub(crate) fn phases(phases: &Phases) -> String {
    let some = Phase::ALL.into_iter().filter(|phase| phases.count(*phase) > 0);
    let some =
        some.map(|phase| format!("{} {}", phases.count(phase), phase.name().replace('_', " ")));
    some.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_who_is_here_and_what_has_been() {
        let mut stats = Stats::default();
        assert_eq!(
            report(&stats),
            "no connections; so far 0 connections, 0 closed, 0 turned away, 0 requests, 0 B in, 0 B out"
        );
        stats.open = 3;
        stats.phases = Phases { idle: 2, first_byte: 1, ..Phases::default() };
        (stats.accepted, stats.requests, stats.bytes_in) = (12_345, 1, 2048);
        assert_eq!(
            report(&stats),
            "3 connections (1 first byte, 2 idle); so far 12,345 connections, 0 closed, \
             0 turned away, 1 request, 2.0 KiB in, 0 B out"
        );
    }
}
