//! Puts what the benchmarks print into `docs/BENCHMARKS.md`, and draws it.
//!
//! ```text
//! cargo run -p benches --example report                     run the benchmarks, write tables, draw
//! cargo run -p benches --example report -- timers memory    only these
//! cargo run -p benches --example report -- --read FILE...   from what they printed before
//! ```
//!
//! A benchmark prints tables under titles: `## What: unit`. Each block of text in the document whose
//! first line is such a title becomes what was printed under it, to the letter. A title that the
//! document does not have is named on standard error: it is for a person to say where it belongs.

mod dots;
mod tables;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dots::Dots;
use tables::Table;

const BENCHMARKS: [&str; 5] = ["timers", "instructions", "memory", "server", "requests"];

/// Ours in the tables of timers.
const OURS: &str = "timerwheel";

/// The pictures of the server: of the table whose title begins so, a row for each column.
const SERVER: [Columns; 6] = [
    Columns {
        of: "Requests: CPU time",
        ours: "netserver",
        title: "CPU time per request, in multiples of ours",
        file: "server-cpu.svg",
    },
    Columns {
        of: "Beside others under wrk: CPU time",
        ours: "netserver",
        title: "CPU time per request under wrk, in multiples of ours",
        file: "server-beside.svg",
    },
    Columns {
        of: "Instructions: of user space",
        ours: "netserver",
        title: "Instructions of user space per request, in multiples of ours",
        file: "server-instructions.svg",
    },
    Columns {
        of: "System calls: per request",
        ours: "netserver",
        title: "System calls per request, in multiples of ours",
        file: "server-calls.svg",
    },
    Columns {
        of: "Memory: bytes per connection",
        ours: "netserver",
        title: "Memory per connection, in multiples of ours",
        file: "server-memory.svg",
    },
    Columns {
        of: "Check: µs",
        ours: "100",
        title: "The check over so many connections, in multiples of that over 100",
        file: "server-check.svg",
    },
];

/// A picture of a table whose rows are the peers.
#[derive(Debug)]
struct Columns {
    of: &'static str,
    ours: &'static str,
    title: &'static str,
    file: &'static str,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let printed = match arguments.split_first() {
        Some((flag, files)) if flag == "--read" => {
            files.iter().map(fs::read_to_string).collect::<Result<String, _>>()?
        }
        None => run(&BENCHMARKS)?,
        Some(_) => run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())?,
    };
    let tables = tables::parse(&printed);
    if tables.is_empty() {
        return Err("no table in what was printed: a title begins with `## `".into());
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let document = docs.join("BENCHMARKS.md");
    let text = fs::read_to_string(&document)?;
    let (text, missing) = tables::replace_blocks(&text, &tables);
    fs::write(&document, text)?;
    println!("{}", document.display());
    for title in missing {
        eprintln!("no block in the document begins with: {title}");
    }
    for (name, picture) in pictures(&tables) {
        let path: PathBuf = docs.join("plots").join(name);
        fs::create_dir_all(docs.join("plots"))?;
        fs::write(&path, picture)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Runs benchmarks one after the other: two at once would measure each other.
fn run(benchmarks: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut printed = String::new();
    for benchmark in benchmarks {
        eprintln!("running {benchmark}");
        let output = Command::new(env!("CARGO"))
            .args(["bench", "-p", "benches", "--bench", benchmark])
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("the benchmark {benchmark} failed: {}", output.status).into());
        }
        printed += &String::from_utf8(output.stdout)?;
    }
    Ok(printed)
}

/// A picture for each size of the times, one each of the instructions, the memory and the worst
/// ticks, and those of the server, as far as there are tables for them.
fn pictures(tables: &[Table]) -> Vec<(String, String)> {
    let times: Vec<&Table> =
        tables.iter().filter(|table| table.title.contains(": ns per ")).collect();
    let mut sizes: Vec<&str> = times.iter().flat_map(|table| table.columns()).collect();
    sizes.sort_by_key(|size| size.parse::<u64>().unwrap_or(0));
    sizes.dedup();
    let mut pictures = Vec::new();
    for size in sizes {
        let mut dots = Dots::new(format!("Time at {size} timers, in multiples of ours"));
        for table in &times {
            dots.row(table.subject(), table.column(size), OURS);
        }
        pictures.push((format!("times-{size}.svg"), dots));
    }
    for table in tables.iter().filter(|table| table.title.starts_with("Instructions per")) {
        let mut dots = Dots::new(format!("{}, in multiples of ours", table.title));
        for (subject, counts) in table.rows() {
            dots.row(subject, counts, OURS);
        }
        pictures.push(("instructions.svg".into(), dots));
    }
    for table in tables.iter().filter(|table| table.title.starts_with("Bytes per")) {
        let mut dots = Dots::new("Bytes per armed timer, in multiples of ours".into());
        for size in table.columns() {
            dots.row(&format!("{size} timers"), table.column(size), OURS);
        }
        pictures.push(("memory.svg".into(), dots));
    }
    let mut worst = Dots::new("Worst tick of a drain, in multiples of ours".into());
    for table in tables.iter().filter(|table| table.title.starts_with("Worst tick: ")) {
        let size = table.title.split(' ').rev().nth(1).unwrap_or_default();
        for column in ["p99.9", "max"] {
            worst.row(&format!("{size}, {column}"), table.column(column), OURS);
        }
    }
    pictures.push(("worst-tick.svg".into(), worst));
    for columns in SERVER {
        for table in tables.iter().filter(|table| table.title.starts_with(columns.of)) {
            let mut dots = Dots::new(columns.title.into());
            for column in table.columns() {
                dots.row(column, table.column(column), columns.ours);
            }
            pictures.push((columns.file.into(), dots));
        }
    }
    // One dot in a row is no picture.
    pictures.retain(|(_, dots)| dots.rows() > 1);
    pictures.into_iter().map(|(name, dots)| (name, dots.draw())).collect()
}
