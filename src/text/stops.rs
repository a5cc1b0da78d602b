//! How long the latest stops of a service took, for traces and the file that keeps it: `1.2,killed`.

use crate::core::budget::StopTimes;
use std::time::Duration;

/// The latest first, in seconds.
pub fn stops(times: &StopTimes) -> String {
    let word = |took: Option<Duration>| match took {
        Some(took) => format!("{}.{}", took.as_secs(), took.subsec_millis() / 100),
        None => "killed".to_owned(),
    };
    let words: Vec<String> = times.seen().map(word).collect();
    match words.is_empty() {
        true => "none".to_owned(),
        false => words.join(","),
    }
}

/// What was written so; `None` for anything else.
pub fn stop_times(text: &str) -> Option<StopTimes> {
    let mut times = StopTimes::default();
    if text == "none" {
        return Some(times);
    }
    let words: Vec<&str> = text.split(',').collect();
    if words.len() > StopTimes::MOST {
        return None;
    }
    for word in words.into_iter().rev() {
        times.recall(match word {
            "killed" => None,
            took => Some(tenths(took)?),
        })?;
    }
    Some(times)
}

/// `12.3`, no longer than is kept.
fn tenths(text: &str) -> Option<Duration> {
    let (seconds, tenth) = text.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let plain = digits(seconds) && digits(tenth) && seconds.len() <= 4 && tenth.len() == 1;
    let number = |text: &str| text.parse::<u64>().ok();
    plain.then_some(())?;
    Some(Duration::from_millis(
        number(seconds)? * 1000 + number(tenth)? * 100,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written is read; what cannot be is not.
    #[test]
    fn there_and_back() {
        for text in ["none", "0.1", "1.2,killed,0.4", "6553.4", "killed"] {
            let times = stop_times(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(stops(&times), text);
        }
        for text in [
            "",
            "0.0",
            "1",
            "1.25",
            ".5",
            "-1.0",
            "6553.5",
            "9999.9",
            "1.2,",
            "dead",
            "+1.0",
            "1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0",
        ] {
            assert_eq!(stop_times(text), None, "{text}");
        }
    }
}
