//! Finds the rules of a time zone: what the machine goes by, a name, or the rules themselves.

use crate::core::settings::Zone;
use jiff::tz::TimeZone;
use std::fs;
use std::path::Path;

/// Where the machine's own zone is, as tzfile(5).
const LOCAL: &str = "/etc/localtime";

/// Where the zones are by their names.
const NAMED: &str = "/usr/share/zoneinfo";

/// Largest file that is looked at, in bytes: the largest zone has less than 4 KiB.
const SIZE_MAX: u64 = 1 << 16;

/// The zone that this text means. A machine that has none of its own goes by UTC, as the C library
/// has it.
///
/// # Errors
/// What there is to be done about it.
pub(super) fn find(text: &str) -> Result<Zone, String> {
    let zone = |rules| Zone {
        name: text.into(),
        rules,
    };
    match text {
        "UTC" => Ok(Zone::utc()),
        "local" => {
            let rules = rules(Path::new(LOCAL));
            Ok(zone(rules.unwrap_or(TimeZone::UTC)))
        }
        // Rules have a number, and no name of a zone that is not one of `Etc` has a comma.
        rules if rules.contains(',') || rules.ends_with('0') && !rules.contains('/') => {
            let parsed = TimeZone::posix(rules).map(zone);
            parsed.map_err(|error| format!("these are no rules of a time zone: {error}"))
        }
        name => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_+-/".contains(c);
            let known =
                name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(plain);
            let found = known.then(|| rules(&Path::new(NAMED).join(name))).flatten();
            found.map(zone).ok_or_else(|| {
                format!(
                    "write \"local\", \"UTC\", the name of a file below {NAMED} such as \
                     \"Europe/Berlin\", or rules such as \"CET-1CEST,M3.5.0,M10.5.0/3\""
                )
            })
        }
    }
}

/// The rules in a file; `None` if there are none in it.
fn rules(path: &Path) -> Option<TimeZone> {
    let size = fs::metadata(path)
        .ok()
        .filter(|found| found.is_file())?
        .len();
    let data = fs::read(path).ok().filter(|_| size <= SIZE_MAX)?;
    TimeZone::tzif("", &data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The machine's own zone is always there, rules need no file, and no name leads out of the
    /// directory.
    #[test]
    fn zones_are_found() {
        assert_eq!(find("UTC"), Ok(Zone::utc()));
        assert_eq!(&*find("local").unwrap().name, "local");
        let rules = find("CET-1CEST,M3.5.0,M10.5.0/3").unwrap().rules;
        assert_eq!(
            Ok(rules),
            TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").map_err(drop)
        );
        assert!(find("UTC0").is_ok());
        for wrong in [
            "",
            "Europe/Nowhere",
            "../../../etc/localtime",
            "/etc/localtime",
            "CET-1CEST,M3",
            "X",
        ] {
            assert!(find(wrong).is_err(), "{wrong:?}");
        }
    }
}
