//! A picture of ratios: a row for each thing measured, a dot for each peer, ours at 1.
//!
//! Written as SVG by hand: it is lines, dots and text, follows the reader's light or dark mode, and
//! tells each value where the pointer rests. A ring is a dot of a result that was wrong.

use std::fmt::Write;

use crate::tables::Cell;

/// Ratios shown: what lies beyond stands at the edge.
const LEAST: f64 = 0.125;
const MOST: f64 = 64.0;

const WIDTH: f64 = 900.0;
const LABELS: f64 = 190.0;
const ROW: f64 = 26.0;
const TOP: f64 = 60.0;

/// Okabe and Ito's colours, which those who confuse red and green can tell apart; then shapes tell.
const COLOURS: [&str; 7] =
    ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c7a00"];

#[derive(Debug)]
pub(crate) struct Dots {
    title: String,
    rows: Vec<(String, Vec<(String, Cell)>)>,
}

impl Dots {
    pub(crate) fn new(title: String) -> Self {
        Self { title, rows: Vec::new() }
    }

    /// Adds a row of values, as multiples of ours. One without ours has nothing to compare with.
    pub(crate) fn row(&mut self, subject: &str, values: Vec<(&str, Cell)>, ours: &str) {
        let Some(one) = values.iter().find(|(peer, _)| *peer == ours).map(|(_, cell)| cell.value)
        else {
            return;
        };
        let peers = values.into_iter().filter(|(peer, cell)| {
            // The lines at the end of a table compare already.
            *peer != ours && !peer.starts_with("ours to ") && cell.value > 0.0
        });
        let ratios = peers
            .map(|(peer, cell)| (peer.to_owned(), Cell { value: cell.value / one, ..cell }))
            .collect();
        if one > 0.0 {
            self.rows.push((subject.to_owned(), ratios));
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn draw(&self) -> String {
        let mut peers: Vec<&str> = Vec::new();
        for (peer, _) in self.rows.iter().flat_map(|(_, ratios)| ratios) {
            if !peers.contains(&peer.as_str()) {
                peers.push(peer);
            }
        }
        #[allow(clippy::cast_precision_loss)] // dozens
        let bottom = TOP + ROW * self.rows.len() as f64;
        let legend_rows = peers.len().div_ceil(4);
        #[allow(clippy::cast_precision_loss)]
        let height = bottom + 44.0 + 20.0 * legend_rows as f64;
        let mut svg = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <title>{title}</title>\n\
             <style>\n\
             :root {{ color-scheme: light dark }} text {{ fill: #222 }} .line {{ stroke: #ddd }}\n\
             .one {{ stroke: #222; stroke-width: 2 }} .back {{ fill: #fff }}\n\
             @media (prefers-color-scheme: dark) {{ text {{ fill: #ddd }} .line {{ stroke: #444 }}\n\
             .one {{ stroke: #ddd }} .back {{ fill: #111 }} }}\n\
             </style>\n\
             <rect class=\"back\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
             <text x=\"16\" y=\"24\" font-size=\"16\">{title}</text>",
            title = escaped(&self.title),
        );
        let mut tick = LEAST;
        while tick <= MOST {
            let x = place(tick);
            let class = if (tick - 1.0).abs() < f64::EPSILON { "one" } else { "line" };
            let _ = writeln!(
                svg,
                "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}×</text>",
                TOP - 8.0
            );
            tick *= 2.0;
        }
        let mut y = TOP;
        for (subject, ratios) in &self.rows {
            let middle = y + ROW / 2.0;
            let _ = writeln!(
                svg,
                "<line class=\"line\" x1=\"{LABELS}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - 20.0,
                LABELS - 8.0,
                middle + 4.5,
                escaped(subject)
            );
            for (peer, ratio) in ratios {
                let at = peers.iter().position(|known| known == peer).unwrap_or_default();
                let wrong = if ratio.right { "" } else { ", and wrong" };
                let tip = format!("{peer}: {:.2} times ours{wrong}", ratio.value);
                svg += &mark(at, ratio.right, place(ratio.value), middle, &tip);
            }
            y += ROW;
        }
        for (at, peer) in peers.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)]
            let (column, row) = ((at % 4) as f64, (at / 4) as f64);
            let (x, y) = (24.0 + column * 216.0, bottom + 26.0 + row * 20.0);
            svg += &mark(at, true, x, y, peer);
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 12.0,
                y + 4.5,
                escaped(peer)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"11\">right of 1×: takes more \
             than ours; a ring: with a wrong result</text>\n</svg>",
            WIDTH - 20.0,
            height - 6.0
        );
        svg
    }
}

/// A dot, or once the colours have been used, a square.
fn mark(at: usize, filled: bool, x: f64, y: f64, tip: &str) -> String {
    let colour = COLOURS[at % COLOURS.len()];
    let tip = escaped(tip);
    let fill = if filled { colour } else { "none" };
    let paint = format!("fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.5\"");
    if at < COLOURS.len() {
        format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" {paint}><title>{tip}</title></circle>\n"
        )
    } else {
        let (left, top) = (x - 4.5, y - 4.5);
        format!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"9\" height=\"9\" {paint}>\
             <title>{tip}</title></rect>\n"
        )
    }
}

/// Where a ratio stands: logarithmic, so that twice and half are as far from 1.
fn place(ratio: f64) -> f64 {
    let part = (ratio.clamp(LEAST, MOST) / LEAST).log2() / (MOST / LEAST).log2();
    LABELS + 10.0 + part * (WIDTH - LABELS - 50.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
