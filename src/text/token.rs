//! One value as one token of a line, quoted where it has to be.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` as one token: as it is where it consists of letters, digits and `_ - . / : @ +`, and
/// otherwise in double quotes, with `\"`, `\\`, `\n`, `\r`, `\t` and `\u{HEX}` for whatever would
/// not show or would end the line.
pub fn token(text: &str) -> Cow<'_, str> {
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\'' => out.push('\''),
            c if c.escape_debug().len() == 1 => out.push(c),
            // Writing to a string cannot fail.
            c => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    out.push('"');
    Cow::Owned(out)
}

fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-./:@+".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What needs no quotes gets none, and what would break a line is escaped.
    #[test]
    fn quotes_only_where_needed() {
        assert_eq!(token("/srv/data"), "/srv/data");
        assert_eq!(token(""), "\"\"");
        assert_eq!(token("systemd (pid 1)"), "\"systemd (pid 1)\"");
        assert_eq!(token("a\n\"\u{7}é"), "\"a\\n\\\"\\u{7}é\"");
    }
}
