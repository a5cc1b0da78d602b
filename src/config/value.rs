//! Reads one value that is no quantity: a flag, a word, a text, a path, a list.
//!
//! Every function says what is wrong in the report and then returns `None`. `path` is the full
//! name of the key, as messages show it. Nothing here knows which keys there are.

use super::problem::quote;
use super::report::Report;
use super::schema::{Kind, quoted};
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

/// A value of the file, and where it is.
pub(super) type Node<'i> = Spanned<DeValue<'i>>;

/// Longest path that the kernel takes, in bytes, without the NUL at its end.
const PATH_MAX: usize = 4095;

/// A value of another type than the key's.
pub(super) fn mistyped(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: &Kind,
    help: String,
) {
    let found = match node.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a bare number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    report.error(
        node.span(),
        format!("`{path}` must be {kind}, not {found}"),
        help,
    );
}

/// `true` or `false`.
pub(super) fn flag(report: &mut Report<'_>, path: &str, node: &Node<'_>) -> Option<bool> {
    let value = node.get_ref().as_bool();
    if value.is_none() {
        let help = match node
            .get_ref()
            .as_str()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("yes" | "on" | "true") => "write true, without quotes",
            Some("no" | "off" | "false") => "write false, without quotes",
            Some(_) | None => "write true or false, without quotes",
        };
        mistyped(report, path, node, &Kind::Flag, help.to_owned());
    }
    value
}

/// A text without NUL.
pub(super) fn string<'n>(
    report: &mut Report<'_>,
    path: &str,
    node: &'n Node<'_>,
    kind: &Kind,
) -> Option<&'n str> {
    let Some(text) = node.get_ref().as_str() else {
        mistyped(report, path, node, kind, format!("write {kind}, in quotes"));
        return None;
    };
    free_of_nul(report, path, node, text)
}

/// The text, if it is free of NUL, which no argument, path or variable can hold.
pub(super) fn free_of_nul<'n>(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    text: &'n str,
) -> Option<&'n str> {
    if !text.contains('\0') {
        return Some(text);
    }
    report.error(
        node.span(),
        format!("`{path}` contains a NUL character"),
        "remove \\u0000: the kernel would end the text there".to_owned(),
    );
    None
}

/// One of these words.
pub(super) fn choice(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    words: &'static [&'static str],
) -> Option<&'static str> {
    let kind = Kind::Choice(words);
    let text = string(report, path, node, &kind)?;
    let known = words.iter().find(|word| **word == text);
    if known.is_none() {
        unlisted(report, path, node, text, words, &quoted(words));
    }
    known.copied()
}

/// Reports a word that is none of those that are known.
pub(super) fn unlisted(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    text: &str,
    words: &[&str],
    allowed: &str,
) {
    // Some words are written in capitals; nobody should have to guess that.
    let same = |word: &&&str| word.eq_ignore_ascii_case(text);
    let near = words.iter().find(same).copied();
    let help = match near.or_else(|| nearest(text, words.iter().copied())) {
        Some(word) => format!("did you mean \"{word}\"? allowed: {allowed}"),
        None => format!("allowed: {allowed}"),
    };
    report.error(
        node.span(),
        format!("`{path}` cannot be {}", shown(node)),
        help,
    );
}

/// An absolute path.
pub(super) fn path(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: &Kind,
) -> Option<PathBuf> {
    let text = string(report, path, node, kind)?;
    if !text.starts_with('/') {
        let shown = quote(text);
        report.error(
            node.span(),
            format!("`{path}` must be {kind}, not {shown}"),
            "start it with /: the daemon has no directory that a path could be relative to"
                .to_owned(),
        );
        return None;
    }
    if text.len() > PATH_MAX {
        report.error(
            node.span(),
            format!("`{path}` has {} bytes", text.len()),
            format!("a path has at most {PATH_MAX} bytes"),
        );
        return None;
    }
    Some(PathBuf::from(text))
}

/// The known word that somebody may have meant.
pub(super) fn nearest<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    /// Nobody mistypes longer names, and the comparison takes time by the product of lengths.
    const LONGEST: usize = 64;
    /// Below this, suggestions are more puzzling than helpful.
    const ALIKE: f64 = 0.8;
    if text.len() > LONGEST {
        return None;
    }
    words
        .map(|word| (strsim::jaro_winkler(text, word), word))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// The items of a list. `example` is in TOML.
pub(super) fn list<'n, 'i>(
    report: &mut Report<'_>,
    path: &str,
    node: &'n Node<'i>,
    kind: &Kind,
    example: &str,
) -> Option<&'n [Node<'i>]> {
    match node.get_ref() {
        DeValue::Array(items) => Some(items),
        _ => {
            mistyped(report, path, node, kind, format!("write it as {example}"));
            None
        }
    }
}

/// A text of the file as messages show it.
pub(super) fn shown(node: &Node<'_>) -> String {
    quote(node.get_ref().as_str().unwrap_or(""))
}

/// A key as it is written in the file: in quotes if it needs them.
pub(super) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quote(name)
    }
}
