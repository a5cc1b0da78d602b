//! Shows what is wrong with a file: where, what, and what to write instead.
//!
//! Terms: a *place* is a line, a column and the text of that line. Nothing here knows what a
//! configuration may contain.

use std::fmt;

/// How bad a problem is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably does not do what it should.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// Where in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// The line, or the part of it around the column, without control characters.
    pub(super) excerpt: String,
    /// What stands before the caret: as many characters as in the excerpt, tabs kept.
    pub(super) indent: String,
    /// Number of carets, at least one.
    pub(super) carets: usize,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub(super) severity: Severity,
    pub(super) file: String,
    pub(super) place: Option<Place>,
    pub(super) what: String,
    pub(super) help: String,
}

impl Problem {
    /// A problem of a file as a whole.
    pub(super) fn of_file(severity: Severity, file: &str, what: String, help: &str) -> Problem {
        Problem::new(severity, file, None, (what, help.to_owned()))
    }

    /// A problem at a place. Names in what is said of it may be anybody's, and drive no terminal.
    pub(super) fn new(
        severity: Severity,
        file: &str,
        place: Option<Place>,
        (what, help): (String, String),
    ) -> Problem {
        Problem {
            severity,
            file: harmless(file.to_owned()),
            place,
            what: harmless(what),
            help: harmless(help),
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Where it is, if it has one place.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// What is wrong, in one line without its place.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Where and what, in one line.
    pub fn brief(&self) -> String {
        match &self.place {
            Some(place) => format!("{}:{}: {}", self.file, place.line, self.what),
            None => format!("{}: {}", self.file, self.what),
        }
    }

    /// What to do about it, in one line; empty where there is nothing to add.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for Problem {
    /// The problem, the line it is in with carets below, and the help, each line ended by LF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}:", self.severity, self.file)?;
        match &self.place {
            None => writeln!(f, " {}", self.what)?,
            Some(place) => {
                writeln!(f, "{}:{}: {}", place.line, place.column, self.what)?;
                let number = place.line.to_string();
                writeln!(f, "  {number} | {}", place.excerpt)?;
                let gap = " ".repeat(number.len());
                let carets = "^".repeat(place.carets);
                writeln!(f, "  {gap} | {}{carets}", place.indent)?;
            }
        }
        if self.help.is_empty() {
            return Ok(());
        }
        writeln!(f, "help: {}", self.help)
    }
}

/// Everything that is wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems {
    pub(super) list: Vec<Problem>,
    pub(super) more: usize,
    /// Not everything could be looked at.
    pub(super) partial: bool,
}

impl Problems {
    /// The problems in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Adds what is wrong with another file that this one names.
    pub(super) fn append(&mut self, other: Problems) {
        self.list.extend(other.list);
        self.more += other.more;
        self.partial |= other.partial;
    }

    /// Number of problems of this severity that are listed.
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|p| p.severity == severity).count()
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(list: Vec<Problem>) -> Problems {
        Problems {
            list,
            more: 0,
            partial: false,
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems::from(vec![problem])
    }
}

impl fmt::Display for Problems {
    /// All problems, each followed by an empty line, and their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            writeln!(f, "{problem}")?;
        }
        let errors = self.count(Severity::Error);
        let warnings = self.count(Severity::Warning);
        let mut parts = Vec::new();
        if errors > 0 {
            parts.push(counted(errors, "error"));
        }
        if warnings > 0 {
            parts.push(counted(warnings, "warning"));
        }
        if self.more > 0 {
            parts.push(format!("{} more not shown", self.more));
        }
        f.write_str(&parts.join(", "))?;
        if self.partial {
            f.write_str("; unknown and missing keys show once the file is TOML")?;
        }
        writeln!(f)
    }
}

impl std::error::Error for Problems {}

fn counted(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

/// The same text in one line, without what could play tricks on a terminal.
fn harmless(text: String) -> String {
    match text.chars().all(|c| visible(c) == c) {
        true => text,
        false => text.chars().map(visible).collect(),
    }
}

/// The character itself, or a stand-in for one that could play tricks on a terminal: control
/// characters, and those that change the direction of what follows.
pub(super) fn visible(c: char) -> char {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if turns || (c.is_control() && c != '\t') || c == '\u{feff}' {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

/// Text of the user, shortened and harmless, in quotes.
pub(super) fn quote(text: &str) -> String {
    /// Enough to recognise a value by; the line itself is shown as well.
    const SHOWN: usize = 48;
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(SHOWN).collect();
    format!("{head:?}...")
}
