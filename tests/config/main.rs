//! Shows that every mistake in a configuration is reported as its author needs it, that the shipped
//! files load, and that no text whatever makes the checks panic.
//!
//! `tests/config/*.toml` are files with mistakes, `*.expected` the exact text of their reports.
//! `REWRITE=1 cargo test --test config` writes the reports and the sample anew; commit such a
//! change only if you can explain it.

use fieldwarden::config::{self, Loaded, Problems};
use std::fs;
use std::path::{Path, PathBuf};

mod any_text;
mod boards;
mod drop_ins;
mod explained;
mod machine;
mod mistakes;
mod network;
mod probes;
mod shipped;
mod values;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares with the text of a file, or writes it.
fn expect(path: &Path, actual: &str) {
    if std::env::var_os("REWRITE").is_some() {
        fs::write(path, actual).expect("writable sources");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs (REWRITE=1 rewrites it); now it is:\n{actual}",
        path.display()
    );
}

/// The files of a directory with this ending, sorted.
fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join(directory))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no *.{ending} in {directory}");
    files
}

/// The configuration in a text that must be free of errors.
fn good(text: &str) -> Loaded {
    config::parse("test.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is wrong with a text that must have errors.
fn bad(text: &str) -> Problems {
    match config::parse("test.toml", text) {
        Ok(_) => panic!("no error in:\n{text}"),
        Err(problems) => problems,
    }
}

/// All that is said about a text, good or bad.
fn problems(name: &str, text: &str) -> Problems {
    match config::parse(name, text) {
        Ok(loaded) => Problems::from(loaded.warnings),
        Err(problems) => problems,
    }
}

/// Keys of services that somebody else keeps.
const OF_OTHERS: [&str; 5] = ["unit", "container", "engine", "socket", "unhealthy"];

/// The sample with every commented default taken in.
fn uncommented() -> String {
    let strip = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with([' ', ':']) => rest.to_owned(),
        Some(_) | None => line.to_owned(),
    };
    // A service that is kept running has none of the keys of a job, nor those of a unit or a container;
    // and a certificate has its own date.
    let mut header = String::new();
    let kept = |line: &String| {
        if let Some(begun) = line.strip_prefix('[') {
            header = begun.to_owned();
        }
        let key = line.split(" = ").next().unwrap_or_default();
        match header.split('.').next() {
            Some("service") => !OF_OTHERS.contains(&key) && !config::job::OF_JOBS.contains(&key),
            Some("expiry") => !["date", "file", "lasts"].contains(&key),
            // What is restarted has to be there.
            Some("network]") => key != "repairs",
            Some("repair") => false,
            _ => true,
        }
    };
    let sample = config::sample();
    let lines: Vec<String> = sample.lines().map(strip).filter(kept).collect();
    lines.join("\n")
}
