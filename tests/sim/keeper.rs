//! Units, in a world of their own: a keeper that is slow, refuses, falls silent, starts again by
//! itself, and is told by others.
//!
//! | | never |
//! |---|---|
//! | K1 | is one started that is not known to be down, and startable |
//! | K2 | is one started that somebody else has stopped, until somebody starts it |
//! | K3 | is one stopped because a daemon ends or is replaced |
//! | K4 | is one started again more often than its window allows |
//! | K5 | is one down that is to run, or unknown, long after the last fault |
//! | K6 | is one stopped that is up, waits for nobody, and is to be restarted: that is done in one go |
//!
//! `SIM_KEEPERS=n` runs n seeds, `SIM_KEEPER=n` replays one and prints all of it.

use crate::fail;
use crate::rng::Rng;
use crate::series::Series;
use fieldwarden::config;
use fieldwarden::core::action::{Action, Actions, Reach, Signal};
use fieldwarden::core::fact::{
    Asker, Change, Errno, Exit, Fact, Fault, Health, Life, Obstacle, OrderId, Pid, Pulse, Request,
    RunId, ServiceId, Standing, Thread, Ticket,
};
use fieldwarden::core::memo::{Left, Memo};
use fieldwarden::core::note::Note;
use fieldwarden::core::settings::Settings;
use fieldwarden::core::{BootFacts, Core, Down, State, View, Wish};
use fieldwarden::trace::{action_line, fact_line, note_line};
use fieldwarden::units::Mono;
use std::collections::{BTreeMap, VecDeque};

/// Seeds of a usual run.
const SEEDS: u64 = 300;

/// In milliseconds: one step of the world.
const STEP: u64 = 50;

/// When faults end, and when all must be well.
const CALM: u64 = 240_000;
const WELL: u64 = 600_000;

/// What a unit is doing, in truth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Does {
    Rests,
    Starts {
        until: u64,
    },
    Runs,
    Stops {
        until: u64,
        told: bool,
        /// A restart in one go: it starts then.
        again: bool,
    },
    /// It was told to end as one that fails.
    Dies {
        until: u64,
    },
    /// Its keeper is about to start it again by itself.
    Waits {
        until: u64,
    },
}

struct Unit {
    does: Does,
    life: u64,
    again: u32,
    exit: Exit,
    told: bool,
    masked: bool,
    /// Its own `Restart=`.
    restarts_itself: bool,
    /// What was said of it last, and that something is owed.
    said: Option<Standing>,
    owed: bool,
}

/// What the invariants remember of a unit.
#[derive(Clone, Default)]
struct Seen {
    heard: Option<Standing>,
    life: Option<Life>,
    /// We have told its present life to end.
    ours: bool,
    /// It was going down when somebody asked for it: that it runs again is no restart.
    called: bool,
    /// In a way after which its keeper starts it again.
    returns: bool,
    /// It was heard of as up, and not as down since; or so an earlier daemon has left it.
    was_up: bool,
    left_alone: bool,
    restarts: VecDeque<u64>,
    /// It has failed, and its next start is a restart.
    failed: bool,
}

enum Ask {
    Start(OrderId, ServiceId),
    Stop(OrderId, ServiceId, (Signal, Reach)),
}

struct World {
    rng: Rng,
    now: u64,
    settings: Settings,
    units: Vec<Unit>,
    seen: Vec<Seen>,
    core: Option<Core>,
    out: Actions,
    /// The orders of this daemon, and when the first is done.
    asks: VecDeque<Ask>,
    asked_at: u64,
    look_at: u64,
    silent_until: u64,
    stuck_until: u64,
    late: bool,
    born_at: u64,
    lives: u32,
    memos: BTreeMap<ServiceId, (RunId, Memo)>,
    ending: bool,
    ticket: u64,
    loud: bool,
    starts: u64,
    left_alone: u64,
}

fn settings(rng: &mut Rng) -> Settings {
    let mut text = "[watchdog]\nowner = \"nobody\"\n".to_owned();
    let count = rng.range(1, 4);
    for at in 0..count {
        let before = match at > 0 && rng.chance(40) {
            true => format!("{} = [\"u{}\"]\n", rng.pick(&["after", "requires"]), at - 1),
            false => String::new(),
        };
        let restart = rng.pick(&["always", "always", "on-failure"]);
        text += &format!(
            "[service.u{at}]\nkind = \"unit\"\n{before}restart = \"{restart}\"\n\
             start_timeout = \"5s\"\nstop_timeout = \"{}s\"\nautostart = {}\n\
             backoff = {{ immediate = 1, first = \"1s\", cap = \"4s\", stable = \"20s\", \
             restarts = {}, window = \"40s\", cooldown = \"20s\" }}\n",
            rng.range(1, 4),
            rng.chance(85),
            rng.range(2, 6),
        );
    }
    let loaded = config::parse("units.toml", &text).unwrap_or_else(|p| panic!("{p}\n{text}"));
    loaded.config.settings
}

impl World {
    fn new(seed: u64, loud: bool) -> World {
        let mut rng = Rng::new(seed ^ 0x4EE9);
        let settings = settings(&mut rng);
        let n = settings.services.len();
        let units = (0..n).map(|_| Unit {
            does: rng.pick(&[Does::Rests, Does::Rests, Does::Runs]),
            life: rng.next() >> 1,
            again: 0,
            exit: Exit::Unknown,
            told: false,
            masked: false,
            restarts_itself: rng.chance(40),
            said: None,
            owed: false,
        });
        World {
            units: units.collect(),
            seen: vec![Seen::default(); n],
            rng,
            now: 1_000,
            settings,
            core: None,
            out: Actions::default(),
            asks: VecDeque::new(),
            asked_at: 0,
            look_at: 0,
            silent_until: 0,
            stuck_until: 0,
            late: false,
            born_at: 1_000,
            lives: 0,
            memos: BTreeMap::new(),
            ending: false,
            ticket: 0,
            loud,
            starts: 0,
            left_alone: 0,
        }
    }

    fn run(&mut self) -> Result<(), String> {
        while self.now < WELL {
            self.now += STEP;
            if self.now < CALM {
                self.go_wrong()?;
            } else if self.now < CALM + STEP {
                self.calm_down()?;
            }
            for at in 0..self.units.len() {
                self.live(at);
            }
            self.daemon()?;
        }
        self.is_well()
    }

    fn calm_down(&mut self) -> Result<(), String> {
        (self.silent_until, self.stuck_until) = (0, 0);
        for unit in &mut self.units {
            unit.masked = false;
        }
        Ok(())
    }

    /// Everything that may happen to a unit, its keeper or the daemon.
    fn go_wrong(&mut self) -> Result<(), String> {
        let at = usize::try_from(self.rng.range(0, self.units.len() as u64 - 1)).unwrap_or(0);
        let slow = self.now + self.rng.range(100, 8_000);
        match self.rng.range(0, 1_500) {
            0..=5 => self.crash(at),
            6 | 7 if self.units[at].does == Does::Runs => self.stop(at, slow, true),
            8 | 9 if matches!(self.units[at].does, Does::Rests) && !self.units[at].masked => {
                self.start(at, slow);
            }
            // systemctl restart
            10 if self.units[at].does == Does::Runs => self.start(at, slow),
            11 => self.units[at].masked ^= true,
            12 => self.silent_until = self.now + self.rng.range(1_000, 40_000),
            13 => self.stuck_until = self.now + self.rng.range(1_000, 60_000),
            14 => self.units[at].restarts_itself ^= true,
            15 | 16 => self.ask(at)?,
            17 => self.kill_daemon(),
            18 => return self.end_daemon(),
            _ => {}
        }
        Ok(())
    }

    fn crash(&mut self, at: usize) {
        let exit = self
            .rng
            .pick(&[Exit::Code(1), Exit::Code(0), Exit::Signal(11)]);
        if self.units[at].does == Does::Runs {
            self.end(at, exit);
        }
    }

    /// It ends by itself.
    fn end(&mut self, at: usize, exit: Exit) {
        let until = self.now + self.rng.range(50, 6_000);
        let unit = &mut self.units[at];
        (unit.exit, unit.told) = (exit, false);
        unit.does = match unit.restarts_itself {
            true => Does::Waits { until },
            false => Does::Rests,
        };
    }

    fn stop(&mut self, at: usize, until: u64, told: bool) {
        let again = false;
        self.units[at].does = Does::Stops { until, told, again };
    }

    fn start(&mut self, at: usize, until: u64) {
        self.units[at].again = 0;
        self.units[at].does = Does::Starts { until };
    }

    /// A unit goes on with what it does.
    fn live(&mut self, at: usize) {
        let (now, fresh) = (self.now, self.rng.next() >> 1);
        let fails = self.now < CALM && self.rng.chance(25);
        let unit = &mut self.units[at];
        match unit.does {
            Does::Starts { until } if until <= now => {
                (unit.exit, unit.told) = (Exit::Code(3), false);
                unit.does = if fails { Does::Rests } else { Does::Runs };
                unit.life = fresh;
            }
            Does::Stops { until, again, .. } if until <= now && again => {
                let until = now + self.rng.range(50, 3_000);
                self.start(at, until);
            }
            Does::Stops { until, told, .. } if until <= now => {
                (unit.exit, unit.told) = (Exit::Signal(15), told);
                unit.does = Does::Rests;
            }
            Does::Dies { until } if until <= now => self.end(at, Exit::Signal(15)),
            Does::Waits { until } if until <= now => {
                unit.again += 1;
                unit.life = fresh;
                unit.does = Does::Runs;
            }
            _ => {}
        }
    }

    fn standing(&self, at: usize) -> Standing {
        let unit = &self.units[at];
        let pid = Pid::new(100 + u32::try_from(unit.life % 1_000_000).unwrap_or(0));
        match (unit.does, pid) {
            (Does::Runs | Does::Dies { .. }, Some(pid)) => Standing::Up {
                life: Life(unit.life),
                pid,
                again: unit.again,
                health: Health::Untold,
                patience: None,
            },
            (Does::Starts { .. }, pid) => Standing::Coming { pid, after: None },
            (Does::Waits { .. }, _) => Standing::Coming {
                pid: None,
                after: Some(unit.exit),
            },
            (Does::Stops { .. }, _) => Standing::Going,
            (Does::Rests | Does::Runs | Does::Dies { .. }, _) => Standing::Down {
                exit: unit.exit,
                told: unit.told,
                obstacle: unit.masked.then_some(Obstacle::Masked),
            },
        }
    }

    /// The daemon begins, works, and is woken.
    fn daemon(&mut self) -> Result<(), String> {
        if self.core.is_none() {
            match self.born_at <= self.now {
                true => self.begin()?,
                false => return Ok(()),
            }
        }
        self.thread()?;
        for _ in 0..20 {
            let due = self.core.as_mut().and_then(Core::deadline);
            if self.core.is_none() || due.is_none_or(|due| due.0 > self.now) {
                return Ok(());
            }
            self.step(&Fact::Tick)?;
        }
        Err("ticks without end".to_owned())
    }

    fn begin(&mut self) -> Result<(), String> {
        self.lives += 1;
        let boot = BootFacts {
            seed: self.rng.next(),
            init_watchdog: None,
            first: self.lives == 1,
        };
        self.core = Some(Core::new(self.settings.clone(), boot));
        self.ending = false;
        self.late = false;
        self.asks.clear();
        self.look_at = self.now + self.rng.range(0, 3_000);
        for unit in &mut self.units {
            unit.said = None;
        }
        for (at, seen) in self.seen.iter_mut().enumerate() {
            let id = ServiceId(u16::try_from(at).unwrap_or(0));
            let left = self.memos.get(&id).map(|(_, memo)| memo.left);
            (seen.heard, seen.was_up) = (None, left == Some(Left::Running));
        }
        for (service, (run, memo)) in self.memos.clone() {
            let change = Change::Recalled(memo);
            self.step(&Fact::Child {
                service,
                run,
                change,
            })?;
        }
        self.step(&Fact::Tick)
    }

    fn kill_daemon(&mut self) {
        // What was on its way to the keeper may arrive or not.
        self.core = None;
        self.born_at = self.now + self.rng.range(500, 10_000);
    }

    fn end_daemon(&mut self) -> Result<(), String> {
        let request = self.rng.pick(&[Request::Exit, Request::Leave]);
        self.request(request)
    }

    fn ask(&mut self, at: usize) -> Result<(), String> {
        let id = ServiceId(u16::try_from(at).unwrap_or(0));
        let request = self.rng.pick(&[
            Request::Start(id),
            Request::Start(id),
            Request::Restart(id),
            Request::Stop(id),
        ]);
        self.request(request)
    }

    fn request(&mut self, request: Request) -> Result<(), String> {
        if self.core.is_none() {
            return Ok(());
        }
        self.ticket += 1;
        let ticket = Ticket(self.ticket);
        let by = Asker::User(0);
        self.step(&Fact::Asked {
            ticket,
            by,
            request,
        })
    }

    /// The thread that asks the keeper.
    fn thread(&mut self) -> Result<(), String> {
        let stuck = self.stuck_until > self.now;
        let late = self.stuck_until > self.now + 10_000 || self.late && stuck;
        if late != self.late {
            self.late = late;
            let thread = Thread::Keeper;
            let pulse = match late {
                true => Pulse::Late {
                    since: Mono(self.now),
                },
                false => Pulse::OnTime,
            };
            self.step(&Fact::Thread { thread, pulse })?;
        }
        if stuck {
            return Ok(());
        }
        while self.asked_at <= self.now
            && let Some(ask) = self.asks.pop_front()
        {
            self.carry_out(ask)?;
            self.asked_at = self.now + self.rng.range(10, 400);
        }
        if self.look_at <= self.now && self.asks.is_empty() {
            self.look()?;
            self.look_at = self.now + self.rng.pick(&[50, 100, 200, 1_000, 4_000]);
        }
        Ok(())
    }

    fn carry_out(&mut self, ask: Ask) -> Result<(), String> {
        let (order, service) = match ask {
            Ask::Start(order, service) | Ask::Stop(order, service, _) => (order, service),
        };
        let at = usize::from(service.0);
        let silent = self.silent_until > self.now;
        // What is not answered may have been done.
        if !silent || self.rng.chance(50) {
            self.obey(&ask, at);
        }
        let starts = matches!(ask, Ask::Start(..) | Ask::Stop(_, _, (Signal::Restart, _)));
        let refused = starts && self.units[at].masked;
        let outcome = match (silent, refused) {
            (true, _) => Err(Fault::Errno(Errno(110))),
            (false, true) => Err(Fault::Errno(Errno(125))),
            (false, false) => Ok(()),
        };
        self.step(&Fact::Done { order, outcome })?;
        self.units[at].owed = true;
        if silent {
            return self.look();
        }
        self.look_at = self.now;
        Ok(())
    }

    fn obey(&mut self, ask: &Ask, at: usize) {
        let soon = self.now + self.rng.range(50, 3_000);
        let deaf = self.now < CALM && self.rng.chance(20);
        let does = self.units[at].does;
        match ask {
            Ask::Start(..) if self.units[at].masked => {}
            Ask::Start(..) => match does {
                Does::Rests | Does::Stops { .. } | Does::Waits { .. } => self.start(at, soon),
                Does::Starts { .. } | Does::Runs | Does::Dies { .. } => {}
            },
            Ask::Stop(_, _, (Signal::Kill, _)) => match does {
                Does::Rests => {}
                _ => self.stop(at, self.now, true),
            },
            Ask::Stop(_, _, (Signal::Restart, _)) if self.units[at].masked => {}
            Ask::Stop(_, _, (Signal::Restart, _)) => match does {
                Does::Rests | Does::Waits { .. } => self.start(at, soon),
                _ => {
                    let until = if deaf { self.now + 60_000 } else { soon };
                    let (told, again) = (true, true);
                    self.units[at].does = Does::Stops { until, told, again };
                }
            },
            Ask::Stop(_, _, (Signal::Abort, Reach::All)) => match does {
                Does::Rests | Does::Waits { .. } => {}
                // It goes on with what comes after its end.
                Does::Stops { told, again, .. } => {
                    let until = self.now;
                    self.units[at].does = Does::Stops { until, told, again };
                }
                Does::Starts { .. } | Does::Runs | Does::Dies { .. } => {
                    self.end(at, Exit::Signal(9));
                }
            },
            Ask::Stop(_, _, (Signal::Abort, Reach::Main)) => match does {
                Does::Starts { .. } | Does::Runs if !deaf => {
                    self.units[at].does = Does::Dies { until: soon };
                }
                _ => {}
            },
            Ask::Stop(..) => match (does, deaf) {
                (Does::Rests | Does::Stops { .. }, _) => {}
                (Does::Waits { .. }, _) => {
                    self.units[at].does = Does::Rests;
                    // It had ended by itself, and is not started again.
                }
                (_, true) => self.stop(at, self.now + 60_000, true),
                (_, false) => self.stop(at, soon, true),
            },
        }
    }

    fn look(&mut self) -> Result<(), String> {
        for at in 0..self.units.len() {
            let service = ServiceId(u16::try_from(at).unwrap_or(0));
            let standing = match self.silent_until > self.now {
                true => Standing::Unknown {
                    why: Fault::Errno(Errno(110)),
                },
                false => self.standing(at),
            };
            let unit = &mut self.units[at];
            if unit.said.as_ref() != Some(&standing) || std::mem::take(&mut unit.owed) {
                unit.said = Some(standing.clone());
                self.step(&Fact::Kept { service, standing })?;
            }
        }
        Ok(())
    }

    fn step(&mut self, fact: &Fact) -> Result<(), String> {
        let Some(core) = &mut self.core else {
            return Ok(());
        };
        self.out.clear();
        core.step(Mono(self.now), fact, &mut self.out);
        if self.loud && *fact != Fact::Tick {
            println!("{}", fact_line(Mono(self.now), fact, &self.settings));
        }
        self.hear(fact);
        let orders = std::mem::take(&mut self.out.orders);
        let notes = std::mem::take(&mut self.out.notes);
        for (service, run, memo) in std::mem::take(&mut self.out.memos) {
            self.memos.insert(service, (run, memo));
        }
        if self.loud {
            let lines = orders
                .iter()
                .map(|o| action_line(&o.action, &self.settings));
            let notes = notes.iter().map(|n| note_line(n, &self.settings));
            lines.chain(notes).for_each(|line| println!("{line}"));
        }
        for note in &notes {
            self.note(note);
        }
        for order in orders {
            self.judge(&order.action, fact)?;
            match order.action {
                Action::Start { service, .. } => {
                    self.asks.push_back(Ask::Start(order.id, service));
                }
                Action::Signal {
                    service,
                    signal,
                    reach,
                    ..
                } => {
                    let how = (signal, reach);
                    self.asks.push_back(Ask::Stop(order.id, service, how));
                }
                Action::Exit { services_left } => {
                    if !services_left {
                        for (_, memo) in self.memos.values_mut() {
                            memo.left = Left::Over;
                        }
                        // What was somebody's wish is nobody's after an ordered stop.
                        for seen in &mut self.seen {
                            (seen.left_alone, seen.failed) = (false, false);
                            seen.restarts.clear();
                        }
                    }
                    self.kill_daemon();
                    return Ok(());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self, fact: &Fact) {
        match fact {
            Fact::Kept { service, standing } => {
                let seen = &mut self.seen[usize::from(service.0)];
                match standing {
                    Standing::Down { told, .. } => {
                        let was_up = std::mem::take(&mut seen.was_up);
                        if *told && was_up && !seen.ours {
                            seen.left_alone = true;
                            self.left_alone += 1;
                        }
                    }
                    Standing::Up { .. } | Standing::Coming { .. } => {
                        (seen.left_alone, seen.was_up) = (false, true);
                    }
                    Standing::Unknown { .. } | Standing::Going => {}
                }
                if let Standing::Up { life, .. } = standing {
                    let was_up = matches!(seen.heard, Some(Standing::Up { .. }));
                    let same = seen.life.replace(*life) == Some(*life);
                    seen.ours &= same || !was_up && !seen.returns;
                }
                seen.heard = Some(standing.clone());
            }
            Fact::Asked { request, .. } => match request {
                Request::Start(_) | Request::Restart(_) => {
                    let ends = |view: View| matches!(view.state, State::Stopping { .. });
                    let views = self.core.iter().flat_map(Core::services);
                    let called: Vec<bool> = views.map(ends).collect();
                    for (seen, called) in self.seen.iter_mut().zip(called) {
                        seen.called = called;
                    }
                    // It may have others started, too.
                    for seen in &mut self.seen {
                        seen.left_alone = false;
                        seen.restarts.clear();
                        seen.failed = false;
                    }
                }
                Request::Exit | Request::Leave => self.ending = true,
                _ => {}
            },
            _ => {}
        }
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::ServiceExited {
                service,
                asked: false,
                ..
            }
            | Note::ServiceStartFailed { service, .. } => {
                let seen = &mut self.seen[usize::from(service.0)];
                seen.failed = !std::mem::take(&mut seen.called);
            }
            _ => {}
        }
    }

    fn judge(&mut self, action: &Action, fact: &Fact) -> Result<(), String> {
        let now = self.now;
        match action {
            Action::Start { service, .. } => {
                let at = usize::from(service.0);
                let backoff = &self.settings.services[at].backoff;
                let seen = &mut self.seen[at];
                self.starts += 1;
                let down = matches!(seen.heard, Some(Standing::Down { obstacle: None, .. }));
                if !down || self.late {
                    return Err(format!("K1: u{at} is started, {:?}", seen.heard));
                }
                if seen.left_alone {
                    return Err(format!("K2: u{at} is started, which was left alone"));
                }
                seen.ours = false;
                if std::mem::take(&mut seen.failed) {
                    seen.restarts.push_back(now);
                }
                let window = u64::try_from(backoff.window.as_millis()).unwrap_or(0);
                seen.restarts.retain(|at| now - at < window);
                if seen.restarts.len() > usize::try_from(backoff.restarts).unwrap_or(0) {
                    return Err(format!("K4: {} restarts of u{at}", seen.restarts.len()));
                }
            }
            Action::Signal {
                service, signal, ..
            } => {
                // In the step of the acceptance itself its time to get ready may be over.
                if self.ending && !matches!(fact, Fact::Asked { .. }) {
                    return Err(format!("K3: u{} is stopped by {fact:?}", service.0));
                }
                let at = usize::from(service.0);
                let seen = &self.seen[at];
                let up = matches!(seen.heard, Some(Standing::Up { .. })) && !self.late;
                let asked = match fact {
                    Fact::Asked { request, .. } => *request == Request::Restart(*service),
                    _ => false,
                };
                let alone = self.settings.services[at].after.is_empty();
                if asked && up && alone && *signal != Signal::Restart {
                    return Err(format!("K6: u{at} is told {signal:?} for a restart"));
                }
                let there = up || seen.heard == Some(Standing::Going);
                if *signal == Signal::Restart && !there {
                    return Err(format!("K1: u{at} is restarted, {:?}", seen.heard));
                }
                let returns = matches!(signal, Signal::Restart | Signal::Abort);
                (self.seen[at].ours, self.seen[at].returns) = (true, returns);
            }
            _ => {}
        }
        Ok(())
    }

    fn is_well(&self) -> Result<(), String> {
        let core = self.core.as_ref().ok_or("K5: no daemon")?;
        for view in core.services() {
            let at = usize::from(view.service.0);
            let runs = self.units[at].does == Does::Runs;
            let up = matches!(view.state, State::Up { .. });
            let done = matches!(view.state, State::Down { why } if why != Down::Waiting);
            let barred = matches!(view.state, State::Down { why: Down::Waiting })
                && view.bar.is_some()
                && !runs;
            let wanted = view.wish == Wish::Run;
            let well = match (up, wanted) {
                (true, true) => runs,
                (false, false) => done && !runs,
                (false, true) => barred && !self.settings.services[at].requires.is_empty(),
                (true, false) => false,
            };
            if !well {
                let does = self.units[at].does;
                return Err(format!("K5: u{at} {does:?} at the end, and {view:?}"));
            }
        }
        Ok(())
    }
}

fn play(seed: u64) -> Result<(u64, u64), String> {
    let mut world = World::new(seed, false);
    world
        .run()
        .map_err(|why| format!("at {}: {why}", Mono(world.now)))?;
    Ok((world.starts, world.left_alone))
}

fn tell(seed: u64, why: &str) -> String {
    format!("seed {seed} fails {why}\n  replay  SIM_KEEPER={seed} cargo test --test sim keepers")
}

#[test]
fn keepers() {
    if let Some(seed) = crate::variable("SIM_KEEPER") {
        let mut world = World::new(seed, true);
        let outcome = world.run();
        outcome.unwrap_or_else(|why| panic!("{}", tell(seed, &why)));
        return;
    }
    let series = Series::of("keeper", "SIM_KEEPERS", SEEDS);
    let (mut starts, mut left_alone) = (0, 0);
    let outcome = series.run(play, |(some, alone)| {
        starts += some;
        left_alone += alone;
    });
    fail(&outcome, tell);
    println!("{starts} starts of units, {left_alone} left alone");
    // What never happens proves nothing.
    assert!(series.count < SEEDS || starts > 1_000 && left_alone > 100);
}
