//! Petting: a pet is earned by the whole daemon.
//!
//! ```text
//!          arm              answered                        device refused or gone
//! Idle ────────► Arming ───────────────► Armed ─────────────────────────► Failed ──retry──► Arming
//! ```
//!
//! Terms: to *pet* is to tell every guard (the hardware watchdog, and init's `WATCHDOG=1`) that all
//! is well. A pet is an order that passes through every essential thread before it reaches the
//! device, so a thread that is stuck stops it; and no pet is given out while the one before it is on
//! its way. To *withhold* is to give out no more pets because an essential thread is known to be
//! stuck: the reason is written down, and the hardware does the rest.
//!
//! Never pets for a thread that it has not heard from; never stops the hardware watchdog unless the
//! configuration says so and the daemon was asked to end.

mod halt;
mod outside;
mod pets;
#[cfg(test)]
mod tests;

pub use outside::Outside;
pub use pets::Pets;

use super::action::Action;
use super::fact::{Fact, Fault, OrderId, Reading, Source, WatchdogSeen};
use super::note::Note;
use super::picture::{Ending, Verdict};
use super::settings::{Settings, WatchdogOwner};
use super::{BootFacts, Pass, Policy};
use crate::units::Mono;
use std::time::Duration;

/// Share of the shortest timeout after which the next pet is due: a third. Then a pet that is lost
/// can be repeated, and one may be late by a quarter of the timeout, before 0.6 of it has passed.
const PETS_PER_TIMEOUT: u32 = 3;

/// Time between pets when no guard has a timeout: only to notice threads that are stuck.
const UNGUARDED: Duration = Duration::from_secs(10);

/// Time between attempts to get a device that could not be had. Long enough not to fill the log,
/// short enough that a machine does not stay unguarded after another program let go of it.
const RETRY: Duration = Duration::from_secs(10);

/// Share of the timeout after which a device that was lost is tried again: a sixth. It may be running
/// still; with a third until the pet that failed this makes half a timeout, so one failure of the
/// driver costs nothing.
const TRIES_PER_TIMEOUT: u32 = 6;

/// Least time between pets. A driver that says that its timeout is zero must not make us busy.
const BUSIEST: Duration = Duration::from_millis(100);

/// How the hardware watchdog stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Guard {
    /// Nobody has asked for it; or somebody else owns it.
    Idle {
        /// Who pets it instead.
        owner: WatchdogOwner,
    },
    /// It is being opened and set.
    Arming,
    /// It runs, and we pet it.
    Armed(WatchdogSeen),
    /// It cannot be had.
    Failed {
        /// Why.
        why: Fault,
        /// When it is tried again.
        retry: Mono,
    },
}

/// State of the policy.
pub(crate) struct Watchdog {
    guard: Guard,
    /// Timeout of init's watchdog over us.
    init: Option<Duration>,
    /// What the driver says about the boot before this one has not been told yet.
    reset_is_news: bool,
    /// The order that arms.
    arming: Option<OrderId>,
    /// The pet that is on its way.
    petting: Option<OrderId>,
    next_pet: Option<Mono>,
    /// It was due while the one before it was still on its way: what answers that wakes us.
    overdue: bool,
    withheld: bool,
    /// The hardware is to reset the machine: the last rung of a halt.
    let_go: bool,
    /// That is a drill, and may be in vain.
    drill: bool,
    /// It was in vain: the device did not bite.
    toothless: bool,
    /// Timeout that was asked for last.
    asked_for: Option<Duration>,
    /// Timeout that was in force when the device was ours last.
    in_force: Option<Duration>,
    parting: Parting,
    told: Option<Fault>,
    pets: Pets,
    /// What is seen of a device that is init's.
    outside: Outside,
}

/// The end, as far as the guards are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parting {
    /// It has not come.
    No,
    /// It has; the device is just being opened, and how that ends must be known first.
    Opening,
    /// The last order is on its way.
    Petting(OrderId),
    /// The device is being stopped.
    Disarming(OrderId),
    /// Nothing more will be asked. Whoever waits for that has to be told: at this time.
    Settled { told: Option<Mono> },
}

impl Watchdog {
    pub fn new(settings: &Settings, boot: BootFacts) -> Watchdog {
        Watchdog {
            guard: Guard::Idle {
                owner: settings.watchdog.owner,
            },
            init: boot.init_watchdog,
            reset_is_news: boot.first,
            arming: None,
            petting: None,
            next_pet: None,
            overdue: false,
            withheld: false,
            let_go: false,
            drill: false,
            toothless: false,
            asked_for: None,
            in_force: None,
            parting: Parting::No,
            told: None,
            pets: Pets::default(),
            outside: Outside::default(),
        }
    }

    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What is seen of a device that is init's, and whether init watches this daemon.
    pub fn outside(&self) -> (Outside, bool) {
        (self.outside, self.init.is_some())
    }

    /// It did not bite in a drill of this boot.
    pub fn is_toothless(&self) -> bool {
        self.toothless
    }

    /// The pets so far.
    pub fn pets(&self) -> Pets {
        self.pets
    }

    /// Timeout of the hardware watchdog, while we are the one who pets it.
    fn timeout(&self) -> Option<Duration> {
        match &self.guard {
            Guard::Armed(seen) => Some(seen.timeout),
            Guard::Idle { .. } | Guard::Arming | Guard::Failed { .. } => None,
        }
    }

    fn period(&self) -> Duration {
        // A device that cannot be petted any more may be running still, with the timeout it had.
        let device = self.timeout().or(self.in_force);
        let shortest = [device, self.init].into_iter().flatten().min();
        shortest.map_or(UNGUARDED, |t| BUSIEST.max(t / PETS_PER_TIMEOUT))
    }

    fn arm(&mut self, pass: &mut Pass) {
        let timeout = halt::timeout(pass);
        self.asked_for = Some(timeout);
        self.arming = Some(pass.out.push(Action::Arm { timeout }));
        // One that runs is only set anew, and petted meanwhile.
        if matches!(self.guard, Guard::Idle { .. }) {
            self.guard = Guard::Arming;
        }
    }

    fn armed(&mut self, seen: &WatchdogSeen, pass: &mut Pass) {
        if !is_ours(pass) {
            return;
        }
        let wanted = self.asked_for.unwrap_or(pass.settings.watchdog.timeout);
        match self.guard {
            Guard::Armed(_) => halt::tell(seen.timeout, pass),
            Guard::Idle { .. } | Guard::Arming | Guard::Failed { .. } => {
                pass.out.note(Note::WatchdogArmed {
                    identity: seen.identity.clone(),
                    timeout: seen.timeout,
                    nowayout: seen.nowayout,
                });
            }
        }
        if seen.timeout != wanted {
            pass.out.note(Note::WatchdogClamped {
                wanted,
                timeout: seen.timeout,
            });
        }
        if seen.caused_reset && std::mem::take(&mut self.reset_is_news) {
            pass.out.note(Note::WatchdogHadReset);
        }
        self.guard = Guard::Armed(seen.clone());
        self.in_force = Some(seen.timeout);
        self.told = None;
        self.next_pet = Some(pass.now);
    }

    /// The device cannot be had, or was lost. Says so once for each reason.
    fn failed(&mut self, why: &Fault, pass: &mut Pass) {
        if !is_ours(pass) {
            return;
        }
        let wait = self
            .in_force
            .map_or(RETRY, |t| RETRY.min(BUSIEST.max(t / TRIES_PER_TIMEOUT)));
        // A second failure before the next try must not put that off.
        let retry = match self.guard {
            Guard::Failed { retry, .. } if retry > pass.now => retry,
            Guard::Idle { .. } | Guard::Arming | Guard::Armed(_) | Guard::Failed { .. } => {
                pass.now.after(wait)
            }
        };
        if self.told.as_ref() != Some(why) {
            pass.out.note(Note::WatchdogFailed {
                why: why.clone(),
                retry: retry.since(pass.now),
            });
            self.told = Some(why.clone());
        }
        self.guard = Guard::Failed {
            why: why.clone(),
            retry,
        };
    }

    fn done(&mut self, order: OrderId, outcome: &Result<(), Fault>, pass: &mut Pass) {
        if Some(order) == self.arming {
            self.arming = None;
            match (outcome, &self.guard) {
                // A success was told by a reading that came before it.
                (Ok(()), Guard::Armed(_)) => {}
                (Ok(()), Guard::Idle { .. } | Guard::Arming | Guard::Failed { .. }) => {
                    self.failed(&Fault::Implausible, pass);
                }
                (Err(why), _) => self.failed(why, pass),
            }
        } else if Some(order) == self.petting {
            self.petting = None;
            match outcome {
                Ok(()) => self.pets.arrived += 1,
                // A queue was full: the thread is behind. The pet is repeated, not the device lost.
                Err(Fault::Busy) => self.next_pet = Some(pass.now.after(self.period() / 4)),
                Err(why) => self.failed(why, pass),
            }
        } else if self.parting == Parting::Petting(order) {
            self.settle(pass);
        } else if self.parting == Parting::Disarming(order) {
            match (outcome, self.timeout()) {
                (Err(_), Some(timeout)) => self.leave_armed(timeout, pass),
                (Ok(()), _) => {
                    pass.out.note(Note::WatchdogDisarmed);
                    self.settle(pass);
                }
                (Err(_), None) => self.settle(pass),
            }
        }
    }

    fn pet_if_due(&mut self, pass: &mut Pass) {
        if self.let_go {
            return;
        }
        if let Some(thread) = pass.picture.stuck {
            if !self.withheld {
                self.withheld = true;
                let (timeout, init) = (self.timeout(), self.init);
                pass.out.note(Note::PetWithheld {
                    thread,
                    timeout,
                    init,
                });
            }
            return;
        }
        if self.withheld {
            self.withheld = false;
            pass.out.note(Note::PetResumed);
        }
        let due = self.next_pet.is_some_and(|due| due <= pass.now);
        self.overdue = due && self.petting.is_some();
        if due && self.petting.is_none() {
            self.petting = Some(pass.out.push(Action::Pet));
            self.pets.give(pass.now);
            pass.picture.last_pet = Some(pass.now);
            // With whatever else is periodic.
            self.next_pet = Some(pass.now.next_multiple(self.period()));
        }
    }

    /// The daemon ends: give the rest of the shutdown, or our successor, a full interval.
    fn part(&mut self, services_left: bool, pass: &mut Pass) {
        match self.parting {
            Parting::No | Parting::Opening => {}
            Parting::Petting(_) | Parting::Disarming(_) | Parting::Settled { .. } => return,
        }
        if self.arming.is_some() {
            self.parting = Parting::Opening;
            return;
        }
        let goes_on = services_left || pass.picture.halting.is_some();
        let disarm = pass.settings.watchdog.disarm_on_stop && !goes_on;
        match &self.guard {
            Guard::Armed(seen) if disarm && !seen.nowayout => {
                self.parting = Parting::Disarming(pass.out.push(Action::Disarm));
            }
            Guard::Armed(seen) => self.leave_armed(seen.timeout, pass),
            Guard::Idle { .. } | Guard::Arming | Guard::Failed { .. } => self.settle(pass),
        }
    }

    fn leave_armed(&mut self, timeout: Duration, pass: &mut Pass) {
        pass.out.note(Note::WatchdogLeftArmed { timeout });
        match pass.picture.stuck {
            Some(_) => self.settle(pass),
            None => self.parting = Parting::Petting(pass.out.push(Action::Pet)),
        }
    }

    fn settle(&mut self, pass: &mut Pass) {
        pass.picture.guard_settled = true;
        // The shutdown comes before us in a pass: it sees this in one of its own.
        self.parting = Parting::Settled {
            told: Some(pass.now),
        };
    }

    fn verdict(&self) -> Verdict {
        if self.withheld || self.toothless {
            return Verdict::Critical;
        }
        match &self.guard {
            Guard::Idle {
                owner: WatchdogOwner::Nobody,
            } => Verdict::Warn,
            Guard::Idle {
                owner: WatchdogOwner::Systemd,
            } => self.outside.verdict(self.init.is_some()),
            Guard::Armed(_) => Verdict::Ok,
            Guard::Idle {
                owner: WatchdogOwner::Fieldwarden,
            }
            | Guard::Arming => Verdict::Unknown,
            Guard::Failed { .. } => Verdict::Critical,
        }
    }
}

impl Policy for Watchdog {
    fn step(&mut self, pass: &mut Pass) {
        if let Parting::Settled { told } = &mut self.parting {
            *told = None;
        }
        self.outside.step(pass);
        match pass.fact {
            Fact::Seen(Reading::Watchdog(seen)) => self.armed(seen, pass),
            Fact::Lost {
                source: Source::Watchdog,
                why,
            } => self.failed(why, pass),
            Fact::Done { order, outcome } => self.done(*order, outcome, pass),
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } => {}
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Thread { .. } => {}
        }
        if let Ending::Parting { services_left } = pass.picture.ending {
            self.part(services_left, pass);
        } else {
            self.stay(pass);
            self.take_up(pass);
            self.follow_halt(pass);
            self.pet_if_due(pass);
        }
        pass.picture.watchdog = self.verdict();
        pass.picture.guard = self.timeout();
        pass.picture.init_window = self.init;
    }

    fn deadline(&self) -> Option<Mono> {
        match self.parting {
            Parting::No => {}
            Parting::Opening | Parting::Petting(_) | Parting::Disarming(_) => return None,
            Parting::Settled { told } => return told,
        }
        let retry = match self.guard {
            Guard::Failed { retry, .. } if self.arming.is_none() => Some(retry),
            Guard::Idle { .. } | Guard::Arming | Guard::Armed(_) | Guard::Failed { .. } => None,
        };
        // While a pet is on its way, too: that it has arrived may not have been told (see the guards).
        let pet = self
            .next_pet
            .filter(|_| !self.overdue && !self.withheld && !self.let_go);
        [retry, pet].into_iter().flatten().min()
    }
}

impl Watchdog {
    /// Arms at the first tick and after a failure; starts petting what can be petted.
    fn take_up(&mut self, pass: &mut Pass) {
        let begun = self.next_pet.is_some() || matches!(pass.fact, Fact::Tick);
        if !begun || self.arming.is_some() {
            return;
        }
        let first = self.next_pet.is_none();
        self.next_pet.get_or_insert(pass.now);
        match &self.guard {
            Guard::Idle {
                owner: WatchdogOwner::Systemd,
            } if first && self.init.is_none() => pass.out.note(Note::DaemonUnwatched),
            Guard::Idle {
                owner: WatchdogOwner::Fieldwarden,
            } => self.arm(pass),
            Guard::Failed { retry, .. } if *retry <= pass.now => self.arm(pass),
            Guard::Idle { .. } | Guard::Arming | Guard::Armed(_) | Guard::Failed { .. } => {}
        }
    }
}

/// The device is ours to open, and to be judged.
fn is_ours(pass: &Pass) -> bool {
    match pass.settings.watchdog.owner {
        WatchdogOwner::Fieldwarden => true,
        WatchdogOwner::Systemd | WatchdogOwner::Nobody => false,
    }
}
