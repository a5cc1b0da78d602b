//! Counts tests in what test programs print.

/// Tests of one layer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
}

impl Count {
    pub fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Looks at one line of output.
pub type Reader = fn(&str, &mut Count);

/// `test result: ok. 12 passed; 0 failed; 0 ignored; ...`; and `1000 seeds ...` or `44 scenarios`,
/// as a test says that went through so many cases.
pub fn cargo(line: &str, count: &mut Count) {
    let mut words = line.split_whitespace();
    if let (Some(Ok(cases)), Some("seeds" | "scenarios")) =
        (words.next().map(str::parse::<u64>), words.next())
    {
        // The test itself is one of them.
        count.passed += cases.saturating_sub(1);
        return;
    }
    let Some(rest) = line.trim().strip_prefix("test result: ") else {
        return;
    };
    for part in rest.split([';', '.']) {
        let mut words = part.split_whitespace();
        let Some(number) = words.next().and_then(|n| n.parse::<u64>().ok()) else {
            continue;
        };
        match words.next() {
            Some("passed") => count.passed += number,
            Some("failed") => count.failed += number,
            Some("ignored") => count.ignored += number,
            _ => {}
        }
    }
}

/// `8 cases, 1 failed, 120.3 s`, the last line of the VM suite.
pub fn machines(line: &str, count: &mut Count) {
    let mut words = line.split([' ', ',']).filter(|w| !w.is_empty());
    let number = |w: Option<&str>| w.and_then(|w| w.parse::<u64>().ok());
    let (Some(cases), Some("cases")) = (number(words.next()), words.next()) else {
        return;
    };
    let (Some(failed), Some("failed")) = (number(words.next()), words.next()) else {
        return;
    };
    count.passed += cases.saturating_sub(failed);
    count.failed += failed;
}

/// Whether a line tells which test failed: `test name ... FAILED` of cargo, and the row of a case in
/// the table of the virtual machines.
pub fn names_a_failure(line: &str) -> bool {
    let tells = line.starts_with("test ") && line.ends_with(" FAILED");
    let row = line.contains("  FAILED: ");
    (tells || row) && !line.starts_with("test result")
}

/// A command that only succeeds or fails.
pub fn nothing(_: &str, _: &mut Count) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// What failed is found in the output of cargo and in the table of the machines, and each once.
    #[test]
    fn finds_what_failed() {
        assert!(names_a_failure("test core::level::steps ... FAILED"));
        assert!(names_a_failure("halt-cut  120.3  FAILED: no answer"));
        for other in [
            "test core::level::steps ... ok",
            "test result: FAILED. 12 passed; 1 failed; 0 ignored",
            "vm: FAILED  halt-cut (120.3 s)",
            "VM suite: 1 of 3 cases failed; logs in target/vm",
        ] {
            assert!(!names_a_failure(other), "{other}");
        }
    }

    /// The lines of both kinds are read; others are not.
    #[test]
    fn reads_summaries() {
        let mut c = Count::default();
        cargo(
            "test result: ok. 12 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out",
            &mut c,
        );
        cargo("test core::level ... ok", &mut c);
        cargo("1000 seeds in 1.0 s: 2428884 events", &mut c);
        c.passed -= 999;
        assert_eq!(
            c,
            Count {
                passed: 12,
                failed: 1,
                ignored: 2
            }
        );
        machines("8 cases, 3 failed, 120.3 s", &mut c);
        machines("vm: ok      lab-boots (3.1 s)", &mut c);
        assert_eq!(
            c,
            Count {
                passed: 17,
                failed: 4,
                ignored: 2
            }
        );
    }
}
