//! `/status.json` and what `docs/STATUS.md` says of it: neither has a field that the other lacks.

use std::collections::BTreeSet;

use netserver::{Cause, Phase};
use serde_json::Value;

use crate::process::Binary;

const DOCUMENT: &str = include_str!("../../../docs/STATUS.md");

/// The names in the first column of the table of fields, as `a.b`; `a.*` stands for names that are
/// listed elsewhere.
fn documented() -> BTreeSet<String> {
    let section = DOCUMENT.split("\n## ").find(|it| it.starts_with("`/status.json`"));
    // The first table; the causes have one of their own.
    let table = section.and_then(|it| it.split("\nA histogram").next()).expect("a section");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let columns = rows.filter_map(|row| row.split('|').nth(1));
    let names = columns.flat_map(|column| column.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// Every value that is no object, by its path. A histogram counts as one.
fn served(value: &Value, path: &str, names: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(fields) if !fields.contains_key("buckets") => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                served(value, &format!("{path}{dot}{name}"), names);
            }
        }
        _ => _ = names.insert(path.to_owned()),
    }
}

#[test]
fn the_fields_are_the_documented_ones() {
    let binary = Binary::start(&[]);
    let response = binary.ask("GET /status.json");
    let (_, json) = response.split_once("\r\n\r\n").expect("a response");
    let status: Value = serde_json::from_str(json).expect("JSON");
    let mut expected = documented();
    for (of, names) in [
        ("connections.phases", &Phase::ALL.map(Phase::name)[..]),
        ("connections.closed", &Cause::ALL.map(Cause::name)),
    ] {
        assert!(expected.remove(&format!("{of}.*")), "{of}.* is documented");
        for name in names {
            // Each is described, in the row or below.
            assert!(DOCUMENT.contains(&format!("`{name}`")), "{name} is not described");
            expected.insert(format!("{of}.{name}"));
        }
    }
    let mut names = BTreeSet::new();
    served(&status, "", &mut names);
    let missing: Vec<_> = expected.difference(&names).collect();
    let undescribed: Vec<_> = names.difference(&expected).collect();
    assert!(missing.is_empty() && undescribed.is_empty(), "{missing:?} {undescribed:?}");

    for name in ["latency", "lateness"] {
        let fields: BTreeSet<_> = status[name].as_object().expect(name).keys().cloned().collect();
        assert_eq!(fields, ["buckets", "count", "sum_ms"].map(str::to_owned).into(), "{name}");
        let buckets = status[name]["buckets"].as_array().expect(name);
        for bucket in buckets {
            let fields: Vec<_> = bucket.as_object().expect(name).keys().collect();
            assert_eq!(fields, ["count", "le_ms"], "{name}");
        }
        assert!(buckets.last().is_some_and(|last| last["le_ms"].is_null()), "{name}");
        let ends: Vec<_> = buckets.iter().filter_map(|it| it["le_ms"].as_f64()).collect();
        assert!(ends.len() == buckets.len() - 1 && ends.is_sorted(), "{name}");
    }
}
