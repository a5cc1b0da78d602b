//! Splits a line into words: `bare`, `"quoted"`, `key=value`, `key="quoted value"`.

use super::problem::Problem;
use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

/// One word of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word<'a> {
    /// What stands before the `=`, if there is one.
    pub key: Option<&'a str>,
    /// The value, without its quotes.
    pub value: Cow<'a, str>,
}

/// The words of a line that are left to be read.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// All words of `line`.
    pub fn of(line: &'a str) -> Words<'a> {
        Words { rest: line }
    }

    /// The next word; `None` at the end of the line.
    pub fn next(&mut self) -> Result<Option<Word<'a>>, Problem> {
        let text = self.rest.trim_start_matches([' ', '\t']);
        if text.is_empty() {
            self.rest = text;
            return Ok(None);
        }
        let end = text.find([' ', '\t', '=', '"']).unwrap_or(text.len());
        let (key, from) = match text[end..].strip_prefix('=') {
            Some(after) if end > 0 => (Some(&text[..end]), after),
            Some(_) | None => (None, text),
        };
        let (value, rest) = value(from)?;
        if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
            return Err(Problem::Quote {
                why: "a space must follow the closing quote",
            });
        }
        self.rest = rest;
        Ok(Some(Word { key, value }))
    }

    /// The next word without a key; what is expected is said by `wanted`.
    pub fn plain(&mut self, wanted: &str) -> Result<Cow<'a, str>, Problem> {
        let before = self.rest;
        match self.next()? {
            Some(Word { key: None, value }) => Ok(value),
            Some(Word { key: Some(_), .. }) | None => Err(expected(wanted, before)),
        }
    }

    /// The value of the next word, which must be `key=...`; `form` says what the value looks like.
    pub fn keyed(&mut self, key: &str, form: &str) -> Result<Cow<'a, str>, Problem> {
        let before = self.rest;
        match self.next()? {
            Some(Word {
                key: Some(found),
                value,
            }) if found == key => Ok(value),
            Some(_) | None => Err(expected(&format!("`{key}={form}`"), before)),
        }
    }

    /// Whether the next word has this key, be its value well-formed or not.
    pub fn has_key(&self, key: &str) -> bool {
        let text = self.rest.trim_start_matches([' ', '\t']);
        let value = text.strip_prefix(key);
        value.is_some_and(|value| value.starts_with('='))
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.rest.trim_matches([' ', '\t']).is_empty()
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Problem> {
        if self.is_over() {
            Ok(())
        } else {
            Err(expected("the end of the line", self.rest))
        }
    }
}

/// The problem that `wanted` should stand where `rest` begins.
pub(super) fn expected(wanted: &str, rest: &str) -> Problem {
    let found = match rest.split_whitespace().next() {
        None => "the end of the line".to_owned(),
        Some(word) => format!("`{word}`"),
    };
    Problem::Expected {
        wanted: wanted.to_owned(),
        found,
    }
}

/// One value at the start of `text`, and what follows it.
fn value(text: &str) -> Result<(Cow<'_, str>, &str), Problem> {
    match text.strip_prefix('"') {
        Some(inner) => {
            let (value, rest) = quoted(inner)?;
            Ok((Cow::Owned(value), rest))
        }
        None => {
            let end = text.find([' ', '\t']).unwrap_or(text.len());
            if text[..end].contains(['"', '=', '\\']) {
                return Err(Problem::Quote {
                    why: "a text with \" = or \\ in it must stand in quotes",
                });
            }
            Ok((Cow::Borrowed(&text[..end]), &text[end..]))
        }
    }
}

/// The rest of a quoted text, up to and with its closing quote, and what follows.
fn quoted(text: &str) -> Result<(String, &str), Problem> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((out, &text[at + 1..])),
            '\\' => {
                let mut rest = chars.as_str().chars().peekable();
                let (c, taken) = escape(&mut rest)?;
                out.push(c);
                // `taken` characters of the escape are behind us now; all of them are ASCII.
                chars.nth(taken - 1);
            }
            c => out.push(c),
        }
    }
    Err(Problem::Quote {
        why: "it has no closing quote",
    })
}

/// The character that an escape stands for, and how many characters follow its backslash.
fn escape(rest: &mut Peekable<Chars<'_>>) -> Result<(char, usize), Problem> {
    const UNKNOWN: Problem = Problem::Quote {
        why: "the escapes are \\\" \\\\ \\n \\r \\t and \\u{HEX}",
    };
    let simple = match rest.next() {
        Some('"') => '"',
        Some('\\') => '\\',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode(rest).ok_or(UNKNOWN),
        Some(_) | None => return Err(UNKNOWN),
    };
    Ok((simple, 1))
}

/// The `{HEX}` behind `\u`: one to six digits.
fn unicode(rest: &mut Peekable<Chars<'_>>) -> Option<(char, usize)> {
    let mut number = 0u32;
    let mut digits = 0;
    rest.next_if_eq(&'{')?;
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(16)) {
        number = number.checked_mul(16)?.checked_add(digit)?;
        digits += 1;
        rest.next();
    }
    rest.next_if_eq(&'}')?;
    let c = char::from_u32(number)?;
    (1..=6).contains(&digits).then_some((c, digits + 3))
}
