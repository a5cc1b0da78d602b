//! Reads how a service stands that somebody else keeps: the reverse of `crate::text::keeper`.

use super::super::lexer::expected;
use super::super::problem::Problem;
use super::fact::Line;
use super::value;
use crate::core::fact::{Health, Life, Standing};
use crate::text::{health_named, obstacle_named};

impl Line<'_, '_> {
    pub(super) fn standing(&mut self) -> Result<Standing, Problem> {
        const STANDINGS: &str = "`up`, `coming`, `going`, `down` or `unknown`";
        const HEALTHS: &str = "`untold`, `awaited`, `well` or `ill`";
        const OBSTACLES: &str = "`none`, `unseen`, `silent`, `ending`, `missing`, `masked`, `paused`, `broken` or `no-process`";
        match &*self.words.plain(STANDINGS)? {
            "up" => {
                let life = self.words.keyed("life", "HEX")?;
                let life = u64::from_str_radix(&life, 16);
                Ok(Standing::Up {
                    life: Life(life.map_err(|_| expected("a number such as `3f2a`", "life="))?),
                    pid: value::pid(&self.words.keyed("pid", "NUMBER")?)?,
                    again: self.number("again")?,
                    health: match self.words.has_key("health") {
                        false => Health::Untold,
                        true => {
                            let word = self.words.keyed("health", HEALTHS)?;
                            health_named(&word).ok_or_else(|| expected(HEALTHS, &word))?
                        }
                    },
                    patience: match self.words.has_key("patience") {
                        false => None,
                        true => Some(value::seconds(&self.words.keyed("patience", "DURATION")?)?),
                    },
                })
            }
            "coming" => Ok(Standing::Coming {
                pid: self.known("pid", "NUMBER|none", value::pid)?,
                // Traces of before have none.
                after: match self.words.is_over() {
                    true => None,
                    false => Some(self.exit()?),
                },
            }),
            "going" => Ok(Standing::Going),
            "down" => Ok(Standing::Down {
                told: self.flag("told")?,
                obstacle: self.known("obstacle", OBSTACLES, |word| {
                    obstacle_named(word).ok_or_else(|| expected(OBSTACLES, word))
                })?,
                exit: self.exit()?,
            }),
            "unknown" => Ok(Standing::Unknown { why: self.fault()? }),
            other => Err(expected(STANDINGS, other)),
        }
    }
}
