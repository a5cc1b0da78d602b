//! Source files as the rules look at them: without comments, texts and tests.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of Rust.
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
    /// The code: comments and the contents of texts are blanks, tests are blank lines. Lines are
    /// where they were.
    pub code: Vec<String>,
}

impl Source {
    fn read(root: &Path, file: &Path) -> Source {
        let path = file.strip_prefix(root).unwrap_or(file);
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let code = without_tests(&blank(&text));
        Source {
            path: path.to_string_lossy().replace('\\', "/"),
            code: code.lines().map(str::to_owned).collect(),
            text,
        }
    }

    /// The lines of code with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.iter().map(String::as_str))
    }

    /// The file belongs to this file or folder.
    pub fn is_in(&self, place: &str) -> bool {
        self.path == place
            || self
                .path
                .starts_with(&format!("{}/", place.trim_end_matches(".rs")))
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder of the repository with this ending, sorted.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|e| e.path()) {
            match path.is_dir() {
                true if path.ends_with("target") => {}
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == ending) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// All Rust below a folder, except what is compiled for tests only.
pub fn sources(folder: &str) -> Vec<Source> {
    let all: Vec<_> = files(folder, "rs")
        .iter()
        .map(|f| Source::read(root(), f))
        .collect();
    let tests: Vec<String> = all.iter().flat_map(test_modules).collect();
    all.into_iter()
        .filter(|s| !tests.iter().any(|t| s.is_in(t)))
        .collect()
}

/// Files that a file declares as modules for tests, with `.rs`.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = match source.path.strip_suffix("/mod.rs") {
        Some(folder) => folder.to_owned(),
        None if source.path == "src/lib.rs" || source.path == "src/main.rs" => "src".to_owned(),
        None => source.path.trim_end_matches(".rs").to_owned(),
    };
    let lines: Vec<_> = source.text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .filter(|w| w[0] == "#[cfg(test)]")
        .filter_map(|w| {
            let name = w[1].rsplit("mod ").next()?.strip_suffix(';')?;
            w[1].contains("mod ").then(|| format!("{folder}/{name}.rs"))
        })
        .collect()
}

/// Blanks out comments, and the contents of texts and characters.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => line_end(&chars, at),
            ('/', Some('*')) => comment_end(&chars, at),
            ('r', Some('"' | '#')) if !word(&chars, at) => raw_end(&chars, at),
            ('"', _) => text_end(&chars, at),
            ('\'', Some(_)) => char_end(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            let quote = if chars[at] == '/' { ' ' } else { '"' };
            out.push(quote);
            let blanks = chars[at + 1..end.min(chars.len())].iter();
            out.extend(blanks.map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// The character before is part of a word, so this one is, too.
fn word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn line_end(chars: &[char], at: usize) -> usize {
    let rest = chars[at..].iter().position(|c| *c == '\n');
    rest.map_or(chars.len(), |n| at + n)
}

fn comment_end(chars: &[char], at: usize) -> usize {
    let rest = chars[at + 2..].windows(2).position(|w| w == ['*', '/']);
    rest.map_or(chars.len(), |n| at + n + 4)
}

fn text_end(chars: &[char], at: usize) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != '"' {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    end + 1
}

fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let mut end = at + 2 + hashes;
    while end < chars.len() {
        let closing = &chars[end + 1..(end + 1 + hashes).min(chars.len())];
        if chars[end] == '"' && closing.iter().filter(|c| **c == '#').count() == hashes {
            return end + 1 + hashes;
        }
        end += 1;
    }
    end
}

/// A character, not the name of a lifetime.
fn char_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let rest = chars[at + 3..].iter().position(|c| *c == '\'');
            rest.map_or(chars.len(), |n| at + n + 4)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// Empties every item behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = item_end(item);
        out.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    out + rest
}

/// Where an item ends: behind its `;` or its closing brace.
fn item_end(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Whether `word` stands in the line by itself, not as a part of a longer word.
pub fn has_word(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let starts = word.starts_with(|c: char| c.is_alphanumeric());
        let ends = word.ends_with(|c: char| c.is_alphanumeric());
        !(starts && part(before) || ends && part(after))
    })
}

/// The names of the variants of an enum in a file.
pub fn variants(path: &str, name: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let code = blank(&text);
    let head = format!("pub enum {name} {{");
    let at = code
        .find(&head)
        .unwrap_or_else(|| panic!("{path}: no {head}"));
    let body = &code[at + head.len()..at + item_end(&code[at..]) - 1];
    let mut depth = 0;
    let mut found = Vec::new();
    for line in body.lines() {
        let word: String = line
            .trim()
            .chars()
            .take_while(|c| c.is_alphanumeric())
            .collect();
        if depth == 0 && word.starts_with(char::is_uppercase) {
            found.push(word);
        }
        depth += line.matches(['{', '(']).count();
        depth -= line.matches(['}', ')']).count();
    }
    found
}
