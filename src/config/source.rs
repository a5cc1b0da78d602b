//! The text of a configuration as it was read, file by file.

use super::forest;
use super::render;
use std::borrow::Cow;

/// One file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// What messages call it: its path.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// The files of a configuration, in the order in which they count: what stands in a later one
/// replaces what an earlier one says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source(Vec<SourceFile>);

impl Source {
    /// A single file.
    pub fn one(name: &str, text: &str) -> Source {
        Source(vec![SourceFile {
            name: name.to_owned(),
            text: text.to_owned(),
        }])
    }

    /// Several files, the first of which names the others.
    pub fn of(files: Vec<SourceFile>) -> Source {
        Source(files)
    }

    /// The files, in their order.
    pub fn files(&self) -> &[SourceFile] {
        &self.0
    }

    /// The name of the first file, by which the configuration is known.
    pub fn name(&self) -> &str {
        self.0.first().map_or("", |file| &file.name)
    }

    /// Where each file begins, counted in bytes through all of them. Between two there is a byte that
    /// is nobody's, so that the end of a file is not the beginning of the next.
    pub(super) fn begins(&self) -> impl Iterator<Item = (usize, &SourceFile)> {
        self.0.iter().scan(0, |at, file| {
            let begin = *at;
            *at += file.text.len() + 1;
            Some((begin, file))
        })
    }

    /// All of it as one TOML text that says the same: that of a single file as it is.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0[..] {
            [] => Cow::Borrowed(""),
            [file] => Cow::Borrowed(&file.text),
            _ => Cow::Owned(render::table(&forest::grown(self))),
        }
    }
}
