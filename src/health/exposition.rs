//! Writes metrics as text, in the form of Prometheus (0.0.4) or in that of OpenMetrics (1.0).
//!
//! They differ in what a counter is called in its head, in units, and in the end. Most readers take
//! both; some tools take only the older one.

use std::fmt::Write;

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A number that only grows, until the daemon starts anew.
    Counter,
    /// Labels that say something; the value is 1.
    Info,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name as it is scraped: counters end with `_total`, infos with `_info`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its unit, with which its name ends but for `_total`; empty for none.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence without a full stop.
    pub help: &'static str,
}

/// The text of some metrics.
pub(super) struct Exposition {
    text: String,
    open_metrics: bool,
}

impl Exposition {
    pub fn new(open_metrics: bool) -> Exposition {
        Exposition {
            text: String::new(),
            open_metrics,
        }
    }

    /// Writes one metric: each sample with the values of its labels. Nothing if there is none.
    pub fn put<L, S>(&mut self, metric: &Metric, samples: impl IntoIterator<Item = (L, f64)>)
    where
        L: AsRef<[S]>,
        S: AsRef<str>,
    {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        self.head(metric);
        for (labels, value) in samples {
            self.text.push_str(metric.name);
            for (at, (name, label)) in metric.labels.iter().zip(labels.as_ref()).enumerate() {
                self.text.push(if at == 0 { '{' } else { ',' });
                let _ = write!(self.text, "{name}=\"");
                escape(&mut self.text, label.as_ref());
                self.text.push('"');
            }
            if !metric.labels.is_empty() {
                self.text.push('}');
            }
            let _ = writeln!(self.text, " {value}");
        }
    }

    fn head(&mut self, metric: &Metric) {
        let Metric {
            name, unit, help, ..
        } = metric;
        let (family, kind) = match (metric.kind, self.open_metrics) {
            (Kind::Gauge, _) => (*name, "gauge"),
            (Kind::Counter, false) => (*name, "counter"),
            (Kind::Counter, true) => (name.strip_suffix("_total").unwrap_or(name), "counter"),
            (Kind::Info, false) => (*name, "gauge"),
            (Kind::Info, true) => (name.strip_suffix("_info").unwrap_or(name), "info"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# TYPE {family} {kind}");
        if self.open_metrics && !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {family} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {family} {help}.");
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        if self.open_metrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

fn escape(text: &mut String, label: &str) {
    for c in label.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(
        name: &'static str,
        kind: Kind,
        unit: &'static str,
        labels: &'static [&'static str],
    ) -> Metric {
        let help = "Things";
        Metric {
            name,
            kind,
            unit,
            labels,
            help,
        }
    }

    fn text(open_metrics: bool) -> String {
        let mut exposition = Exposition::new(open_metrics);
        let counter = metric("a_total", Kind::Counter, "", &["x", "y"]);
        exposition.put(&counter, [(["q\"\\\n", "z"], 3.0), (["", "\u{e9}"], 0.5)]);
        let gauge = metric("b_seconds", Kind::Gauge, "seconds", &[]);
        let none: [&str; 0] = [];
        exposition.put(&gauge, [(none, -0.25)]);
        exposition.put(&gauge, Vec::<([&str; 0], f64)>::new());
        exposition.put(&metric("c_info", Kind::Info, "", &["x"]), [(["w"], 1.0)]);
        exposition.finish()
    }

    /// Both forms, to the letter.
    #[test]
    fn both_forms() {
        assert_eq!(
            text(false),
            "# TYPE a_total counter\n# HELP a_total Things.\na_total{x=\"q\\\"\\\\\\n\",y=\"z\"} 3\n\
             a_total{x=\"\",y=\"\u{e9}\"} 0.5\n# TYPE b_seconds gauge\n# HELP b_seconds Things.\n\
             b_seconds -0.25\n# TYPE c_info gauge\n# HELP c_info Things.\nc_info{x=\"w\"} 1\n"
        );
        assert_eq!(
            text(true),
            "# TYPE a counter\n# HELP a Things.\na_total{x=\"q\\\"\\\\\\n\",y=\"z\"} 3\n\
             a_total{x=\"\",y=\"\u{e9}\"} 0.5\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\n\
             # HELP b_seconds Things.\nb_seconds -0.25\n# TYPE c info\n# HELP c Things.\n\
             c_info{x=\"w\"} 1\n# EOF\n"
        );
    }
}
