//! The measurements, each a round over all contestants in random order.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::contestant::Contestant;
use super::report::Results;
use super::session::{Mode, Session, Stage, now};

/// Services of every measurement but the start: as many as the comparisons elsewhere have.
const SERVICES: usize = 36;

/// The first few are killed when young, the others when old.
const YOUNG: usize = 6;

/// Age of a young service: well below the second that many supervisors ask for.
const YOUNG_AGE: Duration = Duration::from_millis(100);

/// Age of an old one: above that second.
const OLD_AGE: Duration = Duration::from_millis(1500);

/// Between two kills, so that one has no part in the next.
const REST: Duration = Duration::from_millis(5);

/// A contestant that takes longer for a restart waits on purpose: a few samples show it as well.
const WAITS: u64 = 300_000_000;

/// From the start of the last service to the idle window: what happens once has happened.
const SETTLING: Duration = Duration::from_secs(5);

/// How much is measured.
pub struct Plan {
    /// Rounds of all but the crash loop and the idle window, which are long enough.
    pub rounds: u32,
    /// Numbers of services to be started.
    pub starts: Vec<usize>,
    /// Window of the crash loop.
    pub crash: Duration,
    /// Window of the idle measurement.
    pub idle: Duration,
    /// Numbers of services with which memory is measured, beside the usual one.
    pub crowds: Vec<usize>,
}

/// Order of turns: pseudo-random, the same in every run.
struct Shuffle(u64);

impl Shuffle {
    fn order<'a, T>(&mut self, items: &'a [T]) -> Vec<&'a T> {
        let mut order: Vec<&T> = items.iter().collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Measures everything whose name contains `only`.
pub fn run(
    plan: &Plan,
    contestants: &[Contestant],
    stage: &Stage,
    only: Option<&str>,
) -> Result<Results> {
    let mut bench = Bench {
        contestants,
        stage,
        shuffle: Shuffle(0x5eed),
        results: Results::default(),
    };
    let wanted = |name: &str| only.is_none_or(|text| name.contains(text));
    for round in 1..=plan.rounds {
        eprintln!("bench: round {round} of {}", plan.rounds);
        for count in plan.starts.iter().filter(|_| wanted("start of")) {
            bench
                .start(*count)
                .with_context(|| format!("start of {count}"))?;
        }
        if wanted("restart") || wanted("stop") {
            bench.restart().context("restart")?;
        }
        if wanted("storm") || wanted("stop") {
            bench.storm().context("kill storm")?;
        }
    }
    if wanted("crash") {
        eprintln!("bench: crash loop, {:?}", plan.crash);
        bench.crash_loop(plan.crash).context("crash loop")?;
    }
    if wanted("idle") {
        eprintln!("bench: idle, {:?}", plan.idle);
        bench.idle(plan.idle).context("idle")?;
        for count in &plan.crowds {
            bench.memory(*count).context("memory")?;
        }
    }
    Ok(bench.results)
}

struct Bench<'a> {
    contestants: &'a [Contestant],
    stage: &'a Stage,
    shuffle: Shuffle,
    results: Results,
}

impl<'a> Bench<'a> {
    fn milliseconds(&mut self, measure: &str, contestant: &str, nanoseconds: u64) {
        self.results
            .add(measure, "ms", contestant, nanoseconds as f64 / 1e6);
    }

    /// Starts a session of every contestant, in random order.
    fn sessions(&mut self, count: usize) -> Result<Vec<(&'a Contestant, Session<'a>)>> {
        let order = self.shuffle.order(self.contestants);
        let start = |c: &'a Contestant| Ok((c, Session::start(c, self.stage, count, Mode::Wait)?));
        order.into_iter().map(start).collect()
    }

    fn stop_all(&mut self, mut sessions: Vec<(&'a Contestant, Session<'a>)>) -> Result<()> {
        while !sessions.is_empty() {
            let next = self.shuffle.below(sessions.len());
            let (contestant, session) = sessions.swap_remove(next);
            let measure = format!("clean stop of {}", session.count());
            let took = session.stop()?;
            self.milliseconds(&measure, contestant.name, took);
        }
        Ok(())
    }

    fn start(&mut self, count: usize) -> Result<()> {
        for contestant in self.shuffle.order(self.contestants) {
            let mut session = Session::start(contestant, self.stage, count, Mode::Wait)?;
            let took = session.start_took;
            self.milliseconds(&format!("start of {count}"), contestant.name, took);
            // Unlike the time, this hardly depends on what else the machine does.
            let cost = session.own_cost()?.cpu;
            let measure = format!("start of {count}, own CPU");
            self.milliseconds(&measure, contestant.name, cost);
            session.stop()?;
        }
        Ok(())
    }

    /// One service at a time, the first few at a tender age. Then a clean stop.
    fn restart(&mut self) -> Result<()> {
        let mut sessions = Vec::new();
        for contestant in self.shuffle.order(self.contestants) {
            let mut session = Session::start(contestant, self.stage, SERVICES, Mode::Wait)?;
            self.stage.pause(YOUNG_AGE)?;
            self.restart_young(contestant, &mut session)?;
            sessions.push((contestant, session));
        }
        self.stage.pause(OLD_AGE)?;
        let mut waits = vec![false; sessions.len()];
        let turns: Vec<usize> = (0..sessions.len()).collect();
        for id in YOUNG..SERVICES {
            for turn in self.shuffle.order(&turns) {
                if waits[*turn] && id % 8 != 0 {
                    continue;
                }
                let (contestant, session) = &mut sessions[*turn];
                let killed = session.kill_service(id)?;
                let took = session.wait_for(id, killed)? - killed;
                waits[*turn] = took > WAITS;
                self.milliseconds("restart, 1 of 36", contestant.name, took);
                self.stage.pause(REST)?;
            }
        }
        self.stop_all(sessions)
    }

    fn restart_young(&mut self, contestant: &Contestant, session: &mut Session<'_>) -> Result<()> {
        let mut killed = [0; YOUNG];
        for (id, at) in killed.iter_mut().enumerate() {
            *at = session.kill_service(id)?;
            self.stage.pause(REST)?;
        }
        for (id, at) in killed.into_iter().enumerate() {
            let took = session.wait_for(id, at)? - at;
            self.milliseconds("restart, lived 0.1 s", contestant.name, took);
        }
        Ok(())
    }

    /// All services at once. Then a clean stop.
    fn storm(&mut self) -> Result<()> {
        let mut sessions = self.sessions(SERVICES)?;
        self.stage.pause(OLD_AGE)?;
        let turns: Vec<usize> = (0..sessions.len()).collect();
        for turn in self.shuffle.order(&turns) {
            let (contestant, session) = &mut sessions[*turn];
            let killed = session.kill_all()?;
            let took = session.wait_for_all(killed)? - killed;
            self.milliseconds("kill storm of 36", contestant.name, took);
            self.stage.pause(REST)?;
        }
        self.stop_all(sessions)
    }

    /// One service that fails at once, at the contestant's default pace.
    fn crash_loop(&mut self, window: Duration) -> Result<()> {
        let mut sessions = Vec::new();
        for contestant in self.contestants.iter().filter(|c| c.paces_crash_loops) {
            sessions.push((
                contestant,
                Session::start(contestant, self.stage, 1, Mode::Fail)?,
            ));
        }
        self.stage.pause(window)?;
        for (contestant, session) in &mut sessions {
            let cost = session.own_cost()?;
            let seconds = window.as_secs();
            let milliseconds = cost.cpu as f64 / 1e6;
            self.results.add(
                &format!("crash loop {seconds} s, own CPU"),
                "ms",
                contestant.name,
                milliseconds,
            );
            let starts = session.starts as f64;
            self.results.add(
                &format!("crash loop {seconds} s, starts"),
                "",
                contestant.name,
                starts,
            );
        }
        for (_, session) in sessions {
            session.stop()?;
        }
        Ok(())
    }

    /// What each contestant holds for many services that do nothing.
    fn memory(&mut self, count: usize) -> Result<()> {
        for contestant in self.shuffle.order(self.contestants) {
            let mut session = Session::start(contestant, self.stage, count, Mode::Wait)?;
            self.stage.pause(SETTLING)?;
            let held = session.own_cost()?.pss as f64;
            self.results.add(
                &format!("idle with {count}, PSS"),
                "KiB",
                contestant.name,
                held,
            );
            session.stop()?;
        }
        Ok(())
    }

    /// Nothing happens, for a while.
    fn idle(&mut self, window: Duration) -> Result<()> {
        let mut sessions = self.sessions(SERVICES)?;
        self.stage.pause(SETTLING)?;
        let before: Result<Vec<_>> = sessions.iter_mut().map(|(_, s)| s.own_cost()).collect();
        let before = before?;
        let began = now()?;
        self.stage.pause(window)?;
        let seconds = window.as_secs();
        for ((contestant, session), before) in sessions.iter_mut().zip(before) {
            let after = session.own_cost()?;
            let mut add =
                |what: String, unit, value| self.results.add(&what, unit, contestant.name, value);
            add("idle with 36, PSS".into(), "KiB", after.pss as f64);
            let wakeups = after.wakeups.saturating_sub(before.wakeups);
            add(format!("idle {seconds} s, wake-ups"), "", wakeups as f64);
            let cpu = after.cpu.saturating_sub(before.cpu);
            add(format!("idle {seconds} s, CPU"), "ms", cpu as f64 / 1e6);
        }
        let window_was = Duration::from_nanos(now()? - began);
        log_long_window(window, window_was);
        self.stop_all(sessions)
    }
}

/// Reading /proc of hundreds of processes takes time, which belongs to the window.
fn log_long_window(wanted: Duration, was: Duration) {
    if was > wanted + wanted / 10 {
        eprintln!("bench: the idle window lasted {was:?}");
    }
}
