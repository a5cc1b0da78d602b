//! The journal of a run, and the scenario file that is made of it.

use fieldwarden::core::BootFacts;
use fieldwarden::core::action::Actions;
use fieldwarden::core::fact::Fact;
use fieldwarden::core::settings::Settings;
use fieldwarden::trace;
use fieldwarden::units::Mono;
use std::cell::RefCell;
use std::rc::Rc;

/// What one life of the daemon heard and answered.
struct Chapter {
    life: u32,
    boot: BootFacts,
    lines: String,
    latest: Mono,
}

/// All lives of a run; or nothing, while nobody wants to read it. It outlives a panic.
#[derive(Clone, Default)]
pub struct Book(Option<Rc<RefCell<Pages>>>);

struct Pages {
    settings: Settings,
    chapters: Vec<Chapter>,
}

impl Book {
    pub fn of(settings: Settings) -> Book {
        let chapters = Vec::new();
        Book(Some(Rc::new(RefCell::new(Pages { settings, chapters }))))
    }

    pub fn new_life(&self, life: u32, boot: &BootFacts) {
        if let Some(pages) = &self.0 {
            pages.borrow_mut().chapters.push(Chapter {
                life,
                boot: *boot,
                lines: String::new(),
                latest: Mono(0),
            });
        }
    }

    pub fn step(&self, now: u64, fact: &Fact, answer: &Actions) {
        let Some(pages) = &self.0 else { return };
        let mut pages = pages.borrow_mut();
        let Pages { settings, chapters } = &mut *pages;
        if let Some(chapter) = chapters.last_mut() {
            // Where time went back, the core took the latest that it knew.
            chapter.latest = chapter.latest.max(Mono(now));
            let lines = trace::step_lines(chapter.latest, fact, answer, settings);
            chapter.lines.push_str(&lines);
        }
    }

    /// Everything, for reading.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if let Some(pages) = &self.0 {
            for c in &pages.borrow().chapters {
                out.push_str(&format!("==== life {} {:?}\n{}", c.life, c.boot, c.lines));
            }
        }
        out
    }

    /// The last life as a scenario file. `board`: the text of its board file, if that is not one in the
    /// program.
    pub fn scenario(&self, of: &str, toml: &str, board: Option<&str>) -> String {
        let Some(pages) = &self.0 else {
            return String::new();
        };
        let pages = pages.borrow();
        let Some(c) = pages.chapters.last() else {
            return String::new();
        };
        let init = c
            .boot
            .init_watchdog
            .map_or("none".to_owned(), |d| format!("{}ms", d.as_millis()));
        let meta = [
            ("about", format!("simulator, {of}, life {}", c.life)),
            ("first", if c.boot.first { "yes" } else { "no" }.to_owned()),
            ("init-watchdog", init),
            ("jitter", c.boot.seed.to_string()),
        ];
        let meta = meta.iter().map(|(k, v)| (*k, v.as_str()));
        let lines = board.into_iter().flat_map(str::lines);
        let lines = lines.filter(|line| !line.is_empty());
        let meta: Vec<_> = meta.chain(lines.map(|line| ("board", line))).collect();
        let mut out = trace::opening(&meta, toml);
        for line in c.lines.lines() {
            out.push_str(&writable(line));
            out.push('\n');
        }
        out
    }
}

/// A line that a scenario can hold: what names nothing of the configuration is replaced by something
/// that the core answers alike, and a share above all of it by all of it.
fn writable(line: &str) -> String {
    if line.starts_with(' ') || !line.contains("\"?\"") {
        return line.replace("6553.5%", "100%");
    }
    let mut words = line.split(' ');
    let at = words.next().unwrap_or_default();
    match words.next() {
        Some("asked") => {
            let who: Vec<_> = words.take(2).collect();
            format!("{at} asked {} status", who.join(" "))
        }
        _ => format!("{at} tick"),
    }
}
