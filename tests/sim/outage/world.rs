//! The machine on its battery: time, readings, and the core.

use super::cell::Cell;
use super::gauge::{Gauge, Wrong};
use super::judge::{Judge, Now};
use super::story::{Line, Story};
use crate::rng::Rng;
use crate::story::Book;
use fieldwarden::core::action::{Action, Actions};
use fieldwarden::core::fact::{
    Change, Errno, Exit, Fact, Fault, Pid, Reading, RunId, ServiceId, Source,
};
use fieldwarden::core::intent::{FoundMarker, HaltPhase, Intent, Marker};
use fieldwarden::core::picture::{HaltCause, Rung, Shed};
use fieldwarden::core::{BootFacts, Core};
use fieldwarden::units::Mono;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// Length of one step, in milliseconds.
const STEP: u64 = 100;

/// Time between two polls of the gauge, as usual and closely.
const USUALLY: u64 = 5_000;
const CLOSELY: u64 = 1_000;

/// Time between two looks at a line that has edges.
pub const LOOK: u64 = 5_000;

/// Time between two looks at the kernel's power supplies while they do not say that there are mains,
/// and until these have been back for some seconds.
const GONE: u64 = 1_000;
const SETTLED: u64 = 7_000;

/// Voltage at which the battery is low, by the board.
const LOW: i64 = 3_300;

/// A gauge that stands still is noticed after this time of an outage, and not before.
const FROZEN: u64 = 600_000;

/// Between these shares, in thousandths, every gauge tells the charge of a cell that is charged, and
/// not merely that it is empty or full.
const TOLD: std::ops::Range<i64> = 100..950;

/// Silence of the gauge that a daemon leaves to the next one.
const STALE: u64 = 16_000;

/// From power on to the first reading.
const BOOT: u64 = 3_000;

/// Ticks at one time, of which more mean that the core turns in circles.
const MOST_TICKS: u32 = 20;

/// What occurred, all in all.
#[derive(Clone, Default)]
pub struct Counts {
    pub steps: u64,
    pub seconds: u64,
    outages: u64,
    empty: u64,
    /// Of these, without an ask; all of them unfair.
    unasked: u64,
    asks: BTreeMap<&'static str, u64>,
    /// Readings that were not the truth, because of this.
    wrongs: BTreeMap<Wrong, u64>,
    sheds: BTreeMap<Shed, u64>,
    /// Lives in which a stuck line was doubted.
    doubted: u64,
    /// Halts that a stuck line brought about on mains.
    in_vain: u64,
    /// Daemons that were started again in an outage.
    restarts: u64,
    /// Moments in which less was needed than with deadlines, and in which deadlines were shortened.
    learned: u64,
    shortened: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.steps += other.steps;
        self.seconds += other.seconds;
        self.outages += other.outages;
        self.empty += other.empty;
        self.unasked += other.unasked;
        self.doubted += other.doubted;
        self.in_vain += other.in_vain;
        self.restarts += other.restarts;
        self.learned += other.learned;
        self.shortened += other.shortened;
        for (cause, n) in &other.asks {
            *self.asks.entry(cause).or_default() += n;
        }
        for (wrong, n) in &other.wrongs {
            *self.wrongs.entry(*wrong).or_default() += n;
        }
        for (shed, n) in &other.sheds {
            *self.sheds.entry(*shed).or_default() += n;
        }
    }

    /// Everything that has to occur in a thousand stories.
    pub fn occurred(&self) -> BTreeMap<String, u64> {
        let asks = [
            "ride-through",
            "low-battery",
            "gauge-silent",
            "battery-sinks",
        ];
        let asks = asks.map(|c| (c.to_owned(), self.asks.get(c).copied().unwrap_or(0)));
        let wrongs = Wrong::ALL.map(|w| {
            let n = self.wrongs.get(&w).copied().unwrap_or(0);
            (format!("{w:?}"), n)
        });
        let sheds = [Shed::Optional, Shed::Normal].map(|s| {
            let n = self.sheds.get(&s).copied().unwrap_or(0);
            (format!("shed {s:?}"), n)
        });
        let empty = [
            ("empty".to_owned(), self.empty),
            ("doubted".to_owned(), self.doubted),
            ("started again in an outage".to_owned(), self.restarts),
            ("less needed".to_owned(), self.learned),
            ("shortened".to_owned(), self.shortened),
        ];
        let all = asks.into_iter().chain(wrongs).chain(sheds).chain(empty);
        all.collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} h simulated, {} steps, {} outages, asks {:?}, {} batteries ran empty, {} before \
             anybody could know, {} halts in vain by a stuck line, which was doubted in {} boots, {} daemons \
             started again in an outage, less needed than with deadlines in {} moments, deadlines shortened \
             in {}\n  \
             readings that were wrong {:?}\n  shed {:?}",
            self.seconds / 3600,
            self.steps,
            self.outages,
            self.asks,
            self.empty,
            self.unasked,
            self.in_vain,
            self.doubted,
            self.restarts,
            self.learned,
            self.shortened,
            self.wrongs,
            self.sheds
        )
    }
}

/// One life of the daemon, and its twin, which is told more about the clock and must do the same.
struct Life {
    core: Core,
    twin: Core,
    out: Actions,
    ticks: (u64, u32),
    closely: bool,
    shed: Shed,
}

pub struct World {
    story: Rc<Story>,
    rng: Rng,
    now: u64,
    cell: Cell,
    gauge: Option<Gauge>,
    load: i64,
    life: Option<Life>,
    lives: u32,
    /// No daemon is there from the first to the second time, and what mains were when it was killed.
    away: Option<(u64, u64, bool)>,
    /// Kills that have been carried out.
    killed: usize,
    /// The machine is down until this time, or until mains come back after it.
    off: Option<u64>,
    next_gauge: u64,
    next_line: u64,
    line_said: Option<bool>,
    /// The supplies are looked at closely until then.
    calm: u64,
    /// When the gauge last said something of the level that has to be taken for the truth.
    heard: u64,
    judge: Judge,
    /// When this daemon was started.
    started: u64,
    /// What the daemon wrote down last.
    kept: Option<Marker>,
    /// That was in this boot.
    kept_here: bool,
    book: Book,
    pub counts: Counts,
}

impl World {
    pub fn new(story: Story, seed: u64, book: Book) -> World {
        World {
            rng: Rng::new(!seed ^ 0x0007_A6E5),
            now: 1_000,
            cell: story.cell.clone(),
            gauge: story.gauge.clone(),
            load: story.load,
            life: None,
            lives: 0,
            away: None,
            killed: 0,
            off: Some(0),
            next_gauge: 0,
            next_line: 0,
            line_said: None,
            calm: 0,
            heard: 0,
            judge: Judge::new(&story, 0),
            started: 0,
            kept: None,
            kept_here: false,
            story: Rc::new(story),
            book,
            counts: Counts::default(),
        }
    }

    pub fn run(&mut self) -> Result<(), String> {
        while self.now < self.story.end {
            self.now += STEP;
            self.moment()
                .map_err(|why| format!("at {}: {why}", Mono(self.now)))?;
            // A machine that is down for hours has nothing to tell.
            if self.life.is_none() && !self.story.mains(self.now) {
                self.now += 60_000;
            }
        }
        self.counts.seconds += self.now / 1000;
        self.counts.outages += self.story.cuts.len() as u64;
        Ok(())
    }

    fn moment(&mut self) -> Result<(), String> {
        let mains = self.story.mains(self.now);
        self.drain(mains);
        if self.life.is_none() {
            if mains && self.off.is_some_and(|off| self.now >= off + BOOT) {
                self.boot()?;
            }
            return Ok(());
        }
        if !mains && self.cell.is_empty() {
            self.counts.empty += 1;
            self.counts.unasked += u64::from(self.judge.asked.is_none());
            if self.away.take().is_some() {
                self.die();
                return Ok(());
            }
            let story = Rc::clone(&self.story);
            let outcome = self.look(&story, |judge, now| judge.ran_empty(&story, now));
            self.die();
            return outcome;
        }
        if self.is_away(mains)? {
            return Ok(());
        }
        if self
            .judge
            .asked
            .is_some_and(|at| self.now >= at + self.judge.stops())
        {
            // It is down in order. What follows is the halt's own matter.
            self.commit();
            self.die();
            return Ok(());
        }
        self.read_line()?;
        self.read_gauge()?;
        self.ticks()?;
        let story = Rc::clone(&self.story);
        self.look(&story, |judge, now| judge.see(&story, now, STEP))
    }

    /// Shows the judge the truth.
    fn look(
        &mut self,
        story: &Story,
        of: impl FnOnce(&mut Judge, &Now) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let now = Now {
            at: self.now,
            mains: story.mains(self.now),
            stuck: story.stuck(self.now),
            hidden: story.hides(self.now),
            wrong: story.wrong(self.now),
            blind: story.blind(self.now),
            unheard: self.now - self.heard,
            // What a reading is off by, at most.
            low: self.cell.voltage() <= LOW - 8,
            share: self.cell.share(),
            charging: self.cell.current > 0 && TOLD.contains(&self.cell.share()),
            voltage: self.cell.voltage(),
            lasts: self.cell.lasts(self.load),
            picture: life.core.picture(),
        };
        let asked = self.judge.asked;
        let doubted = now.picture.mains_doubted && !self.judge.doubted;
        let outcome = of(&mut self.judge, &now);
        self.counts.doubted += u64::from(doubted);
        // A halt of an earlier boot is looked at first.
        let looking = life
            .core
            .picture()
            .halting
            .is_some_and(|h| h.rung == Rung::Looking);
        if !looking && asked.is_none() && self.judge.asked.is_some() {
            let cause = match now.picture.halt_ask {
                Some(HaltCause::RideThrough) => "ride-through",
                Some(HaltCause::LowBattery) => "low-battery",
                Some(HaltCause::GaugeSilent) => "gauge-silent",
                Some(HaltCause::BatterySinks) => "battery-sinks",
                Some(
                    HaltCause::Services
                    | HaltCause::Network
                    | HaltCause::Drill { .. }
                    | HaltCause::Asked { .. },
                )
                | None => {
                    return Err("an ask by nobody".to_owned());
                }
            };
            *self.counts.asks.entry(cause).or_default() += 1;
            self.counts.in_vain += u64::from(now.mains && now.stuck);
        }
        outcome
    }

    /// The load wanders, and the cell carries it or is charged.
    fn drain(&mut self, mains: bool) {
        if self.rng.chance(1) && self.now.is_multiple_of(1_000) {
            self.load = self.story.load * self.rng.range(60, 140).cast_signed() / 100;
        }
        let noise = self.rng.range(0, 40).cast_signed() - 20;
        let load = if self.life.is_some() { self.load } else { 0 };
        self.cell.pass(STEP, mains, load, noise);
    }

    /// The daemon is killed, or there is none because it was.
    fn is_away(&mut self, mains: bool) -> Result<bool, String> {
        if let Some((from, until, then)) = self.away {
            if self.now < until {
                return Ok(true);
            }
            self.away = None;
            self.counts.restarts += u64::from(!mains && !then);
            // A silence that was not noticed is not left to the next one.
            if from - self.heard <= STALE {
                self.heard = self.now;
            }
            let (now, same) = (self.now, mains == then);
            self.judge.restarted(&self.story, now, now - from, same);
            self.start(true)?;
        }
        let kill = self.story.kills.get(self.killed).copied();
        let Some((at, until)) = kill.filter(|(at, _)| self.now >= *at) else {
            return Ok(false);
        };
        self.killed += 1;
        let dies = self.judge.asked.is_none() && self.now < at + 1_000;
        self.away = dies.then_some((self.now, until, mains));
        Ok(dies)
    }

    fn boot(&mut self) -> Result<(), String> {
        self.heard = self.now;
        self.judge = self.judge.reborn(&self.story, self.now);
        self.start(false)
    }

    /// A daemon starts, after another in the same boot or in a new one.
    fn start(&mut self, same_boot: bool) -> Result<(), String> {
        let boot = BootFacts {
            seed: 1,
            init_watchdog: None,
            first: !same_boot,
        };
        self.lives += 1;
        self.book.new_life(self.lives, &boot);
        let settings = &self.story.settings;
        self.life = Some(Life {
            core: Core::new(settings.clone(), boot),
            twin: Core::new(settings.clone(), boot),
            out: Actions::default(),
            ticks: (0, 0),
            closely: false,
            shed: Shed::Nothing,
        });
        self.off = None;
        self.started = self.now;
        self.kept_here &= same_boot;
        self.line_said = None;
        self.calm = 0;
        (self.next_gauge, self.next_line) = (self.now, self.now);
        self.tell(&match self.kept {
            Some(marker) => Fact::Seen(Reading::marker(FoundMarker {
                marker,
                same_boot: self.kept_here,
                reset: Some(false),
                lasts: true,
                ..FoundMarker::default()
            })),
            None => Fact::Lost {
                source: Source::Marker,
                why: Fault::Absent,
            },
        })?;
        let learned = Rc::clone(&self.story);
        for (at, times) in (0u16..).zip(&learned.learned) {
            if times.count() > 0 {
                let change = Change::Stops(*times);
                let (service, run) = (ServiceId(at), RunId(0));
                self.tell(&Fact::Child {
                    service,
                    run,
                    change,
                })?;
            }
        }
        self.tell(&Fact::Tick)
    }

    /// The halt was carried out.
    fn commit(&mut self) {
        if let Some(Marker {
            intent: Intent::Halt { phase, .. },
            ..
        }) = &mut self.kept
        {
            *phase = HaltPhase::Committed;
        }
    }

    fn die(&mut self) {
        self.life = None;
        self.off = Some(self.now);
    }

    fn read_line(&mut self) -> Result<(), String> {
        let mains = self.story.says(self.now);
        if self.story.line == Line::None {
            return Ok(());
        }
        let edge = self.story.line == Line::Gpio && self.line_said != Some(mains);
        if self.now < self.next_line && !edge {
            return Ok(());
        }
        let blind = self.story.blind(self.now);
        if blind && self.now < self.next_line {
            return Ok(());
        }
        // Silence takes back no outage, and interrupts a return.
        if blind && self.now < self.calm || !blind && !mains {
            self.calm = u64::MAX;
        } else if !blind && self.calm == u64::MAX {
            self.calm = self.now + SETTLED;
        }
        self.next_line = self.now
            + match self.story.line {
                Line::None | Line::Gpio => LOOK,
                Line::Polled(every) if self.now < self.calm => every.min(GONE),
                Line::Polled(every) => every,
            };
        if blind {
            return self.tell(&Fact::Lost {
                source: Source::Mains,
                why: Fault::Errno(Errno(5)),
            });
        }
        self.line_said = Some(mains);
        self.tell(&Fact::Seen(Reading::Mains { present: mains }))
    }

    fn read_gauge(&mut self) -> Result<(), String> {
        if self.now < self.next_gauge {
            return Ok(());
        }
        let closely = self.life.as_ref().is_some_and(|l| l.closely);
        self.next_gauge = self.now + if closely { CLOSELY } else { USUALLY };
        let wrong = self.story.wrong(self.now);
        let Some(gauge) = &mut self.gauge else {
            return Ok(());
        };
        let dip = self.story.dip(self.now);
        let (fact, untrue) = gauge.read(&self.cell, (wrong, dip), &mut self.rng);
        if let Some(wrong) = wrong.filter(|_| untrue) {
            *self.counts.wrongs.entry(wrong).or_default() += 1;
        }
        let usable = match wrong {
            Some(Wrong::Frozen) => {
                let since = self.story.wrong_since(self.now).max(self.started);
                let frozen = self.now - since;
                frozen.min(self.judge.believed()) < FROZEN
            }
            // Now and then they make a battery's voltage again.
            Some(Wrong::ByteSwap | Wrong::NakBurst) | None => true,
            Some(other) => other.spares_voltage(),
        };
        let truth = matches!(fact, Some(Fact::Seen(_))) && usable;
        if truth {
            self.heard = self.now;
        }
        match fact {
            Some(fact) => self.tell(&fact),
            None => Ok(()),
        }
    }

    fn ticks(&mut self) -> Result<(), String> {
        while let Some(life) = &mut self.life {
            let due = life.core.deadline();
            if due.is_none_or(|due| due.0 > self.now) {
                return Ok(());
            }
            life.ticks = match life.ticks {
                (at, n) if at == self.now => (at, n + 1),
                _ => (self.now, 0),
            };
            if life.ticks.1 > MOST_TICKS {
                return Err("the core turns in circles: ticks without end at one time".to_owned());
            }
            self.tell(&Fact::Tick)?;
        }
        Ok(())
    }

    /// One fact for both cores; services obey at once.
    fn tell(&mut self, fact: &Fact) -> Result<(), String> {
        let synced = self.rng.chance(50);
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        let at = Mono(self.now);
        let mut facts = vec![fact.clone()];
        while let Some(fact) = facts.pop() {
            life.out.clear();
            life.core.step(at, &fact, &mut life.out);
            self.book.step(self.now, &fact, &life.out);
            self.counts.steps += 1;
            let mut twin = Actions::default();
            life.twin.step(
                at,
                &Fact::Seen(Reading::Clock {
                    synced,
                    shown: None,
                }),
                &mut twin,
            );
            life.twin.step(at, &fact, &mut twin);
            for order in &life.out.orders {
                if let Action::WatchGauge { closely } = order.action {
                    life.closely = closely;
                    if closely {
                        self.next_gauge = self.next_gauge.min(self.now + CLOSELY);
                    }
                }
                if let Action::Record(marker) | Action::Keep(marker) = order.action {
                    (self.kept, self.kept_here) = (Some(marker), true);
                }
                facts.extend(obeyed(&order.action));
            }
        }
        let (a, b) = (life.core.picture(), life.twin.picture());
        let less = a.stop_span.is_some_and(|span| span.expected < span.most);
        self.counts.learned += u64::from(less);
        self.counts.shortened += u64::from(a.stop_fit.is_some());
        if a.stop_fit.is_some() && (a.hold_up.is_none() || a.mains == Some(true)) {
            return Err(format!(
                "deadlines are shortened without need: {:?}",
                a.stop_fit
            ));
        }
        let same = (a.mains, a.shed, a.halt_ask, a.power) == (b.mains, b.shed, b.halt_ask, b.power);
        if life.shed < a.shed {
            *self.counts.sheds.entry(a.shed).or_default() += 1;
        }
        life.shed = a.shed;
        // What follows from an ask is the ladder's business; the twin's orders are not answered.
        let asked = a.halting.is_some() || b.halting.is_some();
        match same || asked {
            true => Ok(()),
            false => Err("S11: news of the clock change what is decided about power".to_owned()),
        }
    }
}

/// What comes of an order.
fn obeyed(action: &Action) -> Option<Fact> {
    let (service, run, change) = match action {
        Action::Start { service, run } => {
            let pid = Pid::new(1_000 + run.0 * 10 + u32::from(service.0))?;
            (*service, *run, Change::Started { pid })
        }
        Action::Signal { service, run, .. } => (*service, *run, Change::Exited(Exit::Signal(15))),
        _ => return None,
    };
    Some(Fact::Child {
        service,
        run,
        change,
    })
}
