//! Clock: how far can wall time be trusted?
//!
//! ```text
//! unset ──what it shows can be true──► floor ──the battery-backed clock shows the same──► rtc
//! any ──somebody disciplines it──► synced ──nobody does any more──► holdover
//! any ──what it shows cannot be true──► unset      holdover ──somebody sets it──► floor or rtc
//! ```
//!
//! Terms: the *floor* is a time that is past for certain: that of the program's making, or of the
//! last record that was written while the clock was synced. The *rtc* is the
//! battery-backed clock; it confirms a time that can be true, and never outvotes whoever disciplines
//! the clock.
//!
//! What is told of the floor only raises it. A time source that was wrong by years may have raised it
//! for all boots to come; so a clock that is synced without a step for long lowers it again, never
//! below the earliest that was told. That lets a time source that is wrong for long be believed, but
//! the other way a machine that nobody visits never trusts a right clock again.
//!
//! A clock that shows less than the floor is wrong until then, whoever says that it is synced. A
//! reading that is missing for a while changes nothing.
//!
//! Never sets the kernel's clock, and the rtc only where its owner wants that, by a clock that has been
//! synced for a while; beyond that, what they show is only judged. Never uses
//! wall time for a decision: no other policy acts on what is found here, but that a service can be
//! made to wait until the time is right, and that a job has times of a calendar or runs so long after a
//! run of an earlier boot.

mod rtc;
mod setter;

#[cfg(test)]
mod tests;

use super::action::Action;
use super::fact::{Fact, Pulse, Reading, Shown, Source, Thread};
use super::note::{Doubt, Note, Trust};
use super::picture::Verdict;
use super::sense::Last;
use super::{Pass, Policy};
use crate::units::{Mono, Wall};
use rtc::Rtc;
pub use rtc::RtcView;
use setter::Setter;
use std::time::Duration;

/// How far beyond the floor a time can be. Longer than a board runs without ever being synced or
/// updated, both of which raise the floor; shorter, and such a board would distrust a right clock;
/// much longer, and half of what an rtc with an empty battery shows would pass (it counts 100
/// years).
pub(crate) const HORIZON: Duration = Duration::from_secs(20 * 365 * 86_400);

/// What a time may be before the floor: two time sources differ by so much at most, and a clock that
/// was corrected by less is not wrong. Longer would let a clock pass that was not set since.
const SLACK: Duration = Duration::from_secs(60);

/// A change of the clock beyond the passing of time that counts as a step, beside an eighth of the
/// time between two readings: a disciplined clock that is slewed runs up to a tenth faster (chrony).
/// Shorter tells corrections that hurt nobody.
const STEP: Duration = Duration::from_secs(10);

/// A clock that is synced for so long without a step knows better than the floor. Time sources that
/// disagree settle in minutes; longer leaves a machine with a wrong floor without its services.
pub(crate) const SURE: Duration = Duration::from_secs(600);

/// Why this time cannot be true.
fn doubt(time: Wall, floor: Wall) -> Option<Doubt> {
    match time.beyond(floor) {
        None => {
            let by = floor.beyond(time).filter(|by| *by > SLACK);
            by.map(|by| Doubt::Early { by })
        }
        Some(by) if by > HORIZON => Some(Doubt::Future { by }),
        Some(_) => None,
    }
}

/// Both are the same thing, if not of the same size.
fn same(one: Doubt, other: Doubt) -> bool {
    std::mem::discriminant(&one) == std::mem::discriminant(&other)
}

/// How far `one` is ahead of `other`, in milliseconds, if both run on evenly.
fn ahead(one: Shown, other: Shown) -> i128 {
    let start = |s: Shown| i128::from(s.time.seconds()) * 1000 - i128::from(s.at.0);
    start(one) - start(other)
}

/// By how much somebody has set the clock between two readings, in milliseconds; `None` if nobody has.
pub(crate) fn step_between(before: Shown, shown: Shown) -> Option<i128> {
    let by = ahead(shown, before);
    (size(by) >= STEP + shown.at.since(before.at) / 8).then_some(by)
}

/// The size of a difference in whole seconds: clocks are read no finer.
fn size(ahead: i128) -> Duration {
    Duration::from_secs(u64::try_from(ahead.unsigned_abs() / 1000).unwrap_or(u64::MAX))
}

/// What trust rests on.
#[derive(Clone, Copy, Debug)]
struct Signs {
    synced: bool,
    /// It is known what the clock shows, and what is past for certain.
    grounded: bool,
    doubt: Option<Doubt>,
    /// Somebody set the clock just now.
    stepped: bool,
    /// A good rtc shows the same.
    confirmed: bool,
}

/// What trust comes to.
fn next(before: Trust, signs: &Signs) -> Trust {
    let was_synced = matches!(before, Trust::Synced | Trust::Holdover);
    match (signs.doubt, signs.synced) {
        (Some(Doubt::Early { .. }), true | false) => Trust::Unset,
        // Whoever disciplines it knows better than the horizon.
        (Some(Doubt::Future { .. }) | None, true) => Trust::Synced,
        (Some(Doubt::Future { .. }), false) => Trust::Unset,
        (None, false) if was_synced && !signs.stepped => Trust::Holdover,
        (None, false) if !signs.grounded => Trust::Unset,
        (None, false) if signs.confirmed => Trust::Rtc,
        (None, false) => Trust::Floor,
    }
}

/// State of the policy.
#[derive(Default)]
pub(crate) struct Clock {
    synced: Last<bool>,
    shown: Option<Shown>,
    /// What it showed last, if it was synced and right: the rtc is measured by it.
    master: Option<Shown>,
    floor: Option<Wall>,
    /// The earliest that was told of the floor: that of the program's making.
    made: Option<Wall>,
    /// Synced without a step since then.
    steady: Option<Mono>,
    trust: Trust,
    /// Why the clock cannot be right, as it was told.
    wrong: Option<Doubt>,
    rtc: Rtc,
    setter: Setter,
}

impl Clock {
    pub fn synced(&self) -> Option<bool> {
        self.synced.value()
    }

    pub fn trust(&self) -> Trust {
        self.trust
    }

    pub fn rtc(&self) -> Option<RtcView> {
        self.rtc.view(self.shown)
    }

    /// Takes a reading in; tells whether somebody has set the clock since the one before.
    fn see(&mut self, synced: bool, shown: Option<Shown>, pass: &mut Pass) -> bool {
        self.synced.see(synced, Source::Clock, pass);
        let before = std::mem::replace(&mut self.shown, shown);
        let (Some(before), Some(shown)) = (before, shown) else {
            return false;
        };
        let step = step_between(before, shown);
        if let Some(by) = step {
            pass.out.note(Note::ClockStepped {
                by: size(by),
                ahead: by > 0,
            });
        }
        step.is_some()
    }

    /// Takes a floor in: it rises.
    fn raise(&mut self, time: Wall) {
        self.floor = self.floor.max(Some(time));
        self.made = Some(self.made.map_or(time, |made| made.min(time)));
    }

    /// Lowers the floor to what a clock shows that knows better.
    fn heal(&mut self, synced: bool, stepped: bool, now: Mono) {
        self.steady = match (synced, self.steady, stepped) {
            (false, _, _) => None,
            (true, Some(since), false) => Some(since),
            (true, None, false) | (true, _, true) => Some(now),
        };
        let sure = self.steady.is_some_and(|since| now.since(since) >= SURE);
        let (Some(shown), Some(floor), Some(made)) = (self.shown, self.floor, self.made) else {
            return;
        };
        let early = |floor| matches!(doubt(shown.time, floor), Some(Doubt::Early { .. }));
        if sure && early(floor) && !early(made) {
            self.floor = Some(shown.time.max(made));
        }
    }

    fn judge(&mut self, stepped: bool, pass: &mut Pass) {
        let tolerance = pass.settings.clock_tolerance;
        let judged = self.floor.zip(self.shown);
        let doubt = judged.and_then(|(floor, shown)| doubt(shown.time, floor));
        let known = self.synced.value();
        if let Some(synced) = known {
            let early = matches!(doubt, Some(Doubt::Early { .. }));
            self.master = self.shown.filter(|_| synced && !early);
        }
        self.rtc.judge(self.floor, self.master, tolerance, pass);
        let Some(synced) = known else {
            // Silence takes nothing back; a battery-backed clock that is gone, or turns out to be
            // wrong, does, whichever of the two clocks is lost first.
            if self.trust == Trust::Rtc && !self.rtc.confirms(self.shown, tolerance) {
                self.tell(Trust::Floor, None, pass);
            }
            return;
        };
        let signs = Signs {
            synced,
            grounded: judged.is_some(),
            doubt,
            stepped,
            confirmed: self.rtc.confirms(self.shown, tolerance),
        };
        self.tell(next(self.trust, &signs), doubt, pass);
    }

    /// Has the rtc set, where that is wanted and due.
    fn set_rtc(&mut self, stepped: bool, pass: &mut Pass) {
        let (trust, rtc, now) = (self.trust, self.rtc(), pass.now);
        if pass.settings.set_rtc && self.setter.wants(trust, rtc, stepped, now) {
            self.setter.ordered(pass.out.push(Action::SetRtc), now);
        }
    }

    /// Says what has changed.
    fn tell(&mut self, trust: Trust, doubt: Option<Doubt>, pass: &mut Pass) {
        let before = std::mem::replace(&mut self.trust, trust);
        let why = doubt.filter(|_| trust == Trust::Unset);
        let told = std::mem::replace(&mut self.wrong, why);
        let note = match (why, trust) {
            (Some(why), _) if told.is_some_and(|told| same(told, why)) => return,
            (Some(why), _) => Note::ClockWrong { why },
            (None, trust) if trust == before && told.is_none() => return,
            (None, Trust::Synced) => Note::ClockSynced,
            (None, Trust::Holdover) => Note::ClockUnsynced,
            (None, Trust::Unset | Trust::Floor | Trust::Rtc) => Note::ClockTrust { trust },
        };
        pass.out.note(note);
    }

    /// Is the time right? Silence takes nothing back.
    fn time(&self) -> Option<bool> {
        match self.trust {
            Trust::Synced | Trust::Rtc | Trust::Holdover => Some(true),
            Trust::Unset if self.wrong.is_some() => Some(false),
            Trust::Unset | Trust::Floor => None,
        }
    }

    fn verdict(&self) -> Verdict {
        let clock = match (self.synced.value(), self.trust) {
            (Some(_), Trust::Synced | Trust::Rtc) => Verdict::Ok,
            (Some(_), Trust::Holdover) if self.rtc.is_good() => Verdict::Ok,
            // Silence takes nothing back.
            (_, Trust::Unset) if self.wrong.is_some() => Verdict::Warn,
            (Some(_), Trust::Unset | Trust::Floor | Trust::Holdover) | (None, _) => {
                Verdict::Unknown
            }
        };
        clock.max(self.rtc.verdict())
    }
}

impl Policy for Clock {
    fn step(&mut self, pass: &mut Pass) {
        let mut stepped = false;
        match pass.fact {
            Fact::Seen(Reading::Clock { synced, shown }) => {
                stepped = self.see(*synced, *shown, pass);
                self.heal(*synced, stepped, pass.now);
            }
            Fact::Seen(Reading::Rtc(seen)) => self.rtc.see(*seen, pass),
            Fact::Seen(Reading::Floor { time }) => self.raise(*time),
            Fact::Lost {
                source: Source::Clock,
                why,
            } => self.synced.lose(Source::Clock, why, pass),
            Fact::Lost {
                source: Source::Rtc,
                why,
            } => self.rtc.lose(why, pass),
            Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } => {
                self.synced.distrust();
                self.rtc.distrust();
            }
            Fact::Done { order, outcome } => return self.setter.done(*order, outcome, pass),
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } => return,
        }
        self.judge(stepped, pass);
        self.set_rtc(stepped, pass);
        pass.picture.clock = self.verdict();
        pass.picture.time = self.time();
        pass.picture.shown = self.shown.or(pass.picture.shown);
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}
