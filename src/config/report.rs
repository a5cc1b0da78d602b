//! Collects what is wrong with one text, or with several that belong together.
//!
//! Terms: a *span* is a range of bytes of the text; a [`Place`] is the same for people. Nothing
//! here knows what a configuration may contain.

use super::problem::{Place, Problem, Problems, Severity, visible};
use super::source::{Source, SourceFile};
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

/// Collects the problems of a text.
pub(super) struct Report<'t> {
    /// The files, in the order of their spans.
    parts: Vec<Part<'t>>,
    /// Where the text begins that is looked at by itself; spans are counted from there.
    begin: usize,
    found: Vec<Found>,
    more: usize,
    failed: bool,
    partial: bool,
    /// Values of this program's own, which stand for what the text does not give.
    defaults: BTreeMap<&'static str, Node<'static>>,
}

struct Part<'t> {
    name: &'t str,
    text: &'t str,
    /// Where it begins, counted through all files.
    begin: usize,
    /// Where each line begins, counted in this file.
    lines: Vec<usize>,
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
        Report::with(vec![Part::of(name, text, 0)])
    }

    /// That of all files of a configuration.
    pub(super) fn of(source: &'t Source) -> Report<'t> {
        let part = |(begin, file): (usize, &'t SourceFile)| Part::of(&file.name, &file.text, begin);
        Report::with(source.begins().map(part).collect())
    }

    fn with(parts: Vec<Part<'t>>) -> Report<'t> {
        Report {
            parts,
            begin: 0,
            found: Vec::new(),
            more: 0,
            failed: false,
            partial: false,
            defaults: BTreeMap::new(),
        }
    }

    /// From now on spans are counted from here.
    pub(super) fn set_begin(&mut self, begin: usize) {
        self.begin = begin;
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
        let span = span.start + self.begin..span.end + self.begin;
        let part = self.part(span.start);
        let problem = Problem::new(severity, part.name, Some(part.place(&span)), (what, help));
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

    /// Where the line begins in which this byte stands.
    pub(super) fn line(&self, at: usize) -> usize {
        let at = at + self.begin;
        let part = self.part(at);
        let line = part.line(at.saturating_sub(part.begin));
        part.begin + part.lines.get(line).copied().unwrap_or(0)
    }

    /// The name of the file in which this byte stands, and its line there, from 1.
    pub(super) fn file_and_line(&self, at: usize) -> (&'t str, usize) {
        let part = self.part(at + self.begin);
        let at = (at + self.begin).saturating_sub(part.begin);
        (part.name, part.line(at) + 1)
    }

    /// The file in which this byte stands. There is always one.
    fn part(&self, at: usize) -> &Part<'t> {
        let behind = self.parts.partition_point(|part| part.begin <= at);
        &self.parts[behind.saturating_sub(1)]
    }
}

impl<'t> Part<'t> {
    fn of(name: &'t str, text: &'t str, begin: usize) -> Part<'t> {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0)
            .chain(ends.map(|(at, _)| at + 1))
            .collect();
        Part {
            name,
            text,
            begin,
            lines,
        }
    }

    /// Line number, from 0, of a byte of this file.
    fn line(&self, at: usize) -> usize {
        self.lines
            .partition_point(|begin| *begin <= at)
            .saturating_sub(1)
    }

    /// The place of a span, which may lie anywhere.
    fn place(&self, span: &Range<usize>) -> Place {
        let start = floor(self.text, span.start.saturating_sub(self.begin));
        let end = floor(self.text, span.end.saturating_sub(self.begin)).max(start);
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

/// The last boundary between characters at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
