//! What can be wrong with a trace.

use super::{MAGIC, META, SEPARATOR, VERSION};
use std::fmt;
use thiserror::Error;

/// A problem, with its place where that is known.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub struct TraceError {
    /// File, as the caller named it, and line, counted from 1.
    pub place: Option<(String, usize)>,
    /// What is wrong.
    pub problem: Problem,
}

impl TraceError {
    /// The same problem at this place.
    #[must_use]
    pub fn at(self, file: &str, line: usize) -> TraceError {
        TraceError {
            place: Some((file.to_owned(), line)),
            ..self
        }
    }
}

impl From<Problem> for TraceError {
    fn from(problem: Problem) -> TraceError {
        TraceError {
            place: None,
            problem,
        }
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.place {
            write!(f, "{file}:{line}: ")?;
        }
        self.problem.fmt(f)
    }
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Problem {
    /// It does not begin like a trace.
    #[error("not a trace: the first line must be `{META}{MAGIC} {VERSION}`")]
    NotATrace,
    /// A later fieldwarden wrote it.
    #[error(
        "trace of version {found}, but this fieldwarden reads versions up to {VERSION}: use the \
         fieldwarden that wrote it, or a newer one"
    )]
    TooNew {
        /// Its version.
        found: u32,
    },
    /// Header and steps are not separated.
    #[error("no line `{SEPARATOR}` between the configuration and the facts")]
    NoSeparator,
    /// Something else stands there.
    #[error("expected {wanted}, found {found}")]
    Expected {
        /// What should stand there.
        wanted: String,
        /// What does.
        found: String,
    },
    /// The configuration has no such service or mount point.
    #[error("the configuration has no {kind} `{name}`{}", did_you_mean(.nearest))]
    Unknown {
        /// `service` or `mount point`.
        kind: &'static str,
        /// The name that was found.
        name: String,
        /// The name that was perhaps meant.
        nearest: Option<String>,
    },
    /// A value is of the right form and out of its range.
    #[error("{what} is out of range: {why}")]
    Range {
        /// The value as written.
        what: String,
        /// The range.
        why: &'static str,
    },
    /// A quoted text does not end, or holds an escape that is none.
    #[error("bad quoted text: {why}")]
    Quote {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Time ran backwards.
    #[error("time runs backwards: the fact before this one is from {before}")]
    Backwards {
        /// Time of the step before.
        before: String,
    },
    /// An order or note before the first fact.
    #[error("a line with `>` or `!` belongs to a fact, and there is none above it")]
    Orphan,
    /// The last line has no line feed, so it may be half a line.
    #[error("the file ends in the middle of this line; everything above it is whole")]
    CutShort,
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
