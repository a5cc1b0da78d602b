//! Runs one transcript and compares, or rewrites it.

use crate::daemon::{Place, config_with};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a command is given again, and how often.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(100);

/// Any text within a line.
const SOME: &str = "[..]";

/// Any number of lines.
const MANY: &str = "[...]";

/// Runs the commands of a transcript.
///
/// # Errors
/// A description of what came otherwise; none when the file was rewritten.
pub fn run(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).expect("transcript");
    let place = Place::new();
    let mut daemons = Vec::new();
    let mut out = String::new();
    let mut failures = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let mut block = |marks: &[char]| {
            let mut block = Vec::new();
            while let Some(line) = lines.next_if(|l| l.starts_with(marks) || *l == MANY) {
                block.push(line.to_owned());
            }
            block
        };
        if let Some(name) = line.strip_prefix("@daemon ") {
            let config = std::fs::read_to_string(place.path(name)).expect("a file above");
            daemons.push(place.daemon(&config));
        } else if let Some(name) = line.strip_prefix("@ ") {
            let content = block(&['|']);
            for line in &content {
                out.push_str(&format!("{line}\n"));
            }
            let body: Vec<&str> = content.iter().map(|l| unmark(l)).collect();
            place.write(name, &with_head(&body.join("\n")));
        } else if let Some((patient, command)) = command_of(line) {
            let expected = block(&['>', '!', '?']);
            let begun = Instant::now();
            let mut actual = outcome(&place, command);
            while patient && begun.elapsed() < PATIENCE && !matches(&expected, &actual) {
                std::thread::sleep(AGAIN);
                actual = outcome(&place, command);
            }
            let same = matches(&expected, &actual);
            for line in if same { &expected } else { &actual } {
                out.push_str(&format!("{line}\n"));
            }
            if !same {
                let (want, got) = (expected.join("\n"), actual.join("\n"));
                failures.push(format!("${command}\nexpected:\n{want}\ncame:\n{got}\n"));
            }
        } else {
            assert!(
                line.is_empty() || line.starts_with('#'),
                "not understood: {line}"
            );
        }
    }
    drop(daemons);
    if failures.is_empty() {
        return Ok(());
    }
    if std::env::var_os("FIELDWARDEN_REWRITE").is_some() {
        std::fs::write(file, out).expect("rewritten");
        return Ok(());
    }
    Err(format!("{}:\n{}", file.display(), failures.join("\n")))
}

/// The command of a line, and whether it is given again until it comes out as it is written.
fn command_of(line: &str) -> Option<(bool, &str)> {
    let once = line.strip_prefix("$ fieldwarden").map(|c| (false, c));
    once.or_else(|| Some((true, line.strip_prefix("~ fieldwarden")?)))
}

/// A line without its mark.
fn unmark(line: &str) -> &str {
    let line = line.strip_prefix('|').unwrap_or(line);
    line.strip_prefix(' ').unwrap_or(line)
}

/// A body that begins with `SIM` gets the head of a configuration with simulated devices.
fn with_head(body: &str) -> String {
    match body.strip_prefix("SIM\n") {
        Some(services) => config_with(services) + "\n",
        None => body.to_owned() + "\n",
    }
}

/// What a command prints and how it ends, as lines of a transcript.
fn outcome(place: &Place, command: &str) -> Vec<String> {
    let args = words(command);
    let output = place.run(&args);
    let mut lines = Vec::new();
    for (mark, bytes) in [('>', output.stdout), ('!', output.stderr)] {
        let text = String::from_utf8(bytes).expect("text");
        let text = text
            .replace(place.name(), "DIR")
            .replace(env!("CARGO_PKG_VERSION"), "VERSION");
        for line in text.lines() {
            lines.push(format!("{mark} {line}").trim_end().to_owned());
        }
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => lines.push(format!("? {code}")),
        None => lines.push("? killed".to_owned()),
    }
    lines
}

/// The words of a command. What stands between two quotes is one word.
fn words(command: &str) -> Vec<&str> {
    let parts = command.split('"').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().collect::<Vec<_>>(),
        _ => vec![part],
    });
    words.collect()
}

fn matches(expected: &[String], actual: &[String]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((first, rest)) if first == MANY => {
            (0..=actual.len()).any(|skip| matches(rest, &actual[skip..]))
        }
        Some((first, rest)) => match actual.split_first() {
            Some((line, others)) => line_matches(first, line) && matches(rest, others),
            None => false,
        },
    }
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let Some((head, tail)) = pattern.split_once(SOME) else {
        return pattern == line;
    };
    let Some(rest) = line.strip_prefix(head) else {
        return false;
    };
    (0..=rest.len())
        .filter(|at| rest.is_char_boundary(*at))
        .any(|at| line_matches(tail, &rest[at..]))
}
