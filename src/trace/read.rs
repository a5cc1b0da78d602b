//! Reads a trace: the document and its steps.

mod configuration;
mod fact;
mod guard;
mod job;
mod marker;
mod probe;
mod request;
mod said;
mod standing;
mod value;

use super::problem::{Problem, TraceError};
use super::{MAGIC, META, SEPARATOR, VERSION};
use crate::core::fact::{Fact, OrderId};
use crate::core::settings::Settings;
use crate::units::Mono;
pub use fact::parse_fact;
pub use marker::parse_marker;

/// A trace, split into its header and its steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document<'a> {
    file: &'a str,
    /// The whole header, which is TOML, without the separator.
    pub config: &'a str,
    body: &'a str,
    first: usize,
}

/// Opens the trace in `text`, which came from `file` (only used in messages).
///
/// # Errors
/// When the first line is not that of a trace, when its version is newer than ours, and when there
/// is no separator.
pub fn open<'a>(file: &'a str, text: &'a str) -> Result<Document<'a>, TraceError> {
    version(text.lines().next().unwrap_or_default())
        .map_err(|p| TraceError::from(p).at(file, 1))?;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end_matches(['\r', '\n']) == SEPARATOR {
            return Ok(Document {
                file,
                config: &text[..at],
                body: &text[at + line.len()..],
                first: number + 2,
            });
        }
        at += line.len();
    }
    let last = text.lines().count();
    Err(TraceError::from(Problem::NoSeparator).at(file, last))
}

fn version(line: &str) -> Result<(), Problem> {
    let found = line
        .strip_prefix(META)
        .and_then(|rest| rest.trim_end().strip_prefix(MAGIC))
        .and_then(|rest| rest.strip_prefix(' '))
        .and_then(|number| number.parse::<u32>().ok())
        .filter(|number| *number > 0)
        .ok_or(Problem::NotATrace)?;
    if found > VERSION {
        return Err(Problem::TooNew { found });
    }
    Ok(())
}

impl<'a> Document<'a> {
    /// The value of a `#:KEY VALUE` line of the header.
    pub fn meta(&self, key: &str) -> Option<&'a str> {
        self.metas(key).next()
    }

    /// The values of all `#:KEY VALUE` lines of the header with this key, in their order.
    pub fn metas(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.config.lines().filter_map(move |line| {
            let (found, value) = line.strip_prefix(META)?.split_once(' ')?;
            (found == key).then_some(value)
        })
    }

    /// Its steps, read with the settings that its own configuration makes.
    pub fn steps<'s>(&self, settings: &'s Settings) -> Steps<'a, 's> {
        Steps {
            file: self.file,
            rest: self.body,
            line: self.first,
            before: Mono(0),
            settings,
            failed: false,
        }
    }
}

/// One fact and what the recorded core answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step<'a> {
    /// Comments and blank lines above the fact, as they are.
    pub lead: Vec<&'a str>,
    /// Line of the fact in its file, counted from 1.
    pub line: usize,
    /// When.
    pub at: Mono,
    /// What was observed.
    pub fact: Fact,
    /// The order lines.
    pub orders: Vec<Echo<'a>>,
    /// The note lines.
    pub notes: Vec<Echo<'a>>,
}

/// An order or a note as it was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Echo<'a> {
    /// Its line in its file, counted from 1.
    pub line: usize,
    /// Its text without indentation, without `>` or `!`, and without the number of the order.
    pub text: &'a str,
    /// The number of the order, where one was recorded.
    pub order: Option<OrderId>,
}

/// Iterator over the steps of a document. It ends after the first error.
#[derive(Clone, Debug)]
pub struct Steps<'a, 's> {
    file: &'a str,
    rest: &'a str,
    line: usize,
    before: Mono,
    settings: &'s Settings,
    failed: bool,
}

/// What a line is, by its first characters.
enum Kind<'a> {
    Remark,
    Order(&'a str),
    Note(&'a str),
    Fact,
}

impl<'a> Steps<'a, '_> {
    /// What is left: once the iterator is through, the comments and blank lines behind the last
    /// step.
    pub fn remarks(&self) -> Vec<&'a str> {
        self.rest.lines().collect()
    }

    /// The next line without its end, if it is a whole one.
    fn peek(&self) -> Option<Result<&'a str, Problem>> {
        match self.rest.find('\n') {
            Some(end) => Some(Ok(self.rest[..end].trim_end_matches('\r'))),
            None if self.rest.is_empty() => None,
            None => Some(Err(Problem::CutShort)),
        }
    }

    /// Leaves the line behind that [`Steps::peek`] showed.
    fn skip(&mut self) {
        if let Some(end) = self.rest.find('\n') {
            self.rest = &self.rest[end + 1..];
            self.line += 1;
        }
    }

    fn read(&mut self) -> Result<Option<Step<'a>>, Problem> {
        let start = self.clone();
        let mut lead = Vec::new();
        let text = loop {
            let Some(text) = self.peek().transpose()? else {
                *self = start;
                return Ok(None);
            };
            match kind(text) {
                Kind::Remark => lead.push(text),
                Kind::Order(_) | Kind::Note(_) => return Err(Problem::Orphan),
                Kind::Fact => break text,
            }
            self.skip();
        };
        let mut step = self.fact(text)?;
        step.lead = lead;
        self.skip();
        self.echoes(&mut step);
        Ok(Some(step))
    }

    fn fact(&mut self, text: &str) -> Result<Step<'a>, Problem> {
        let (at, fact) = fact::read(text, self.settings)?;
        if at < self.before {
            return Err(Problem::Backwards {
                before: self.before.to_string(),
            });
        }
        self.before = at;
        Ok(Step {
            lead: Vec::new(),
            line: self.line,
            at,
            fact,
            orders: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// The order and note lines that follow. Remarks among them go to the step after, unless
    /// another echo follows. A line that is cut short is left for the step after to complain about.
    fn echoes(&mut self, step: &mut Step<'a>) {
        let mut after_last = self.clone();
        while let Some(Ok(text)) = self.peek() {
            match kind(text) {
                Kind::Fact => break,
                Kind::Order(text) => step.orders.push(order(self.line, text)),
                Kind::Note(text) => step.notes.push(Echo {
                    line: self.line,
                    text,
                    order: None,
                }),
                Kind::Remark => {
                    self.skip();
                    continue;
                }
            }
            self.skip();
            after_last = self.clone();
        }
        *self = after_last;
    }
}

impl<'a> Iterator for Steps<'a, '_> {
    type Item = Result<Step<'a>, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.read().transpose()?;
        Some(step.map_err(|problem| {
            self.failed = true;
            TraceError::from(problem).at(self.file, self.line)
        }))
    }
}

fn kind(line: &str) -> Kind<'_> {
    let text = line.trim();
    if text.is_empty() || text.starts_with('#') {
        return Kind::Remark;
    }
    if let Some(rest) = text.strip_prefix('>') {
        return Kind::Order(rest.trim_start());
    }
    if let Some(rest) = text.strip_prefix('!') {
        return Kind::Note(rest.trim_start());
    }
    Kind::Fact
}

/// An order line, with its number taken off where it carries one.
fn order(line: usize, text: &str) -> Echo<'_> {
    let number = text
        .rsplit_once(" order=")
        .and_then(|(text, number)| Some((text, number.parse().ok()?)));
    match number {
        Some((text, number)) => Echo {
            line,
            text,
            order: Some(OrderId(number)),
        },
        None => Echo {
            line,
            text,
            order: None,
        },
    }
}
