//! Reads facts about the configuration.

use super::super::lexer::expected;
use super::super::problem::Problem;
use super::fact::Line;
use super::value;
use crate::core::fact::{Reading, StandIn};

impl Line<'_, '_> {
    pub(super) fn problems(&mut self) -> Result<Reading, Problem> {
        if self.words.has_key("goes-by") {
            return self.stand_in();
        }
        let text = self.words.keyed("problems", "TEXT")?.into();
        Ok(Reading::Problems { text })
    }

    fn stand_in(&mut self) -> Result<Reading, Problem> {
        const WORDS: &str = "`copy`, `safe-mode` or `elsewhere`";
        let by = match &*self.words.keyed("goes-by", WORDS)? {
            "copy" => StandIn::Copy {
                taken: value::wall(&self.words.keyed("taken", "2031-07-04T12:34:56Z")?)?,
            },
            "safe-mode" => StandIn::SafeMode,
            "elsewhere" => StandIn::Elsewhere,
            other => return Err(expected(WORDS, other)),
        };
        let problem = self.words.keyed("problem", "TEXT")?.into();
        Ok(Reading::StandIn { by, problem })
    }
}
