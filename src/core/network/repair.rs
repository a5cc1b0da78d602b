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
//! for the sake of names takes along who could have looked after them. When all
//! budgets are spent the way out stays broken, which is told once: an uplink that is dead for everybody
//! is not brought back by anything that is done here. The machine is never restarted for a way out that
//! was not whole since the daemon began: another start would find it as dead.

use super::super::Pass;
use super::super::fact::Step;
use super::super::note::{NetworkNote, Note};
use super::super::picture::{Ending, Picture, Repair, Strain};
use super::super::settings::{Remedy, Rung};
use crate::units::Mono;
use std::collections::VecDeque;

/// How a rung stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RungView {
    /// Its number in [`Network::rungs`](super::super::settings::Network).
    pub rung: u16,
    /// Times that it was climbed within its window.
    pub made: u32,
    /// Time until the rungs may be climbed again, at the earliest.
    pub settles: Option<Mono>,
}

/// What was done.
#[derive(Default)]
pub(super) struct Repairs {
    /// Of each rung, when it was climbed.
    made: Vec<VecDeque<Mono>>,
    /// The rung that comes next.
    next: usize,
    settles: Option<Mono>,
    /// That nothing is left to be done was told.
    told: bool,
    /// The way out was whole once, in the life of this daemon.
    whole: bool,
}

impl Repairs {
    pub fn new(rungs: usize) -> Repairs {
        Repairs {
            made: vec![VecDeque::new(); rungs],
            ..Repairs::default()
        }
    }

    /// A look has found that all is well.
    pub fn mended(&mut self) {
        (self.next, self.settles, self.told) = (0, None, false);
        self.whole = true;
    }

    /// A look has found the way out broken, as was told. `proven`: it leads out all the same.
    pub fn broken(&mut self, step: Step, proven: bool, rungs: &[Rung], pass: &mut Pass) {
        let settled = self.settles.is_none_or(|until| pass.now >= until);
        // That nothing is to be done for it while it leads out is no news.
        let useful = !proven || rungs.iter().any(|rung| rung.is_for(step, proven));
        if rungs.is_empty() || !useful || !settled || !may_repair(pass.picture) {
            return;
        }
        let Some(at) = self.choose(step, proven, rungs, pass.now) else {
            if !std::mem::replace(&mut self.told, true) {
                pass.out
                    .note(Note::Network(NetworkNote::RepairsSpent { step }));
            }
            return;
        };
        let (Some(rung), Some(made)) = (rungs.get(at), self.made.get_mut(at)) else {
            return;
        };
        made.push_back(pass.now);
        self.settles = Some(pass.now.after(rung.settle));
        (self.next, self.told) = (at + 1, false);
        let id = u16::try_from(at).unwrap_or(u16::MAX);
        pass.out
            .note(Note::Network(NetworkNote::Repairing { rung: id, step }));
        pass.picture.repair = Some(match rung.remedy {
            Remedy::Restart(service) => Repair::Restart(service),
            Remedy::Start(service) => Repair::Start(service),
            Remedy::Machine => Repair::Machine,
        });
    }

    /// The next rung that is of use for this step and has budget left; after the last one the first.
    fn choose(&mut self, step: Step, proven: bool, rungs: &[Rung], now: Mono) -> Option<usize> {
        for (rung, made) in rungs.iter().zip(&mut self.made) {
            while made.front().is_some_and(|at| now.since(*at) >= rung.window) {
                made.pop_front();
            }
        }
        let all = rungs.iter().zip(&self.made).enumerate();
        let useful = all.filter(|(_, (rung, made))| {
            let left = made.len() < usize::try_from(rung.most).unwrap_or(usize::MAX);
            let possible = self.whole || rung.remedy != Remedy::Machine;
            left && possible && rung.is_for(step, proven)
        });
        let useful: Vec<usize> = useful.map(|(at, _)| at).collect();
        let later = useful.iter().find(|at| **at >= self.next);
        later.or(useful.first()).copied()
    }

    pub fn views(&self, rungs: &[Rung], now: Mono) -> Vec<RungView> {
        let all = (0u16..).zip(rungs.iter().zip(&self.made));
        let view = |(at, (rung, made)): (u16, (&Rung, &VecDeque<Mono>))| {
            let young = made.iter().filter(|at| now.since(**at) < rung.window);
            RungView {
                rung: at,
                made: u32::try_from(young.count()).unwrap_or(u32::MAX),
                settles: self.settles.filter(|until| *until > now),
            }
        };
        all.map(view).collect()
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
            most: 1,
            window: Duration::from_secs(3600),
        }]
    }

    /// What is asked for while the machine is so.
    fn asked(repairs: &mut Repairs, step: Step, now: u64, mut picture: Picture) -> Option<Repair> {
        let (settings, mut out) = (Settings::nothing(), Actions::default());
        let mut pass = Pass {
            now: Mono(now),
            fact: &Fact::Tick,
            settings: &settings,
            picture: &mut picture,
            out: &mut out,
        };
        repairs.broken(step, false, &rungs(), &mut pass);
        picture.repair
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
        let restart = Some(Repair::Restart(SERVICE));
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
}
