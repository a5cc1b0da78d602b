//! Reads a pair of limits, of which one must be worse than the other.

use super::table::{At, Table};
use crate::core::settings::{Heat, Limits};
use crate::units::{MilliCelsius, Permille};
use std::fmt::Display;

/// Which side of a quantity is worse.
#[derive(Clone, Copy)]
enum Worse {
    Higher,
    Lower,
}

/// Load per processor, in percent, as messages show it.
struct Percent(u32);

impl Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// The ladder of temperature; the higher is worse. Without `hot`, it is halfway between the others.
pub(super) fn temperature(mut table: Table<'_, '_, '_>) -> Option<Heat> {
    let (warn, critical) = (table.temperature("warn"), table.temperature("critical"));
    let hot = table.temperature("hot");
    let settle = table.duration("settle");
    let (lowest, highest) = (warn.as_ref()?.value, critical.as_ref()?.value);
    if let Some(hot) = &hot
        && lowest < highest
        && !(lowest..=highest).contains(&hot.value)
    {
        let what = format!(
            "`{}` ({}) must lie between `warn` ({lowest}{}) and `critical` ({highest}{})",
            table.full("hot"),
            hot.value,
            warn.as_ref()?.origin(),
            critical.as_ref()?.origin(),
        );
        let span = hot.span.clone().unwrap_or(table.header());
        let help = "write a hot between them, or leave it out".to_owned();
        table.report().error(span, what, help);
        return None;
    }
    let limits = limits(table, warn, critical, Worse::Higher, |t| *t)?;
    let halfway = MilliCelsius(limits.warn.0 + (limits.critical.0 - limits.warn.0) / 2);
    Some(Heat {
        warn: limits.warn,
        hot: hot.map_or(halfway, |hot| hot.value),
        critical: limits.critical,
        settle: settle?.value,
    })
}

/// Limits of a share of time; the higher is worse.
pub(super) fn pressure(mut table: Table<'_, '_, '_>) -> Option<Limits<Permille>> {
    let warn = table.share("warn");
    let critical = table.share("critical");
    limits(table, warn, critical, Worse::Higher, |p| *p)
}

/// Limits of what is left of something; the lower is worse.
pub(super) fn left(mut table: Table<'_, '_, '_>) -> Option<Limits<Permille>> {
    let warn = table.share("warn");
    let critical = table.share("critical");
    limits(table, warn, critical, Worse::Lower, |p| *p)
}

/// Limits of load, in hundredths per processor; the higher is worse.
pub(super) fn load(mut table: Table<'_, '_, '_>) -> Option<Limits<u32>> {
    let warn = table.load("warn");
    let critical = table.load("critical");
    limits(table, warn, critical, Worse::Higher, |n| Percent(*n))
}

fn limits<T: Ord, S: Display>(
    mut table: Table<'_, '_, '_>,
    warn: Option<At<T>>,
    critical: Option<At<T>>,
    worse: Worse,
    shown: impl Fn(&T) -> S,
) -> Option<Limits<T>> {
    let (warn, critical) = (warn?, critical?);
    let (right, word) = match worse {
        Worse::Higher => (critical.value > warn.value, "higher"),
        Worse::Lower => (critical.value < warn.value, "lower"),
    };
    if !right {
        let span = critical.span.clone().or(warn.span.clone());
        let what = format!(
            "`{}` ({}{}) must be {word} than `warn` ({}{})",
            table.full("critical"),
            shown(&critical.value),
            critical.origin(),
            shown(&warn.value),
            warn.origin(),
        );
        let span = span.unwrap_or(table.header());
        let help = format!("write a critical that is {word}, or change warn");
        table.report().error(span, what, help);
        return None;
    }
    Some(Limits {
        warn: warn.value,
        critical: critical.value,
    })
}
