//! Reads spans of time as systemd writes them: `1min 30s`, `infinity`.

use std::time::Duration;

/// No span counts as longer: nobody waits longer for one to stop.
pub(super) const LONGEST: Duration = Duration::from_secs(600);

/// The span, at most ten minutes; `None` for what is none. (systemd.time(7), and `format_timespan` of
/// systemd 252: src/basic/time-util.c)
pub(super) fn span(text: &str) -> Option<Duration> {
    if text == "infinity" {
        return Some(LONGEST);
    }
    let mut parts = text.split_whitespace().peekable();
    parts.peek()?;
    let all = parts.try_fold(Duration::ZERO, |sum, part| {
        Some(sum.saturating_add(one(part)?))
    });
    all.map(|all| all.min(LONGEST))
}

fn one(part: &str) -> Option<Duration> {
    let unit = part.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = part.split_at(unit.unwrap_or(part.len()));
    let micros: u64 = match unit {
        // Zero has no unit.
        "" if number == "0" => 0,
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        "h" | "d" | "w" | "month" | "y" => return number.parse::<u64>().ok().map(|_| LONGEST),
        _ => return None,
    };
    // Below a minute it writes decimals.
    let number: f64 = number
        .parse()
        .ok()
        .filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
    Duration::try_from_secs_f64(number * micros as f64 / 1e6).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_systemd() {
        for (text, millis) in [
            ("1min 30s", 90_000),
            ("90s", 90_000),
            ("1.500000s", 1_500),
            ("10.5ms", 10),
            ("0", 0),
            ("5min 1.2s", 301_200),
            ("infinity", 600_000),
            ("1h 3min", 600_000),
            ("12min", 600_000),
            ("584542y", 600_000),
        ] {
            let read = span(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.as_millis(), millis, "{text}");
        }
        for none in [
            "", " ", "x", "s", "1", "-1s", "1min x", "inf s", "nans", "1e999s",
        ] {
            assert_eq!(span(none), None, "{none}");
        }
    }
}
