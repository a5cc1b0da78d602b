//! Collects what is wrong with one text.
//!
//! Terms: a *span* is a range of bytes of the text; a [`Place`] is the same for people. Nothing
//! here knows what a configuration may contain.

use super::problem::{Place, Problem, Problems, Severity};
use super::value::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::de::DeValue;

/// Problems that are kept in full. More are only counted, so that a large file of nonsense can
/// neither fill the memory nor scroll the first problem out of sight for good.
const KEPT: usize = 200;

/// Characters of a source line that are shown. Longer lines are cut around the span; a terminal
/// would wrap them and tear the caret from its place.
const EXCERPT: usize = 100;

/// Collects the problems of one text.
pub(super) struct Report<'t> {
    name: &'t str,
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
    found: Vec<Found>,
    more: usize,
    failed: bool,
    partial: bool,
    /// Values of this program's own, which stand for what the text does not give.
    defaults: BTreeMap<&'static str, Node<'static>>,
}

struct Found {
    span: Range<usize>,
    problem: Problem,
    weight: Weight,
}

/// Which of two problems at one place is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Gives way to any other one that begins at the same place.
    Weak,
    /// Gives way to a firm one inside it.
    Plain,
    /// The cause of what else is wrong there.
    Firm,
}

impl<'t> Report<'t> {
    pub(super) fn new(name: &'t str, text: &'t str) -> Report<'t> {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0)
            .chain(ends.map(|(at, _)| at + 1))
            .collect();
        Report {
            name,
            text,
            lines,
            found: Vec::new(),
            more: 0,
            failed: false,
            partial: false,
            defaults: BTreeMap::new(),
        }
    }

    /// The value of a default, to be given back with [`keep_default`](Report::keep_default); `None` if
    /// it is none.
    pub(super) fn default_value(&mut self, text: &'static str) -> Option<Node<'static>> {
        let known = self.defaults.remove(text);
        known.or_else(|| DeValue::parse(text).ok())
    }

    /// Keeps it for the next time: there may be a thousand tables of one kind.
    pub(super) fn keep_default(&mut self, text: &'static str, value: Node<'static>) {
        self.defaults.insert(text, value);
    }

    /// Something that makes the file unusable.
    pub(super) fn error(&mut self, span: Range<usize>, what: String, help: String) {
        self.add(Severity::Error, Weight::Plain, span, (what, help));
    }

    /// An error that is better explained by another one at the same place, if there is one.
    pub(super) fn weak_error(&mut self, span: Range<usize>, what: String, help: String) {
        self.add(Severity::Error, Weight::Weak, span, (what, help));
    }

    /// An error because of which values around it cannot be judged.
    pub(super) fn firm_error(&mut self, span: Range<usize>, what: String, help: String) {
        self.add(Severity::Error, Weight::Firm, span, (what, help));
    }

    /// Something that is probably not meant.
    pub(super) fn warning(&mut self, span: Range<usize>, what: String, help: String) {
        self.add(Severity::Warning, Weight::Plain, span, (what, help));
    }

    fn add(
        &mut self,
        severity: Severity,
        weight: Weight,
        span: Range<usize>,
        (what, help): (String, String),
    ) {
        self.failed |= severity == Severity::Error;
        if self.found.len() >= KEPT {
            self.more += 1;
            return;
        }
        let problem = Problem {
            severity,
            file: self.name.to_owned(),
            place: Some(self.place(&span)),
            what,
            help,
        };
        self.found.push(Found {
            span,
            problem,
            weight,
        });
    }

    /// Says that keys were only looked at in part.
    pub(super) fn set_partial(&mut self) {
        self.partial = true;
    }

    /// Is there any error?
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// The problems in the order of the file.
    pub(super) fn finish(mut self) -> Problems {
        let starts = |weight: Weight| -> BTreeSet<usize> {
            let found = self.found.iter().filter(|found| found.weight == weight);
            found.map(|found| found.span.start).collect()
        };
        let (plain, firm) = (starts(Weight::Plain), starts(Weight::Firm));
        self.found.retain(|found| match found.weight {
            Weight::Weak => !plain.contains(&found.span.start),
            Weight::Plain => {
                // An empty span stands for something that is missing: nothing is inside.
                let span = found.span.start..=found.span.end;
                found.span.is_empty() || firm.range(span).next().is_none()
            }
            Weight::Firm => true,
        });
        self.found.sort_by_key(|found| found.span.start);
        Problems {
            list: self.found.into_iter().map(|found| found.problem).collect(),
            more: self.more,
            partial: self.partial,
        }
    }

    /// Line number, from 0, of a byte.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines
            .partition_point(|begin| *begin <= at)
            .saturating_sub(1)
    }

    /// The place of a span, which may lie anywhere.
    fn place(&self, span: &Range<usize>) -> Place {
        let start = floor(self.text, span.start);
        let end = floor(self.text, span.end).max(start);
        let line = self.line(start);
        let begin = self.lines.get(line).copied().unwrap_or(0);
        let next = self.lines.get(line + 1).copied();
        let source = &self.text[begin..next.unwrap_or(self.text.len())];
        let source = source.trim_end_matches(['\n', '\r']);
        let before = self.text[begin..start].chars().count();
        let shown: Vec<char> = source.chars().map(visible).collect();
        let inside = self.text[start..end].lines().next().unwrap_or("");
        let width = inside.chars().count().max(1);
        excerpt(line + 1, before, &shown, width)
    }
}

/// Cuts a line to what is shown.
fn excerpt(line: usize, before: usize, shown: &[char], width: usize) -> Place {
    let from = if shown.len() <= EXCERPT {
        0
    } else {
        before
            .saturating_sub(EXCERPT / 2)
            .min(shown.len() - EXCERPT)
    };
    let upto = shown.len().min(from + EXCERPT);
    let mut excerpt: String = shown[from..upto].iter().collect();
    let mut indent: String = shown[from..before.clamp(from, upto)]
        .iter()
        .map(|c| if *c == '\t' { '\t' } else { ' ' })
        .collect();
    if from > 0 {
        excerpt.insert_str(0, "...");
        indent.insert_str(0, "   ");
    }
    if upto < shown.len() {
        excerpt.push_str("...");
    }
    Place {
        line,
        column: before + 1,
        excerpt,
        indent,
        carets: width.min(upto.saturating_sub(before)).max(1),
    }
}

/// The character itself, or a stand-in for one that could play tricks on a terminal: control
/// characters, and those that change the direction of what follows.
fn visible(c: char) -> char {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if turns || (c.is_control() && c != '\t') || c == '\u{feff}' {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

/// The last boundary between characters at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
