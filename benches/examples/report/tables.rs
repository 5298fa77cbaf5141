//! Tables as the benchmarks print them: a title, a line of columns, a line per row.

/// A cell of a table: what was measured, and whether the result was right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) value: f64,
    pub(crate) right: bool,
}

/// What was printed under one title.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// All lines below the title, as printed.
    body: Vec<String>,
}

/// Every table, in the order printed.
pub(crate) fn parse(printed: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut open = false;
    for line in printed.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            tables.push(Table { title: title.to_owned(), body: Vec::new() });
            open = true;
        } else if let Some(table) = tables.last_mut().filter(|_| open) {
            // A blank line comes right below the title, and then one at the end.
            let blank = line.trim().is_empty();
            open = !blank || table.body.is_empty();
            if !blank {
                table.body.push(line.trim_end().to_owned());
            }
        }
    }
    tables
}

impl Table {
    /// What was measured: the title up to its unit.
    pub(crate) fn subject(&self) -> &str {
        self.title.split(':').next().unwrap_or_default()
    }

    /// The names of the columns. They hold no blanks; one that does is not for a picture.
    pub(crate) fn columns(&self) -> Vec<&str> {
        self.body.first().map(|line| line.split_whitespace().collect()).unwrap_or_default()
    }

    /// A column's numbers by row.
    pub(crate) fn column(&self, name: &str) -> Vec<(&str, Cell)> {
        let Some(at) = self.columns().iter().position(|column| *column == name) else {
            return Vec::new();
        };
        let cells = self.body.iter().skip(1).filter_map(|line| {
            let (row, cells) = self.cells(line)?;
            Some((row, *cells.get(at)?.as_ref()?))
        });
        cells.collect()
    }

    /// A row's numbers by column, for tables whose columns are the peers.
    pub(crate) fn rows(&self) -> Vec<(&str, Vec<(&str, Cell)>)> {
        let Some(header) = self.body.first() else { return Vec::new() };
        let columns: Vec<&str> = split_wide(header);
        let rows = self.body.iter().skip(1).map(|line| {
            let mut cells = split_wide(line).into_iter();
            let row = cells.next().unwrap_or_default();
            // The bound is what CI checks, not a peer.
            let peers = columns.iter().zip(cells).filter(|(column, _)| **column != "bound");
            (row, peers.filter_map(|(column, cell)| Some((*column, number(cell)?))).collect())
        });
        rows.collect()
    }

    /// A line's name and cells. Cells end where the names of the columns end.
    fn cells<'a>(&self, line: &'a str) -> Option<(&'a str, Vec<Option<Cell>>)> {
        let header = self.body.first()?;
        let mut ends = Vec::new();
        let mut before = ' ';
        for (at, c) in header.chars().chain([' ']).enumerate() {
            if c == ' ' && before != ' ' {
                ends.push(at);
            }
            before = c;
        }
        // By characters, for there are some of several bytes.
        let offset = |at: usize| line.char_indices().nth(at).map_or(line.len(), |(byte, _)| byte);
        let name_ends = line.find("  ")?;
        let row = &line[..name_ends];
        let mut start = name_ends;
        let cells = ends.into_iter().map(|end| {
            let end = offset(end).max(start);
            let cell = &line[start..end];
            start = end;
            number(cell)
        });
        Some((row, cells.collect()))
    }
}

/// The parts of a line that are two blanks or more apart.
fn split_wide(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// `12.3`, or `12.3 (0.95)`, of which the ratio counts, being taken within a round; `≠` before it
/// if the result was wrong.
fn number(cell: &str) -> Option<Cell> {
    let wrong = cell.trim().strip_prefix('≠');
    let mut numbers = wrong.unwrap_or(cell).split_whitespace();
    let value = numbers.next()?.parse().ok()?;
    let ratio = numbers.next().and_then(|it| it.strip_prefix('(')?.strip_suffix(')')?.parse().ok());
    Some(Cell { value: ratio.unwrap_or(value), right: wrong.is_none() })
}

/// The document with what was printed in its blocks, and the titles that it has no block for.
pub(crate) fn replace_blocks<'a>(document: &str, tables: &'a [Table]) -> (String, Vec<&'a str>) {
    const FENCE: &str = "```text";
    let mut text = String::new();
    let mut missing: Vec<&str> = tables.iter().map(|table| table.title.as_str()).collect();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        text += line;
        text.push('\n');
        if line != FENCE {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let table = tables.iter().find(|table| block.first() == Some(&table.title.as_str()));
        if let Some(table) = table {
            missing.retain(|title| *title != table.title);
            text += &[&table.title, "", &table.body.join("\n"), ""].join("\n");
        } else {
            text += &block.iter().fold(String::new(), |all, line| all + line + "\n");
        }
        text += "```\n";
    }
    (text, missing)
}
