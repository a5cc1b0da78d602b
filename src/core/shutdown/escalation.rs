//! The last rung of escalation: the machine is restarted in order, for the sake of a service that
//! nothing else has helped.
//!
//! It is counted first and made then: the count goes into the marker at the beginning of the halt, and
//! a marker that cannot be written takes the halt back. Whenever something is not known, or not in
//! order, the machine stays on; the service is given up then, and tried again after its cooldown.
//!
//! Never on battery, never while the machine or the daemon ends, never more often than
//! [`Reboots`](crate::core::reboots::Reboots) allows.

use super::halt::Halt;
use super::{Shutdown, State};
use crate::core::Pass;
use crate::core::fact::{Fact, Fault, HaltKind, Reading, Source};
use crate::core::note::{MachineKept, Note};
use crate::core::picture::{HaltCause, Rung};
use crate::core::reboots::Reboots;
use crate::units::Mono;

/// How many restarts there were.
#[derive(Clone, Copy, Default)]
pub(super) struct Counted {
    /// What is known, and when it was.
    known: Option<(Reboots, Mono)>,
    /// Whatever was left could not be read.
    lost: bool,
}

impl Counted {
    fn now(&self, pass: &Pass) -> Reboots {
        match self.known {
            Some((reboots, at)) => reboots.after(pass.now.since(at)),
            None if self.lost => Reboots::UNKNOWN,
            None => Reboots::default(),
        }
    }
}

impl Shutdown {
    /// Takes in what was left, and shows what there is to be left.
    pub(super) fn count_reboots(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Seen(Reading::Marker(left)) => {
                self.reboots.known = Some((left.marker.reboots, pass.now));
            }
            Fact::Lost {
                source: Source::Marker,
                why,
            } => {
                // The first boot of all has none.
                let none = *why == Fault::Absent;
                self.reboots.known = none.then_some((Reboots::default(), pass.now));
                self.reboots.lost = !none;
            }
            Fact::Tick
            | Fact::Seen(_)
            | Fact::Lost { .. }
            | Fact::Child { .. }
            | Fact::Asked { .. }
            | Fact::Done { .. }
            | Fact::Thread { .. } => {}
        }
        pass.picture.reboots = self.reboots.now(pass);
    }

    /// A service that was given up asks for a restart of the machine.
    pub(super) fn hear_escalation(&mut self, pass: &mut Pass) {
        let Some(service) = pass.picture.escalated.take() else {
            return;
        };
        if !matches!(self.state, State::Running) {
            return;
        }
        if let Some(why) = self.keeps_on(pass) {
            pass.out.note(Note::MachineKept { service, why });
            return;
        }
        let reboots = self.reboots.now(pass).and_one();
        self.reboots.known = Some((reboots, pass.now));
        pass.picture.reboots = reboots;
        pass.out.note(Note::MachineRestarting { service });
        let cause = HaltCause::Services;
        pass.picture.ask_halt(cause);
        self.enter(Rung::Stopping, Halt::new(HaltKind::Reboot, cause), pass);
    }

    /// Why the machine is not restarted.
    fn keeps_on(&self, pass: &Pass) -> Option<MachineKept> {
        let s = &pass.settings.reboots;
        if self.reboots.known.is_none() {
            return Some(MachineKept::NotCounted);
        }
        if pass.picture.mains == Some(false) || pass.picture.strain_of_power.is_some() {
            return Some(MachineKept::OnBattery);
        }
        if pass.now.since(Mono::default()) < s.uptime {
            return Some(MachineKept::TooSoon { uptime: s.uptime });
        }
        let spent = self.reboots.now(pass).used_up(s);
        spent.map(|(reboots, window)| MachineKept::UsedUp { reboots, window })
    }
}

impl Halt {
    /// It is for the sake of services, and is not to be.
    pub(super) fn is_not_worth_it(&self, pass: &Pass) -> bool {
        if self.cause != HaltCause::Services {
            return false;
        }
        let unwritten = self.rung == Rung::Recording
            && (pass.picture.record_failed || pass.now >= self.until && !pass.picture.recorded);
        pass.picture.mains == Some(false) || unwritten
    }
}
