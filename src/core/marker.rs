//! The marker: what is to come, written down ahead of it, for whoever comes next.
//!
//! Terms: a record is *due at once* when what is to come changes, and *in its time* when only a
//! sign of life is owed. What holds is *kept* at once for this boot, in memory: whoever follows in
//! it goes on with an outage from there.
//!
//! Never writes often: beyond changes of intent, one small record in ten minutes. Never holds up what
//! it tells of: a card that stalls makes the marker late, and nothing else.

use super::action::Action;
use super::fact::{Fact, Fault, OrderId, Reading, Source, ThrottleFlag};
use super::intent::{CutTold, FoundMarker, HaltPhase, Intent, Marker as Kept, Proof};
use super::note::HaltNote;
use super::past::{End, LastBoot, judge};
use super::picture::{Ending, HaltCause, Picture, Rung, Strain};
use super::settings::WatchdogOwner;
use super::traces::Sample;
use super::{Pass, Policy};
use crate::units::Mono;
use std::time::Duration;

/// Time between two signs of life. Shorter: a card is worn out for the sake of a guess. Longer: the
/// last sign of life says less about when a boot ended.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10 * 60);

/// Least time between two records that change nothing but what is believed of mains, or that take
/// back a warning. Mains that come and go must not wear out a card.
const CALM: Duration = Duration::from_secs(60);

/// Time between two signs of life while the watchdog is to bite, for a drill. It takes some seconds.
const BITING: Duration = Duration::from_secs(1);

/// The same for a queue that was full.
const SOON: Duration = Duration::from_secs(1);

/// Time after which a record that failed is tried again. Shorter: a file system that is full is
/// bothered for nothing. Longer: what the card says of a halt that was taken back holds for that long.
const AGAIN: Duration = Duration::from_secs(30);

/// State of the policy.
#[derive(Default)]
pub(crate) struct Marker {
    /// What was found at the start.
    found: Option<Result<FoundMarker, Fault>>,
    last_boot: Option<LastBoot>,
    begun: bool,
    /// What is seen of power.
    sample: Sample,
    /// What the latest drill has proven.
    proof: Option<Proof>,
    /// What was written last, and when.
    written: Option<(Kept, Mono)>,
    /// The record that is on its way.
    order: Option<OrderId>,
    /// What is told for this boot, as far as that could be written.
    kept: Option<Kept>,
    /// The latest order to keep it, and when it is given again because it failed.
    keep: Option<OrderId>,
    keep_again: Option<Mono>,
    told: Option<Fault>,
    /// The latest record failed.
    failed: bool,
    /// When the next record is due.
    due: Option<Mono>,
    /// When the shutdown, which comes before us in a pass, is to see that a record was written.
    shown: Option<Mono>,
}

impl Marker {
    pub fn last_boot(&self) -> Option<LastBoot> {
        self.last_boot
    }

    /// What the latest drill of the watchdog has proven.
    pub fn proof(&self) -> Option<Proof> {
        self.proof
    }

    /// The first tick: everything that was found has been told.
    fn begin(&mut self, pass: &mut Pass) {
        self.begun = true;
        let Some(found) = &self.found else { return };
        let guarded = pass.settings.watchdog.owner != WatchdogOwner::Nobody;
        self.last_boot = judge(found, guarded);
        self.proof = found.as_ref().ok().and_then(|left| left.marker.proof);
        if let (Ok(left), Some(End::Drill { took, timeout, .. })) =
            (found, self.last_boot.map(|last| last.end))
        {
            let at = left.traces.at;
            self.proof = Some(Proof { took, timeout, at });
        }
        if let (None, Ok(left)) = (self.last_boot, found) {
            // The daemon before this one has told it.
            self.last_boot = left.marker.before;
            return;
        }
        if let Some(LastBoot { end, confidence }) = self.last_boot {
            let left = found.as_ref().ok().copied().map(Box::new);
            pass.tell(HaltNote::LastBoot {
                end,
                confidence,
                left,
            });
        }
    }

    /// A record was written, or could not be.
    fn done(&mut self, outcome: &Result<(), Fault>, pass: &mut Pass) {
        self.order = None;
        // Where the queue is full, a record before this one is still being written: that is no outcome.
        pass.picture.recorded = *outcome != Err(Fault::Busy);
        self.failed = outcome.is_err();
        pass.picture.record_failed = self.failed;
        match outcome {
            Ok(()) => self.told = None,
            Err(why) => self.tell_failed(why, pass),
        }
        self.shown = Some(pass.now);
    }

    fn write_if_due(&mut self, pass: &mut Pass) {
        if pass
            .picture
            .halting
            .is_some_and(|h| h.rung == Rung::Looking)
        {
            // What the boot before has left stands until it is known what follows from it.
            self.due = None;
            return;
        }
        let wanted = Kept {
            before: self.last_boot,
            sample: self.sample,
            proof: self.proof,
            ..wanted(pass.picture)
        };
        let at = self.record_at(&wanted, pass);
        if at > pass.now {
            self.due = Some(at);
            return self.keep(wanted, pass);
        }
        self.order = Some(pass.out.push(Action::Record(wanted)));
        self.written = Some((wanted, pass.now));
        (self.kept, self.keep_again) = (Some(wanted), None);
        self.failed = false;
        self.due = Some(pass.now.after(SIGN_OF_LIFE));
        (pass.picture.recorded, pass.picture.record_failed) = (false, false);
    }

    /// When a record that tells this is due.
    fn record_at(&self, wanted: &Kept, pass: &Pass) -> Mono {
        match self.written {
            None => pass.now,
            Some((written, at)) => {
                let usual = due(&written, at, wanted, pass.now);
                match self.failed {
                    true => usual.min(at.after(AGAIN)),
                    false => usual,
                }
            }
        }
    }

    /// Keeps what holds now for this boot.
    fn keep(&mut self, wanted: Kept, pass: &mut Pass) {
        match self.keep_again {
            Some(at) if at > pass.now => self.due = self.due.min(Some(at)),
            Some(_) | None if self.kept.is_some_and(|kept| says_the_same(&kept, &wanted)) => {}
            Some(_) | None => {
                self.keep = Some(pass.out.push(Action::Keep(wanted)));
                (self.kept, self.keep_again) = (Some(wanted), None);
            }
        }
    }

    /// It could not be kept.
    fn not_kept(&mut self, why: &Fault, pass: &mut Pass) {
        let wait = if *why == Fault::Busy { SOON } else { AGAIN };
        (self.kept, self.keep) = (None, None);
        self.keep_again = Some(pass.now.after(wait));
        if *why != Fault::Busy {
            self.tell_failed(why, pass);
        }
    }

    fn tell_failed(&mut self, why: &Fault, pass: &mut Pass) {
        if self.told.as_ref() != Some(why) {
            pass.tell(HaltNote::MarkerFailed { why: why.clone() });
            self.told = Some(why.clone());
        }
    }
}

/// For whoever follows in this boot: what was last seen of power is for the next one.
fn says_the_same(kept: &Kept, wanted: &Kept) -> bool {
    let of = |marker: &Kept| Kept {
        sample: Sample::default(),
        dated: false,
        ..*marker
    };
    of(kept) == of(wanted)
}

/// When this marker is to be written, if that one was written then.
fn due(written: &Kept, at: Mono, wanted: &Kept, now: Mono) -> Mono {
    let may_cut = written.cut == CutTold::No && wanted.cut != CutTold::No;
    if may_cut || wanted.reboots.are_more_than(&written.reboots) {
        // What is counted must be on the card before it is made; and after a reset nobody else tells
        // the next boot that its board may cut the power.
        return now;
    }
    if wanted.let_go.is_some() {
        // How long it took to bite is told by the last of these.
        let again = written.let_go == wanted.let_go;
        return if again { at.after(BITING) } else { now };
    }
    let takes_back = matches!(wanted.intent, Intent::Run)
        && matches!(written.intent, Intent::Withhold { .. } | Intent::Leave);
    let of = |kept: &Kept| (kept.intent, kept.attempts, kept.in_vain, kept.sunk);
    let same = of(written) == of(wanted);
    let may_be_the_last = wanted.sample.is_news_to(&written.sample);
    match (
        same,
        takes_back || written.mains != wanted.mains || may_be_the_last,
    ) {
        (false, _) if !takes_back => now,
        (_, true) => at.after(CALM),
        (_, false) => at.after(SIGN_OF_LIFE),
    }
}

/// What the marker should tell.
fn wanted(picture: &Picture) -> Kept {
    let intent = match (picture.halting, picture.ending, picture.stuck) {
        (Some(halting), _, _) => Intent::Halt {
            kind: halting.kind,
            cause: halting.cause,
            phase: match halting.rung < Rung::Recording {
                true => HaltPhase::Begun,
                false => HaltPhase::Committed,
            },
        },
        (
            None,
            Ending::Parting {
                services_left: true,
            },
            _,
        ) => Intent::Leave,
        (None, Ending::Stopping { .. } | Ending::Parting { .. }, _) => Intent::Exit,
        (None, Ending::No | Ending::Halting { .. }, Some(thread)) => Intent::Withhold { thread },
        (None, Ending::No | Ending::Halting { .. }, None) => Intent::Run,
    };
    Kept {
        intent,
        mains: picture.mains,
        outage: picture.outage,
        attempts: picture.halting.map_or(0, |h| h.attempts),
        in_vain: picture.halts_in_vain.saturating_add(u8::from(
            picture.halting.is_some_and(|h| h.cause.ends_with_mains()),
        )),
        sunk: picture.sunk.saturating_add(u8::from(
            picture
                .halting
                .is_some_and(|h| h.cause == HaltCause::BatterySinks),
        )),
        reboots: picture.reboots,
        cut: match (picture.halting, picture.forgets_cut) {
            (Some(halting), _) => halting.cut,
            (None, true) => CutTold::Maybe,
            (None, false) => CutTold::No,
        },
        before: None,
        sample: Sample::default(),
        dated: picture.time == Some(true),
        let_go: picture.let_go,
        proof: None,
    }
}

impl Marker {
    /// What there is to see of power.
    fn look(&mut self, pass: &Pass) {
        let sample = &mut self.sample;
        match pass.fact {
            Fact::Seen(Reading::Throttle(flags)) => {
                sample.weak = Some(flags.now(ThrottleFlag::UnderVoltage));
            }
            Fact::Lost {
                source: Source::Throttle,
                ..
            } => sample.weak = None,
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => {}
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {}
        }
        // What its gauge says when it is broken is no level of a battery.
        (sample.level, sample.voltage) = (pass.picture.charge, pass.picture.voltage);
        // A halt has a cause of its own.
        sample.low = pass.picture.halting.is_none()
            && pass.picture.strain_of_power == Some(Strain::LowBattery);
    }
}

impl Policy for Marker {
    fn step(&mut self, pass: &mut Pass) {
        self.shown = None;
        self.look(pass);
        match pass.fact {
            Fact::Seen(Reading::Marker(left)) if !self.begun => self.found = Some(Ok(**left)),
            Fact::Lost {
                source: Source::Marker,
                why,
            } if !self.begun => self.found = Some(Err(why.clone())),
            Fact::Tick if !self.begun => self.begin(pass),
            Fact::Done { order, outcome } if Some(*order) == self.order => self.done(outcome, pass),
            Fact::Done {
                order,
                outcome: Err(why),
            } if Some(*order) == self.keep => self.not_kept(why, pass),
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => {}
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {}
        }
        match self.found {
            Some(_) if self.begun => self.write_if_due(pass),
            // Nothing is written before the first tick.
            Some(_) => pass.picture.recorded = false,
            // Who was told nothing of a marker has none, as in traces of old.
            None => pass.picture.recorded = true,
        }
    }

    fn deadline(&self) -> Option<Mono> {
        [self.due, self.shown].into_iter().flatten().min()
    }
}
