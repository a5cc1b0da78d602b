//! Reads what the guards of disks and memory saw.

use super::super::lexer::expected;
use super::super::problem::Problem;
use super::fact::Line;
use super::value;
use crate::core::fact::{
    CanaryId, CapId, ExpiryId, Freed, Reading, Source, Step, Swap, Uplink, Wear,
};
use crate::text::{found_named, step_word};

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
            Source::Uplink => self.uplink().map(Reading::Uplink)?,
            Source::Expiry(expiry) => Reading::Expiry {
                expiry,
                ends: value::wall(&self.words.keyed("ends", "2031-07-04T12:34:56Z")?)?,
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

    /// Each step that somebody cares about has a word of its own.
    fn uplink(&mut self) -> Result<Uplink, Problem> {
        const FOUND: &str = "`well`, `missing`, `down`, `silent`, `refused`, `wrong` or `unsure`";
        let mut uplink = Uplink::default();
        for step in Step::ALL {
            let key = step_word(step);
            if self.words.has_key(key) {
                let word = self.words.keyed(key, FOUND)?;
                let found = found_named(&word).ok_or_else(|| expected(FOUND, &word))?;
                uplink.put(step, found);
            }
        }
        if self.words.has_key("beyond") {
            uplink.beyond = self.flag("beyond")?;
        }
        if self.words.has_key("handshake") {
            let age = self.words.keyed("handshake", "45s")?;
            uplink.handshake = Some(value::seconds(&age)?);
        }
        Ok(uplink)
    }

    pub(super) fn expiry(&mut self) -> Result<ExpiryId, Problem> {
        let name = self.words.plain("the name of something that expires")?;
        let mut known = self.settings.expiries.iter();
        let at = known.position(|e| *e.name == *name);
        at.and_then(|at| u16::try_from(at).ok().map(ExpiryId))
            .ok_or_else(|| {
                let names = self.settings.expiries.iter().map(|e| &*e.name);
                value::unknown("expiry", &name, names)
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
