//! Limits that are not enforced, as fields.

use super::{Fields, Value, word};
use crate::core::note::Note;
use crate::text::words::{controller_word, lack_word};

/// The event about limits of one controller; without fields for any other note.
pub(super) fn unenforced(note: &Note) -> (&'static str, Fields) {
    let mut fields = vec![];
    if let Note::LimitsUnenforced {
        controller,
        lack,
        asked,
    } = note
    {
        fields = vec![
            ("controller", word(controller_word(*controller))),
            ("lack", word(lack_word(*lack))),
            ("asked", Value::Flag(*asked)),
        ];
    }
    ("limits-unenforced", fields)
}
