//! The report in plain lines, each a name and a value: for scripts, and for who cannot see a screen.

use std::fmt::Write;

use super::history::History;
use crate::units::written_size;

/// `name value unit`, one a line; what is not there has no line.
pub(super) fn lines(history: &History) -> String {
    let mut text = String::new();
    let Some(last) = history.last() else { return text };
    let mut line = |name: &str, value: &str| _ = writeln!(text, "{name:<24} {value}");
    line("server", &format!("{} (netserver {})", history.address, last.version));
    for (name, value) in [
        ("event loops", last.loops),
        ("servers alive", last.servers),
        ("their timers", last.server_timers),
        ("timers armed", last.timers),
        ("connections open", last.open),
        ("connections accepted", last.accepted),
        ("connections refused", last.refused),
    ] {
        line(name, &value.to_string());
    }
    for (name, count) in last.phases.iter().filter(|(_, count)| *count > 0) {
        line(&format!("phase {}", plain(name)), &count.to_string());
    }
    for (name, count) in last.closed.iter().filter(|(_, count)| *count > 0) {
        line(&format!("closed {}", plain(name)), &count.to_string());
    }
    line("requests", &last.requests.to_string());
    line("requests per second", &history.rate(|it| it.requests).to_string());
    line("received per second", &written_size(history.rate(|it| it.bytes_in)));
    line("sent per second", &written_size(history.rate(|it| it.bytes_out)));
    line("rescued", &last.rescued.to_string());
    line("turns per second", &history.rate(|it| it.turns).to_string());
    line("checks", &last.checks.to_string());
    line("latency, half", &last.latency.quantile(500).to_string());
    line("latency, 99 %", &last.latency.quantile(990).to_string());
    line("lateness, 99 %", &last.lateness.quantile(990).to_string());
    if let Some(bytes) = last.resident {
        line("memory", &written_size(bytes));
    }
    text
}

/// `first_byte` as people write it.
pub(super) fn plain(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::super::history::tests::busy;
    use super::*;

    #[test]
    fn every_line_is_a_name_and_a_value() {
        let text = lines(&busy(1_500));
        for line in [
            "connections open         7",
            "phase idle               5",
            "closed headers           2",
            "requests per second      1500",
            "latency, 99 %            ≤ 0.1 ms",
            "lateness, 99 %           none",
            "memory                   5.0 MiB",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
        assert!(!text.contains("phase headers"), "nobody is in it");
        assert!(text.lines().all(|line| line.len() > 25 && !line.contains('\x1b')), "{text}");
    }
}
