//! Processes of services: what they do, and what they do wrong.

use crate::faults::Kind;
use crate::probes::Health;
use crate::world::{Event, World};
use fieldwarden::core::action::Signal;
use fieldwarden::core::fact::{Change, Errno, Exit, RunId, Said, ServiceId};
use fieldwarden::core::settings::Ready;
use std::time::Duration;

/// One process with everything that it has started.
pub struct Proc {
    pub service: ServiceId,
    pub run: RunId,
    /// The daemon has heard that it is ready.
    pub ready_known: bool,
    /// Time between heartbeats.
    beats: Option<u64>,
    /// From here on it sends none.
    hangs_at: u64,
    ignores_stop: bool,
    /// It cannot be killed before this time.
    bound_until: u64,
    /// Time until those that it leaves behind are gone.
    linger: u64,
    /// The window of its heartbeats, if the daemon has heard of another one than is configured.
    pub window: Option<Duration>,
    /// What probes find of it.
    pub health: Health,
    /// How its main process ended.
    pub ended: Option<Exit>,
}

impl Proc {
    /// It should send heartbeats, and has sent none for too long.
    pub fn hangs(&self, now: u64) -> bool {
        self.beats.is_some() && self.hangs_at <= now || self.health.is_sick(now)
    }
}

impl World {
    /// A process comes into being. S3: it must be the only one of its service.
    pub fn spawn(&mut self, service: ServiceId, run: RunId) -> u32 {
        let at = usize::from(service.0);
        if self.alive[at] > 0 {
            self.fail(format!(
                "S3: a second process of {}",
                self.plan.settings.name(service)
            ));
        }
        self.alive[at] += 1;
        self.beats[at] = 0;
        self.next_pid += 1;
        let pid = self.next_pid;
        let proc = self.draw(service, run);
        if let Some(beats) = proc.beats {
            self.after(beats, Event::ProcBeat(pid));
        }
        self.procs.insert(pid, proc);
        self.draw_ready(service, pid);
        self.draw_end(service, pid);
        self.draw_end_of_job(service, pid);
        self.draw_talk(pid);
        pid
    }

    fn draw(&mut self, service: ServiceId, run: RunId) -> Proc {
        let s = &self.plan.settings.services[usize::from(service.0)];
        let window = s
            .heartbeat
            .map(|h| u64::try_from(h.as_millis()).unwrap_or(0));
        let beats = window.map(|w| self.rng.range(w / 4, w / 2));
        let hangs_at = match beats.is_some() && self.strikes(Kind::Hang, 25) {
            true => self.now + self.rng.range(0, 30_000),
            false => u64::MAX,
        };
        let bound_until = match self.strikes(Kind::Uninterruptible, 10) {
            true => self.now + self.rng.range(10_000, 90_000),
            false => 0,
        };
        Proc {
            service,
            run,
            ready_known: false,
            beats,
            hangs_at,
            ignores_stop: self.strikes(Kind::IgnoresStop, 25),
            bound_until,
            linger: match self.strikes(Kind::Leftovers, 30) {
                true => self.rng.range(50, 4_000),
                false => 0,
            },
            window: None,
            health: self.draw_health(service),
            ended: None,
        }
    }

    /// It tells something of itself, and what it tells is true.
    pub fn proc_says(&mut self, pid: u32) {
        let configured = |w: &World, p: &Proc| {
            let services = &w.plan.settings.services;
            services[usize::from(p.service.0)].heartbeat
        };
        let Some(p) = self.procs.get(&pid).filter(|p| p.ended.is_none()) else {
            return;
        };
        let (service, run) = (p.service, p.run);
        let window = configured(self, p).map(|window| window * 2);
        let seconds = self.rng.range(0, 30);
        let said = match (self.rng.range(0, 6), window) {
            (0, _) => Said::Reloading { since: None },
            (1, _) => {
                let delay = self.rng.range(0, 12_000);
                let exit = self.rng.pick(&[Exit::Code(0), Exit::Code(1)]);
                self.after(delay, Event::ProcEnd(pid, exit));
                Said::Stopping
            }
            (2, _) => Said::Trigger,
            (3, Some(window)) => {
                if let Some(p) = self.procs.get_mut(&pid) {
                    p.beats = p.beats.map(|beats| beats * 2);
                }
                Said::Window(Some(window))
            }
            (4, _) => Said::Status("busy".into()),
            (5, _) => Said::Errno(Errno(5)),
            _ => Said::Extend(Duration::from_secs(seconds)),
        };
        let reloads = matches!(said, Said::Reloading { .. });
        self.news(service, run, Change::Said(said));
        if reloads && self.rng.chance(70) {
            let delay = self.rng.range(0, 20_000);
            self.after(delay, Event::ProcReady(pid));
        }
        self.draw_talk(pid);
    }

    fn draw_talk(&mut self, pid: u32) {
        if self.strikes(Kind::Talks, 40) {
            let delay = self.rng.range(0, 20_000);
            self.after(delay, Event::ProcSays(pid));
        }
    }

    fn draw_ready(&mut self, service: ServiceId, pid: u32) {
        let s = &self.plan.settings.services[usize::from(service.0)];
        if s.ready == Ready::Exec {
            return;
        }
        let timeout = u64::try_from(s.start_timeout.as_millis()).unwrap_or(0);
        if self.strikes(Kind::NeverReady, 15) {
            return;
        }
        let delay = match self.strikes(Kind::SlowReady, 25) {
            true => self.rng.range(timeout / 2, timeout * 3 / 2),
            false => self.rng.range(0, timeout / 4),
        };
        self.after(delay, Event::ProcReady(pid));
    }

    fn draw_end(&mut self, service: ServiceId, pid: u32) {
        if self.plan.hopeless == Some(service) && !self.calm {
            let delay = self.rng.range(0, 1_500);
            return self.after(delay, Event::ProcEnd(pid, Exit::Signal(11)));
        }
        let (exit, longest) = if self.strikes(Kind::Crash, 40) {
            let exit = self
                .rng
                .pick(&[Exit::Code(1), Exit::Code(78), Exit::Signal(11)]);
            (exit, self.rng.pick(&[20, 2_000, 60_000]))
        } else if self.strikes(Kind::CleanExit, 15) {
            let exit = self
                .rng
                .pick(&[Exit::Code(0), Exit::Code(143), Exit::Signal(15)]);
            (exit, 40_000)
        } else {
            return;
        };
        let delay = self.rng.range(0, longest);
        self.after(delay, Event::ProcEnd(pid, exit));
    }

    pub fn proc_ready(&mut self, pid: u32) {
        if let Some(p) = self.procs.get(&pid).filter(|p| p.ended.is_none()) {
            let (service, run) = (p.service, p.run);
            self.news(service, run, Change::Ready);
        }
    }

    pub fn proc_beat(&mut self, pid: u32) {
        let Some(p) = self.procs.get(&pid).filter(|p| p.ended.is_none()) else {
            return;
        };
        let (service, run) = (p.service, p.run);
        if let (Some(beats), true) = (p.beats, self.now < p.hangs_at) {
            // Where time goes back, the core may hear a beat before it was sent.
            if !self.plan.faults.contains(&Kind::TimeBackwards) {
                self.beats[usize::from(service.0)] = self.now;
            }
            self.news(service, run, Change::Heartbeat);
            self.after(beats, Event::ProcBeat(pid));
        }
    }

    pub fn proc_end(&mut self, pid: u32, exit: Exit) {
        let Some(p) = self.procs.get_mut(&pid).filter(|p| p.ended.is_none()) else {
            return;
        };
        if p.bound_until > self.now {
            let at = p.bound_until;
            return self.at(at, Event::ProcEnd(pid, exit));
        }
        p.ended = Some(exit);
        let linger = p.linger;
        self.after(linger, Event::ProcGone(pid));
    }

    pub fn proc_gone(&mut self, pid: u32) {
        let Some(p) = self.procs.remove(&pid) else {
            return;
        };
        self.alive[usize::from(p.service.0)] -= 1;
        let ours = self
            .life
            .as_ref()
            .is_some_and(|l| !l.adopted.contains(&pid));
        let exit = match p.ended {
            Some(exit) if ours => exit,
            Some(_) | None => Exit::Unknown,
        };
        self.news(p.service, p.run, Change::Exited(exit));
    }

    /// A signal reaches a run, if it is still there.
    pub fn signal(&mut self, service: ServiceId, run: RunId, signal: Signal) {
        let found = self
            .procs
            .iter()
            .find(|(_, p)| p.service == service && p.run == run && p.ended.is_none());
        let Some((&pid, p)) = found else { return };
        let ignores = p.ignores_stop;
        let (exit, delay) = match signal {
            Signal::Kill => (Exit::Signal(9), self.rng.range(0, 10)),
            Signal::Stop | Signal::Restart | Signal::Abort if ignores => return,
            Signal::Abort => (Exit::Signal(6), self.rng.range(0, 300)),
            Signal::Stop | Signal::Restart => {
                let exits = [Exit::Signal(15), Exit::Code(0), Exit::Code(1)];
                (self.rng.pick(&exits), self.rng.range(0, 900))
            }
        };
        self.after(delay, Event::ProcEnd(pid, exit));
    }

    /// What a new daemon finds: processes whose main process has ended are swept away.
    pub fn sweep(&mut self) {
        for p in self.procs.values().filter(|p| p.ended.is_some()) {
            self.alive[usize::from(p.service.0)] -= 1;
        }
        self.procs.retain(|_, p| p.ended.is_none());
    }
}
