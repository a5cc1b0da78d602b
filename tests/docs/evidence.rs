//! Whatever a page names as evidence exists.
//!
//! Terms: a *proof* is a code span such as `scenario hang`, `sim waits_are_kept`, `unit backoff NAME`,
//! `test daemon NAME` or `vm guard-healthy`: what kind it is, and how it is called there.

use super::page::{Page, page, root};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The first words of proofs.
const KINDS: [&str; 5] = ["scenario", "sim", "unit", "test", "vm"];

/// Pages whose every row of a table needs a proof in its last cell.
const PROVEN: [&str; 3] = [
    "docs/failure-modes.md",
    "docs/specification.md",
    "docs/threat-model.md",
];

#[test]
fn every_row_has_a_proof_that_exists() {
    let mut wrong = Vec::new();
    for page in PROVEN.map(page) {
        let rows = page.rows();
        let mut proven = 0;
        for (line, cells) in &rows {
            let last = cells.last().expect("a row has cells");
            let proofs: Vec<&str> = last
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|span| kind(span).is_some())
                .collect();
            if proofs.is_empty() && !is_legend(cells) {
                wrong.push(format!("{}:{line}: nothing proves this", page.name));
            }
            proven += usize::from(!proofs.is_empty());
        }
        assert!(proven > 15, "{}: {proven} rows with proofs", page.name);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The legend of a page says how each kind is run.
fn is_legend(cells: &[String]) -> bool {
    kind(cells[0].trim_matches('`')).is_some()
}

#[test]
fn proofs_exist() {
    let known = Known::collect();
    let mut wrong = Vec::new();
    for page in super::page::all() {
        for (line, span) in page.spans() {
            let Some(kind) = kind(&span) else { continue };
            let name = &span[kind.len() + 1..];
            // A legend writes NAME, CASE, FILE for what it does not name.
            if !name.chars().all(|c| c.is_ascii_uppercase() || c == ' ') && !known.holds(kind, name)
            {
                wrong.push(format!("{}:{line}: there is no `{span}`", page.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The kind of a proof; `None` for any other code.
fn kind(span: &str) -> Option<&'static str> {
    let word = span.split(' ').next()?;
    let kind = KINDS.into_iter().find(|kind| *kind == word)?;
    (span.len() > kind.len() + 1).then_some(kind)
}

/// Everything that can prove something.
struct Known {
    scenarios: BTreeSet<String>,
    cases: BTreeSet<String>,
}

impl Known {
    fn collect() -> Known {
        let stems = files("tests/scenarios", "txt").into_iter();
        let scenarios = stems.map(|f| stem(&f)).collect();
        let mut cases = BTreeSet::new();
        for file in files("xtask/src/vm/cases", "rs") {
            let text = fs::read_to_string(file).expect("readable");
            for start in ["Case::lab(", "Case::daemon(", "Case::pi("] {
                let parts = text.split(start).skip(1);
                let names = parts.filter_map(|rest| rest.split('"').nth(1));
                cases.extend(names.map(str::to_owned));
            }
        }
        assert!(cases.len() > 20, "VM cases are not found: {cases:?}");
        Known { scenarios, cases }
    }

    fn holds(&self, kind: &str, name: &str) -> bool {
        let (place, function) = name.split_once(' ').unwrap_or(("", name));
        match kind {
            "scenario" => self.scenarios.contains(name),
            "vm" => self.cases.contains(name),
            "sim" => place.is_empty() && defines(&files("tests/sim", "rs"), name, false),
            "test" => defines(&test_files(place), function, true),
            _ => defines(&unit_files(place), function, true),
        }
    }
}

/// One of the files has this function, and if `test` as a test.
fn defines(files: &[PathBuf], function: &str, test: bool) -> bool {
    let sign = format!("fn {function}(");
    files.iter().any(|file| {
        let text = fs::read_to_string(file).expect("readable");
        let Some(at) = text.find(&sign) else {
            return false;
        };
        // The attribute stands a few lines above it, behind the function before.
        let above = text[..at].rsplit("\n}").next().unwrap_or("");
        !test || above.contains("#[test]")
    })
}

/// The files of one test program.
fn test_files(program: &str) -> Vec<PathBuf> {
    let mut found = files(&format!("tests/{program}"), "rs");
    found.push(root().join(format!("tests/{program}.rs")));
    found.retain(|f| f.exists());
    found
}

/// The files of one module: `backoff` for `src/core/backoff.rs`, `journal` for its folder too.
fn unit_files(module: &str) -> Vec<PathBuf> {
    let mut found = files("src", "rs");
    found.retain(|f| {
        let inside = |part: std::path::Component| part.as_os_str() == module;
        stem(f) == module || f.parent().is_some_and(|p| p.components().any(inside))
    });
    found
}

fn stem(file: &Path) -> String {
    let stem = file.file_stem().expect("a file has a name");
    stem.to_string_lossy().into_owned()
}

/// The files of a folder and of those below it with this ending; none where there is no folder.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    found
}

/// The checks above see what is wrong.
#[test]
fn what_does_not_exist_is_noticed() {
    let known = Known::collect();
    assert!(known.holds("scenario", "hang") && !known.holds("scenario", "hangs"));
    assert!(known.holds("vm", "guard-healthy") && !known.holds("vm", "guard"));
    assert!(known.holds("sim", "waits_are_kept") && !known.holds("sim", "waits"));
    assert!(known.holds("test", "daemon a_crash_is_answered_at_once"));
    assert!(!known.holds("test", "cli a_crash_is_answered_at_once"));
    assert!(!known.holds("test", "daemon rig"));
    assert!(known.holds("unit", "backoff waits_double_up_to_the_cap"));
    assert!(!known.holds("unit", "backoff fail"));
    let page = Page {
        name: "test".into(),
        text: "| a | b |\n|---|---|\n| `x` | `vm a\\|b` |\n".into(),
    };
    assert_eq!(page.rows(), [(3, vec!["`x`".into(), "`vm a|b`".into()])]);
}
