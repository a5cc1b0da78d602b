//! What is good until a day: certificates, keys. Judged only while wall time can be trusted.
//!
//! Never says that something has expired by a clock that nobody vouches for: a board without a battery
//! comes up in a year that is long past, or one to come.

use super::super::Pass;
use super::super::fact::{ExpiryId, Fault, Source};
use super::super::note::{NetworkNote, Note};
use super::super::picture::Verdict;
use super::super::sense::Last;
use super::super::settings::Expiry as Settings;
use crate::units::Wall;

/// How something that expires stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExpiryView {
    /// Which.
    pub expiry: ExpiryId,
    /// What is thought of it.
    pub verdict: Verdict,
    /// When it expires; `None` while that cannot be read.
    pub ends: Option<Wall>,
}

/// How near the end is. Ordered from best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Range {
    Far,
    Near,
    Urgent,
    Over,
}

/// What is known of one.
#[derive(Default)]
pub(super) struct Expiry {
    last: Last<Wall>,
    /// The latest judgement, which stands while nobody can vouch for the time, and the end that it was
    /// about.
    range: Option<(Range, Wall)>,
}

impl Expiry {
    /// It was looked at.
    pub fn see(&mut self, id: ExpiryId, ends: Wall, pass: &mut Pass) {
        self.last.see(ends, Source::Expiry(id), pass);
    }

    /// It cannot be looked at.
    pub fn lose(&mut self, id: ExpiryId, why: &Fault, pass: &mut Pass) {
        self.last.lose(Source::Expiry(id), why, pass);
    }

    /// Judges it by the time that it is now.
    pub fn judge(&mut self, id: ExpiryId, settings: &Settings, now: Wall, pass: &mut Pass) {
        let Last::At(ends) = self.last else { return };
        let left = ends.beyond(now).unwrap_or_default();
        let range = if left.is_zero() {
            Range::Over
        } else if left <= settings.critical {
            Range::Urgent
        } else if left <= settings.warn {
            Range::Near
        } else {
            Range::Far
        };
        let before = self.range.replace((range, ends));
        if before.is_some_and(|(before, _)| before == range) {
            return;
        }
        let expiry = id;
        let near = |verdict| NetworkNote::ExpiryNear {
            verdict,
            expiry,
            left,
        };
        let note = match range {
            // That it is far from its end from the beginning is no news; nor that a clock was ahead.
            Range::Far if before.is_none_or(|(_, before)| before == ends) => return,
            Range::Far => NetworkNote::ExpiryFar { expiry, left },
            Range::Near => near(Verdict::Warn),
            Range::Urgent => near(Verdict::Critical),
            Range::Over => NetworkNote::ExpiryOver {
                expiry,
                since: now.beyond(ends).unwrap_or_default(),
            },
        };
        pass.out.note(Note::Network(note));
    }

    pub fn verdict(&self) -> Verdict {
        let known = match self.range.map(|(range, _)| range) {
            Some(Range::Far) => Verdict::Ok,
            Some(Range::Near) => Verdict::Warn,
            Some(Range::Urgent | Range::Over) => Verdict::Critical,
            None => Verdict::Unknown,
        };
        match self.last {
            Last::At(_) => known,
            Last::Never => known.unseen(),
            // Whoever relies on it may not find it either.
            Last::Gone => known.max(Verdict::Warn),
        }
    }

    pub fn view(&self, expiry: ExpiryId) -> ExpiryView {
        ExpiryView {
            expiry,
            verdict: self.verdict(),
            ends: self.last.value(),
        }
    }
}
