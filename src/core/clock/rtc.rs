//! The battery-backed clock: is there one, does it run, and can its time be true?

use super::super::Pass;
use super::super::fact::{Fault, RtcSeen, Shown, Source};
use super::super::note::{GuardNote, Note, RtcDoubt};
use super::super::picture::Verdict;
use super::super::sense::Last;
use super::{ahead, doubt, same, size};
use crate::units::Wall;
use std::mem::discriminant;
use std::time::Duration;

/// A clock of whole seconds that shows the same time for this long stands still. Anything above a
/// second would do.
const FROZEN: Duration = Duration::from_secs(5);

/// How the battery-backed clock stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RtcView {
    /// What it said last; `None` if it was there and cannot be read now.
    pub seen: Option<RtcSeen>,
    /// What speaks against it.
    pub doubt: Option<RtcDoubt>,
    /// How far it is ahead of the kernel's clock, good to a second; negative if it is behind.
    pub ahead_seconds: Option<i64>,
}

/// What is known of it.
#[derive(Default)]
pub(super) struct Rtc {
    last: Last<RtcSeen>,
    /// There is one, or was.
    known: bool,
    /// What it showed last, until it is lost.
    shown: Option<Shown>,
    /// The first reading with the time that it shows now.
    turned: Option<Shown>,
    doubt: Option<RtcDoubt>,
    /// It confirmed the kernel's clock last time.
    confirmed: bool,
}

/// Both are the same thing, if not of the same size.
fn alike(one: RtcDoubt, other: RtcDoubt) -> bool {
    match (one, other) {
        (RtcDoubt::Untrue(one), RtcDoubt::Untrue(other)) => same(one, other),
        (one, other) => discriminant(&one) == discriminant(&other),
    }
}

impl Rtc {
    pub fn see(&mut self, seen: RtcSeen, pass: &mut Pass) {
        self.last.see(seen, Source::Rtc, pass);
        self.known = true;
        let turned = self
            .turned
            .filter(|t| Some(t.time) == seen.shown.map(|s| s.time));
        self.turned = turned.or(seen.shown);
        self.shown = seen.shown;
    }

    pub fn lose(&mut self, why: &Fault, pass: &mut Pass) {
        self.last.lose(Source::Rtc, why, pass);
        self.known = true;
        self.turned = None;
        self.shown = None;
    }

    pub fn distrust(&mut self) {
        self.last.distrust();
    }

    /// Looks for what speaks against it, and says what has changed. `master` is what the kernel's
    /// clock shows, if that is synced.
    pub fn judge(
        &mut self,
        floor: Option<Wall>,
        master: Option<Shown>,
        tolerance: Duration,
        pass: &mut Pass,
    ) {
        let Some(seen) = self.last.value() else {
            return;
        };
        let found = self.doubts(seen, floor, master, tolerance);
        let before = std::mem::replace(&mut self.doubt, found);
        match (before, found) {
            (None, None) => {}
            (Some(before), Some(why)) if alike(before, why) => {}
            (Some(_) | None, Some(why)) => pass.out.note(Note::RtcWrong { why }),
            (Some(_), None) => pass.out.note(Note::Guard(GuardNote::RtcRight)),
        }
    }

    fn doubts(
        &self,
        seen: RtcSeen,
        floor: Option<Wall>,
        master: Option<Shown>,
        tolerance: Duration,
    ) -> Option<RtcDoubt> {
        let Some(shown) = seen.shown else {
            return Some(RtcDoubt::Invalid);
        };
        if seen.oscillator_stopped == Some(true) {
            return Some(RtcDoubt::Stopped);
        }
        if self.turned.is_some_and(|t| shown.at.since(t.at) >= FROZEN) {
            return Some(RtcDoubt::Frozen);
        }
        let Some(master) = master else {
            return doubt(shown.time, floor?).map(RtcDoubt::Untrue);
        };
        let by = ahead(shown, master);
        let strayed = matches!(
            self.doubt,
            Some(RtcDoubt::Ahead { .. } | RtcDoubt::Behind { .. })
        );
        // What has strayed has to come halfway back, or it would be told again and again.
        let limit = if strayed { tolerance / 2 } else { tolerance };
        match (size(by), by > 0) {
            (size, _) if size <= limit => None,
            (by, true) => Some(RtcDoubt::Ahead { by }),
            (by, false) => Some(RtcDoubt::Behind { by }),
        }
    }

    /// It is good and shows what the kernel's clock shows.
    pub fn confirms(&mut self, clock: Option<Shown>, tolerance: Duration) -> bool {
        let limit = match self.confirmed {
            true => tolerance,
            false => tolerance / 2,
        };
        self.confirmed = match (self.shown, clock, self.doubt) {
            (Some(own), Some(clock), None) => size(ahead(own, clock)) <= limit,
            (None, _, _) | (_, None, _) | (_, _, Some(_)) => false,
        };
        self.confirmed
    }

    /// It is there, and nothing speaks against it.
    pub fn is_good(&self) -> bool {
        self.last.value().is_some() && self.doubt.is_none()
    }

    /// A machine without one lacks nothing; one that is gone or wrong needs somebody to look.
    pub fn verdict(&self) -> Verdict {
        match (&self.last, self.doubt) {
            (Last::Gone, _) | (Last::Never | Last::At(_), Some(_)) => Verdict::Warn,
            (Last::Never | Last::At(_), None) => Verdict::Ok,
        }
    }

    pub fn view(&self, clock: Option<Shown>) -> Option<RtcView> {
        let seen = self.last.value();
        let shown = seen.and_then(|s| s.shown);
        self.known.then_some(RtcView {
            seen,
            doubt: self.doubt.filter(|_| seen.is_some()),
            ahead_seconds: shown
                .zip(clock)
                .and_then(|(own, clock)| i64::try_from(ahead(own, clock) / 1000).ok()),
        })
    }
}
