//! Samples, and what is said of them.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// The contestant that ratios refer to.
const FLOOR: &str = "floor";

/// Samples of one measurement of one contestant.
#[derive(Serialize)]
struct Samples {
    measure: String,
    unit: &'static str,
    contestant: String,
    /// Sorted.
    samples: Vec<f64>,
}

impl Samples {
    /// The sample below which this share of all lie, in percent; the nearest one.
    fn percentile(&self, percent: usize) -> f64 {
        let last = self.samples.len().saturating_sub(1);
        self.samples
            .get((last * percent + 50) / 100)
            .copied()
            .unwrap_or(f64::NAN)
    }

    fn median(&self) -> f64 {
        self.percentile(50)
    }
}

/// All samples of a run, in the order in which they were first taken.
#[derive(Default, Serialize)]
pub struct Results(Vec<Samples>);

impl Results {
    /// Adds a sample.
    pub fn add(&mut self, measure: &str, unit: &'static str, contestant: &str, value: f64) {
        let found = self
            .0
            .iter()
            .position(|s| s.measure == measure && s.contestant == contestant);
        let index = found.unwrap_or_else(|| {
            let (measure, contestant) = (measure.to_owned(), contestant.to_owned());
            self.0.push(Samples {
                measure,
                unit,
                contestant,
                samples: Vec::new(),
            });
            self.0.len() - 1
        });
        let samples = &mut self.0[index].samples;
        let place = samples.partition_point(|sample| *sample <= value);
        samples.insert(place, value);
    }

    fn floor_of(&self, measure: &str) -> Option<f64> {
        let floor = self
            .0
            .iter()
            .find(|s| s.measure == measure && s.contestant == FLOOR)?;
        Some(floor.median()).filter(|median| *median > 0.0)
    }
}

/// One line for each measurement and contestant, the floor first, then by median.
pub fn table(results: &Results) -> String {
    let mut measures: Vec<&str> = Vec::new();
    for samples in &results.0 {
        if !measures.contains(&samples.measure.as_str()) {
            measures.push(&samples.measure);
        }
    }
    let mut text = format!(
        "{:<30} {:<12} {:>9} {:>9} {:>9} {:>9} {:>8} {:>5}\n",
        "measure", "contestant", "median", "p95", "min", "max", "x floor", "n"
    );
    for measure in measures {
        let mut lines: Vec<&Samples> = results.0.iter().filter(|s| s.measure == measure).collect();
        lines.sort_by(|a, b| a.median().total_cmp(&b.median()));
        lines.sort_by_key(|s| s.contestant != FLOOR);
        for (i, samples) in lines.iter().enumerate() {
            let unit = if samples.unit.is_empty() {
                String::new()
            } else {
                format!(", {}", samples.unit)
            };
            let title = if i == 0 {
                format!("{measure}{unit}")
            } else {
                String::new()
            };
            line(&mut text, &title, samples, results.floor_of(measure));
        }
    }
    text
}

fn line(text: &mut String, title: &str, samples: &Samples, floor: Option<f64>) {
    let ratio = floor.map_or_else(
        || "-".to_owned(),
        |floor| format!("{:.2}", samples.median() / floor),
    );
    let figures = [0, 50, 95, 100].map(|percent| number(samples.percentile(percent)));
    let [least, median, late, most] = figures;
    let (name, count) = (&samples.contestant, samples.samples.len());
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{title:<30} {name:<12} {median:>9} {late:>9} {least:>9} {most:>9} {ratio:>8} {count:>5}"
    );
}

/// Three significant figures where there is a fraction.
fn number(value: f64) -> String {
    let digits = if value.fract() == 0.0 || value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

/// Everything, for other programs.
pub fn json(results: &Results) -> Result<String> {
    let mut text = serde_json::to_string_pretty(results).context("writing the results as JSON")?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let mut results = Results::default();
        for value in [3.0, 1.0, 2.0] {
            results.add("restart", "ms", "ours", value * 2.0);
            results.add("restart", "ms", "floor", value);
        }
        results.add("crash", "", "ours", 4.0);
        results
    }

    #[test]
    fn the_middle_sample_is_the_median() {
        let results = results();
        assert_eq!(results.0[0].samples, [2.0, 4.0, 6.0]);
        assert_eq!(results.0[0].median(), 4.0);
        assert_eq!(results.0[0].percentile(100), 6.0);
        assert_eq!(results.0[0].percentile(0), 2.0);
    }

    #[test]
    fn the_floor_comes_first_and_ratios_refer_to_it() {
        let text = table(&results());
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert!(
            lines[0].starts_with("restart, ms                    floor "),
            "{text}"
        );
        assert!(
            lines[0].contains(" 1.00 ") && lines[1].contains(" 2.00 "),
            "{text}"
        );
        assert!(
            lines[2].contains("crash") && lines[2].contains(" - "),
            "{text}"
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.123, 12.34, 123.4, 7.0].map(number),
            ["0.12", "12.3", "123", "7"]
        );
    }
}
