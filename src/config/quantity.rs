//! Reads one quantity: its unit and its bounds.
//!
//! Every function says what is wrong in the report and then returns `None`. `path` is the full
//! name of the key, as messages show it. Nothing here knows which keys there are.

use super::problem::quote;
use super::report::Report;
use super::schema::{Kind, brief};
use super::value::{Node, mistyped};
use crate::units::{MilliCelsius, Permille};
use jiff::fmt::friendly::SpanParser;
use std::ops::Range;
use std::time::Duration;
use toml::de::DeValue;

/// A whole number within bounds.
pub(super) fn count(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    bounds: (u32, u32),
) -> Option<u32> {
    let kind = Kind::Count(bounds.0, bounds.1);
    let Some(integer) = node.get_ref().as_integer() else {
        mistyped(
            report,
            path,
            node,
            &kind,
            format!("write {kind}, without quotes"),
        );
        return None;
    };
    match u32::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(n) if (bounds.0..=bounds.1).contains(&n) => Some(n),
        Ok(_) | Err(_) => {
            let shown = quote(&integer.to_string());
            outside(report, path, node.span(), shown.trim_matches('"'), &kind);
            None
        }
    }
}

/// The text of a value that must be one; a number gets told which unit it lacks.
pub(super) fn text<'n>(
    report: &mut Report<'_>,
    path: &str,
    node: &'n Node<'_>,
    kind: &Kind,
    unit: &str,
) -> Option<&'n str> {
    let bare = match node.get_ref() {
        DeValue::String(text) => return Some(text),
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            mistyped(report, path, node, kind, format!("write {kind}, in quotes"));
            return None;
        }
    };
    let help = with_unit(&bare, unit).unwrap_or(format!("write {kind}, in quotes"));
    let what = format!("`{path}` is a bare number; it needs a unit and quotes");
    report.error(node.span(), what, help);
    None
}

/// What to write for a number that lacks its unit. `None` if it is no plain number.
fn with_unit(number: &str, unit: &str) -> Option<String> {
    let digits = match unit {
        "C" => number.strip_prefix('-').unwrap_or(number),
        _ => number,
    };
    let plain = tenths(digits).is_some() && !digits.starts_with('-');
    plain.then(|| format!("write \"{number}{unit}\""))
}

/// The text is none of the wanted form.
pub(super) fn unreadable(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    text: &str,
    noun: &str,
    help: &str,
) {
    let shown = quote(text);
    report.error(
        node.span(),
        format!("`{path}`: {shown} is no {noun}"),
        help.to_owned(),
    );
}

/// The value is readable, but too small or too large.
pub(super) fn outside(
    report: &mut Report<'_>,
    path: &str,
    span: Range<usize>,
    shown: &str,
    kind: &Kind,
) {
    report.error(
        span,
        format!("`{path}` is out of range: {shown}"),
        format!("write {kind}"),
    );
}

/// A duration within bounds.
pub(super) fn duration(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    bounds: (Duration, Duration),
) -> Option<Duration> {
    let kind = Kind::Duration(bounds.0, bounds.1);
    duration_as(report, path, node, bounds, &kind)
}

/// The same, where something else may stand there too; `kind` says what.
pub(super) fn duration_as(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    bounds: (Duration, Duration),
    kind: &Kind,
) -> Option<Duration> {
    let text = text(report, path, node, kind, "s")?;
    let Some(duration) = duration_in(text) else {
        let form = "write a number with its unit, as in \"500ms\", \"30s\", \"1m 30s\" or \"2h\"";
        let help = with_unit(text, "s").unwrap_or(form.to_owned());
        unreadable(report, path, node, text, "duration", &help);
        return None;
    };
    if (bounds.0..=bounds.1).contains(&duration) {
        return Some(duration);
    }
    outside(report, path, node.span(), &brief(duration), kind);
    None
}

/// Days and weeks are so many hours, whatever clocks do; they stand before the rest.
fn duration_in(text: &str) -> Option<Duration> {
    let (mut sum, mut rest) = (Duration::ZERO, text.trim_ascii_start());
    for (unit, hours) in [('w', 7 * 24), ('d', 24)] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let Some(after) = after.strip_prefix(unit) else {
            continue;
        };
        let hours = number.parse::<u32>().ok()?.checked_mul(hours)?;
        sum += Duration::from_secs(u64::from(hours) * 3600);
        rest = after.trim_ascii_start();
        if rest.is_empty() {
            return Some(sum);
        }
    }
    let left = SpanParser::new().parse_unsigned_duration(rest).ok()?;
    sum.checked_add(left)
}

/// A number with at most one decimal, in tenths.
fn tenths(text: &str) -> Option<i64> {
    /// More digits than any bound has; they keep the product below far from overflow.
    const DIGITS: usize = 9;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, tenth) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(tenth) || whole.len() > DIGITS || tenth.len() != 1 {
        return None;
    }
    let value = whole.parse::<i64>().ok()? * 10 + tenth.parse::<i64>().ok()?;
    Some(if negative { -value } else { value })
}

/// Endings of a quantity, with what one of them is in the smallest unit that counts.
pub(super) type Units = &'static [(&'static str, u64)];

/// Voltages count in millivolts.
pub(super) const VOLTS: Units = &[("mV", 1), ("V", 1000)];
/// Currents count in milliamperes.
pub(super) const AMPERES: Units = &[("mA", 1), ("A", 1000)];
/// Resistances count in millionths of an ohm.
pub(super) const OHMS: Units = &[("mOhm", 1000), ("Ohm", 1_000_000)];

/// A quantity with one of these endings, within bounds.
pub(super) fn physical(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: &Kind,
    (units, bounds): (Units, (u32, u32)),
) -> Option<u32> {
    let (usual, _) = units.last()?;
    let text = text(report, path, node, kind, usual)?;
    let Some(value) = with_ending(text, units) else {
        let help = format!("write {kind}, as in \"0.5{usual}\" or \"500m{usual}\"");
        unreadable(report, path, node, text, noun(kind), &help);
        return None;
    };
    match u32::try_from(value) {
        Ok(value) if (bounds.0..=bounds.1).contains(&value) => Some(value),
        Ok(_) | Err(_) => {
            outside(report, path, node.span(), text, kind);
            None
        }
    }
}

/// What a quantity is called.
fn noun(kind: &Kind) -> &'static str {
    match kind {
        Kind::Voltage(..) => "voltage",
        Kind::Current(..) => "current",
        Kind::Resistance(..) => "resistance",
        _ => "quantity",
    }
}

/// A number with an ending, in the smallest unit; `None` if it is none, or not whole there.
pub(super) fn with_ending(text: &str, units: Units) -> Option<u64> {
    /// More digits than any bound has.
    const DIGITS: usize = 9;
    let mut split = units
        .iter()
        .filter_map(|(ending, worth)| Some((text.strip_suffix(ending)?.trim_end(), *worth)));
    let (number, worth) = split.next()?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let plain =
        |s: &str| !s.is_empty() && s.len() <= DIGITS && s.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(part) {
        return None;
    }
    let parts = 10u64.pow(u32::try_from(part.len()).ok()?);
    let rest = part.parse::<u64>().ok()?.checked_mul(worth)?;
    let whole = whole.parse::<u64>().ok()?.checked_mul(worth)?;
    let exact = rest.is_multiple_of(parts);
    exact.then_some(whole.checked_add(rest / parts)?)
}

/// The address of a chip on an I2C bus.
pub(super) fn address(report: &mut Report<'_>, path: &str, node: &Node<'_>) -> Option<u8> {
    let help = || "write it as i2cdetect shows it, from 0x08 to 0x77, without quotes".to_owned();
    let Some(integer) = node.get_ref().as_integer() else {
        mistyped(report, path, node, &Kind::Address, help());
        return None;
    };
    match u8::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(address @ 0x08..=0x77) => Some(address),
        Ok(_) | Err(_) => {
            let what = format!("`{path}` is out of range: {integer}");
            report.error(node.span(), what, help());
            None
        }
    }
}

/// A temperature within bounds, given in whole degrees Celsius.
pub(super) fn temperature(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    bounds: (i32, i32),
) -> Option<MilliCelsius> {
    let kind = Kind::Temperature(bounds.0, bounds.1);
    let text = text(report, path, node, &kind, "C")?;
    let number = text
        .strip_suffix('C')
        .map(|rest| rest.trim_end_matches(['°', ' ']));
    let Some(tenths) = number.and_then(tenths) else {
        let form = "write degrees Celsius with at most one decimal, as in \"80C\" or \"82.5C\"";
        let help = with_unit(text, "C").unwrap_or(form.to_owned());
        unreadable(report, path, node, text, "temperature", &help);
        return None;
    };
    let value = i32::try_from(tenths * 100).ok().map(MilliCelsius);
    match value {
        Some(t) if (bounds.0 * 1000..=bounds.1 * 1000).contains(&t.0) => Some(t),
        Some(_) | None => {
            outside(report, path, node.span(), text, &kind);
            None
        }
    }
}

/// A number before a percent sign, in tenths of a percent.
fn percent(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    kind: &Kind,
    help: &str,
) -> Option<i64> {
    let text = text(report, path, node, kind, "%")?;
    let value = text.strip_suffix('%').map(str::trim_end).and_then(tenths);
    if value.is_none() {
        let help = with_unit(text, "%").unwrap_or(help.to_owned());
        unreadable(report, path, node, text, "percentage", &help);
    }
    value
}

/// A share of all there is.
pub(super) fn share(report: &mut Report<'_>, path: &str, node: &Node<'_>) -> Option<Permille> {
    let help = "write a percentage with at most one decimal, as in \"15%\" or \"2.5%\"";
    let tenths = percent(report, path, node, &Kind::Share, help)?;
    match u16::try_from(tenths) {
        Ok(permille) if permille <= 1000 => Some(Permille(permille)),
        Ok(_) | Err(_) => {
            let shown = node.get_ref().as_str().unwrap_or("");
            outside(report, path, node.span(), shown, &Kind::Share);
            None
        }
    }
}

/// Load per processor in whole percent, within bounds.
pub(super) fn load(
    report: &mut Report<'_>,
    path: &str,
    node: &Node<'_>,
    bounds: (u32, u32),
) -> Option<u32> {
    let kind = Kind::Load(bounds.0, bounds.1);
    let help = "write a whole percentage, as in \"400%\"";
    let tenths = percent(report, path, node, &kind, help)?;
    let shown = node.get_ref().as_str().unwrap_or("");
    if tenths % 10 != 0 {
        unreadable(report, path, node, shown, "whole percentage", help);
        return None;
    }
    match u32::try_from(tenths / 10) {
        Ok(load) if (bounds.0..=bounds.1).contains(&load) => Some(load),
        Ok(_) | Err(_) => {
            outside(report, path, node.span(), shown, &kind);
            None
        }
    }
}
