//! The picture: drawn anew from the history, for a terminal of any size.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Padding, Paragraph, Sparkline};

use super::history::History;
use super::report::plain;
use super::sample::Sample;
use crate::units::{counted, grouped, written, written_size};

/// Narrower ones have their panels below each other.
const WIDE: u16 = 76;

const QUIET: Style = Style::new().fg(Color::DarkGray);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// Rows of a panel of bars: the phases, and the border.
const PANEL_ROWS: u16 = 10;

pub(super) fn draw(frame: &mut Frame<'_>, history: &History, interval: Duration, held: bool) {
    let Some(last) = history.last() else { return };
    let wide = frame.area().width >= WIDE;
    let panels = if wide { PANEL_ROWS } else { 3 * PANEL_ROWS };
    let [title, requests, panels, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Max(panels),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let [left, middle, right] = if wide {
        Layout::horizontal([Constraint::Fill(1); 3]).areas(panels)
    } else {
        Layout::vertical([Constraint::Fill(1); 3]).areas(panels)
    };
    head(frame, title, history, last, interval, held);
    rates(frame, requests, history, last);
    bars(
        frame,
        left,
        &format!("Connections {}, {} accepted", grouped(last.open), grouped(last.accepted)),
        Color::Cyan,
        &last.phases,
    );
    bars(
        frame,
        middle,
        &format!(
            "Closes {}, {} lately",
            grouped(last.ended()),
            grouped(history.lately(Sample::ended))
        ),
        Color::Yellow,
        &most_first(&last.closed),
    );
    facts(frame, right, history, last);
    frame.render_widget(Paragraph::new(help()), keys);
}

fn head(
    frame: &mut Frame<'_>,
    area: Rect,
    history: &History,
    last: &Sample,
    interval: Duration,
    held: bool,
) {
    let name = Line::from(vec![
        Span::styled(format!(" netserver {}", last.version), STRONG),
        Span::raw(format!("  {}  {}", history.address, counted(last.loops, "loop"))),
    ]);
    let state = match &history.missed {
        Some(why) => Span::styled(format!("{why} "), Style::new().fg(Color::Red)),
        None if held => Span::styled("held ", Style::new().fg(Color::Yellow)),
        None => Span::styled(format!("every {} ", written(interval)), QUIET),
    };
    // What went wrong is longer than what is always there, and more to the point.
    if history.missed.is_none() {
        frame.render_widget(Paragraph::new(name), area);
    }
    frame.render_widget(Paragraph::new(state).alignment(Alignment::Right), area);
}

fn rates(frame: &mut Frame<'_>, area: Rect, history: &History, last: &Sample) {
    let now = grouped(history.rate(|it| it.requests));
    let block = panel(&format!("Requests {now} /s, {} in all", grouped(last.requests)));
    let inside = block.inner(area);
    let rates = history.rates(usize::from(inside.width));
    let most = rates.iter().copied().max().unwrap_or(0);
    let block = block.title_bottom(
        Line::styled(format!(" full height: {} /s ", grouped(most)), QUIET).right_aligned(),
    );
    frame.render_widget(block, area);
    // The newest is at the right edge, wherever the first one is.
    let width = u16::try_from(rates.len()).unwrap_or(inside.width).min(inside.width);
    let newest = Rect { x: inside.right() - width, width, ..inside };
    let line = Sparkline::default().data(rates).style(Style::new().fg(Color::Cyan));
    frame.render_widget(line, newest);
}

fn facts(frame: &mut Frame<'_>, area: Rect, history: &History, last: &Sample) {
    let memory = last.resident.map_or_else(|| "not told".to_owned(), written_size);
    let latency = history.buckets(|it| &it.latency);
    let facts = [
        ("latency, 99 %", latency.quantile(990).to_string()),
        ("lateness, 99 %", history.buckets(|it| &it.lateness).quantile(990).to_string()),
        ("received", written_size(history.rate(|it| it.bytes_in)) + "/s"),
        ("sent", written_size(history.rate(|it| it.bytes_out)) + "/s"),
        ("timers armed", grouped(last.timers)),
        ("servers, timers", format!("{}, {}", last.servers, last.server_timers)),
        ("rescued, refused", format!("{}, {}", grouped(last.rescued), grouped(last.refused))),
        ("memory", memory),
    ];
    let block = panel("Time, bytes, timers");
    let width = usize::from(block.inner(area).width);
    let lines = facts.map(|(name, value)| {
        let gap = width.saturating_sub(name.len());
        Line::from(vec![Span::styled(name, QUIET), Span::raw(format!("{value:>gap$}"))])
    });
    frame.render_widget(Paragraph::new(lines.to_vec()).block(block), area);
}

/// A bar for each, as long as its part of the longest.
fn bars(frame: &mut Frame<'_>, area: Rect, title: &str, color: Color, values: &[(String, u64)]) {
    const NAME: usize = 13;
    let block = panel(title);
    let inside = block.inner(area);
    let numbers = values.iter().map(|(_, count)| grouped(*count).len()).max().unwrap_or(1);
    let room = usize::from(inside.width).saturating_sub(NAME + numbers + 1);
    let most = values.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let lines = values.iter().take(usize::from(inside.height)).map(|(name, count)| {
        let style = if *count == 0 { QUIET } else { Style::new() };
        Line::from(vec![
            Span::styled(format!("{:<NAME$}", plain(name)), style),
            Span::styled(bar(*count, most, room), Style::new().fg(color)),
            Span::styled(format!(" {:>numbers$}", grouped(*count)), style),
        ])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(block), area);
}

/// In eighths of a cell; what is there at all has one.
fn bar(count: u64, most: u64, room: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(count) * (room as u128 * 8) / u128::from(most);
    let eighths = usize::try_from(eighths).unwrap_or(room * 8).max(usize::from(count > 0));
    let mut text = "█".repeat(eighths / 8) + PARTS[eighths % 8];
    let used = text.chars().count();
    text.extend(std::iter::repeat_n(' ', room.saturating_sub(used)));
    text
}

/// The most frequent first; of those that are equal, as they came.
fn most_first(values: &[(String, u64)]) -> Vec<(String, u64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    sorted
}

fn panel(title: &str) -> Block<'static> {
    Block::bordered()
        .border_style(QUIET)
        .title(Line::styled(format!(" {title} "), STRONG))
        .padding(Padding::horizontal(1))
}

fn help() -> Line<'static> {
    let keys = [("q", "end"), ("space", "hold"), ("+", "more often"), ("-", "less often")];
    let spans = keys.into_iter().flat_map(|(key, what)| {
        [Span::styled(format!(" {key} "), STRONG), Span::styled(format!("{what} "), QUIET)]
    });
    spans.collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::super::history::tests::busy;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(width: u16, height: u16, history: &History, held: bool) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("infallible");
        let second = Duration::from_secs(1);
        terminal.draw(|frame| draw(frame, history, second, held)).expect("infallible");
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| row(y) + "\n").collect()
    }

    #[test]
    fn a_terminal_of_usual_size_shows_everything() {
        let text = drawn(100, 24, &busy(12_345), false);
        for part in [
            " netserver ",
            "127.0.0.1:8080  0 loops",
            "every 1.0 s",
            "Requests 12,345 /s, 12,345 in all",
            "full height: 12,345 /s",
            "Connections 7, 9 accepted",
            "Closes 2, 2 lately",
            "idle         █",
            "timers armed                3",
            "memory                5.0 MiB",
            "≤ 0.1 ms",
            "q end",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        let closes = text.lines().position(|line| line.contains(" headers      ██")).expect(&text);
        let phases = text.lines().position(|line| line.contains("first byte ")).expect(&text);
        assert_eq!(closes, phases, "the most frequent cause is the first\n{text}");
        let rates = text.lines().filter(|line| line.ends_with("█ │")).count();
        assert_eq!(rates, 10, "the line of rates takes the height that is left\n{text}");
    }

    #[test]
    fn a_narrow_one_has_the_panels_below_each_other() {
        let text = drawn(44, 50, &busy(10), false);
        let at = |what: &str| text.lines().position(|line| line.contains(what)).expect(what);
        assert!(at("Connections 7") < at("Closes 2") && at("Closes 2") < at("memory"), "{text}");
    }

    #[test]
    fn no_size_is_too_small_to_draw() {
        for (width, height) in [(1, 1), (10, 3), (76, 5), (200, 2), (13, 40)] {
            drawn(width, height, &busy(3), true);
        }
    }

    #[test]
    fn a_server_that_is_gone_is_said_and_its_last_figures_stay() {
        let mut history = busy(12_345);
        history.miss("no server answers at 127.0.0.1:8080".to_owned());
        let text = drawn(100, 24, &history, false);
        assert!(text.contains("no server answers") && text.contains("Connections 7"), "{text}");
        assert!(drawn(100, 24, &busy(1), true).contains("held "));
    }

    #[test]
    fn a_bar_is_as_long_as_its_part_of_the_longest() {
        assert_eq!(bar(8, 8, 4), "████");
        assert_eq!(bar(4, 8, 4), "██  ");
        assert_eq!(bar(3, 8, 4), "█▌  ");
        assert_eq!(bar(1, 1_000_000, 4), "▏   ");
        assert_eq!(bar(0, 8, 4), "    ");
        assert_eq!(bar(u64::MAX, u64::MAX, 2), "██");
    }
}
