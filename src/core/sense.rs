//! The latest reading of one source, and what its absence means: never good news, and told once.

use super::Pass;
use super::fact::{Fault, Source};
use super::note::Note;

/// The latest reading of one source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Last<T> {
    /// Nothing was ever heard.
    #[default]
    Never,
    /// The latest value.
    At(T),
    /// It could be read once, or never, and cannot be read now.
    Gone,
}

impl<T: Copy> Last<T> {
    /// The value, if there is one that still stands.
    pub fn value(&self) -> Option<T> {
        match self {
            Last::At(value) => Some(*value),
            Last::Never | Last::Gone => None,
        }
    }

    /// Takes a reading in; says so if the source had been lost.
    pub fn see(&mut self, value: T, source: Source, pass: &mut Pass) {
        if matches!(self, Last::Gone) {
            pass.out.note(Note::SourceBack { source });
        }
        *self = Last::At(value);
    }

    /// Takes a loss in; says so once.
    pub fn lose(&mut self, source: Source, why: &Fault, pass: &mut Pass) {
        if !matches!(self, Last::Gone) {
            pass.out.note(Note::SourceLost {
                source,
                why: why.clone(),
            });
        }
        *self = Last::Gone;
    }

    /// The thread that reads it is stuck: what was read no longer stands.
    pub fn distrust(&mut self) {
        if matches!(self, Last::At(_)) {
            *self = Last::Never;
        }
    }
}
