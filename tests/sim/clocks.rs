//! The kernel's clock and the battery-backed one, and what trust in them must be: the invariants C1
//! to C6, and S11.
//!
//! Both are wrong in every way that is fair: never set, set ahead or back at any moment, stopped,
//! standing still, gone, or giving nonsense. The invariants are told from the facts that the core has
//! heard, and know nothing of how it decides. Chance comes from a stream of its own, so that a world
//! with and one without steps of the clock differ in nothing else.

use crate::checks::View;
use crate::chips::ds3231::Ds3231;
use crate::faults::Kind;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::world::World;
use fieldwarden::core::action::Action;
use fieldwarden::core::fact::{
    Errno, Fact, Fault, OrderId, Reading, RtcSeen, Shown, Source, Thread,
};
use fieldwarden::core::note::Trust;
use fieldwarden::core::settings::Need;
use fieldwarden::units::{MilliCelsius, Mono, Wall};
use std::time::Duration;

/// True time when the machine is first switched on.
const BEGIN: i64 = 1_893_456_000;
/// When the program was made.
const MADE: i64 = BEGIN - 100 * 86_400;
/// What a time may be before the floor, in seconds.
const SLACK: i64 = 60;
/// What the two clocks may differ by, in seconds: the default of `tolerance`, and the second that
/// nobody sees.
const TOLERANCE: i64 = 31;
const YEAR: i64 = 365 * 86_400;

/// Both clocks.
pub struct Clocks {
    rng: Rng,
    /// Nobody sets the kernel's clock: the other half of S11.
    pub still: bool,
    /// Without a battery-backed clock the machine boots into the past.
    pub boots_into_the_past: bool,
    /// How far the kernel's clock is ahead of the truth, in seconds.
    ahead: i64,
    rtc: Option<Rtc>,
    /// True time when the clock was synced last.
    synced_at: i64,
}

#[derive(Default)]
struct Rtc {
    /// No driver of the kernel has it: it is read by its registers, and counts hours to 12 or to 24.
    lone: Option<bool>,
    ahead: i64,
    stopped: bool,
    /// Shows this time for ever.
    frozen: Option<i64>,
    silent_until: u64,
    nonsense_until: u64,
}

impl Rtc {
    fn of(plan: &Plan) -> Rtc {
        let mut rng = Rng::new(plan.seed ^ 0xD53231);
        Rtc {
            lone: rng.chance(40).then(|| rng.chance(30)),
            ..Rtc::default()
        }
    }

    /// What the shipped code makes of its registers.
    fn by_registers(&self, now: u64, twelve: bool, rng: Rng) -> Fact {
        let noisy = now < self.nonsense_until;
        let time = Ds3231::shows(self.frozen.unwrap_or(truth(now) + self.ahead));
        let chip = Ds3231 {
            time,
            twelve,
            stopped: self.stopped,
            gone: now < self.silent_until,
            noisy,
            rng,
        };
        match chip.look() {
            Ok(seen) => {
                let told = seen.shown.map(|shown| shown.time);
                assert!(noisy || told == Some(wall(time)), "{time}, told {told:?}");
                // The look goes by the clock of this machine.
                let at = Mono(now);
                let shown = told.map(|time| Shown { time, at });
                Fact::Seen(Reading::Rtc(RtcSeen { shown, ..seen }))
            }
            Err(why) => Fact::Lost {
                source: Source::Rtc,
                why,
            },
        }
    }
}

fn truth(now: u64) -> i64 {
    BEGIN + i64::try_from(now / 1000).unwrap_or(0)
}

fn wall(seconds: i64) -> Wall {
    Wall::new(seconds.max(0)).unwrap_or(Wall::MAX)
}

impl Clocks {
    pub fn of(plan: &Plan) -> Clocks {
        let mut rng = Rng::new(plan.seed ^ 0xC10C);
        let wanted = [
            Kind::RtcLies,
            Kind::RtcStops,
            Kind::RtcFreezes,
            Kind::RtcGone,
            Kind::RtcNonsense,
        ];
        let there = wanted.iter().any(|k| plan.faults.contains(k)) || rng.chance(50);
        let mut clocks = Clocks {
            rng,
            still: false,
            boots_into_the_past: true,
            ahead: 0,
            rtc: there.then(|| Rtc::of(plan)),
            synced_at: MADE,
        };
        clocks.boot();
        clocks
    }

    /// The machine starts.
    pub fn boot(&mut self) {
        let rtc = self.rtc.as_ref().filter(|r| !r.stopped);
        self.ahead = match rtc {
            Some(rtc) => rtc.ahead,
            None if !self.boots_into_the_past => 0,
            None => -self.rng.pick(&[0, 50, 3_600, 86_400, 30 * YEAR]),
        };
    }

    pub fn heal(&mut self) {
        if let Some(rtc) = &mut self.rtc {
            *rtc = Rtc {
                lone: rtc.lone,
                ..Rtc::default()
            };
        }
    }

    /// What the first fact of a life says to be past: the program's making, or what the journal
    /// knows.
    pub fn floor(&self) -> Fact {
        Fact::Seen(Reading::Floor {
            time: wall(self.synced_at),
        })
    }

    fn kernel(&mut self, now: u64, synced: bool) -> Reading {
        if synced {
            self.ahead = 0;
            self.synced_at = truth(now);
        }
        Reading::Clock {
            synced,
            shown: Some(Shown {
                time: wall(truth(now) + self.ahead),
                at: Mono(now),
            }),
        }
    }

    fn rtc(&mut self, now: u64) -> Option<Fact> {
        let rtc = self.rtc.as_ref()?;
        if let Some(twelve) = rtc.lone {
            let noise = Rng::new(self.rng.next());
            return Some(rtc.by_registers(now, twelve, noise));
        }
        if now < rtc.silent_until {
            let why = [Fault::Absent, Fault::Errno(Errno(121)), Fault::Implausible];
            let at = usize::try_from(self.rng.range(0, 2)).unwrap_or(0);
            return Some(Fact::Lost {
                source: Source::Rtc,
                why: why[at].clone(),
            });
        }
        let time = match now < rtc.nonsense_until {
            true => self.rng.pick(&[0, 946_684_800, BEGIN + 70 * YEAR, BEGIN]),
            false => rtc.frozen.unwrap_or(truth(now) + rtc.ahead),
        };
        let at = Mono(now);
        let shown = Shown {
            time: wall(time),
            at,
        };
        // A driver that says so refuses the time; one that does not is found out by the log.
        let refused = rtc.stopped && self.rng.chance(50);
        Some(Fact::Seen(Reading::Rtc(RtcSeen {
            shown: (!refused).then_some(shown),
            oscillator_stopped: rtc.stopped.then_some(true),
            temperature: self.rng.chance(50).then_some(MilliCelsius(25_250)),
        })))
    }
}

impl World {
    pub fn strike_clocks(&mut self, kind: Kind) {
        let now = self.now;
        let c = &mut self.clocks;
        let until = now + c.rng.range(1_000, 90_000);
        let lie = c
            .rng
            .pick(&[-40 * YEAR, -10, 10, 45, -90, 86_400, 30 * YEAR]);
        // Both stay where a time can be true: see S11.
        let step = c.rng.pick(&[12, -12, 3_600, 90 * 86_400, 5 * YEAR]);
        if kind == Kind::WallStepped {
            c.ahead = if c.still { c.ahead } else { step };
        }
        let Some(rtc) = &mut c.rtc else { return };
        match kind {
            Kind::RtcLies => rtc.ahead = lie,
            Kind::RtcStops => rtc.stopped = true,
            Kind::RtcFreezes => rtc.frozen = Some(truth(now) + rtc.ahead),
            Kind::RtcGone => rtc.silent_until = until,
            Kind::RtcNonsense => rtc.nonsense_until = until,
            _ => {}
        }
    }

    /// The battery-backed clock is set by the kernel's. A chip that is gone refuses; one that stands
    /// still takes the time and goes on standing.
    pub fn set_rtc(&mut self, order: OrderId) {
        let (now, ahead) = (self.now, self.clocks.ahead);
        let outcome = match &mut self.clocks.rtc {
            Some(rtc) if now >= rtc.silent_until => {
                rtc.ahead = ahead;
                rtc.stopped = false;
                rtc.frozen = rtc.frozen.map(|_| truth(now) + ahead);
                Ok(())
            }
            Some(_) | None => Err(Fault::Errno(Errno(121))),
        };
        self.done(Thread::Sync, order, outcome);
    }

    pub fn read_clocks(&mut self, synced: bool) {
        let reading = self.clocks.kernel(self.now, synced);
        let fact = match self.strikes(Kind::SensorLost, 10) {
            true => Fact::Lost {
                source: Source::Clock,
                why: Fault::Errno(Errno(1)),
            },
            false => Fact::Seen(reading),
        };
        self.send(Thread::Vitals, fact);
        if let Some(fact) = self.clocks.rtc(self.now) {
            self.send(Thread::Vitals, fact);
        }
    }
}

/// What was heard of the clocks in this life.
#[derive(Default)]
pub struct Heard {
    floor: Option<i64>,
    clock: Option<(bool, Option<Shown>)>,
    rtc: Option<RtcSeen>,
    ever_synced: bool,
    /// Read as synced, and not stepped, without a break since then; and what it showed last.
    steady: Option<(u64, Shown)>,
}

impl Heard {
    /// Takes a step in, and says what is wrong with the trust after it.
    pub fn clocks_are_judged(&mut self, v: &View) -> Result<(), String> {
        let clock = self.hear(v.fact);
        self.follow(v);
        let sets = v.orders.iter().any(|o| o.action == Action::SetRtc);
        let trust = v.core.clock_trust();
        let shown = self.clock.and_then(|(_, shown)| shown);
        let floor = self.floor.unwrap_or(0);
        let early = shown.is_some_and(|s| s.time.seconds() < floor - SLACK);
        let synced = self.clock.is_some_and(|(synced, _)| synced);
        let confirmed = self.rtc.zip(shown).is_some_and(|(rtc, clock)| {
            rtc.oscillator_stopped != Some(true) && rtc.shown.is_some_and(|own| near(own, clock))
        });
        for (wrong, what) in [
            (
                clock && early && trust != Trust::Unset,
                "C1: a clock that shows the past is trusted",
            ),
            (
                clock && synced && !early && trust != Trust::Synced,
                "C2: a synced clock is not trusted",
            ),
            (
                trust == Trust::Rtc && !confirmed,
                "C3: a clock is trusted that no good battery-backed clock confirms",
            ),
            (
                trust == Trust::Synced && !synced,
                "C4: a clock counts as synced that is not",
            ),
            (
                trust == Trust::Holdover && !self.ever_synced,
                "C5: holdover of a clock that was never synced",
            ),
            (
                sets && !self.may_set(v),
                "C6: the battery-backed clock is set by one that was not synced for 30 s",
            ),
        ] {
            if wrong {
                return Err(format!("{what} ({trust:?})"));
            }
        }
        Ok(())
    }

    /// How long the kernel's clock has been synced without a step: a step of more than 9 s, so that one
    /// which the core does not count as such is none here either.
    fn follow(&mut self, v: &View) {
        let Fact::Seen(Reading::Clock { synced, shown }) = v.fact else {
            return;
        };
        let before = self.steady;
        self.steady = shown.filter(|_| *synced).map(|shown| match before {
            Some((since, last)) if size(shown, last) <= 9_000 => (since, shown),
            Some(_) | None => (v.now, shown),
        });
    }

    fn may_set(&self, v: &View) -> bool {
        let steady = self
            .steady
            .is_some_and(|(since, _)| v.now - since >= 30_000);
        steady && v.core.settings().set_rtc && v.core.clock_trust() == Trust::Synced
    }

    /// Tells whether it was news of the kernel's clock.
    fn hear(&mut self, fact: &Fact) -> bool {
        match fact {
            Fact::Seen(Reading::Floor { time }) => {
                self.floor = self.floor.max(Some(time.seconds()));
            }
            Fact::Seen(Reading::Clock { synced, shown }) => {
                self.clock = Some((*synced, *shown));
                self.ever_synced |= synced;
                return true;
            }
            Fact::Seen(Reading::Rtc(seen)) => self.rtc = Some(*seen),
            Fact::Lost {
                source: Source::Rtc,
                ..
            } => self.rtc = None,
            _ => {}
        }
        false
    }
}

/// Both show the same, if both run on evenly.
fn near(one: Shown, other: Shown) -> bool {
    size(one, other) <= i128::from(TOLERANCE) * 1000
}

/// By how much they differ then, in milliseconds.
fn size(one: Shown, other: Shown) -> i128 {
    let start = |s: Shown| i128::from(s.time.seconds()) * 1000 - i128::from(s.at.0);
    (start(one) - start(other)).abs()
}

/// The same orders; whether a marker can be dated is told in it, and is about the clock.
fn undated(mut orders: Vec<(u64, Action)>) -> Vec<(u64, Action)> {
    for (_, action) in &mut orders {
        if let Action::Record(marker) | Action::Keep(marker) = action {
            marker.dated = false;
        }
    }
    orders
}

/// S11: with and without somebody setting the clock, the same orders are given at the same times.
#[test]
fn steps_of_the_clock_decide_nothing() {
    use crate::story::Book;
    let (mut stepped, mut halts) = (0, 0);
    for seed in 0..120 {
        let play = |still: bool| {
            let mut plan = Plan::drawn(seed, false);
            plan.faults.insert(Kind::WallStepped);
            // Those that need a clock that is right are told when it is not: that is what it is for.
            for service in &mut plan.settings.services {
                service.needs.retain(|need| *need != Need::Clock);
                service.stop_without.retain(|need| *need != Need::Clock);
            }
            let mut world = World::new(plan, Book::default());
            world.clocks.still = still;
            // A battery-backed clock would tell of the steps in a verdict, and so to init.
            world.clocks.rtc = None;
            // A time that is past for certain is told there, too.
            world.clocks.boots_into_the_past = false;
            world.clocks.boot();
            world.kept = Some(Vec::new());
            let outcome = world.run();
            (outcome, world.kept.map(undated), world.tally)
        };
        let (with, without) = (play(false), play(true));
        assert_eq!(with.0, Ok(()), "seed {seed}");
        assert_eq!(with.1, without.1, "seed {seed}");
        stepped += with.2.notes.get("ClockStepped").copied().unwrap_or(0);
        halts += with.2.notes.get("Halting").copied().unwrap_or(0);
        assert_eq!(without.2.notes.get("ClockStepped"), None, "seed {seed}");
    }
    assert!(stepped > 20, "only {stepped} steps were noticed");
    assert!(halts > 20, "only {halts} halts among them");
}

/// So that a look at the default is not needed to read these.
#[test]
fn the_tolerance_is_the_default() {
    let settings = fieldwarden::core::settings::Settings::nothing();
    let default = Duration::from_secs(TOLERANCE.unsigned_abs() - 1);
    assert_eq!(settings.clock_tolerance, default);
    assert_eq!(Plan::of(1).settings.clock_tolerance, default);
}
