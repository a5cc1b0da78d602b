//! Reads single values, exactly: the reverse of `crate::text`'s quantities and words.

use super::super::lexer::expected;
use super::super::problem::Problem;
use crate::core::fact::{Errno, Pid, ThrottleFlags};
use crate::text::{errno_named, signal_named};
use crate::units::{MilliCelsius, Milliamps, Millivolts, Mono, Permille, Wall};
use std::str::FromStr;
use std::time::Duration;

/// A whole number that fits its type.
pub(super) fn number<T: FromStr>(text: &str) -> Result<T, Problem> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(expected("a whole number", text));
    }
    text.parse().map_err(|_| range(text, "it is too large"))
}

/// A time: seconds with at most three places.
pub(super) fn mono(text: &str) -> Result<Mono, Problem> {
    scaled(text, 3)
        .ok_or_else(|| expected("a time in seconds such as `12.400`", text))
        .map(Mono)
}

/// A duration: seconds with at most nine places, and `s`.
pub(super) fn seconds(text: &str) -> Result<Duration, Problem> {
    let wanted = || expected("a duration in seconds such as `15s` or `0.25s`", text);
    let number = text.strip_suffix('s').ok_or_else(wanted)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = self::number(whole).map_err(|_| wanted())?;
    let nanos = places(fraction, 9).ok_or_else(wanted)?;
    u32::try_from(nanos)
        .map(|nanos| Duration::new(whole, nanos))
        .map_err(|_| wanted())
}

/// Wall time: RFC 3339 in whole seconds.
pub(super) fn wall(text: &str) -> Result<Wall, Problem> {
    let wanted = || expected("a time in UTC such as `2031-07-04T12:34:56Z`", text);
    let time: jiff::Timestamp = text.parse().map_err(|_| wanted())?;
    if time.subsec_nanosecond() != 0 {
        return Err(wanted());
    }
    Wall::new(time.as_second()).ok_or_else(|| range(text, "years are 1970 to 9999"))
}

/// A temperature: degrees with at most three places, and `C`.
pub(super) fn celsius(text: &str) -> Result<MilliCelsius, Problem> {
    let value = signed(text, 'C', "a temperature such as `61.2C`")?;
    fits(i32::try_from(value), text).map(MilliCelsius)
}

/// A voltage: volts with at most three places, and `V`.
pub(super) fn volts(text: &str) -> Result<Millivolts, Problem> {
    const WANTED: &str = "a voltage such as `3.91V`";
    let value = text.strip_suffix('V').and_then(|v| scaled(v, 3));
    let value = value.ok_or_else(|| expected(WANTED, text))?;
    fits(u32::try_from(value), text).map(Millivolts)
}

/// A current: amperes with at most three places, and `A`.
pub(super) fn amperes(text: &str) -> Result<Milliamps, Problem> {
    let value = signed(text, 'A', "a current such as `-0.42A`")?;
    fits(i32::try_from(value), text).map(Milliamps)
}

/// A number that may be negative, with at most three places and this unit, in thousandths.
fn signed(text: &str, unit: char, wanted: &'static str) -> Result<i64, Problem> {
    let wanted = || expected(wanted, text);
    let number = text.strip_suffix(unit).ok_or_else(wanted)?;
    let (negative, size) = match number.strip_prefix('-') {
        Some(size) => (true, size),
        None => (false, number),
    };
    let size = scaled(size, 3)
        .and_then(|n| i64::try_from(n).ok())
        .ok_or_else(wanted)?;
    Ok(if negative { -size } else { size })
}

fn fits<T, E>(value: Result<T, E>, text: &str) -> Result<T, Problem> {
    value.map_err(|_| range(text, "it does not fit 32 bits of thousandths"))
}

/// A share: percent with at most one place, and `%`; at most 100%.
pub(super) fn percent(text: &str) -> Result<Permille, Problem> {
    let share = text
        .strip_suffix('%')
        .and_then(|number| scaled(number, 1))
        .ok_or_else(|| expected("a share such as `14.5%`", text))?;
    match u16::try_from(share) {
        Ok(share @ 0..=1000) => Ok(Permille(share)),
        Ok(_) | Err(_) => Err(range(text, "a share is at most `100%`")),
    }
}

/// A number with at most two places, in hundredths.
pub(super) fn hundredths(text: &str) -> Result<u32, Problem> {
    let value = scaled(text, 2).ok_or_else(|| expected("a number such as `1.25`", text))?;
    u32::try_from(value).map_err(|_| range(text, "it is too large"))
}

/// Throttle flags: hexadecimal, with `0x` before them.
pub(super) fn throttle_flags(text: &str) -> Result<ThrottleFlags, Problem> {
    let digits = text.strip_prefix("0x").filter(|d| {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        !d.is_empty() && d.bytes().all(hex)
    });
    let digits = digits.ok_or_else(|| expected("throttle flags such as `0x50005`", text))?;
    u32::from_str_radix(digits, 16)
        .map(ThrottleFlags)
        .map_err(|_| range(text, "flags have 32 bits"))
}

/// The number of a process.
pub(super) fn pid(text: &str) -> Result<Pid, Problem> {
    Pid::new(number(text)?).ok_or_else(|| range(text, "a pid of ours is 2 to 4194304"))
}

/// The name or number of an error.
pub(super) fn errno(text: &str) -> Result<Errno, Problem> {
    errno_named(text).ok_or_else(|| expected("an error such as `ENOENT` or `523`", text))
}

/// The name or number of a signal.
pub(super) fn signal(text: &str) -> Result<u8, Problem> {
    signal_named(text).ok_or_else(|| expected("a signal such as `SIGTERM` or `40`", text))
}

/// The problem that there is no such thing, with the name that comes nearest.
pub(super) fn unknown<'n>(
    kind: &'static str,
    name: &str,
    known: impl Iterator<Item = &'n str>,
) -> Problem {
    /// Typing errors that are taken for one: more would make a guess out of the hint.
    const SLIPS: usize = 2;
    let nearest = known
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(slips, k)| *slips <= SLIPS && *slips < k.chars().count())
        .min();
    Problem::Unknown {
        kind,
        name: name.to_owned(),
        nearest: nearest.map(|(_, k)| k.to_owned()),
    }
}

fn range(what: &str, why: &'static str) -> Problem {
    Problem::Range {
        what: format!("`{what}`"),
        why,
    }
}

/// `12.4` in units of ten to the minus `count`.
fn scaled(text: &str, count: u32) -> Option<u64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, places(fraction, count)?),
        None => (text, 0),
    };
    let whole: u64 = number(whole).ok()?;
    whole.checked_mul(10u64.pow(count))?.checked_add(fraction)
}

/// The digits behind a point: at least one, at most `count` of them.
fn places(digits: &str, count: u32) -> Option<u64> {
    let given = u32::try_from(digits.len()).ok()?;
    let missing = count.checked_sub(given)?;
    number::<u64>(digits).ok()?.checked_mul(10u64.pow(missing))
}
