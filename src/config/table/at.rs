//! A value of a table, and where it was given.

use std::ops::Range;

/// A value, and where it was given; a default was given nowhere.
#[derive(Clone, Debug)]
pub(in crate::config) struct At<T> {
    pub(in crate::config) value: T,
    pub(in crate::config) span: Option<Range<usize>>,
}

impl<T> At<T> {
    /// The same place with what is made of the value.
    pub(in crate::config) fn map<U>(self, make: impl FnOnce(T) -> U) -> At<U> {
        At {
            value: make(self.value),
            span: self.span,
        }
    }

    /// How the value came about, for messages that name several values.
    pub(in crate::config) fn origin(&self) -> &'static str {
        match self.span {
            Some(_) => "",
            None => ", the default",
        }
    }
}
