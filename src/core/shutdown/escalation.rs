//! The last rung of escalation: the machine is restarted in order, for the sake of a service that
//! nothing else has helped, or of the way out, where its owner wants that.
//!
//! ```text
//!   a service is given up ──► kept? ──no──► Counting ──written──► halt, as a restart
//!                               │               │                  │
//!                              yes          not written      refused, on battery
//!                               └───────────────┴──► the machine stays on, and that is told
//! ```
//!
//! It is counted first and made then: nothing is stopped before the count has reached the marker, so a
//! daemon that is killed in between, or a reset, leaves one that was counted and not made. Whenever
//! something is not known, or not in order, the machine stays on; the service is given up then, and
//! tried again after its cooldown.
//!
//! Never on battery, never in a hold, never while the machine or the daemon ends, never more often than
//! [`Reboots`](crate::core::reboots::Reboots) allows, and never where a count that is written now
//! would be gone after the restart: such a machine would be restarted for ever.

use super::halt::Halt;
use super::ladder::{Came, can_be_taken_back};
use super::{Shutdown, State};
use crate::core::fact::{Asker, Fact, Fault, HaltKind, Reading, ServiceId, Source};
use crate::core::intent::FoundMarker;
use crate::core::note::{DrillRefused, HaltNote, MachineKept, NetworkNote, Note};
use crate::core::past::was_reset;
use crate::core::picture::{HaltCause, Picture, Repair, Rung};
use crate::core::reboots::Reboots;
use crate::core::settings::{Remedy, Settings};
use crate::core::{End, Pass};
use crate::units::Mono;
use std::time::Duration;

/// Time for the count to reach the card. It is one block. Longer: a card that stalls for long is about
/// to fail, and no count on it can be relied upon.
const COUNTING: Duration = Duration::from_secs(3);

/// For what a restart of the machine is counted.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// For the sake of this service.
    Service(ServiceId),
    /// For the sake of the way out.
    Network,
    /// For a drill of the watchdog, which somebody has asked for.
    Drill(Asker),
}

/// What is known of restarts of the machine.
#[derive(Clone, Copy, Default)]
pub(super) struct Counted {
    /// How many there were, and when that was so; `None` if that is not known.
    known: Option<(Reboots, Mono)>,
    /// Whatever was left could not be read.
    lost: bool,
    /// A marker of an earlier boot was found in this one, where a marker outlives a boot.
    lasts: bool,
    /// A marker was found where none outlives a boot.
    forgets: bool,
    /// The daemons before this one broke off.
    unsteady: bool,
    /// The latest one could not be written down.
    unwritten: bool,
    /// Init and the kernel did not do it.
    refused: bool,
    /// Why it was not made for the way out, as was told last.
    kept: Option<MachineKept>,
    /// One that is being written down, what for, and how long that may take.
    counting: Option<(Wanted, Mono)>,
}

impl Counted {
    fn now(&self, now: Mono) -> Reboots {
        match self.known {
            Some((reboots, at)) => reboots.after(now.since(at)),
            None if self.lost => Reboots::UNKNOWN,
            None => Reboots::default(),
        }
    }

    fn hear(&mut self, fact: &Fact, now: Mono) {
        match fact {
            Fact::Seen(Reading::Marker(left)) => {
                let reboots = left.marker.reboots;
                // One budget for all: a machine that hangs is not restarted on top of that.
                let reboots = match was_reset(left) {
                    true => reboots.and_one(),
                    false => reboots,
                };
                self.known = Some((reboots, now));
                self.lasts = left.lasts && outlived_a_boot(left);
                self.forgets = !left.lasts;
            }
            Fact::Lost {
                source: Source::Marker,
                why,
            } => {
                // The first boot of all has none; so has every boot of a machine that forgets it.
                let none = *why == Fault::Absent;
                self.known = none.then_some((Reboots::default(), now));
                self.lost = !none;
            }
            Fact::Seen(Reading::Starts { .. }) => self.unsteady = true,
            Fact::Tick
            | Fact::Seen(_)
            | Fact::Lost { .. }
            | Fact::Child { .. }
            | Fact::Kept { .. }
            | Fact::Asked { .. }
            | Fact::Done { .. }
            | Fact::Thread { .. } => {}
        }
    }

    /// Why the machine would not be restarted now.
    fn keeps_on(&self, now: Mono, picture: &Picture, settings: &Settings) -> Option<MachineKept> {
        let s = &settings.reboots;
        if self.known.is_none() {
            return Some(MachineKept::NotCounted);
        }
        if !self.lasts {
            return Some(MachineKept::NotKept);
        }
        if self.refused {
            return Some(MachineKept::Refused);
        }
        if self.unsteady {
            return Some(MachineKept::Unsteady);
        }
        if let Some((reboots, window)) = self.now(now).used_up(s) {
            return Some(MachineKept::UsedUp { reboots, window });
        }
        if let Some(why) = not_now(picture) {
            return Some(why);
        }
        let early = now.since(Mono::default()) < s.uptime;
        early.then_some(MachineKept::TooSoon { uptime: s.uptime })
    }
}

/// It was left by an earlier boot; or by an earlier daemon of this one, which had found one.
fn outlived_a_boot(left: &FoundMarker) -> bool {
    let before = left.marker.before.map(|before| before.end);
    !left.same_boot || before.is_some_and(|end| end != End::FirstBoot)
}

/// What would make the machine run on, whatever is counted.
pub(super) fn not_now(picture: &Picture) -> Option<MachineKept> {
    if picture.on_battery() {
        return Some(MachineKept::OnBattery);
    }
    picture.hold.then_some(MachineKept::Hold)
}

impl Shutdown {
    /// Takes in what was left, and shows what there is to be left.
    pub(super) fn count_reboots(&mut self, pass: &mut Pass) {
        self.reboots.hear(pass.fact, pass.now);
        pass.picture.reboots = self.reboots.now(pass.now);
    }

    /// A service that was given up asks for a restart of the machine; or one that has asked is waited
    /// for by nothing any more.
    pub(super) fn hear_escalation(&mut self, pass: &mut Pass) {
        let asked = pass.picture.escalated.take().map(Wanted::Service);
        let machine = |r: &Repair| r.remedy == Remedy::Machine;
        let network = pass.picture.repair.filter(machine);
        let network = network.filter(|_| asked.is_none());
        if !matches!(self.state, State::Running) {
            self.reboots.counting = None;
            return;
        }
        if let Some((wanted, until)) = self.reboots.counting {
            return self.see_counted(wanted, until, pass);
        }
        let wanted = asked.or(network.map(|_| Wanted::Network));
        let Some(wanted) = wanted else { return };
        let why = self.reboots.keeps_on(pass.now, pass.picture, pass.settings);
        match (why, network) {
            // For the way out it is asked for again and again, and told once.
            (Some(why), Some(repair)) => {
                let before = self.reboots.kept.replace(why);
                if !repair.again || before != Some(why) {
                    tell_kept(wanted, why, pass);
                }
            }
            (Some(why), None) => tell_kept(wanted, why, pass),
            (None, network) => {
                if let Some(Repair { rung, step, .. }) = network {
                    pass.picture.repair = None;
                    let note = NetworkNote::Repairing { rung, step };
                    pass.out.note(Note::Network(note));
                }
                self.count(wanted, pass);
            }
        }
    }

    /// Counts one more, before it is made.
    pub(super) fn count(&mut self, wanted: Wanted, pass: &mut Pass) {
        let reboots = self.reboots.now(pass.now).and_one();
        self.reboots.known = Some((reboots, pass.now));
        self.reboots.unwritten = false;
        // The marker comes after us in a pass: it sees one more, and writes that down at once.
        self.reboots.counting = Some((wanted, pass.now.after(COUNTING)));
        pass.picture.reboots = reboots;
    }

    /// One is being written down.
    pub(super) fn counts(&self) -> bool {
        self.reboots.counting.is_some()
    }

    /// What keeps the machine from being restarted by a drill. Whoever asks for one is there, so it may
    /// be the first boot of all, and a young one.
    pub(super) fn keeps_from_drill(&self, pass: &Pass) -> Option<MachineKept> {
        let mut counted = self.reboots;
        counted.lasts |= !counted.forgets;
        let why = counted.keeps_on(pass.now, pass.picture, pass.settings);
        why.filter(|why| !matches!(why, MachineKept::TooSoon { .. }))
    }

    /// Begins as soon as it is written down that it has begun.
    fn see_counted(&mut self, wanted: Wanted, until: Mono, pass: &mut Pass) {
        let failed = pass.picture.record_failed || pass.now >= until && !pass.picture.recorded;
        if !failed && !pass.picture.recorded {
            return;
        }
        self.reboots.counting = None;
        self.reboots.unwritten = failed;
        let why = match failed {
            true => Some(MachineKept::NotWritten),
            false => not_now(pass.picture),
        };
        if let Some(why) = why {
            return tell_kept(wanted, why, pass);
        }
        let (note, cause) = match wanted {
            Wanted::Service(service) => (Note::MachineRestarting { service }, HaltCause::Services),
            Wanted::Network => {
                let note = Note::Network(NetworkNote::RestartsMachine);
                (note, HaltCause::Network)
            }
            Wanted::Drill(by) => return self.begin_drill(by, pass),
        };
        pass.out.note(note);
        pass.picture.ask_halt(cause);
        self.enter(Rung::Stopping, Halt::new(HaltKind::Reboot, cause), pass);
    }

    /// Nobody restarts the machine: that is not asked for again.
    pub(super) fn restart_was_refused(&mut self) {
        self.reboots.refused = true;
    }

    /// When a count that is not written yet is late.
    pub(super) fn counting_until(&self) -> Option<Mono> {
        self.reboots.counting.map(|(_, until)| until)
    }

    /// Why the machine would not be restarted for the sake of a service now.
    pub fn keeps_machine(
        &self,
        now: Mono,
        picture: &Picture,
        settings: &Settings,
    ) -> Option<MachineKept> {
        let unwritten = self.reboots.unwritten;
        let why = self.reboots.keeps_on(now, picture, settings);
        why.or(unwritten.then_some(MachineKept::NotWritten))
    }
}

/// The machine stays on.
fn tell_kept(wanted: Wanted, why: MachineKept, pass: &mut Pass) {
    let note = match wanted {
        Wanted::Service(service) => Note::MachineKept { service, why },
        Wanted::Network => Note::Network(NetworkNote::KeepsMachine { why }),
        Wanted::Drill(_) => HaltNote::DrillRefused {
            why: DrillRefused::Kept(why),
        }
        .into(),
    };
    pass.out.note(note);
}

impl Halt {
    /// It is for the sake of services, and can be taken back.
    pub(super) fn is_for_services(&self, pass: &Pass) -> bool {
        self.cause.is_last_resort() && can_be_taken_back(self.rung, pass.settings)
    }

    /// It is for the sake of services, and whoever was asked for it does not do it: then the others are
    /// not kept down for the one. Where the kernel has not come back yet, it may still do it.
    pub(super) fn is_refused(&self, came: Option<&Came>) -> bool {
        let asked = matches!(self.rung, Rung::Asked | Rung::Forced);
        self.cause.is_last_resort() && asked && matches!(came, Some(Came::Failed(_)))
    }

    /// It is for the sake of services, and the battery has to give now: a machine that is restarted
    /// then may not come up again. Or somebody works on it.
    pub(super) fn is_not_worth_it(&self, pass: &Pass) -> bool {
        self.cause.is_last_resort() && not_now(pass.picture).is_some()
    }
}
