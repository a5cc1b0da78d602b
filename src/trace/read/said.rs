//! Reads what a service has said on its notify socket.

use super::super::lexer::expected;
use super::super::problem::Problem;
use super::fact::Line;
use super::value;
use crate::core::fact::{Change, NotifyKey, Refusal, Said};
use crate::text::notify_key_named;

impl Line<'_, '_> {
    /// What stands behind `said`.
    pub(super) fn said(&mut self) -> Result<Said, Problem> {
        const SAID: &str = "`reloading`, `stopping`, `trigger`, `status=TEXT`, `errno=NAME`, \
                            `window=DURATION`, `extend=DURATION`, `kept=NUMBER` or `main=NUMBER`";
        if self.words.has_key("status") {
            return Ok(Said::Status(self.words.keyed("status", "TEXT")?.into()));
        }
        if self.words.has_key("errno") {
            let name = self.words.keyed("errno", "NAME")?;
            return value::errno(&name).map(Said::Errno);
        }
        if self.words.has_key("window") {
            return self
                .known("window", "DURATION|none", value::seconds)
                .map(Said::Window);
        }
        if self.words.has_key("extend") {
            let time = self.words.keyed("extend", "DURATION")?;
            return value::seconds(&time).map(Said::Extend);
        }
        if self.words.has_key("kept") {
            return self.number("kept").map(Said::Kept);
        }
        if self.words.has_key("main") {
            let pid = self.words.keyed("main", "NUMBER")?;
            return value::pid(&pid).map(Said::Main);
        }
        match &*self.words.plain(SAID)? {
            "reloading" => Ok(Said::Reloading {
                since: match self.words.has_key("since") {
                    true => Some(value::mono(&self.words.keyed("since", "TIME")?)?),
                    false => None,
                },
            }),
            "stopping" => Ok(Said::Stopping),
            "trigger" => Ok(Said::Trigger),
            other => Err(expected(SAID, other)),
        }
    }

    /// What stands behind `refused`.
    pub(super) fn refused(&mut self) -> Result<Change, Problem> {
        let why = self.refusal()?;
        let times = self.number("times")?;
        Ok(Change::Refused { why, times })
    }

    fn refusal(&mut self) -> Result<Refusal, Problem> {
        const WHY: &str = "`stranger`, `too-long`, `nul`, `value`, `main`, `store` or `flood`";
        match &*self.words.plain(WHY)? {
            "stranger" => Ok(Refusal::Stranger {
                pid: match self.words.has_key("pid") {
                    true => Some(value::pid(&self.words.keyed("pid", "NUMBER")?)?),
                    false => None,
                },
                user: self.number("user")?,
            }),
            "too-long" => Ok(Refusal::TooLong),
            "nul" => Ok(Refusal::Nul),
            "value" => self.notify_key().map(Refusal::Value),
            "main" => {
                let pid = self.words.keyed("pid", "NUMBER")?;
                value::pid(&pid).map(Refusal::Main)
            }
            "store" => Ok(Refusal::Store),
            "flood" => Ok(Refusal::Flood),
            other => Err(expected(WHY, other)),
        }
    }

    fn notify_key(&mut self) -> Result<NotifyKey, Problem> {
        let key = self.words.keyed("key", "KEY")?;
        notify_key_named(&key).ok_or_else(|| expected("a key of sd_notify such as `STATUS`", &key))
    }
}
