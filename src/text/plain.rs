//! Text of others, such that it does nothing to a terminal or a log.

use std::borrow::Cow;

/// It ends a line, moves the cursor, or has text read backwards (Unicode Standard Annex 9).
pub fn misleads(c: char) -> bool {
    let lines = matches!(c, '\u{2028}' | '\u{2029}');
    let marks = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}');
    let order = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || lines || marks || order
}

/// The text with a question mark for each character that misleads.
pub fn plain(text: &str) -> Cow<'_, str> {
    match text.contains(misleads) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.chars().map(shown).collect()),
    }
}

/// The character, or a question mark for one that misleads.
pub fn shown(c: char) -> char {
    if misleads(c) { '?' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What moves the cursor, ends the line or turns the text round is not shown; letters are.
    #[test]
    fn what_misleads_is_not_shown() {
        assert_eq!(
            plain("/srv/\u{1b}[2J\u{202e}x\u{2066}\u{61c}\n"),
            "/srv/?[2J?x???"
        );
        assert!(matches!(plain("/srv/\u{e9} \u{5d0}"), Cow::Borrowed(_)));
    }
}
