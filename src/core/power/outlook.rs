//! What an outage comes to: for how long the battery lasts, what holds the halt back, and what is shed.

use super::gauge::{self, Gauge};
use super::plan::{self, Held, Plan};
use super::supply::Supply;
use super::trend::{Course, Trend};
use super::{Power, low, sign};
use crate::core::Pass;
use crate::core::intent::{FoundMarker, Intent};
use crate::core::note::{HaltNote, Note};
use crate::core::picture::Shed;
use crate::core::settings::Settings;
use crate::units::{Mono, Permille};
use std::time::Duration;

/// An outage that nothing but a current speaks for, and with it a low battery, must last for this
/// long: then its voltage has shown which way it goes.
const UNCONFIRMED: low::Proof = low::Proof {
    lasting: Duration::from_secs(90),
    readings: 20,
};

impl Power {
    pub(super) fn remaining(&self, settings: &Settings, now: Mono) -> Option<Duration> {
        self.supply.and_then(Supply::outage)?;
        let falling = |trend: Option<Trend>| {
            let trend = trend.filter(|t| t.course == Course::Falling);
            trend.map(|t| t.per_hour)
        };
        let gauge = self.gauge.now(now);
        let charge = falling(self.charge.trend());
        let volts = falling(self.volts.trend());
        let empty = settings.board.battery.map(|b| b.empty.0);
        plan::remaining(
            gauge.charge.zip(charge),
            gauge
                .voltage
                .zip(empty)
                .zip(volts)
                .map(|((v, empty), slope)| (v.0, empty, slope)),
        )
    }

    /// A charge that jumps was counted anew and not used: the charge of the beginning jumps with it,
    /// and so does what its trend is made of. What was lost while nobody heard of it is taken for that
    /// too: it says nothing of this outage, and the trend has forgotten it within ten minutes.
    pub(super) fn move_charge(&mut self, before: Option<Permille>, heard: Option<Permille>) {
        let Some((before, now)) = before.zip(heard) else {
            return;
        };
        if before.0.abs_diff(now.0) > gauge::CHARGE_STEP {
            let moved = |then: u16| (then + now.0).saturating_sub(before.0);
            self.charge_then = self.charge_then.map(moved);
            self.charge.shift(i64::from(now.0) - i64::from(before.0));
            self.rise.forget();
        }
    }

    /// How long the signs must agree before it is acted upon.
    pub(super) fn proof(&self, now: Mono, settings: &Settings) -> low::Proof {
        let signs = self.signs(now, settings);
        if self.line_heard && !self.doubt.stands() || self.confirmed {
            return signs.proof();
        }
        // A charge alone may be stuck. Beside a line that is doubted, it is as if no level were known.
        let wait = self.doubt.wait(settings).filter(|_| !signs.voltage);
        low::Proof {
            lasting: UNCONFIRMED.lasting.max(wait.unwrap_or_default()),
            ..UNCONFIRMED
        }
    }

    /// The battery is low, by signs that have agreed for long enough. Silence does not stop the count.
    pub(super) fn low(&self, now: Mono, settings: &Settings) -> bool {
        let proof = self.proof(now, settings);
        self.agreed.is_some_and(|(since, readings)| {
            let lasted = now.since(since);
            let silent = lasted >= proof.lasting + gauge::STALE;
            lasted >= proof.lasting && (readings >= proof.readings || silent)
        })
    }

    /// More than the sign of the current says that mains are gone.
    pub(super) fn confirm(&mut self, pass: &Pass) {
        let Some(since) = self.supply.and_then(Supply::outage) else {
            return;
        };
        let charge = self.gauge.now(pass.now).charge.map(|c| c.0);
        let drained = self
            .charge_then
            .zip(charge)
            .is_some_and(|(then, now)| now + sign::CHARGE_LOST <= then);
        let line = self.line_heard && !self.doubt.stands();
        let used = self.falls(pass.now) && self.fall_is_use(pass);
        self.confirmed |= line || drained || used || self.sign.cut_near(since);
    }

    /// A voltage that falls shows that the battery is used: a current out of it is heard beside it, or
    /// it is low. Without its current, a battery that is full by now falls just as well when its
    /// charger rests.
    fn fall_is_use(&self, pass: &Pass) -> bool {
        let current = self.gauge.now(pass.now).current;
        let out = current.is_some_and(|c| c.0 < -low::DEAD_BAND.0);
        out || self.signs(pass.now, pass.settings).level()
    }

    pub(super) fn held(&self, now: Mono) -> Option<Held> {
        let supply = self.supply?;
        let rises = self.keeps_rising(now);
        let battery = (self.confirmed, rises, self.is_charged(now));
        let (line, gauge) = (self.line_heard, &self.gauge);
        let held = plan::held(supply, self.mains_at, gauge, line, battery, now);
        match held {
            Some(Held::Returning) => held,
            Some(Held::Looking | Held::Charging | Held::Unconfirmed | Held::Doubted) | None => {
                let looking = self.look.goes_on() && supply.outage().is_some();
                looking.then_some(Held::Looking).or(held)
            }
        }
    }

    /// What is due in this outage, if there is one.
    pub(super) fn plan(&self, now: Mono, settings: &Settings) -> Option<Plan> {
        let since = self.supply?.outage()?;
        let plan = Plan::of(since, &self.gauge, self.held(now), settings);
        Some(match self.doubt.stands() {
            true => plan.doubted(since, &self.gauge, self.doubt.wait(settings)),
            false => plan,
        })
    }

    /// The voltage falls all the time, and the battery is in use.
    fn falls(&self, now: Mono) -> bool {
        self.course() == Some(Course::Falling) && !low::at_rest(self.gauge.now(now))
    }

    /// The battery's level rises all the time: its charge, or its voltage where no charge is told.
    pub(super) fn rises(&self, now: Mono) -> bool {
        let of = match self.charge.trend() {
            Some(charge) => Some(charge.course),
            None => self.course(),
        };
        of == Some(Course::Rising) && self.gauge.sound() && !self.gauge.stands_still(now)
    }

    /// The same, though a dip of the charge may hide it now.
    pub(super) fn keeps_rising(&self, now: Mono) -> bool {
        let hidden = self.rise.goes_on(now) && self.gauge.sound();
        self.rises(now) || hidden && !self.gauge.stands_still(now)
    }

    /// The battery fills, by its level or by its current.
    pub(super) fn fills(&self, now: Mono) -> bool {
        self.rises(now) || self.is_charged(now)
    }

    /// A current flows into the battery, as far as the sign of it is believed.
    fn is_charged(&self, now: Mono) -> bool {
        self.gauge.charges(now) && !self.sign.distrusted()
    }

    /// No current is told, and a voltage that rose gives way: this may be a cut, also beside a line
    /// that hides it, and then a rise before it must not hide the fall after it. Not where an outage
    /// is believed in: a load that comes and goes is no news of a battery that fills beside it.
    pub(super) fn gives_way(&self, heard: Gauge, cells: u8) -> bool {
        let mute = heard.current.is_none_or(|c| c.0 == 0);
        let outage = self.line_heard && self.supply.and_then(Supply::outage).is_some();
        mute && !outage
            && heard
                .voltage
                .is_some_and(|v| self.volts.gives_way(v.0, cells))
    }

    /// Halts in vain: told when they have become too many, forgotten when mains are seen.
    pub(super) fn count_in_vain(&mut self, supply: Supply, pass: &mut Pass) {
        self.doubt.see(supply, self.falls(pass.now), pass.now);
        if self.doubt.tells(supply.outage().is_some()) {
            let halts = self.doubt.halts();
            pass.tell(HaltNote::MainsDoubted { halts });
        }
    }

    /// An outage is over: what it has stopped waits if it has left next to nothing.
    pub(super) fn begin_recovery(&mut self, pass: &mut Pass) {
        if plan::enough(&self.gauge, pass.settings, pass.now) == Some(false) {
            let power = &pass.settings.power;
            let told = self.recovery.goes_on();
            self.recovery.begin(self.shed, power, pass.now);
            if !told {
                self.tell_recovery(pass);
            }
        }
    }

    /// An outage ended the boot before: nothing but what is essential starts on what it has left.
    pub(super) fn recover_from_halt(&mut self, left: &FoundMarker, pass: &mut Pass) {
        let Intent::Halt { cause, .. } = left.marker.intent else {
            return;
        };
        let of_late = !left.same_boot && left.lasts;
        if !of_late || !cause.ends_with_mains() || self.doubt.stands() {
            return;
        }
        let power = &pass.settings.power;
        self.recovery.begin(Shed::Normal, power, pass.now);
        self.shed = self.shed.max(self.recovery.shed());
        self.due = self.recovery.due(power);
        pass.picture.shed = self.shed;
        self.tell_recovery(pass);
    }

    fn tell_recovery(&self, pass: &mut Pass) {
        let shed = self.recovery.shed();
        if pass.settings.services.iter().any(|s| shed.holds(s.class)) {
            pass.out.note(Note::Recovering { shed });
        }
    }

    /// The battery may hold enough by now, also where mains are still away. Says whether services come
    /// back with that.
    pub(super) fn recover(&mut self, pass: &mut Pass) -> bool {
        let power = &pass.settings.power;
        let enough = plan::enough(&self.gauge, pass.settings, pass.now);
        let known = (enough, self.doubt.stands());
        let over = self.recovery.see(self.supply, known, power, pass.now);
        if self.supply.is_none() {
            self.due = self.recovery.due(power);
            if over {
                self.set_shed(Shed::Nothing, pass);
            }
        }
        over
    }

    /// What is shed comes back all at once, when mains do. `anew`: what was shed before does not count
    /// any more.
    pub(super) fn shed(&mut self, plan: Option<Plan>, anew: bool, pass: &mut Pass) {
        let spare = plan::spare(&self.gauge, pass.settings, pass.now);
        let waits = [Some(Held::Returning), Some(Held::Looking)];
        let waiting = plan.is_some_and(|p| waits.contains(&p.held));
        let acting = (self.line_heard || self.confirmed) && !waiting;
        let before = if anew { Shed::Nothing } else { self.shed };
        let shed = match plan {
            Some(plan) if acting => {
                let due = plan.shed(pass.now, spare);
                before.max(due).max(self.scarce.shed())
            }
            Some(_) => before,
            None => self.recovery.shed(),
        };
        self.set_shed(shed, pass);
    }

    fn set_shed(&mut self, shed: Shed, pass: &mut Pass) {
        // Where no service is of such a class, nobody needs to hear of it.
        let services = &pass.settings.services;
        let held = |shed: Shed| services.iter().filter(|s| shed.holds(s.class)).count();
        if shed != self.shed && held(shed) != held(self.shed) {
            pass.out.note(Note::Shedding { shed });
        }
        self.shed = shed;
        pass.picture.shed = shed;
    }
}
