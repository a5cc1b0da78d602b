//! The pages: prose, code and tables of a Markdown file.

use std::fs;
use std::path::{Path, PathBuf};

/// One Markdown file.
pub struct Page {
    /// Its path below the root of the sources.
    pub name: String,
    pub text: String,
}

/// A piece of code in a page.
pub struct Code {
    /// `toml`, `console`; empty where the page does not say.
    pub language: String,
    pub text: String,
    /// The line on which it begins.
    pub line: usize,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page by its path below the root.
pub fn page(name: &str) -> Page {
    let text = fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    Page {
        name: name.to_owned(),
        text,
    }
}

/// Every page that people read.
pub fn all() -> Vec<Page> {
    let mut files: Vec<PathBuf> = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    for folder in ["docs", "tests", "examples"] {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    assert!(files.len() > 15, "pages are missing: {files:?}");
    let name = |file: &PathBuf| {
        let short = file.strip_prefix(root()).expect("below the root");
        short.to_string_lossy().into_owned()
    };
    files.iter().map(|file| page(&name(file))).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|e| e == "md") {
            into.push(path);
        }
    }
}

impl Page {
    /// Fenced blocks, and blocks that are indented by four.
    pub fn blocks(&self) -> Vec<Code> {
        let mut blocks: Vec<Code> = Vec::new();
        let mut fenced = false;
        let mut blank_before = true;
        let mut open = false;
        for (line, text) in (1..).zip(self.text.lines()) {
            if let Some(language) = text.trim_start().strip_prefix("```") {
                fenced = !fenced;
                open = fenced;
                if fenced {
                    blocks.push(code(language, line));
                }
            } else if fenced {
                push(&mut blocks, text);
            } else if let Some(text) = text.strip_prefix("    ").filter(|_| open || blank_before) {
                if !open {
                    blocks.push(code("", line));
                    open = true;
                }
                push(&mut blocks, text);
            } else {
                open = open && text.is_empty();
            }
            blank_before = text.is_empty();
        }
        assert!(!fenced, "{}: a block does not end", self.name);
        blocks
    }

    /// Code within lines: what stands between single backticks.
    pub fn spans(&self) -> Vec<(usize, String)> {
        self.prose()
            .flat_map(|(line, text)| {
                let parts: Vec<&str> = text.split('`').collect();
                let inner = parts.into_iter().skip(1).step_by(2);
                inner
                    .map(|span| (line, span.to_owned()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Lines that are not inside a fenced block.
    pub fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut fenced = false;
        (1..).zip(self.text.lines()).filter(move |(_, text)| {
            let fence = text.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        })
    }

    /// The rows of every table, each with its line and its cells; without heads.
    pub fn rows(&self) -> Vec<(usize, Vec<String>)> {
        let lines: Vec<(usize, &str)> = self.prose().collect();
        let mut rows = Vec::new();
        let mut inside = false;
        for (line, text) in lines {
            let row = text.starts_with('|');
            let rule = row && text.chars().all(|c| "|-: ".contains(c));
            if rule {
                inside = true;
            } else if row && inside {
                rows.push((line, cells(text)));
            } else if !row {
                inside = false;
            }
        }
        rows
    }
}

fn cells(row: &str) -> Vec<String> {
    // A vertical bar in code is written `\|`.
    let row = row.replace("\\|", "\u{0}");
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    let cells = inner.split('|').map(|c| c.trim().replace('\u{0}', "|"));
    cells.collect()
}

fn code(language: &str, line: usize) -> Code {
    Code {
        language: language.trim().to_owned(),
        text: String::new(),
        line,
    }
}

fn push(blocks: &mut [Code], text: &str) {
    let block = blocks.last_mut().expect("a block is open");
    block.text.push_str(text);
    block.text.push('\n');
}
