//! Reads what an earlier daemon has left about the runs of a job, and about stops.

use super::super::lexer::expected;
use super::super::problem::Problem;
use super::fact::Line;
use super::value;
use crate::core::fact::StopTimes;
use crate::core::job::{JobPast, Stamp};
use crate::text::{outcome_named, stop_times};

/// How a moment is written.
const MOMENT: &str = "12.400@2031-07-04T12:34:56Z";

impl Line<'_, '_> {
    /// How long the latest stops of a service took, the latest first.
    pub(super) fn stops(&mut self) -> Result<StopTimes, Problem> {
        let text = self.words.keyed("took", "TIME|killed,...")?;
        stop_times(&text).ok_or_else(|| expected("up to eight times such as `1.2,killed`", &text))
    }

    /// What stands behind `remembered`.
    pub(super) fn past(&mut self) -> Result<JobPast, Problem> {
        let outcome = |word: &str| {
            outcome_named(word)
                .ok_or_else(|| expected("`good`, `failed`, `stopped` or `none`", word))
        };
        Ok(JobPast {
            first: stamp(&self.words.keyed("first", MOMENT)?)?,
            good: self.known("good", "MOMENT|none", stamp)?,
            latest: self.known("latest", "MOMENT|none", stamp)?,
            outcome: self.known("outcome", "good|failed|stopped|none", outcome)?,
            failing: self.flag("failing")?,
            repeats: self.flag("repeats")?,
            slot: self.known("slot", "2031-07-04T12:34:56Z|none", value::wall)?,
        })
    }
}

fn stamp(text: &str) -> Result<Stamp, Problem> {
    let parts = text.split_once('@');
    let (at, wall) = parts.ok_or_else(|| expected("a moment such as `12.400@none`", text))?;
    fn known<T>(
        text: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        match text {
            "none" => Ok(None),
            text => read(text).map(Some),
        }
    }
    Ok(Stamp {
        at: known(at, value::mono)?,
        wall: known(wall, value::wall)?,
    })
}
