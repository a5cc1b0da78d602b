//! Turns bytes into a tree with spans, and says where they are not TOML.
//!
//! The parser goes on after an error. Some errors leave the structure of the file in doubt, such
//! as a header without its bracket; a key that seems unknown or missing may then be fine, so the
//! tree is marked as not *sound* and only values are judged.

use super::FILE_MAX;
use super::problem::{Problem, Problems, Severity, quote};
use super::report::Report;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, Error};

/// Longest text, in bytes, in which all errors are looked for; of a longer one the first is
/// shown. The parser keeps about 200 bytes for each error, and nonsense has one per byte.
const RECOVER_MAX: usize = 64 * 1024;

/// A file as a tree.
pub(super) struct Tree<'i> {
    /// What could be read.
    pub(super) table: Spanned<DeTable<'i>>,
    /// The structure is known to be what the author meant.
    pub(super) sound: bool,
}

/// Parses a text; what is not TOML goes to the report.
pub(super) fn tree<'i>(text: &'i str, report: &mut Report<'i>) -> Tree<'i> {
    let (table, errors) = if text.len() <= RECOVER_MAX {
        DeTable::parse_recoverable(text)
    } else {
        match DeTable::parse(text) {
            Ok(table) => (table, Vec::new()),
            Err(error) => (Spanned::new(0..0, DeTable::new()), vec![error]),
        }
    };
    let sound = flaws(report, text, &errors);
    if !sound {
        report.set_partial();
    }
    Tree { table, sound }
}

/// Reports what is not TOML. True if the structure of the file is beyond doubt all the same.
fn flaws(report: &mut Report<'_>, text: &str, errors: &[Error]) -> bool {
    let mut sound = true;
    let mut last_line = None;
    let mut in_list = false;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let flaw = Flaw::of(error.message());
        // The parser stumbles on through the rest of a line, or of a list, that it did not
        // understand; the first error tells enough.
        let again = in_list && flaw == Flaw::List;
        in_list = flaw == Flaw::List;
        match flaw {
            Flaw::Unquoted => unquoted(report, text, span),
            Flaw::Twice => twice(report, text, span),
            Flaw::Value => garbled(report, text, span, error.message()),
            Flaw::List | Flaw::Structure => {
                sound = false;
                let line = Some(report.line(span.start));
                if line != last_line && !again {
                    structure(report, text, span, error.message());
                }
                last_line = line;
            }
        }
    }
    sound
}

/// What kind of error the parser found, as far as it changes what we do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// A text without quotes; the tree has it as a text.
    Unquoted,
    /// A key that is there already; the tree has the first.
    Twice,
    /// One value is no value; the tree has another in its place.
    Value,
    /// A list or inline table that does not end as it should.
    List,
    /// Anything else.
    Structure,
}

impl Flaw {
    /// By the parser's message, the only thing it tells. A message that changes makes it
    /// `Structure`, which is the careful side; a test notices.
    fn of(message: &str) -> Flaw {
        /// How messages about one value begin.
        const VALUE: &[&str] = &[
            "invalid boolean",
            "invalid float",
            "invalid integer",
            "invalid basic string",
            "invalid literal string",
            "missing escaped value",
            "too few unicode value digits",
            "unexpected leading zero",
            "`_` may only go between digits",
        ];
        if message.starts_with("string values must be quoted") {
            Flaw::Unquoted
        } else if message == "duplicate key" {
            Flaw::Twice
        } else if VALUE.iter().any(|start| message.starts_with(start)) {
            Flaw::Value
        } else if message.contains(" array") || message.contains("key-value pairs") {
            Flaw::List
        } else {
            Flaw::Structure
        }
    }
}

fn unquoted(report: &mut Report<'_>, text: &str, span: Range<usize>) {
    let value = text.get(span.clone()).unwrap_or("").trim();
    let after = text.get(span.end..).unwrap_or("").trim_start();
    if after.starts_with('=') {
        // A key, taken for an item of a list that was not closed; that is reported.
        return;
    }
    let help = in_quotes(value);
    report.weak_error(span, "a text must be in quotes".to_owned(), help);
}

/// How to write a text that has no quotes.
fn in_quotes(value: &str) -> String {
    /// Longer ones are better edited where they stand.
    const SHOWN: usize = 64;
    let plain = |c: char| !c.is_control() && c != '"' && c != '\\';
    if value.len() <= SHOWN && value.chars().all(plain) {
        format!("write \"{value}\"")
    } else {
        "put it in quotes".to_owned()
    }
}

fn twice(report: &mut Report<'_>, text: &str, span: Range<usize>) {
    let key = text.get(span.clone()).unwrap_or("");
    let key = quote(key.trim_matches(['"', '\'']));
    let help = "remove one of the two, or give it another name".to_owned();
    report.error(span, format!("{key} is given twice"), help);
}

/// A value that is none. Words that begin like `true`, `false`, `inf` and `nan` come here, too.
fn garbled(report: &mut Report<'_>, text: &str, span: Range<usize>, message: &str) {
    let rest = text.get(span.start..).unwrap_or("");
    let end = rest.find(['\n', '\r', ',', ']', '}', '#', '"', '\'']);
    let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or("").trim();
    let what = format!("not TOML: {message}");
    if !message.starts_with("invalid boolean") && !message.starts_with("invalid float")
        || !word.starts_with(char::is_alphabetic)
    {
        report.firm_error(span, what, remedy(message).to_owned());
        return;
    }
    let (what, help) = match word.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => (format!("`{word}` is no value"), "write true".to_owned()),
        "no" | "off" | "false" => (format!("`{word}` is no value"), "write false".to_owned()),
        _ => ("a text must be in quotes".to_owned(), in_quotes(word)),
    };
    report.firm_error(span, what, help);
}

fn structure(report: &mut Report<'_>, text: &str, span: Range<usize>, message: &str) {
    let help = if span.start >= text.trim_end().len() {
        "the file ends too early; is something not closed?"
    } else {
        remedy(message)
    };
    report.firm_error(span, format!("not TOML: {message}"), help.to_owned());
}

/// What to do about an error of the parser.
fn remedy(message: &str) -> &'static str {
    /// Beginnings of messages, and what helps.
    const REMEDIES: &[(&str, &str)] = &[
        ("key with no value", "write key = value, or [header]"),
        ("unclosed table", "close the header with ]"),
        (
            "invalid basic string",
            "close the text with \"; inside it, write \\\" for a quote and \\\\ for a backslash",
        ),
        (
            "invalid literal string",
            "close the text with the ' that it began with",
        ),
        ("missing escaped value", "write \\\\ for a backslash"),
        ("unexpected key or value", "begin a new line here"),
        (
            "missing comma between array elements",
            "write a comma between two items, and ] after the last one",
        ),
        (
            "unexpected `=` in array",
            "write ] after the last item of the list above",
        ),
        (
            "missing comma between key-value pairs",
            "write a comma between two pairs",
        ),
        (
            "cannot extend",
            "give the key one value, or keys below it, but not both",
        ),
        ("cannot recurse", "no key needs such depth"),
        ("recursion limit", "no key needs such depth"),
    ];
    let found = REMEDIES
        .iter()
        .find(|(start, _)| message.starts_with(start));
    found.map_or(
        "see https://toml.io for the form of the file",
        |(_, help)| help,
    )
}

/// The problem of a file that the kernel did not let us read.
pub(super) fn unreadable(name: &str, error: &std::io::Error) -> Problem {
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => {
            "name another file, or begin with a copy of config/fieldwarden.toml of the source; \
             fieldwarden.toml(5) explains each key"
        }
        std::io::ErrorKind::PermissionDenied => "run this as root, or change the file's mode",
        _ => "name a regular file that can be read",
    };
    Problem::of_file(
        Severity::Error,
        name,
        format!("cannot be read: {error}"),
        help,
    )
}

/// The problem of a file that is too long.
pub(super) fn too_long(name: &str) -> Problem {
    Problem::of_file(
        Severity::Error,
        name,
        format!("is longer than {FILE_MAX} bytes"),
        "this is hardly a configuration; name another file",
    )
}

/// The problem of a file that is no text.
pub(super) fn not_utf8(name: &str, bytes: &[u8]) -> Problems {
    if bytes.len() > FILE_MAX {
        return too_long(name).into();
    }
    let good = match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    };
    let text = String::from_utf8_lossy(bytes);
    let mut report = Report::new(name, &text);
    // Lossy conversion changes nothing before the first bad byte, so the offset is still right.
    let what = match bytes.get(good) {
        Some(byte) => format!("not UTF-8: byte 0x{byte:02x}"),
        None => "not UTF-8".to_owned(),
    };
    report.error(
        good..good + char::REPLACEMENT_CHARACTER.len_utf8(),
        what,
        "save the file as UTF-8".to_owned(),
    );
    report.finish()
}
