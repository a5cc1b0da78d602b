//! Reads what came of a probe: the reverse of `crate::text::probe`.

use super::super::lexer::expected;
use super::super::problem::Problem;
use super::fact::Line;
use super::value;
use crate::core::fact::{Change, Ill, ProbeKind, Probed};
use crate::text::probe_kind_named;

impl Line<'_, '_> {
    pub(super) fn probed(&mut self) -> Result<Change, Problem> {
        const RESULTS: &str = "`good`, `bad` or `unsure`";
        let kind = self.probe_kind()?;
        let attempt = self.number("attempt")?;
        let probed = match &*self.words.plain(RESULTS)? {
            "good" => Probed::Good,
            "bad" => Probed::Bad(self.ill()?),
            "unsure" => Probed::Unsure(self.ill()?),
            other => return Err(expected(RESULTS, other)),
        };
        Ok(Change::Probed {
            kind,
            attempt,
            probed,
        })
    }

    fn probe_kind(&mut self) -> Result<ProbeKind, Problem> {
        const KINDS: &str = "`startup`, `readiness`, `liveness` or `isolation`";
        let word = self.words.plain(KINDS)?;
        probe_kind_named(&word).ok_or_else(|| expected(KINDS, &word))
    }

    fn ill(&mut self) -> Result<Ill, Problem> {
        if self.words.has_key("errno") {
            let name = self.words.keyed("errno", "NAME")?;
            return value::errno(&name).map(Ill::Errno);
        }
        if self.words.has_key("status") {
            return self.number("status").map(Ill::Status);
        }
        if self.words.has_key("unchanged") {
            let age = self.words.keyed("unchanged", "90s")?;
            return value::seconds(&age).map(Ill::Unchanged);
        }
        if self.words.has_key("reaches") {
            return self.number("reaches").map(Ill::Reaches);
        }
        const ILLS: &str = "`errno=NAME`, `timed-out`, `closed`, `not-http`, `status=NUMBER`, \
             `exit HOW`, `unchanged=TIME`, `undated`, `reaches=NUMBER` or `busy`";
        match &*self.words.plain(ILLS)? {
            "timed-out" => Ok(Ill::TimedOut),
            "closed" => Ok(Ill::Closed),
            "not-http" => Ok(Ill::NotHttp),
            "exit" => self.exit().map(Ill::Exit),
            "undated" => Ok(Ill::Undated),
            "busy" => Ok(Ill::Busy),
            other => Err(expected(ILLS, other)),
        }
    }
}
