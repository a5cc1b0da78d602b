//! Draws the scene. Never changes it.

use super::{Scene, Switches};
use crate::core::picture::Verdict;
use crate::core::settings::Limits;
use crate::demo::ledger::{Guard, Phase, Watched};
use crate::demo::narrator::{Line as Told, Mark, phase, tenths};
use crate::demo::teller::Symbols;
use crate::text::for_people;
use crate::units::Mono;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Gauge, Paragraph, Row, Table};
use std::time::Duration;

/// Smallest screen on which everything has its place.
const LEAST: (u16, u16) = (76, 20);

/// Temperatures at the ends of the gauge, in thousandths of a degree.
const COLD: i32 = 20_000;
const HOT: i32 = 100_000;

/// Draws everything.
pub fn scene(frame: &mut Frame, scene: &Scene, now: Mono) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!(
            "too small:\n{} columns and {} lines\nare needed, not\n{} and {};\nq quits",
            LEAST.0, LEAST.1, area.width, area.height
        );
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let rows = u16::try_from(scene.ledger.services.len()).unwrap_or(u16::MAX);
    let [title, top, guard, events, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(rows.saturating_add(3)),
        Constraint::Length(3),
        Constraint::Min(4),
        Constraint::Length(2),
    ])
    .areas(area);
    let [services, board] =
        Layout::horizontal([Constraint::Min(48), Constraint::Length(28)]).areas(top);
    draw_title(frame, title, scene, now);
    draw_services(frame, services, scene, now);
    draw_board(frame, board, scene);
    draw_guard(frame, guard, scene, now);
    draw_events(frame, events, scene);
    draw_keys(frame, keys, scene.switches);
}

fn draw_title(frame: &mut Frame, area: Rect, scene: &Scene, now: Mono) {
    let state = match (scene.off, scene.quitting) {
        (true, _) => " (off)",
        (false, true) => " (stopping)",
        (false, false) => "",
    };
    let left = format!(" fieldwarden demo: simulated board, real services{state}");
    let time = now.since(scene.origin).as_secs();
    let right = format!("{}:{:02} ", time / 60, time % 60);
    let style = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Paragraph::new(left).style(style), area);
    let width = u16::try_from(right.len()).unwrap_or(area.width);
    let corner = Rect {
        x: area.right().saturating_sub(width),
        width: width.min(area.width),
        ..area
    };
    frame.render_widget(Paragraph::new(right).style(style), corner);
}

fn draw_services(frame: &mut Frame, area: Rect, scene: &Scene, now: Mono) {
    let services = scene.ledger.settings.services.iter();
    let rows = services
        .zip(&scene.ledger.services)
        .enumerate()
        .map(|(at, (settings, watched))| {
            let row = service_row(&settings.name, watched, now);
            if at == scene.chosen {
                row.style(Style::new().add_modifier(Modifier::REVERSED))
            } else {
                row
            }
        });
    let widths = [
        Constraint::Min(9),
        Constraint::Length(13),
        Constraint::Length(4),
        Constraint::Length(5),
        Constraint::Length(4),
        Constraint::Length(9),
    ];
    let header = Row::new(["service", "state", "ups", "crash", "hang", "last beat"]);
    let table = Table::new(rows, widths)
        .header(header.style(Style::new().add_modifier(Modifier::DIM)))
        .block(Block::bordered().title("services"));
    frame.render_widget(table, area);
}

fn service_row<'a>(name: &'a str, watched: &Watched, now: Mono) -> Row<'a> {
    let beat = watched
        .last_beat
        .map_or("-".to_owned(), |at| tenths(now.since(at)));
    Row::new([
        Cell::from(name),
        Cell::from(phase(watched.phase, now)).style(phase_style(watched.phase)),
        Cell::from(watched.ups.to_string()),
        Cell::from(watched.crashes.to_string()),
        Cell::from(watched.hangs.to_string()),
        Cell::from(beat),
    ])
}

fn phase_style(phase: Phase) -> Style {
    match phase {
        Phase::Up => Style::new().green(),
        Phase::Starting | Phase::Stopping => Style::new().yellow(),
        Phase::Backoff { .. } => Style::new().yellow(),
        Phase::GaveUp => Style::new().red(),
        Phase::Down => Style::new().dim(),
    }
}

fn draw_board(frame: &mut Frame, area: Rect, scene: &Scene) {
    let block = Block::bordered().title("board");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let signs = &scene.ledger.signs;
    let temperature = signs.temperature.map(|t| {
        let share = f64::from(t.0 - COLD) / f64::from(HOT - COLD);
        (share, t.to_string(), verdict_style(signs.heat))
    });
    let memory = signs.memory.map(|m| {
        let share = 1.0 - f64::from(m.0) / 1000.0;
        (
            share,
            format!("{m} free"),
            verdict_style(signs.memory_verdict),
        )
    });
    let load = signs.load.map(|l| {
        let share = f64::from(l) / 200.0;
        let text = format!("{}.{:02}", l / 100, l % 100);
        (share, text, load_style(l, scene.ledger.settings.load))
    });
    let rows = Layout::vertical([Constraint::Length(1); 5]).split(inner);
    for ((name, value), row) in [("heat", temperature), ("memory", memory), ("load", load)]
        .into_iter()
        .zip(rows.iter())
    {
        draw_gauge(frame, *row, name, value);
    }
    let clock = match signs.synced {
        Some(true) => Span::from(format!("{}, synced", scene.wall)).green(),
        Some(false) => Span::from(format!("{}, unsynced", scene.wall)).yellow(),
        None => Span::from("unknown").dim(),
    };
    let power = match (signs.on_battery, signs.mains) {
        (true, _) => match signs.charge {
            Some(charge) => Span::from(format!("on battery, {charge} left")).red(),
            None => Span::from("on battery").red(),
        },
        (false, Some(true)) => Span::from("on mains").green(),
        (false, Some(false)) => Span::from("mains gone?").yellow(),
        (false, None) => Span::from("unknown").dim(),
    };
    for ((name, value), row) in [("clock", clock), ("power", power)]
        .into_iter()
        .zip(&rows[3..])
    {
        let line = Line::from(vec![Span::from(format!("{name:<8}")), value]);
        frame.render_widget(Paragraph::new(line), *row);
    }
}

fn draw_gauge(frame: &mut Frame, area: Rect, name: &str, value: Option<(f64, String, Style)>) {
    let [label, bar] = Layout::horizontal([Constraint::Length(8), Constraint::Min(4)]).areas(area);
    frame.render_widget(Paragraph::new(name.to_owned()), label);
    let Some((share, text, style)) = value else {
        frame.render_widget(Paragraph::new("unknown").dim(), bar);
        return;
    };
    let gauge = Gauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .gauge_style(style)
        .label(text);
    frame.render_widget(gauge, bar);
}

fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        // Until the first change there was nothing to say, which is good.
        Verdict::Ok | Verdict::Unknown => Style::new().fg(Color::Green),
        Verdict::Warn => Style::new().fg(Color::Yellow),
        Verdict::Critical => Style::new().fg(Color::Red),
    }
}

fn load_style(load: u32, limits: Limits<u32>) -> Style {
    verdict_style(if load >= limits.critical {
        Verdict::Critical
    } else if load >= limits.warn {
        Verdict::Warn
    } else {
        Verdict::Ok
    })
}

fn draw_guard(frame: &mut Frame, area: Rect, scene: &Scene, now: Mono) {
    let watchdog = &scene.ledger.watchdog;
    let block = |title: String| Block::bordered().title(title);
    let (Some(last), Some(timeout)) = (watchdog.last, watchdog.timeout) else {
        let text = match &watchdog.guard {
            Guard::Unknown => "not armed yet".to_owned(),
            Guard::Armed => "pets withheld: it resets the board".to_owned(),
            Guard::Failed(why) => format!(
                "NOT ARMED: {}; tried again until it is there",
                crate::text::fault_sentence(why)
            ),
        };
        let paragraph = Paragraph::new(text).style(Style::new().red());
        frame.render_widget(paragraph.block(block("hardware watchdog".to_owned())), area);
        return;
    };
    let since = now.since(last).min(timeout);
    let title = format!(
        "hardware watchdog: {} pets, longest gap {} of {}",
        watchdog.pets,
        tenths(watchdog.longest_gap),
        for_people(timeout)
    );
    let gauge = Gauge::default()
        .block(block(title))
        .ratio(share(since, timeout))
        .gauge_style(guard_style(since, timeout))
        .label(format!("last pet {} ago", tenths(since)));
    frame.render_widget(gauge, area);
}

fn share(part: Duration, whole: Duration) -> f64 {
    (part.as_secs_f64() / whole.as_secs_f64()).clamp(0.0, 1.0)
}

/// Green as long as a pet comes when it should, red when the reset is near.
fn guard_style(since: Duration, timeout: Duration) -> Style {
    let colour = match share(since, timeout) {
        s if s < 0.6 => Color::Green,
        s if s < 0.8 => Color::Yellow,
        _ => Color::Red,
    };
    Style::new().fg(colour)
}

fn draw_events(frame: &mut Frame, area: Rect, scene: &Scene) {
    let block = Block::bordered()
        .title("what happens")
        .title_bottom(format!(" from another terminal: {} ", scene.ask));
    let inner = block.inner(area);
    let room = usize::from(inner.height);
    let width = usize::from(inner.width).saturating_sub(MARGIN.len());
    // No more than what fits can be of use.
    let latest = scene.lines.len().saturating_sub(room);
    let lines: Vec<Line> = scene
        .lines
        .iter()
        .skip(latest)
        .flat_map(|line| event_lines(line, scene.symbols, width))
        .collect();
    let skip = lines.len().saturating_sub(room);
    let shown = Paragraph::new(lines.into_iter().skip(skip).collect::<Vec<_>>());
    frame.render_widget(shown.block(block), area);
}

/// What stands before the second and further lines of an event: the width of its time and mark.
const MARGIN: &str = "          ";

/// An event, on as many lines as it needs.
fn event_lines(line: &Told, symbols: Symbols, width: usize) -> Vec<Line<'static>> {
    let mut parts = broken(&line.text, width).into_iter();
    let first = parts.next().unwrap_or_default();
    let first = Line::from(vec![
        Span::from(format!("{:>7} ", tenths(line.at))).dim(),
        Span::styled(symbols.mark(line.mark), mark_style(line.mark)),
        Span::from(format!(" {first}")),
    ]);
    let rest = parts.map(|part| Line::from(format!("{MARGIN}{part}")));
    [first].into_iter().chain(rest).collect()
}

/// A text in pieces of at most so many characters, broken between words where that is possible.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |l| l.chars().count());
        match lines.last_mut() {
            Some(line) if last == 0 => line.push_str(word),
            Some(line) if last + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn mark_style(mark: Mark) -> Style {
    match mark {
        Mark::Act => Style::new().bold(),
        Mark::Cue => Style::new().cyan(),
        Mark::Bad => Style::new().red(),
        Mark::Care => Style::new().yellow(),
        Mark::Effect => Style::new().blue(),
        Mark::Good => Style::new().green(),
        Mark::Quiet => Style::new().dim(),
    }
}

fn draw_keys(frame: &mut Frame, area: Rect, on: Switches) {
    let key = |key: &'static str, text: &'static str, on: bool| {
        let style = Style::new().add_modifier(if on {
            Modifier::REVERSED
        } else {
            Modifier::empty()
        });
        [
            Span::from(key).bold(),
            Span::styled(format!(" {text}"), style),
            Span::from("  "),
        ]
    };
    let service = [
        key("up/down", "choose a service:", false),
        key("c", "crash", false),
        key("h", "hang", false),
        key("o", "hog", on.burning_until.is_some()),
        key("r", "restart", false),
    ];
    let board = [
        key("board:", "", false),
        key("p", "mains", on.mains),
        key("t", "heat", on.sun),
        key("m", "memory", on.memory),
        key("s", "step clock", on.clock),
        key("w", "watchdog taken", on.watchdog),
        key("q", "quit", false),
    ];
    let lines = vec![Line::from(service.concat()), Line::from(board.concat())];
    frame.render_widget(Paragraph::new(lines), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::ledger::Ledger;
    use crate::demo::stage::Pace;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use std::collections::VecDeque;
    use std::path::Path;

    fn scene_of_demo() -> Scene {
        let text =
            crate::demo::setting::text(Path::new("/tmp/d"), Path::new("/bin/f"), Pace::new(1));
        let settings = crate::config::parse("demo", &text).unwrap().config.settings;
        let line = |n| Told {
            at: Duration::from_secs(n),
            mark: Mark::Good,
            text: format!("line {n}"),
        };
        Scene {
            ledger: Ledger::new(settings, Mono(0)),
            lines: VecDeque::from([line(1), line(2), line(30)]),
            chosen: 1,
            switches: Switches::default(),
            symbols: Symbols::Ascii,
            origin: Mono(0),
            wall: "12:00:00".to_owned(),
            quitting: false,
            off: false,
            ask: "fieldwarden status --runtime-dir /tmp/fieldwarden-demo-4711/run".to_owned(),
        }
    }

    fn drawn(scene: &Scene, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| super::scene(frame, scene, Mono(83_000)))
            .unwrap();
        terminal.backend().to_string()
    }

    /// The longest values fit the narrowest screen.
    #[test]
    fn narrow() {
        let mut scene = scene_of_demo();
        scene.ledger.signs.synced = Some(false);
        scene.ledger.signs.on_battery = true;
        let screen = drawn(&scene, LEAST.0, LEAST.1);
        for part in ["12:00:00, unsynced", "on battery", "q quit"] {
            assert!(screen.contains(part), "no {part:?} in\n{screen}");
        }
    }

    /// Before anything is known the screen says so, and every part has its place at 80 by 24.
    #[test]
    fn nothing_known() {
        let screen = drawn(&scene_of_demo(), 80, 24);
        for part in [
            "1:23",
            "camera",
            "vision",
            "down",
            "heat    unknown",
            "clock   unknown",
            "power   unknown",
            "not armed yet",
            "30.0 s + line 30",
            "c crash",
            "p mains",
            "s step clock",
            "w watchdog taken",
            "q quit",
        ] {
            assert!(screen.contains(part), "no {part:?} in\n{screen}");
        }
    }

    /// A guard that is petted shows how far it is from a reset; quitting shows in the title.
    #[test]
    fn guard_and_title() {
        let mut scene = scene_of_demo();
        scene.quitting = true;
        scene.ledger.watchdog.guard = Guard::Armed;
        scene.ledger.watchdog.timeout = Some(Duration::from_secs(15));
        scene.ledger.watchdog.last = Some(Mono(80_000));
        let screen = drawn(&scene, 100, 30);
        assert!(screen.contains("last pet 3.0 s ago"), "{screen}");
        assert!(screen.contains("real services (stopping)"), "{screen}");
    }

    /// A terminal that is too small is told so instead of a torn picture.
    #[test]
    fn too_small() {
        let screen = drawn(&scene_of_demo(), 70, 24);
        assert!(screen.contains("76 columns and 20 lines"), "{screen}");
        drawn(&scene_of_demo(), 1, 1);
    }
}
