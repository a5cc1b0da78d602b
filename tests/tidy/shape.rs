//! Sizes and words.

use super::assert_none;
use super::source::{Source, files, has_word, root, sources};
use std::collections::BTreeSet;
use std::fs;

/// Longest file, in lines without its tests.
const FILE_MAX: usize = 400;

/// Longest function, in lines from `fn` to its closing brace.
const FUNCTION_MAX: usize = 60;

/// Longest line of code, in characters; the formatter sees to most of it.
const LINE_MAX: usize = 100;

/// Longest line of a comment. A word or two more than that are not worth breaking a sentence anew.
const COMMENT_MAX: usize = 104;

/// Functions that are longer, and why.
const LONG_FUNCTIONS: [(&str, &str, &str); 6] = [
    (
        "src/app.rs",
        "dispatch",
        "the one match from actions to threads",
    ),
    ("src/core/note.rs", "severity", "one arm for each note"),
    (
        "src/demo/ledger.rs",
        "take_note",
        "names each note, most of them to leave them out",
    ),
    ("src/text/describe.rs", "describe", "one arm for each note"),
    ("src/text/sentence.rs", "sentence", "one arm for each note"),
    ("xtask/src/suite/layers.rs", "all", "a table"),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "manager", "common"];

/// Words that we do not use, and what we say instead. Parts of longer words count.
const OTHER_WORDS: [(&str, &str); 5] = [
    ("kick", "pet"),
    ("feed the watchdog", "pet"),
    ("feed the dog", "pet"),
    ("snooze", "hold"),
    ("selftest", "drill"),
];

/// What must not stay in the code.
const LEFTOVERS: [&str; 8] = [
    "TODO",
    "FIXME",
    "XXX",
    "todo!",
    "unimplemented!",
    "dbg!",
    "#[ignore",
    "unreachable!()",
];

/// Folders whose Rust is ours.
const OURS: [&str; 4] = ["src", "tests", "benches", "xtask"];

fn all() -> Vec<Source> {
    OURS.iter().flat_map(|folder| sources(folder)).collect()
}

/// Files and lines are short. Generated tables of tests are not code.
#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().chain(&sources("xtask")) {
        let lines = source.code.iter().filter(|l| !l.trim().is_empty()).count();
        if lines > FILE_MAX {
            wrong.push(format!("{}: {lines} lines of code", source.path));
        }
    }
    for source in all() {
        let code = source.code.iter().map(String::as_str);
        let code = code.chain(std::iter::repeat(""));
        for ((number, line), code) in (1..).zip(source.text.lines()).zip(code) {
            let length = line.chars().count();
            let comment = line.trim_start().starts_with("//");
            let most = if comment { COMMENT_MAX } else { LINE_MAX };
            // Texts may be long: they are blank in the code.
            let text = !comment && (code.trim().is_empty() || line.contains('"'));
            if length > most && !text && !line.contains("://") {
                wrong.push(format!("{}:{number}: {length} characters", source.path));
            }
        }
    }
    assert_none(wrong);
}

/// Functions are short.
#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for source in sources("src").iter().chain(&sources("xtask")) {
        for (name, number, length) in functions(source) {
            let known = LONG_FUNCTIONS
                .iter()
                .find(|(p, n, _)| *p == source.path && *n == name);
            match known {
                Some((path, name, _)) if length > FUNCTION_MAX => {
                    excused.insert((*path, *name));
                }
                Some(_) | None if length <= FUNCTION_MAX => {}
                Some(_) | None => {
                    wrong.push(format!(
                        "{}:{number}: {name} has {length} lines",
                        source.path
                    ));
                }
            }
        }
    }
    for (path, name, _) in LONG_FUNCTIONS {
        if !excused.contains(&(path, name)) {
            wrong.push(format!("{path}: {name} needs no exception any more"));
        }
    }
    assert_none(wrong);
}

/// Functions of a file: name, line, and number of lines.
fn functions(source: &Source) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (number, line) in source.lines() {
        let Some(at) = line.find("fn ").filter(|_| has_word(line, "fn")) else {
            continue;
        };
        let name: String = line[at + 3..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if name.is_empty() {
            continue;
        }
        if let Some(length) = length(&source.code[number - 1..]) {
            found.push((name, number, length));
        }
    }
    found
}

/// Lines until the braces are balanced again; `None` where there is no body.
fn length(lines: &[String]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth <= 1 => return Some(at + 1),
                '}' => depth -= 1,
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

/// Modules are named after what they are about.
#[test]
fn modules_have_names_that_say_something() {
    let wrong = all()
        .iter()
        .filter(|s| {
            let stem = s
                .path
                .rsplit('/')
                .next()
                .unwrap_or("")
                .trim_end_matches(".rs");
            EMPTY_NAMES.contains(&stem) || s.path.split('/').any(|part| EMPTY_NAMES.contains(&part))
        })
        .map(|s| s.path.clone())
        .collect();
    assert_none(wrong);
}

/// One word for one thing, and nothing left undone. This file names the words, so it is left out.
#[test]
fn words_are_ours() {
    let mut wrong = Vec::new();
    let sources = all().into_iter().map(|s| (s.path, s.text));
    let texts = ["docs", "config", "systemd"]
        .iter()
        .flat_map(|folder| {
            ["md", "toml", "service"]
                .iter()
                .flat_map(|e| files(folder, e))
        })
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let short = path.strip_prefix(root()).unwrap_or(&path);
            (short.to_string_lossy().into_owned(), text)
        });
    for (path, text) in sources
        .chain(texts)
        .filter(|(p, _)| p != "tests/tidy/shape.rs")
    {
        for (number, line) in (1..).zip(text.lines()) {
            let small = line.to_lowercase();
            for (word, ours) in OTHER_WORDS.iter().filter(|(w, _)| small.contains(w)) {
                wrong.push(format!("{path}:{number}: `{word}`; we say {ours}"));
            }
            for word in LEFTOVERS.iter().filter(|w| has_word(line, w)) {
                wrong.push(format!("{path}:{number}: `{word}`"));
            }
        }
    }
    assert_none(wrong);
}

/// Every file says in its first line what it is for.
#[test]
fn every_file_has_its_heading() {
    let wrong = all()
        .iter()
        .filter(|s| !s.text.starts_with("//!"))
        .map(|s| format!("{}: no `//!` in its first line", s.path))
        .collect();
    assert_none(wrong);
}
