//! Limits of services that do not hold, in the report.

use super::Status;
use super::screen::{DOUBTFUL, MARK};
use super::table::harmless;
use anstyle::Style;

/// Limits of services that do not hold; yellow where the configuration asks for them.
pub(super) fn lines(status: &Status) -> String {
    let unenforced = status.daemon.unenforced.iter();
    unenforced
        .map(|u| {
            let style = if u.asked { DOUBTFUL } else { Style::new() };
            format!("  {style}{MARK}{style:#} {}\n", harmless(&u.text))
        })
        .collect()
}
