//! Reads what the guards of disks and memory saw.

use super::super::problem::Problem;
use super::fact::Line;
use super::value;
use crate::core::fact::{CanaryId, CapId, Freed, Reading, Source, Swap, Wear};

impl Line<'_, '_> {
    /// What stands behind one of these sources.
    pub(super) fn guarded(&mut self, source: Source) -> Result<Reading, Problem> {
        Ok(match source {
            Source::Canary(canary) => Reading::Canary {
                canary,
                took: value::seconds(&self.words.keyed("took", "0.012s")?)?,
            },
            Source::Cap(cap) => Reading::Cap {
                cap,
                size: self.number("size")?,
                freed: match self.words.has_key("files") {
                    true => Some(Freed {
                        files: self.number("files")?,
                        bytes: self.number("freed")?,
                    }),
                    false => None,
                },
            },
            Source::Wear(mount) => Reading::Wear {
                mount,
                wear: Wear {
                    life: self.number("life")?,
                    spare: self.number("spare")?,
                },
            },
            Source::Swap => Reading::Swap(Swap {
                read: self.number("read")?,
                written: self.number("written")?,
                on_disk: self.flag("on-disk")?,
            }),
            _ => Reading::Pressure {
                full: value::percent(&self.words.keyed("full", "PERCENT%")?)?,
            },
        })
    }

    pub(super) fn canary(&mut self) -> Result<CanaryId, Problem> {
        let dir = self.words.plain("the directory of a canary")?;
        let mut known = self.settings.canaries.iter();
        let at = known.position(|c| **c == *dir);
        at.and_then(|at| u16::try_from(at).ok().map(CanaryId))
            .ok_or_else(|| {
                let names = self.settings.canaries.iter().map(|c| &**c);
                value::unknown("canary", &dir, names)
            })
    }

    pub(super) fn cap(&mut self) -> Result<CapId, Problem> {
        let name = self.words.plain("the name of a cap")?;
        let mut known = self.settings.caps.iter();
        let at = known.position(|c| *c.name == *name);
        at.and_then(|at| u16::try_from(at).ok().map(CapId))
            .ok_or_else(|| {
                let names = self.settings.caps.iter().map(|c| &*c.name);
                value::unknown("cap", &name, names)
            })
    }
}
