//! Quantities as text: exact for machines, short for people. Integer arithmetic throughout.

use crate::units::{MilliCelsius, Milliamps, Millivolts, Permille, Wall};
use std::time::Duration;

/// Exact seconds: `15s`, `0.25s`, `3.200000001s`. Parsed back it is the same duration.
pub fn seconds(d: Duration) -> String {
    if d.subsec_nanos() == 0 {
        return format!("{}s", d.as_secs());
    }
    let fraction = format!("{:09}", d.subsec_nanos());
    format!("{}.{}s", d.as_secs(), fraction.trim_end_matches('0'))
}

/// Exact degrees: `61C`, `61.234C`, `-0.5C`.
pub fn celsius(t: MilliCelsius) -> String {
    thousandths(t.0.into(), 'C')
}

/// Exact volts: `4V`, `3.912V`.
pub fn volts(v: Millivolts) -> String {
    thousandths(v.0.into(), 'V')
}

/// Exact amperes: `1A`, `-0.42A`.
pub fn amperes(a: Milliamps) -> String {
    thousandths(a.0.into(), 'A')
}

fn thousandths(value: i64, unit: char) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let (whole, milli) = (value.unsigned_abs() / 1000, value.unsigned_abs() % 1000);
    if milli == 0 {
        return format!("{sign}{whole}{unit}");
    }
    let fraction = format!("{milli:03}");
    format!("{sign}{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

/// A share: `15%`, `14.5%`.
pub fn percent(share: Permille) -> String {
    share.to_string()
}

/// Hundredths with two places: `1.25`.
pub fn hundredths(value: u32) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

/// Wall time in UTC: `2031-07-04T12:34:56Z`.
pub fn wall(time: Wall) -> String {
    match jiff::Timestamp::from_second(time.seconds()) {
        Ok(time) => time.to_string(),
        // Not reached: the range of `Wall` lies inside.
        Err(_) => time.seconds().to_string(),
    }
}

/// A duration as people say it, in its two largest units, cut rather than rounded so that it never
/// claims more than has passed: `120 ms`, `3.2 s`, `2 min 5 s`, `1 h 3 min`, `4 d 2 h`.
pub fn for_people(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0 if d.is_zero() => "0 s".to_owned(),
        0 => format!("{} ms", d.subsec_millis()),
        1..60 => match d.subsec_millis() / 100 {
            0 => format!("{s} s"),
            tenths => format!("{s}.{tenths} s"),
        },
        60..3600 => pair(s / 60, "min", s % 60, "s"),
        3600..86_400 => pair(s / 3600, "h", s % 3600 / 60, "min"),
        _ => pair(s / 86_400, "d", s % 86_400 / 3600, "h"),
    }
}

fn pair(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Durations for people change their unit at the right places and never round up.
    #[test]
    fn durations_for_people() {
        let cases = [
            (0, "0 s"),
            (120, "120 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (3_290, "3.2 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min"),
            (125_000, "2 min 5 s"),
            (3_780_000, "1 h 3 min"),
            (86_399_999, "23 h 59 min"),
            (86_400_000, "1 d"),
            (360_000_000, "4 d 4 h"),
        ];
        for (ms, text) in cases {
            assert_eq!(for_people(Duration::from_millis(ms)), text);
        }
    }

    /// Exact forms keep every digit and drop only zeros at the end.
    #[test]
    fn exact_forms() {
        assert_eq!(seconds(Duration::from_secs(15)), "15s");
        assert_eq!(seconds(Duration::new(3, 200_000_001)), "3.200000001s");
        assert_eq!(celsius(MilliCelsius(-500)), "-0.5C");
        assert_eq!(celsius(MilliCelsius(61_234)), "61.234C");
        assert_eq!(celsius(MilliCelsius(i32::MIN)), "-2147483.648C");
        assert_eq!(hundredths(5), "0.05");
        assert_eq!(volts(Millivolts(u32::MAX)), "4294967.295V");
        assert_eq!(volts(Millivolts(3_910)), "3.91V");
        assert_eq!(amperes(Milliamps(-1)), "-0.001A");
        assert_eq!(amperes(Milliamps(i32::MIN)), "-2147483.648A");
    }
}
