//! What strangers, disks and buses may hand to fieldwarden: a function for each reader, which takes any
//! bytes and panics only when the reader is at fault.
//!
//! The fuzzer plays them (`fuzz/`); the unit tests play what is known to be nasty, and changes of
//! it by chance. They are no part of the program that is installed.

mod decoders;
mod records;

pub use decoders::decoders;
pub use records::{journal, records};

use crate::config::{self, Shelf, board};
use crate::core::settings::Settings;
use crate::core::{BootFacts, Core, action::Actions, fact::Fact};
use crate::edge::{children, control, hostile as edge};
use crate::trace;
use crate::units::Mono;
use std::sync::OnceLock;
use std::time::Duration;

/// A reader, by the name of its target.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 11] = [
    ("config", config),
    ("board", board),
    ("request", request),
    ("notify", notify),
    ("http", http),
    ("journal", journal),
    ("records", records),
    ("trace", trace),
    ("decoders", decoders),
    ("answers", answers),
    ("kernel", kernel),
];

/// A configuration in which there is something of everything.
const EVERYTHING: &str = include_str!("hostile/everything.toml");

/// The settings of a configuration in which there is something of everything.
pub fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| match config::parse("everything.toml", EVERYTHING) {
        Ok(loaded) => loaded.config.settings,
        Err(problems) => panic!("{problems}"),
    })
}

/// Steps that a core with nothing to do may take before it is said to turn in circles.
const MOST_STEPS: usize = 100;

/// A configuration: every problem has a place in the text and can be shown, and what can be used makes
/// a core that starts.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match config::parse("any.toml", text) {
        Ok(loaded) => start(loaded.config.settings),
        Err(problems) => {
            assert!(problems.iter().count() > 0, "refused for no reason");
            for place in problems.iter().filter_map(config::Problem::place) {
                assert!(place.line <= text.split('\n').count(), "{problems}");
            }
            harmless(&problems.to_string());
        }
    }
}

/// What is shown in a terminal must not drive it.
fn harmless(shown: &str) {
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!shown.contains(odd), "{shown:?}");
}

fn start(settings: Settings) {
    let boot = BootFacts {
        seed: 1,
        init_watchdog: None,
        first: true,
    };
    let mut core = Core::new(settings, boot);
    let (mut now, mut out) = (Mono(1_000), Actions::default());
    for _ in 0..MOST_STEPS {
        core.step(now, &Fact::Tick, &mut out);
        out.clear();
        let Some(due) = core.deadline() else {
            return;
        };
        now = due.max(now).after(Duration::from_millis(1));
    }
}

/// A board file. One that can be used is the same when it is read again.
pub fn board(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match board::parse("any.toml", "any", text) {
        Ok(board) => {
            let again = board::parse("any.toml", "any", &board.source);
            assert_eq!(again.ok(), Some(board));
        }
        Err(problems) => harmless(&problems.to_string()),
    }
}

/// Requests on the control socket, a line each: an answer is one line, however a request looks.
pub fn request(bytes: &[u8]) {
    bytes
        .split(|b| *b == b'\n')
        .for_each(|line| control::hostile(line, settings()));
}

/// A datagram of a service: what is kept of it is bounded and harmless.
pub fn notify(bytes: &[u8]) {
    children::hostile(bytes);
}

/// The head of a request for a page of the health endpoint.
pub fn http(bytes: &[u8]) {
    edge::http(bytes);
}

/// A trace: each fact that is understood is written so that it is understood the same.
pub fn trace(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(document) = trace::open("any", text) else {
        return;
    };
    let shelf = Shelf::built_in();
    let Ok(loaded) = config::parse_with("any", document.config, &shelf) else {
        return;
    };
    let settings = loaded.config.settings;
    for step in document.steps(&settings).map_while(Result::ok) {
        let line = trace::fact_line(step.at, &step.fact, &settings);
        let again = trace::parse_fact(&line, &settings);
        assert_eq!(again.ok(), Some((step.at, step.fact)), "{line}");
    }
}

/// What a service answers to a probe, what systemd says of units, and engines of containers.
pub fn answers(bytes: &[u8]) {
    edge::answers(bytes);
}

/// Text of the kernel, and the head of a program. Neither is hostile; but both have changed before.
pub fn kernel(bytes: &[u8]) {
    edge::kernel(bytes);
    if let Some(program) = config::elf::program(bytes) {
        harmless(&program.built_for());
    }
}

#[cfg(test)]
mod tests;
