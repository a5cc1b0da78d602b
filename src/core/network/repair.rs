//! Repairs of the way out: one rung at a time, each within a budget of its own.
//!
//! ```text
//!   broken, nobody works on the machine, the battery is not low ──► the first rung with budget left
//!                        ▲                                                      │
//!                        └── looked at again once it has settled, broken still ─┘  (the next rung)
//! ```
//!
//! Terms: a *rung* is one thing that the owner has named: a service that is restarted, one that is
//! started and does its work, or the machine, which is restarted. What a rung is made of is done by
//! those who own it: here it is only asked for.
//!
//! Never while all is well, never for a look that cannot tell, never in a hold, at the end of the
//! daemon or of the machine, or on a low battery; never more often than its budget allows. Where the
//! way leads out all the same, only what its owner wants for that very step: a link that is taken down
//! for the sake of names takes along who could have looked after them. When nothing is left to be done
//! the way out stays broken, which is told once: an uplink that is dead for everybody is not brought
//! back by anything that is done here. The machine is never restarted for a way out that was not whole
//! since the daemon began: another start would find it as dead; nor on battery, nor for a name that
//! somebody has said not to know.
//!
//! What is asked for and makes no difference, such as the restart of a service that its owner has
//! stopped, was no try: its budget is given back, and the others come first from then on.

use super::super::Pass;
use super::super::fact::{Found, Step};
use super::super::note::{NetworkNote, Note};
use super::super::picture::{Ending, Picture, Repair, Strain};
use super::super::settings::{Budget, Remedy, Rung};
use crate::units::Mono;
use std::collections::VecDeque;

/// How a rung stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RungView {
    /// Its number in [`Network::rungs`](super::super::settings::Network).
    pub rung: u16,
    /// Times that it was climbed within its window; 0 for the machine, whose restarts are counted
    /// elsewhere.
    pub made: u32,
    /// Time until the rungs may be climbed again, at the earliest.
    pub settles: Option<Mono>,
}

/// What a look has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Broken {
    /// The first step that is broken.
    pub step: Step,
    /// How.
    pub found: Found,
    /// It leads out all the same.
    pub proven: bool,
}

/// What was done.
#[derive(Default)]
pub(super) struct Repairs {
    rungs: Vec<Made>,
    /// The rung that comes next.
    next: usize,
    settles: Option<Mono>,
    /// That nothing is left to be done was told.
    told: bool,
    /// The way out was whole once, in the life of this daemon.
    whole: bool,
}

/// What is known of a rung.
#[derive(Clone, Default)]
struct Made {
    /// When it was climbed, within its window.
    at: VecDeque<Mono>,
    /// It was asked for since the way out broke.
    asked: bool,
    /// What was asked for last could not be done.
    idle: bool,
}

impl Repairs {
    pub fn new(rungs: usize) -> Repairs {
        Repairs {
            rungs: vec![Made::default(); rungs],
            ..Repairs::default()
        }
    }

    /// A look has found that all is well.
    pub fn mended(&mut self) {
        (self.next, self.settles, self.told) = (0, None, false);
        self.whole = true;
        for made in &mut self.rungs {
            (made.asked, made.idle) = (false, false);
        }
    }

    /// A look has found the way out broken, as was told.
    pub fn broken(&mut self, broken: Broken, rungs: &[Rung], pass: &mut Pass) {
        let settled = self.settles.is_none_or(|until| pass.now >= until);
        // That nothing is to be done for it while it leads out is no news.
        let useful = |rung: &Rung| rung.is_for(broken.step, broken.proven);
        let useful = !broken.proven || rungs.iter().any(useful);
        if rungs.is_empty() || !useful || !settled || !may_repair(pass.picture) {
            return;
        }
        let chosen = self.choose(broken, rungs, pass);
        let idle = chosen
            .and_then(|at| self.rungs.get(at))
            .is_none_or(|made| made.idle);
        if idle && !self.told {
            let step = broken.step;
            pass.out
                .note(Note::Network(NetworkNote::RepairsSpent { step }));
        }
        self.told = idle;
        let Some(at) = chosen else { return };
        let (Some(rung), Some(made)) = (rungs.get(at), self.rungs.get_mut(at)) else {
            return;
        };
        made.at.extend(rung.budget.map(|_| pass.now));
        self.settles = Some(pass.now.after(rung.settle));
        self.next = at + 1;
        pass.picture.repair = Some(Repair {
            rung: u16::try_from(at).unwrap_or(u16::MAX),
            step: broken.step,
            remedy: rung.remedy,
            again: std::mem::replace(&mut made.asked, true),
        });
        made.idle = false;
    }

    /// What was asked for in the pass before could not be done.
    pub fn undone(&mut self, repair: Repair) {
        if let Some(made) = self.rungs.get_mut(usize::from(repair.rung)) {
            made.at.pop_back();
            made.idle = true;
        }
    }

    /// The next rung that is of use for this step and has budget left, those that could be done last
    /// time before the others; after the last one the first.
    fn choose(&mut self, broken: Broken, rungs: &[Rung], pass: &Pass) -> Option<usize> {
        let mut useful = Vec::new();
        for (at, (rung, made)) in rungs.iter().zip(&mut self.rungs).enumerate() {
            let left = rung.budget.is_none_or(|budget| made.left(budget, pass.now));
            let possible = match rung.remedy {
                Remedy::Machine => {
                    self.whole && broken.is_for_machine() && !pass.picture.on_battery()
                }
                Remedy::Restart(_) | Remedy::Start(_) => true,
            };
            if left && possible && rung.is_for(broken.step, broken.proven) {
                useful.push((made.idle, at));
            }
        }
        let idle = useful.iter().all(|(idle, _)| *idle);
        useful.retain(|known| known.0 == idle);
        let later = useful.iter().find(|(_, at)| *at >= self.next);
        later.or(useful.first()).map(|(_, at)| *at)
    }

    pub fn views(&self, rungs: &[Rung], now: Mono) -> Vec<RungView> {
        let all = (0u16..).zip(rungs.iter().zip(&self.rungs));
        let view = |(at, (rung, made)): (u16, (&Rung, &Made))| RungView {
            rung: at,
            made: rung.budget.map_or(0, |budget| made.young(budget, now)),
            settles: self.settles.filter(|until| *until > now),
        };
        all.map(view).collect()
    }
}

impl Made {
    /// Times that count still.
    fn young(&self, budget: Budget, now: Mono) -> u32 {
        let young = self.at.iter().filter(|at| now.since(**at) < budget.window);
        u32::try_from(young.count()).unwrap_or(u32::MAX)
    }

    /// Whether it may be climbed once more. Forgets what does not count any more.
    fn left(&mut self, budget: Budget, now: Mono) -> bool {
        self.at.retain(|at| now.since(*at) < budget.window);
        self.young(budget, now) < budget.most
    }
}

impl Broken {
    /// Another start might find it whole: not where somebody has said not to know the name, which
    /// proves that the way leads to whoever is asked for names.
    fn is_for_machine(self) -> bool {
        (self.step, self.found) != (Step::Name, Found::Refused)
    }
}

/// Nothing speaks against a repair now.
fn may_repair(picture: &Picture) -> bool {
    let low = picture.strain_of_power == Some(Strain::LowBattery) || picture.sinks;
    picture.ending == Ending::No && picture.halting.is_none() && !picture.hold && !low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::action::Actions;
    use crate::core::fact::{Fact, ServiceId};
    use crate::core::settings::Settings;
    use std::time::Duration;

    const SERVICE: ServiceId = ServiceId(0);

    fn rungs() -> Vec<Rung> {
        vec![Rung {
            name: "tunnel".into(),
            remedy: Remedy::Restart(SERVICE),
            steps: vec![Step::Vpn],
            settle: Duration::from_secs(120),
            budget: Some(Budget {
                most: 1,
                window: Duration::from_secs(3600),
            }),
        }]
    }

    /// What is asked for while the machine is so.
    fn asked(repairs: &mut Repairs, step: Step, now: u64, picture: Picture) -> Option<Remedy> {
        let broken = Broken {
            step,
            found: Found::Silent,
            proven: false,
        };
        asked_of(repairs, &rungs(), broken, now, picture)
    }

    fn asked_of(
        repairs: &mut Repairs,
        rungs: &[Rung],
        broken: Broken,
        now: u64,
        mut picture: Picture,
    ) -> Option<Remedy> {
        let (settings, mut out) = (Settings::nothing(), Actions::default());
        let mut pass = Pass {
            now: Mono(now),
            fact: &Fact::Tick,
            settings: &settings,
            picture: &mut picture,
            out: &mut out,
        };
        repairs.broken(broken, rungs, &mut pass);
        picture.repair.map(|repair| repair.remedy)
    }

    /// A repair costs power, and a machine that is about to go down needs none.
    #[test]
    fn nothing_is_done_on_a_low_battery_or_at_the_end() {
        let mut repairs = Repairs::new(1);
        for picture in [
            Picture {
                strain_of_power: Some(Strain::LowBattery),
                ..Picture::default()
            },
            Picture {
                sinks: true,
                ..Picture::default()
            },
            Picture {
                hold: true,
                ..Picture::default()
            },
            Picture {
                ending: Ending::Halting { overran: false },
                ..Picture::default()
            },
        ] {
            assert_eq!(asked(&mut repairs, Step::Vpn, 0, picture), None);
        }
        let on_battery = Picture {
            strain_of_power: Some(Strain::OnBattery),
            ..Picture::default()
        };
        let restart = Some(Remedy::Restart(SERVICE));
        assert_eq!(asked(&mut repairs, Step::Vpn, 0, on_battery), restart);
    }

    /// A budget comes back with time, not by asking.
    #[test]
    fn a_budget_is_kept() {
        let mut repairs = Repairs::new(1);
        let mut made = Vec::new();
        for minute in 0..180 {
            let now = minute * 60_000;
            if asked(&mut repairs, Step::Vpn, now, Picture::default()).is_some() {
                made.push(minute);
            }
            assert_eq!(
                asked(&mut repairs, Step::Name, now, Picture::default()),
                None
            );
        }
        assert_eq!(made, [0, 60, 120]);
    }

    /// The machine is not asked for where it would stay on anyway, nor for a name that is not known to
    /// whoever knows names; nor before the way out was whole.
    #[test]
    fn the_machine_is_left_alone() {
        let machine = vec![Rung {
            remedy: Remedy::Machine,
            steps: Vec::new(),
            budget: None,
            ..rungs().remove(0)
        }];
        let broken = |step, found| Broken {
            step,
            found,
            proven: false,
        };
        let silent = broken(Step::Name, Found::Silent);
        let well = Picture::default;
        let mut repairs = Repairs::new(1);
        let asked = |repairs: &mut Repairs, broken, picture| {
            // Whatever was tried before had its time.
            repairs.settles = None;
            asked_of(repairs, &machine, broken, 0, picture)
        };
        assert_eq!(asked(&mut repairs, silent, well()), None);
        repairs.mended();
        for kept in [
            Picture {
                mains: Some(false),
                ..well()
            },
            Picture {
                strain_of_power: Some(Strain::UnderVoltage),
                ..well()
            },
        ] {
            assert_eq!(asked(&mut repairs, silent, kept), None);
        }
        let unknown = broken(Step::Name, Found::Refused);
        assert_eq!(asked(&mut repairs, unknown, well()), None);
        let refused = broken(Step::Ssh, Found::Refused);
        for good in [silent, refused] {
            assert_eq!(asked(&mut repairs, good, well()), Some(Remedy::Machine));
        }
    }

    /// What made no difference was no try, and comes after what may make one.
    #[test]
    fn what_could_not_be_done_is_given_back() {
        let rung = |service, most| Rung {
            remedy: Remedy::Restart(ServiceId(service)),
            steps: Vec::new(),
            budget: Some(Budget {
                most,
                window: Duration::from_secs(36_000),
            }),
            ..rungs().remove(0)
        };
        let all = [rung(0, 1), rung(1, 2)];
        let (mut repairs, mut made) = (Repairs::new(2), Vec::new());
        for minute in 0..20 {
            let broken = Broken {
                step: Step::Vpn,
                found: Found::Silent,
                proven: false,
            };
            let now = minute * 60_000;
            let asked = asked_of(&mut repairs, &all, broken, now, Picture::default());
            let Some(Remedy::Restart(service)) = asked else {
                continue;
            };
            made.push((minute, service.0));
            if service.0 == 0 {
                // Its owner has stopped it.
                repairs.undone(Repair {
                    rung: 0,
                    step: Step::Vpn,
                    remedy: Remedy::Restart(service),
                    again: false,
                });
            }
        }
        // It takes its time to settle all the same.
        let first = [(0, 0), (2, 1), (4, 1), (6, 0), (8, 0)];
        assert_eq!(made[..5], first);
        assert_eq!(repairs.views(&all, Mono(20 * 60_000))[0].made, 0);
    }
}
