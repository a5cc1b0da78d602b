//! Reads what an earlier daemon has left about the runs of a job.

use super::super::lexer::expected;
use super::super::problem::Problem;
use super::fact::Line;
use super::value;
use crate::core::job::{JobPast, Stamp};
use crate::text::outcome_named;

/// How a moment is written.
const MOMENT: &str = "12.400@2031-07-04T12:34:56Z";

impl Line<'_, '_> {
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
