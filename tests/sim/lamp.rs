//! The status LED, and what it must say: the invariants S14 and G1 to G3.
//!
//! What it should say is told from the verdicts alone, and knows nothing of how the policy decides.

use crate::checks::View;
use crate::faults::Kind;
use crate::rng::Rng;
use crate::world::World;
use fieldwarden::core::action::Action;
use fieldwarden::core::fact::{Errno, Fact, Fault, OrderId, Request, Thread};
use fieldwarden::core::light::{LedState, Light};
use fieldwarden::core::note::Note;
use fieldwarden::core::picture::{Ending, Picture, Rung, Strain, Verdict};
use std::collections::VecDeque;
use std::time::Duration;

/// What is better may be shown this much later. In milliseconds, as all here.
const CALM: u64 = 10_000;
/// A start excuses services for this long.
const STARTING: u64 = 120_000;
/// What a lamp shows without being told again.
const LASTS: u64 = 120_000;

/// The LED.
#[derive(Default)]
pub struct Lamp {
    gone_until: u64,
    /// What it shows, and until when; for ever while the machine goes down.
    shows: Option<(LedState, Option<u64>)>,
}

impl Lamp {
    /// The machine is off, or the LED is.
    pub fn go_dark(&mut self) {
        self.shows = None;
    }

    pub fn heal(&mut self, now: u64) {
        self.gone_until = self.gone_until.min(now);
    }

    /// What somebody sees who stands before it.
    pub fn seen(&self, now: u64) -> Option<LedState> {
        let (state, until) = self.shows?;
        until.is_none_or(|until| now < until).then_some(state)
    }
}

impl World {
    pub fn lose_lamp(&mut self) {
        self.lamp.go_dark();
        self.lamp.gone_until = self.now + self.rng.range(1_000, 60_000);
    }

    /// The thread of the LED does what it is for.
    pub fn light(&mut self, order: OrderId, light: Light) {
        let fault = if self.lamp.gone_until > self.now {
            Some(Fault::Absent)
        } else if self.strikes(Kind::LedRefuses, 20) {
            let by = Some("trigger mmc0".into());
            Some(self.rng.pick_fault(by))
        } else {
            None
        };
        if fault.is_none() {
            self.lamp.shows = match light {
                Light::Show(LedState::Halting) => Some((LedState::Halting, None)),
                Light::Show(state) => Some((state, Some(self.now + LASTS))),
                Light::Release => None,
            };
        }
        self.done(Thread::Led, order, fault.map_or(Ok(()), Err));
    }

    /// L1: the LED shows what the core thinks, and the core thinks that it does.
    pub fn lamp_is_well(&self) -> Result<(), String> {
        let Some(life) = self.life.as_ref() else {
            return Ok(());
        };
        if self.plan.settings.led.is_none() {
            return Ok(());
        }
        let view = life.core.led().ok_or("no view of the LED")?;
        let seen = self.lamp.seen(self.now);
        if view.trouble.is_some() || view.lit != seen || view.demand.is_some() {
            return Err(format!("LED: {view:?}, seen {seen:?}"));
        }
        match seen == Some(view.target) {
            true => Ok(()),
            false => Err(format!("LED: {view:?}, seen {seen:?}")),
        }
    }
}

/// Why an LED refuses.
trait PickFault {
    fn pick_fault(&mut self, by: Option<Box<str>>) -> Fault;
}

impl PickFault for Rng {
    fn pick_fault(&mut self, by: Option<Box<str>>) -> Fault {
        match self.chance(50) {
            true => Fault::Taken { by },
            false => Fault::Errno(Errno(5)),
        }
    }
}

/// What was true in this life.
#[derive(Default)]
pub struct Said {
    /// The first tick.
    begun: Option<u64>,
    /// Services have been up, or have failed for good.
    started: bool,
    /// What should be shown, since when each; the latest is true now.
    truths: VecDeque<(u64, LedState)>,
    /// Until when somebody wants to see something else.
    demand: u64,
    told: Option<Fault>,
}

impl Said {
    /// Takes a step in, and says what is wrong after it.
    pub fn the_worst_is_shown(&mut self, v: &View, led: bool) -> Result<(), String> {
        let lights: Vec<Light> = v
            .orders
            .iter()
            .filter_map(|o| match o.action {
                Action::Light(light) => Some(light),
                _ => None,
            })
            .collect();
        if !led {
            return no(
                !lights.is_empty(),
                "G1: an order for an LED that there is not",
            );
        }
        self.troubles_are_told_once(v)?;
        if *v.fact == Fact::Tick && self.begun.is_none() {
            self.begun = Some(v.now);
        }
        let Some(begun) = self.begun else {
            return no(!lights.is_empty(), "G1: an order before the first tick");
        };
        no(lights.len() > 1, "G1: two orders in one step")?;
        if let Fact::Asked {
            request: Request::ShowLed { time, .. },
            ..
        } = v.fact
        {
            self.demand = self.demand.max(v.now + millis(*time));
        }
        let truth = self.truth(v.core.picture(), v.now - begun);
        self.keep(truth, v.now);
        let view = v.core.led().ok_or("G1: no view of the LED")?;
        let allowed = self.truths.iter().any(|(_, t)| *t == view.target);
        no(
            view.target < truth || !allowed,
            format!(
                "S14: {:?} is to be shown, and {truth:?} is the worst; lately {:?}",
                view.target, self.truths
            ),
        )?;
        no(
            view.demand.is_some() && v.now >= self.demand,
            "G2: what is shown on demand does not end",
        )?;
        for light in lights {
            let parting = matches!(v.core.picture().ending, Ending::Parting { .. });
            let right = match (light, view.demand) {
                (Light::Release, _) => parting,
                (Light::Show(state), Some((wanted, _))) => !parting && state == wanted,
                (Light::Show(state), None) => !parting && state == view.target,
            };
            no(!right, format!("S14: {light:?} is ordered: {view:?}"))?;
        }
        Ok(())
    }

    /// G3: an LED that cannot be had is told of once for each reason, and once when it is back.
    fn troubles_are_told_once(&mut self, v: &View) -> Result<(), String> {
        for note in v.notes {
            match note {
                Note::LedFailed { why, .. } => {
                    let again = self.told.replace(why.clone()) == Some(why.clone());
                    no(again, format!("G3: {why:?} is told again"))?;
                }
                Note::LedBack => {
                    no(self.told.take().is_none(), "G3: back from nowhere")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn keep(&mut self, truth: LedState, now: u64) {
        if self.truths.back().map(|(_, t)| *t) != Some(truth) {
            self.truths.push_back((now, truth));
        }
        // The second one began so long ago that the first is no excuse any more.
        while self.truths.get(1).is_some_and(|(at, _)| at + CALM < now) {
            self.truths.pop_front();
        }
    }

    fn truth(&mut self, p: &Picture, age: u64) -> LedState {
        let over = matches!(p.services, Verdict::Ok | Verdict::Critical);
        self.started |= over || age >= STARTING;
        let mut worst = LedState::Well;
        let mut say = |yes: bool, state: LedState| {
            if yes {
                worst = worst.max(state);
            }
        };
        let mut all = vec![p.clock, p.thermal, p.memory, p.storage, p.daemon, p.threads];
        all.extend(p.jobs);
        all.extend(p.throttle.iter().chain(&p.power));
        all.push(p.watchdog);
        say(all.contains(&Verdict::Unknown), LedState::Unknown);
        say(all.contains(&Verdict::Warn), LedState::Degraded);
        let mut broken = all;
        broken.pop();
        if p.power.is_some() {
            broken.pop();
        }
        broken.push(p.services);
        say(broken.contains(&Verdict::Critical), LedState::Critical);
        say(p.watchdog == Verdict::Critical, LedState::Unguarded);
        let power = p.power == Some(Verdict::Critical);
        say(power, LedState::Critical);
        say(
            power && p.strain_of_power == Some(Strain::LowBattery),
            LedState::LowBattery,
        );
        let battery = p.power.is_some() && p.mains == Some(false);
        say(battery, LedState::OnBattery);
        let waiting = matches!(p.services, Verdict::Warn | Verdict::Unknown);
        say(waiting && self.started, LedState::Degraded);
        say(!self.started, LedState::Starting);
        let ends = matches!(
            p.ending,
            Ending::Stopping { .. } | Ending::Parting { .. } | Ending::Halting { .. }
        );
        say(ends || p.halting.is_some(), LedState::Stopping);
        let down = p.halting.is_some_and(|h| match h.rung {
            Rung::Cutting => !h.can_be_taken_back,
            rung => rung >= Rung::Asked,
        });
        say(down, LedState::Halting);
        worst
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

fn no(wrong: bool, why: impl Into<String>) -> Result<(), String> {
    if wrong { Err(why.into()) } else { Ok(()) }
}
