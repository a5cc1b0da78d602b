//! The end of the machine: the marker, init, the kernel, the unmount, and the next boot.
//!
//! Init is systemd's: once it was asked to turn the machine off, it does not take another wish, it
//! starts no daemon any more, and it does not pet. What runs last is the hook, which reads the marker
//! of this boot and looks at the mains.

use crate::daemon::LifeEvent;
use crate::faults::Kind;
use crate::plan::{Card, Plan};
use crate::verdict::How;
use crate::world::{Event, World};
use fieldwarden::core::comeback::Answer;
use fieldwarden::core::fact::{
    Asker, Errno, Fact, Fault, HaltKind, OrderId, Reading, Request, Source, Thread, Ticket,
};
use fieldwarden::core::intent::{CutTold, FoundMarker, Intent, Marker};
use fieldwarden::core::last_words::decide;
use fieldwarden::core::picture::Rung;
use fieldwarden::core::reboots::Reboots;
use fieldwarden::core::traces::Traces;

/// What outlives the daemon.
#[derive(Default)]
pub struct Remains {
    pub boot: u32,
    /// The marker of this boot.
    pub here: Option<Marker>,
    /// The marker that outlives the boot, with the boot that wrote it.
    pub there: Option<(u32, Marker)>,
    /// The same after the first boot.
    after_first: Option<(u32, Marker)>,
    /// The watchdog ended the boot before, and its driver tells.
    bitten: Option<bool>,
    /// How the boot before ended.
    pub how: Option<How>,
    /// The firmware tells of that, too.
    pub firmware: bool,
    /// Init was asked for this.
    pub asked: Option<HaltKind>,
    /// The board cuts the power, or may do so.
    pub cut: bool,
    /// It refused to halt once already.
    refused: bool,
}

impl Remains {
    /// A machine that ran before, where that matters.
    pub fn of(plan: &Plan) -> Remains {
        let ran = plan.hopeless.is_some() && plan.card != Card::Forgets;
        let marker = Marker {
            intent: Intent::Run,
            mains: None,
            attempts: 0,
            in_vain: 0,
            sunk: 0,
            reboots: Reboots::default(),
            outage: None,
            cut: CutTold::No,
            before: None,
            ..Marker::default()
        };
        Remains {
            there: ran.then_some((u32::MAX, marker)),
            firmware: plan.seed.is_multiple_of(3),
            ..Remains::default()
        }
    }

    pub fn new_boot(&mut self, bitten: Option<bool>, how: How, card: Card) {
        self.how = Some(how);
        if self.boot == 0 {
            self.after_first = self.there;
        }
        self.there = match card {
            Card::Keeps => self.there,
            Card::Forgets => None,
            Card::Stale => self.after_first,
        };
        self.boot += 1;
        self.here = None;
        self.bitten = bitten;
        self.asked = None;
        self.cut = false;
        self.refused = false;
    }

    /// What holds in this boot is written down.
    pub fn keep(&mut self, marker: Marker) {
        self.here = Some(marker);
    }

    /// What was written down last.
    pub fn marker(&self) -> Option<Marker> {
        self.here.or(self.there.map(|(_, marker)| marker))
    }

    /// What the next daemon is told of it.
    pub fn found(&self, card: Card) -> Fact {
        let found = match (self.here, self.there) {
            (Some(here), _) => Some((self.boot, here)),
            (None, there) => there,
        };
        match found {
            Some((boot, marker)) => Fact::Seen(Reading::marker(FoundMarker {
                marker,
                same_boot: boot == self.boot,
                reset: self.bitten,
                lasts: card != Card::Stale,
                traces: Traces {
                    firmware: self.how.filter(|_| self.firmware).and_then(How::firmware),
                    ..Traces::default()
                },
            })),
            None => Fact::Lost {
                source: Source::Marker,
                why: Fault::Absent,
            },
        }
    }
}

impl World {
    pub fn record(&mut self, order: OrderId, marker: Marker) {
        let outcome = match self.strikes(Kind::RecordFails, 30) {
            // Read-only, full, broken.
            true => Err(Fault::Errno(self.rng.pick(&[
                Errno(30),
                Errno(28),
                Errno(5),
            ]))),
            false => {
                self.remains.there = Some((self.remains.boot, marker));
                Ok(())
            }
        };
        self.done(Thread::Marker, order, outcome);
    }

    /// Init is asked.
    pub fn ask_init(&mut self, order: OrderId, kind: HaltKind) {
        if self.strikes(Kind::InitDeaf, 40) {
            let outcome = match self.rng.chance(50) {
                true => Ok(()),
                false => Err(Fault::Absent),
            };
            return self.done(Thread::Halt, order, outcome);
        }
        self.done(Thread::Halt, order, Ok(()));
        if self.remains.asked.is_none() {
            self.remains.asked = Some(kind);
            self.tally.halts += 1;
            let delay = self.rng.range(10, 3_000);
            self.after(delay, Event::InitStops(self.remains.boot));
        }
    }

    /// The kernel is told to halt. A kernel that does, answers nothing.
    pub fn force(&mut self, order: OrderId, kind: HaltKind) {
        if !self.remains.refused && self.strikes(Kind::ForceFails, 60) {
            self.remains.refused = true;
            return self.done(Thread::Halt, order, Err(Fault::Errno(Errno(1))));
        }
        self.tally.forced += 1;
        let halting = self.life.as_ref().and_then(|l| l.core.picture().halting);
        if kind == HaltKind::Reboot && halting.is_some_and(|h| h.cut == CutTold::Maybe) {
            // Nobody knows whether it took the cut, and one that is off may stay off: the lesser harm.
            self.board.excuse();
        }
        self.machine_ends(kind);
    }

    /// Init tells the daemon to end.
    pub fn init_stops(&mut self, boot: u32) {
        if boot != self.remains.boot {
            return;
        }
        if self.life.is_none() {
            return self.unmount();
        }
        self.next_ticket += 1;
        let fact = Fact::Asked {
            ticket: Ticket(self.next_ticket),
            by: Asker::Signal(15),
            request: Request::Exit,
        };
        self.life_at(self.now, LifeEvent::Fact(fact, 0));
        // TimeoutStopSec= of the unit.
        self.after(120_000, Event::InitKills(self.remains.boot, self.lives));
    }

    /// Init loses its patience with the daemon.
    pub fn init_kills(&mut self, boot: u32, life: u32) {
        let same = self.life.as_ref().is_some_and(|l| l.no == life);
        if boot == self.remains.boot && same {
            self.end_life();
            self.unmount();
        }
    }

    /// The daemon is gone, and init unmounts.
    pub fn unmount(&mut self) {
        self.procs.clear();
        self.alive.iter_mut().for_each(|n| *n = 0);
        let slow = self.strikes(Kind::SlowUnmount, 60);
        let time = if slow {
            self.rng.range(5_000, 90_000)
        } else {
            self.rng.range(100, 3_000)
        };
        self.after(time, Event::Unmounted(self.remains.boot));
    }

    /// Everything is unmounted: the hook has the last word.
    pub fn unmounted(&mut self, boot: u32) {
        let (Some(asked), true) = (self.remains.asked, boot == self.remains.boot) else {
            return;
        };
        let sees = self.hook_sees_mains();
        let said = match (asked, self.remains.here) {
            (HaltKind::PowerOff, Some(marker)) => {
                let ahead = self.plan.settings.board.cut_ahead;
                decide(&marker, ahead, &mut || sees).map(|(_, answer)| answer)
            }
            (HaltKind::PowerOff | HaltKind::Reboot, _) => None,
        };
        let runs = match said {
            None | Some(Answer::GoOn) => asked == HaltKind::Reboot,
            Some(Answer::Cut) => {
                self.board_hears(true);
                false
            }
            Some(Answer::Restart) => {
                self.board_forgets();
                true
            }
            Some(Answer::Forget { restart: anyhow }) => {
                // Where nobody knows that it took the cut, it may have: that is the lesser harm.
                let forgotten = self.board_forgets();
                self.board.excuse();
                forgotten || anyhow
            }
            Some(Answer::Insist) => {
                let taken = self.board_hears(true);
                if !taken {
                    // It may have taken what it was told before: the lesser harm here, too.
                    self.board.excuse();
                }
                !taken
            }
            Some(other) => panic!("{other:?} is nothing for a hook"),
        };
        if !runs && asked == HaltKind::PowerOff {
            self.nothing_else_starts_it(sees);
        }
        self.machine_ends(match runs {
            true => HaltKind::Reboot,
            false => HaltKind::PowerOff,
        });
    }

    /// The board is told to forget the cut, if it can do that.
    fn board_forgets(&mut self) -> bool {
        let ahead = self.plan.settings.board.cut_ahead;
        ahead.is_some_and(|ahead| ahead.can_be_cancelled) && self.board_hears(false)
    }

    /// The hook sees what the sensor says, as the daemon did: neither through one that is silent, nor
    /// without one. A current has to flow into the battery, and the daemon to have believed that mains
    /// are gone.
    fn hook_sees_mains(&mut self) -> bool {
        if let Some(band) = self.plan.settings.board.dead_band {
            let gone = self.remains.here.is_some_and(|m| m.mains == Some(false));
            let flows_in = |fact: &Fact| match fact {
                Fact::Seen(Reading::Gauge { current, .. }) => current.is_some_and(|c| c > band),
                _ => false,
            };
            return gone && self.hook_sees(&flows_in);
        }
        let there = Fact::Seen(Reading::Mains { present: true });
        if self.plan.by_register() {
            return self.hook_sees(&|fact| *fact == there);
        }
        self.mains.sensor && self.mains.fact(self.now) == there
    }

    /// The machine is off, or starts again. Somebody, or mains, starts one that is off.
    fn machine_ends(&mut self, kind: HaltKind) {
        if kind == HaltKind::PowerOff {
            self.turned_off();
        }
        self.end_life();
        match kind {
            HaltKind::PowerOff => {
                self.tally.offs += 1;
                self.board.holds = self.has_ahead();
                self.truth.off = self.board.holds || !self.mains.is_present();
                if self.truth.off && self.strikes(Kind::SwitchedOn, 20) {
                    // Somebody presses a button, and the battery gives what it still has.
                    self.board.excuse();
                    (self.truth.off, self.board.holds) = (false, false);
                }
                if self.board.holds && !self.board.cuts() {
                    // It never took it. Nothing but a hand starts this machine.
                    self.tally.power.stranded += 1;
                    let comes = self.rng.range(10_000, 120_000);
                    self.after(comes, Event::Button(self.remains.boot + 1));
                }
            }
            HaltKind::Reboot => {
                self.tally.restarts += 1;
                self.runs_on();
            }
        }
        self.reboot(How::Halted(kind));
    }

    /// A halt has come to a rung: that is when a kill and a reset hurt most.
    pub fn strike_on(&mut self, rung: Rung) {
        *self.tally.power.rungs.entry(rung).or_default() += 1;
        // Not many halts come to these.
        let rare = matches!(rung, Rung::Killing) || rung >= Rung::Rescuing;
        let (killed, reset) = if rare { (50, 30) } else { (15, 8) };
        if self.strikes(Kind::KilledOnRung, killed) {
            *self.tally.power.killed.entry(rung).or_default() += 1;
            self.soon(Event::KillOf(self.lives));
        } else if self.strikes(Kind::ResetOnRung, reset) {
            *self.tally.power.reset.entry(rung).or_default() += 1;
            self.soon(Event::ResetOf(self.remains.boot));
        }
    }

    fn soon(&mut self, event: Event) {
        let delay = self.rng.pick(&[0, 0, 5, 1_000, 4_000]);
        self.after(delay, event);
    }
}
