//! Reads numbers of the kernel's limits: sizes in bytes, counts, values that may be negative.
//!
//! Every function says what is wrong in the report and then returns `None`. `path` is the full
//! name of the key, as messages show it. Nothing here knows which keys there are.

use super::Amount;
use super::quantity::{self, outside};
use super::report::Report;
use super::schema::{self, Kind};
use super::value::{Node, mistyped};
use toml::de::DeValue;

/// Sizes count in bytes, and K is 1024.
const BYTES: quantity::Units = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("B", 1),
];

/// A whole number within bounds, which may be negative.
pub(super) fn signed(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    bounds: (i32, i32),
) -> Option<i32> {
    let kind = Kind::Signed(bounds.0, bounds.1);
    let Some(integer) = node.get_ref().as_integer() else {
        let help = format!("write {kind}, without quotes");
        mistyped(report, path, node, &kind, help);
        return None;
    };
    match i32::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(n) if (bounds.0..=bounds.1).contains(&n) => Some(n),
        Ok(_) | Err(_) => {
            outside(report, path, node.span(), &integer.to_string(), &kind);
            None
        }
    }
}

/// One of these words, which stands for `None`, or a whole number within bounds.
pub(super) fn word_or_count(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    words: &'static [&'static str],
    bounds: (u32, u32),
) -> Option<Option<u32>> {
    let kind = Kind::WordOrCount(words, bounds.0, bounds.1);
    match node.get_ref() {
        DeValue::String(text) if words.contains(&text.as_ref()) => Some(None),
        DeValue::Integer(integer) => match u32::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(n) if (bounds.0..=bounds.1).contains(&n) => Some(Some(n)),
            Ok(_) | Err(_) => {
                outside(report, path, node.span(), &integer.to_string(), &kind);
                None
            }
        },
        DeValue::String(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => {
            let help = format!("write {kind}; numbers without quotes");
            mistyped(report, path, node, &kind, help);
            None
        }
    }
}

/// One of these words, which stands for `None`, or a size within bounds.
pub(super) fn word_or_size(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    words: &'static [&'static str],
    bounds: (u64, u64),
) -> Option<Option<u64>> {
    let kind = Kind::WordOrSize(words, bounds.0, bounds.1);
    match node.get_ref().as_str() {
        Some(text) if words.contains(&text) => Some(None),
        Some(_) | None => size(report, path, node, &kind, bounds).map(Some),
    }
}

/// One of these words, a size within bounds, or a share of all there is.
pub(super) fn amount(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    words: &'static [&'static str],
    bounds: (u64, u64),
) -> Option<Amount> {
    let kind = Kind::Amount(words, bounds.0, bounds.1);
    match node.get_ref().as_str() {
        Some(text) if words.contains(&text) => Some(Amount::Unlimited),
        Some(text) if text.ends_with('%') => {
            let share = quantity::share(report, path, node)?;
            if share.0 == 0 {
                outside(report, path, node.span(), text, &kind);
                return None;
            }
            Some(Amount::Share(share))
        }
        Some(_) | None => size(report, path, node, &kind, bounds).map(Amount::Bytes),
    }
}

/// A size within bounds.
fn size(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: &Kind,
    bounds: (u64, u64),
) -> Option<u64> {
    let text = quantity::text(report, path, node, kind, "B")?;
    let Some(value) = quantity::with_ending(text, BYTES) else {
        let help = "write a number with its unit, as in \"64KiB\", \"512MiB\" or \"1.5GiB\"";
        quantity::unreadable(report, path, node, text, "size", help);
        return None;
    };
    if (bounds.0..=bounds.1).contains(&value) {
        return Some(value);
    }
    outside(report, path, node.span(), &schema::size(value), kind);
    None
}
