//! Caps: when files are to be deleted because those of a directory take up too much.
//!
//! Which ones is a function of the settings (`core/settings/cap.rs`). Never asks for that while the
//! daemon ends, and not again soon after a try that was of no use.

use super::super::Pass;
use super::super::fact::{CapId, Fault, Freed, OrderId};
use super::super::note::{GuardNote, Note};
use super::super::picture::{Ending, Verdict};
use crate::units::Mono;
use std::time::Duration;

/// Time until the next try. Shorter: a directory whose files must not be deleted is looked through for
/// nothing. Longer: a log that is written fast fills the card.
const AGAIN: Duration = Duration::from_secs(60);

/// How one cap stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CapView {
    /// Which.
    pub cap: CapId,
    /// What its files take up, in bytes; `None` while that is not known.
    pub size: Option<u64>,
    /// What is thought of it.
    pub verdict: Verdict,
}

/// What is known of one.
#[derive(Default)]
pub(super) struct Cap {
    size: Option<u64>,
    order: Option<OrderId>,
    tried: Option<Mono>,
    verdict: Verdict,
    /// What was told of it last, if that is still so.
    told: Option<Option<Fault>>,
}

impl Cap {
    /// Its files were looked at; tells whether some are to be deleted now.
    pub fn see(&mut self, cap: CapId, size: u64, freed: Option<Freed>, pass: &mut Pass) -> bool {
        self.size = Some(size);
        let Some(settings) = pass.settings.caps.get(usize::from(cap.0)) else {
            return false;
        };
        let over = size > settings.max;
        if let Some(Freed { files, bytes }) = freed.filter(|freed| freed.files > 0) {
            let note = GuardNote::CapTrimmed { cap, files, bytes };
            pass.out.note(Note::Guard(note));
        }
        match (over, freed) {
            (false, _) => (self.verdict, self.told) = (Verdict::Ok, None),
            // What may be deleted was.
            (true, Some(Freed { files: 0, .. })) => self.stays(cap, None, pass),
            (true, Some(_) | None) => {}
        }
        let rested = self.tried.is_none_or(|at| pass.now.since(at) >= AGAIN);
        over && freed.is_none()
            && rested
            && self.order.is_none()
            && pass.picture.ending == Ending::No
    }

    pub fn ordered(&mut self, order: OrderId, now: Mono) {
        (self.order, self.tried) = (Some(order), Some(now));
    }

    /// An order ended, of this cap or of anything else.
    pub fn done(
        &mut self,
        cap: CapId,
        order: OrderId,
        outcome: &Result<(), Fault>,
        pass: &mut Pass,
    ) {
        if self.order != Some(order) {
            return;
        }
        self.order = None;
        if let Err(why) = outcome
            && *why != Fault::Busy
        {
            self.stays(cap, Some(why.clone()), pass);
        }
    }

    /// Its directory cannot be looked at.
    pub fn lose(&mut self, cap: CapId, why: &Fault, pass: &mut Pass) {
        self.size = None;
        self.stays(cap, Some(why.clone()), pass);
    }

    /// Its thread is stuck: what it saw no longer stands.
    pub fn distrust(&mut self) {
        self.size = None;
        self.verdict = self.verdict.unseen();
    }

    fn stays(&mut self, cap: CapId, why: Option<Fault>, pass: &mut Pass) {
        self.verdict = Verdict::Warn;
        if self.told.as_ref() == Some(&why) {
            return;
        }
        self.told = Some(why.clone());
        pass.out.note(Note::Guard(match why {
            None => GuardNote::CapOver { cap },
            Some(why) => GuardNote::CapFailed { cap, why },
        }));
    }

    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub fn view(&self, cap: CapId) -> CapView {
        CapView {
            cap,
            size: self.size,
            verdict: self.verdict,
        }
    }
}
