//! The invariants that hold at every step of one life, each a function with a name.

use crate::bars::{Bars, called};
use crate::budget::Budgets;
use crate::ends::End;
use crate::groups::Groups;
use crate::heat::Felt;
use crate::heritage::Heritage;
use crate::hold::{self, Holds};
use crate::jobs::Jobs;
use crate::ladder::Ladder;
use crate::lamp::Said;
use crate::mains::Heard;
use crate::probes::Probes;
use crate::reboots::Machine;
use crate::reloads::Reloads;
use crate::silence::Before;
use crate::strain::{MARGIN, Strained};
use crate::throttle::Flags;
use fieldwarden::core::action::{Action, Answer, Order, Signal};
use fieldwarden::core::budget::StopTimes;
use fieldwarden::core::fact::{
    self, Change, Fact, Pulse, Request, RunId, ServiceId, Thread, Ticket,
};
use fieldwarden::core::note::{GroupNote, HaltNote, Note, NotifyNote};
use fieldwarden::core::picture::Rung;
use fieldwarden::core::settings::{Settings, WatchdogOwner};
use fieldwarden::core::{Bar, Core, State, Wish};
use fieldwarden::units::Mono;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// What shutdown adds to the budget of the services, in milliseconds: grace, parting, and a margin
/// for threads on their way.
const AFTER_BUDGET: u64 = 5_000 + 2_000 + 1_000;

/// Least time between two kills of one that does not die, in milliseconds: the first one may have been
/// refused by a full queue.
const KILL_AGAIN: u64 = 1_000;

/// What the other rungs of a halt add to the budget of the services, all of them missed, with one more
/// attempt to halt without init. In milliseconds.
const RUNGS: u64 = 200_000;

/// One step, and what is true in the world.
pub struct View<'a> {
    pub now: u64,
    pub fact: &'a Fact,
    pub orders: &'a [Order],
    pub notes: &'a [Note],
    pub core: &'a Core,
    /// When the core wants to be stepped again.
    pub deadline: Option<Mono>,
    /// Processes of each service that are alive.
    pub alive: &'a [u16],
    /// Starts of each service that are under way.
    pub starting: &'a [u16],
    /// Time for which this life of the daemon has stood still.
    pub frozen: u64,
    /// When each service sent its last heartbeat.
    pub beats: &'a [u64],
    /// Until when the thread that listens to processes was stuck last.
    pub deaf_until: u64,
    /// When it went on after having stood still last.
    pub thawed: u64,
    /// The daemon ends, and services are stopped or left for that.
    pub stops: bool,
    /// What is told of how long stops took.
    pub learned: &'a [(ServiceId, StopTimes)],
}

type Check = Result<(), String>;

/// What was seen of one service in this life.
#[derive(Clone, Default)]
struct Seen {
    run: u32,
    /// When its present run was last told to end.
    told: Option<u64>,
    /// When it said that it was about to end.
    own: Option<u64>,
    /// When its present run was last killed.
    killed: Option<u64>,
    /// That was for want of time, while it was about to end by itself: it may have done so.
    cut_short: bool,
    /// No start before this time.
    not_before: u64,
    /// The next start is somebody's wish, or the first.
    asked: bool,
    restarts: VecDeque<u64>,
    /// Restarts at once, in a row.
    at_once: u32,
    /// Its present run has said that it is ready.
    ready: bool,
    /// Its next restart does not count.
    excused: bool,
    /// The window of its heartbeats, if its present run has said another one.
    window: Option<Duration>,
    /// Until when its present run has asked for time.
    extended: u64,
}

/// Everything that the checks remember of one life.
pub struct Checks {
    settings: Settings,
    services: Vec<Seen>,
    /// The core has had its first tick.
    begun: bool,
    ending: Option<Ending>,
    /// It was accepted in this step; services come before that.
    accepted_now: bool,
    stuck: BTreeSet<Thread>,
    withheld: bool,
    last_pet_given: bool,
    over: bool,
    given: u64,
    mains: Heard,
    before: Before,
    heritage: Heritage,
    clocks: crate::clocks::Heard,
    flags: Flags,
    ladder: Ladder,
    /// The machine was being halted before this step.
    halts: bool,
    /// In a halt, what is left of the services is killed.
    halt_overran: bool,
    heat: Felt,
    said: Said,
    strained: Strained,
    bars: Bars,
    groups: Groups,
    jobs: Jobs,
    machine: Machine,
    probes: Probes,
    budgets: Budgets,
    holds: Holds,
    pub reloads: Reloads,
    /// Nothing that is written outlives a boot.
    forgets: bool,
}

/// An end that was accepted.
#[derive(Clone, Copy)]
struct Ending {
    leave: bool,
    /// By when, not counting the time for which the daemon stands still.
    by: u64,
    /// Since when the machine has been halted meanwhile, on the same clock: that goes first.
    halt: Option<u64>,
    overran: bool,
}

impl Checks {
    pub fn new(settings: &Settings, forgets: bool) -> Checks {
        let mut checks = Checks {
            settings: settings.clone(),
            services: Vec::new(),
            begun: false,
            ending: None,
            accepted_now: false,
            stuck: BTreeSet::new(),
            withheld: false,
            last_pet_given: false,
            over: false,
            given: 0,
            mains: Heard::default(),
            before: Before::default(),
            heritage: Heritage::default(),
            clocks: crate::clocks::Heard::default(),
            flags: Flags::default(),
            ladder: Ladder::default(),
            halts: false,
            halt_overran: false,
            heat: Felt::default(),
            said: Said::default(),
            strained: Strained::default(),
            bars: Bars::default(),
            groups: Groups::default(),
            jobs: Jobs::default(),
            machine: Machine::default(),
            probes: Probes::default(),
            budgets: Budgets::default(),
            holds: Holds::default(),
            reloads: Reloads::default(),
            forgets,
        };
        checks.new_life();
        checks
    }

    pub fn new_life(&mut self) {
        let seen = Seen {
            asked: true,
            ..Seen::default()
        };
        self.services = vec![seen; self.settings.services.len()];
        self.begun = false;
        self.ending = None;
        self.stuck.clear();
        self.withheld = false;
        self.last_pet_given = false;
        self.over = false;
        self.given = 0;
        self.mains = Heard::default();
        self.before = Before::default();
        self.clocks = crate::clocks::Heard::default();
        self.flags = Flags::default();
        self.ladder = Ladder::default();
        self.halts = false;
        self.halt_overran = false;
        self.heat = Felt::default();
        self.said = Said::default();
        self.strained = Strained::default();
        self.bars = Bars::default();
        self.groups = Groups::default();
        self.jobs = Jobs::default();
        self.machine.new_life();
        self.probes.new_life();
        self.budgets.new_life();
        self.holds.new_life();
        self.reloads.new_life();
    }

    /// Another boot: nothing is left of the one before.
    pub fn new_boot(&mut self) {
        self.heritage = Heritage::default();
        self.probes = Probes::default();
        self.holds = Holds::default();
    }

    /// The daemon has ended in good order: the next one begins with its configuration.
    pub fn forget_wishes(&mut self) {
        self.heritage.forget_wishes();
    }

    /// The latest run of a service.
    pub fn run(&self, service: ServiceId) -> RunId {
        RunId(self.services[usize::from(service.0)].run)
    }

    /// The highest number of an order.
    pub fn given(&self) -> u64 {
        self.given
    }

    pub fn step(&mut self, v: &View) -> Check {
        self.accepted_now = false;
        self.hear(v);
        self.begin_afresh(v);
        if hold::is_over(v) {
            for (at, seen) in self.services.iter_mut().enumerate() {
                seen.restarts.clear();
                seen.at_once = 0;
                // What it may wait for does not count either.
                seen.excused |= v.alive[at] == 0 && v.starting[at] == 0;
            }
        }
        let checks: [fn(&mut Checks, &View) -> Check; 16] = [
            Checks::lists_are_bounded,
            Checks::every_request_gets_one_reply,
            Checks::nothing_after_exit,
            Checks::nothing_starts_after_an_end_was_accepted,
            Checks::left_services_are_left_alone,
            Checks::starts_are_new_single_and_in_order,
            Checks::restarts_are_limited,
            Checks::waits_are_kept,
            Checks::signals_are_for_the_present_run,
            Checks::budgets_are_kept,
            Checks::stops_come_in_order,
            Checks::services_are_down_first,
            Checks::readiness_is_heard,
            Checks::heartbeats_are_heard,
            Checks::pets_are_withheld,
            Checks::the_device_is_ours,
        ];
        for check in checks {
            check(self, v)?;
        }
        crate::ends::ends_are_judged(
            v,
            &self.settings,
            |service| {
                let seen = &self.services[usize::from(service.0)];
                let cut_short = seen.cut_short.then_some(End::CutShort);
                let told = seen.told.or(seen.killed).map(|_| End::Told);
                cut_short.or(told).unwrap_or(End::ByItself)
            },
            |service| self.services[usize::from(service.0)].asked,
        )?;
        self.strained.failures_are_put_down_rightly(v)?;
        let rushed = self.is_rushed() || overruns(v);
        self.bars.nobody_runs_without(v, &self.settings, rushed)?;
        self.groups
            .groups_go_together(v, &self.settings, |service| {
                self.services[usize::from(service.0)].asked
            })?;
        self.jobs.jobs_are_kept(v, &self.settings)?;
        self.holds.holds_end(v, &self.settings)?;
        self.reloads.reloads_are_right(v, &self.settings)?;
        self.machine
            .restarts_are_counted(v, &self.settings, self.forgets)?;
        self.probes.probes_are_judged(v, &self.settings)?;
        self.mains.mains_are_judged(v)?;
        self.before.silence_is_no_repair(v)?;
        self.heritage.nothing_is_forgotten(v, &self.settings)?;
        self.clocks.clocks_are_judged(v)?;
        self.flags.flags_are_judged(v)?;
        self.ladder.halts_are_right(v, &self.settings)?;
        self.heat.heat_is_judged(v, self.settings.temperature)?;
        self.said
            .the_worst_is_shown(v, self.settings.led.is_some())?;
        self.remember(v);
        self.the_end_comes(v)
    }

    /// What a fact means for the checks of this step.
    fn hear(&mut self, v: &View) {
        match v.fact {
            Fact::Thread { thread, pulse } if thread.essential() => match pulse {
                Pulse::Late { .. } => drop(self.stuck.insert(*thread)),
                Pulse::OnTime => drop(self.stuck.remove(thread)),
            },
            Fact::Child {
                service,
                run,
                change: Change::Adopted { .. },
            } if !self.begun => {
                if let Some(seen) = self.services.get_mut(usize::from(service.0)) {
                    seen.run = run.0;
                    seen.asked = false;
                    (seen.window, seen.extended) = (None, 0);
                }
            }
            Fact::Child {
                service,
                change: Change::Redefined,
                ..
            } if !self.begun => self.wish_anew(*service),
            Fact::Child {
                service,
                run,
                change: Change::Said(said),
            } => {
                if let Some(seen) = self.services.get_mut(usize::from(service.0))
                    && seen.run == run.0
                {
                    match said {
                        fact::Said::Window(window) => seen.window = *window,
                        fact::Said::Extend(time) => seen.extended = v.now + millis(*time),
                        _ => {}
                    }
                }
            }
            Fact::Child {
                service,
                run,
                change: Change::Ready,
            } => {
                if let Some(seen) = self.services.get_mut(usize::from(service.0)) {
                    seen.ready |= seen.run == run.0;
                }
            }
            _ => {}
        }
    }

    /// It is configured otherwise: its owner has it started anew.
    fn wish_anew(&mut self, service: ServiceId) {
        self.heritage.wish_anew(service);
        if let Some(seen) = self.services.get_mut(usize::from(service.0)) {
            seen.asked = true;
            seen.restarts.clear();
            seen.not_before = 0;
            seen.at_once = 0;
        }
    }

    /// Where one that was given up has its whole group start anew, all begin with a clean slate.
    fn begin_afresh(&mut self, v: &View) {
        for member in self.afresh(v) {
            let seen = &mut self.services[usize::from(member.0)];
            seen.not_before = 0;
            seen.asked = true;
            seen.at_once = 0;
            seen.restarts.clear();
        }
    }

    /// Members of groups that start anew in this step.
    fn afresh(&self, v: &View) -> Vec<ServiceId> {
        let groups = v.notes.iter().filter_map(|note| match note {
            Note::Group(group, service, GroupNote::GroupRestarting { .. })
                if gives_up(v, *service) =>
            {
                Some(usize::from(group.0))
            }
            _ => None,
        });
        groups
            .flat_map(|group| self.settings.groups[group].members.clone())
            .collect()
    }

    /// S12: three orders for each service (stop, kill, start) and the few of the other policies.
    fn lists_are_bounded(&mut self, v: &View) -> Check {
        let n = self.settings.services.len();
        if v.orders.len() > 3 * n + 10 || v.notes.len() > 5 * n + 20 {
            let (orders, notes) = (v.orders.len(), v.notes.len());
            return Err(format!("S12: {orders} orders and {notes} notes in a step"));
        }
        Ok(())
    }

    fn every_request_gets_one_reply(&mut self, v: &View) -> Check {
        let replies: Vec<(Ticket, Answer)> = v
            .orders
            .iter()
            .filter_map(|o| match &o.action {
                Action::Reply { ticket, answer } => Some((*ticket, answer.clone())),
                _ => None,
            })
            .collect();
        if let [(ticket, answer)] = &replies[..]
            && self.reloads.takes(*ticket)
        {
            if *answer == Answer::Accepted {
                self.accepted(&Request::Leave, v);
            }
            return Ok(());
        }
        let Fact::Asked {
            ticket, request, ..
        } = v.fact
        else {
            return no(!replies.is_empty(), "a reply that nobody asked for");
        };
        if *request == Request::Reload && replies.is_empty() {
            return Ok(());
        }
        no(
            replies.len() != 1 || replies[0].0 != *ticket,
            format!("{} replies to a request", replies.len()),
        )?;
        let answer = replies[0].1.clone();
        let status = *request == Request::Status;
        no(
            status != (answer == Answer::Status),
            "a status for something else",
        )?;
        let known = |id: &ServiceId| usize::from(id.0) < self.services.len();
        let of_service = matches!(request, Request::Start(id) | Request::Stop(id)
            | Request::Restart(id) if known(id));
        no(
            of_service && (self.ending.is_some() || self.halts) && answer != Answer::Ending,
            format!("{request:?} is {answer:?} while the daemon ends"),
        )?;
        if answer == Answer::Accepted {
            self.accepted(request, v);
        }
        Ok(())
    }

    fn accepted(&mut self, request: &Request, v: &View) {
        match *request {
            Request::Start(id) | Request::Stop(id) | Request::Restart(id) => {
                let mut all = BTreeSet::new();
                if !matches!(request, Request::Stop(_)) {
                    all = called(&self.settings, id);
                }
                all.insert(id);
                for id in all {
                    let seen = &mut self.services[usize::from(id.0)];
                    seen.asked = true;
                    seen.restarts.clear();
                    seen.not_before = 0;
                    seen.at_once = 0;
                }
            }
            Request::Exit | Request::Leave => {
                self.accepted_now = true;
                let budget = millis(self.settings.stop_budget);
                let leave = *request == Request::Leave;
                self.ending = Some(Ending {
                    leave,
                    by: v.now - v.frozen + AFTER_BUDGET + if leave { 0 } else { budget },
                    halt: None,
                    overran: false,
                });
            }
            Request::Hold { .. } | Request::EndHold | Request::Drill => {}
            Request::Status | Request::Reload | Request::Halt(_) | Request::ShowLed { .. } => {}
        }
    }

    fn nothing_after_exit(&mut self, v: &View) -> Check {
        no(self.over && !v.orders.is_empty(), "an order after the last")
    }

    /// S2. A start in the step of the acceptance itself came before it.
    fn nothing_starts_after_an_end_was_accepted(&mut self, v: &View) -> Check {
        let now = self.accepted_now;
        let started = v
            .orders
            .iter()
            .any(|o| matches!(o.action, Action::Start { .. }));
        no(
            self.ending.is_some() && started && !now,
            "S2: a start after an end was accepted",
        )
    }

    fn left_services_are_left_alone(&mut self, v: &View) -> Check {
        // A halt goes on stopping them: no successor is to find them.
        let halts = v.core.picture().halting.is_some();
        let left = self.ending.is_some_and(|e| e.leave) && !halts;
        let now = self.accepted_now;
        let signal = v
            .orders
            .iter()
            .any(|o| matches!(o.action, Action::Signal { .. }));
        no(
            left && signal && !now,
            "a signal to a service that is left to a successor",
        )
    }

    fn starts_are_new_single_and_in_order(&mut self, v: &View) -> Check {
        for (service, run) in starts(v) {
            let at = usize::from(service.0);
            let name = self.settings.name(service);
            no(
                run.0 <= self.services[at].run,
                format!("run {} of {name} again", run.0),
            )?;
            no(
                v.alive[at] > 0 || v.starting[at] > 0,
                format!("S3: a start of {name}, which is alive"),
            )?;
            for before in &self.settings.services[at].after {
                let Some(b) = v.core.services().nth(usize::from(before.0)) else {
                    continue;
                };
                let ready = matches!(b.state, State::Up { .. } | State::GaveUp { .. });
                // Nobody knows when one will be up that waits for what is no service.
                let waits = crate::bars::waits_rightly(v.core, &self.settings, *before);
                no(
                    b.wish == Wish::Run && !b.held && !ready && !waits && !barred(&b),
                    format!("{name} is started before {}", self.settings.name(*before)),
                )?;
            }
        }
        Ok(())
    }

    /// S4: restarts that nobody asked for and nothing excuses, in any window.
    fn restarts_are_limited(&mut self, v: &View) -> Check {
        for note in v.notes {
            match note {
                Note::ServiceExcused { service, .. } => {
                    self.services[usize::from(service.0)].excused = true;
                }
                Note::RestartsExcused {
                    service, restarts, ..
                } => {
                    let at = usize::from(service.0);
                    let waits = v.alive[at] == 0 && v.starting[at] == 0;
                    let window = millis(self.settings.services[at].backoff.window);
                    let seen = &mut self.services[at];
                    let before = seen.restarts.len();
                    // A window may be shorter than the margin: what has left it counts for nothing.
                    let left = |at: &&u64| **at + MARGIN >= v.now && v.now - **at >= window;
                    let left = seen.restarts.iter().filter(left).count() as u64;
                    seen.restarts.retain(|at| *at + MARGIN < v.now);
                    let gone = (before - seen.restarts.len()) as u64;
                    // One of them may be the restart that it waits for.
                    seen.excused |= waits && gone < u64::from(*restarts);
                    // Earlier daemons have left some that nobody here has seen.
                    no(
                        gone > left + u64::from(*restarts),
                        format!("{restarts} restarts are excused, and {gone} were there"),
                    )?;
                }
                _ => {}
            }
        }
        for (service, _) in starts(v) {
            let at = usize::from(service.0);
            let b = &self.settings.services[at].backoff;
            let seen = &mut self.services[at];
            if std::mem::take(&mut seen.excused) || seen.asked {
                continue;
            }
            let window = millis(b.window);
            seen.restarts.push_back(v.now);
            while seen.restarts.front().is_some_and(|t| v.now - t >= window) {
                seen.restarts.pop_front();
            }
            let n = seen.restarts.len();
            no(
                n as u64 > u64::from(b.restarts),
                format!("S4: {n} restarts of {}", self.settings.name(service)),
            )?;
        }
        Ok(())
    }

    /// No start before an announced wait is over, and not more starts at once than allowed.
    fn waits_are_kept(&mut self, v: &View) -> Check {
        for note in v.notes {
            if let Note::ServiceExited { service, lived, .. } = note {
                let at = usize::from(service.0);
                if *lived >= self.settings.services[at].backoff.stable {
                    self.services[at].at_once = 0;
                }
            }
            // What was given up for failures that do not count waits no longer.
            if let Note::RestartsExcused { service, .. } = note {
                self.services[usize::from(service.0)].not_before = 0;
            }
        }
        for (service, _) in starts(v) {
            let at = usize::from(service.0);
            let immediate = self.settings.services[at].backoff.immediate;
            let seen = &mut self.services[at];
            let name = self.settings.name(service);
            no(
                v.now < seen.not_before,
                format!("{name} is started before its wait is over"),
            )?;
            let failed = v.notes.iter().any(|n| match n {
                Note::ServiceExited {
                    service: s,
                    asked: false,
                    ..
                }
                | Note::ServiceStartFailed { service: s, .. } => *s == service,
                _ => false,
            });
            if failed && !seen.asked {
                seen.at_once += 1;
            }
            no(
                seen.at_once > immediate,
                format!(
                    "{name} is restarted at once for the {}th time",
                    seen.at_once
                ),
            )?;
        }
        Ok(())
    }

    fn budgets_are_kept(&mut self, v: &View) -> Check {
        self.budgets.are_kept(v, &self.settings)
    }

    fn signals_are_for_the_present_run(&mut self, v: &View) -> Check {
        let rushed = self.is_rushed() || overruns(v);
        for (service, run, signal) in signals(v) {
            let at = usize::from(service.0);
            let s = &self.settings.services[at];
            let seen = &mut self.services[at];
            let name = &s.name;
            no(
                run.0 != seen.run,
                format!("a signal to run {} of {name}, not {}", run.0, seen.run),
            )?;
            match signal {
                Signal::Stop | Signal::Abort | Signal::Restart => seen.told = Some(v.now),
                Signal::Kill => {
                    let by_itself = seen.told.or(seen.killed).is_none() && seen.own.is_some();
                    seen.cut_short |= rushed && by_itself;
                    let told = seen.told.or(seen.own);
                    // A battery that is short leaves less of it.
                    let left = self.budgets.left(service, v, s.stop_timeout);
                    let told = told.map(|t| t + millis(left));
                    // One that was killed rightly and is still there is killed again, in peace.
                    let due = match seen.killed.replace(v.now) {
                        Some(killed) => Some(killed + KILL_AGAIN),
                        None => told,
                    };
                    no(
                        !s.stop_timeout.is_zero() && !rushed && due.is_none_or(|t| t > v.now),
                        format!(
                            "{name} is killed, told to stop at {:?}, to be killed at {due:?}",
                            seen.told
                        ),
                    )?;
                }
            }
        }
        Ok(())
    }

    /// While the daemon ends, a service is told to stop only when nothing that comes after it is
    /// alive; except one that failed by itself, or when time is over.
    fn stops_come_in_order(&mut self, v: &View) -> Check {
        // What is stopped in the step that begins a halt was stopped before it, for its own sake.
        let ends = self.ending.is_some_and(|e| !e.leave) || self.halts;
        if !ends || self.is_rushed() || overruns(v) || matches!(v.fact, Fact::Asked { .. }) {
            return Ok(());
        }
        let stopping = v.notes.iter().filter_map(|n| match n {
            Note::ServiceStopping { service } => Some(*service),
            _ => None,
        });
        for service in stopping {
            let followers = (0u16..).zip(&self.settings.services);
            for (f, _) in followers.filter(|(_, s)| s.after.contains(&service)) {
                let at = usize::from(f);
                no(
                    v.alive[at] > 0 || v.starting[at] > 0,
                    format!(
                        "{} is stopped while {} is alive",
                        self.settings.name(service),
                        self.settings.name(ServiceId(f))
                    ),
                )?;
            }
        }
        Ok(())
    }

    /// What cannot be taken back comes when all services are down, or were killed.
    fn services_are_down_first(&mut self, v: &View) -> Check {
        let asked = count(v, |a| matches!(a, Action::AskInit { .. })) > 0;
        let killed = self.is_rushed() || overruns(v) || !self.halts;
        no(
            asked && !killed && v.alive.iter().any(|n| *n > 0),
            "init is asked while services are alive",
        )
    }

    /// No service that said that it was ready is stopped for not having said so.
    fn readiness_is_heard(&mut self, v: &View) -> Check {
        for note in v.notes {
            if let Note::ServiceNotReady { service, .. } = note {
                let deaf = self.services[usize::from(service.0)].ready;
                let name = self.settings.name(*service);
                no(
                    deaf,
                    format!("{name} was ready and is stopped as not ready"),
                )?;
            }
        }
        Ok(())
    }

    /// No service that sends its heartbeats is ended for not sending them, unless whoever listens was
    /// stuck for too short a time to be noticed, or the deadline was that of the very moment in which
    /// a daemon that had stood still went on.
    fn heartbeats_are_heard(&mut self, v: &View) -> Check {
        for note in v.notes {
            let Note::ServiceHung { service, silent } = note else {
                continue;
            };
            let at = usize::from(service.0);
            let configured = self.settings.services[at].heartbeat;
            let window = self.services[at].window.or(configured);
            let window = millis(window.unwrap_or_default());
            let last = v.beats[at];
            // News of essential threads are late by a twentieth of a second at most.
            let sent = last > 0 && v.deaf_until < last && last + 60 <= v.now;
            let heard = v.now - millis(*silent);
            let deadline = (heard + window).max(self.services[at].extended);
            let chance = v.now < v.thawed + 60 && v.now < deadline + 20;
            let beats = sent && v.now < last + window && !chance;
            let name = self.settings.name(*service);
            no(
                beats,
                format!("{name} beats and is ended as hung, last at {last}"),
            )?;
        }
        Ok(())
    }

    /// S5: no pet while an essential thread is known to be stuck, and none after the last.
    fn pets_are_withheld(&mut self, v: &View) -> Check {
        let pets = count(v, |a| *a == Action::Pet);
        let arms = count(v, |a| matches!(a, Action::Arm { .. }));
        // An end that becomes a halt is no end yet: the machine is guarded while it is halted.
        self.last_pet_given &= self.halts || v.core.picture().halting.is_none();
        no(
            pets > 0 && !self.stuck.is_empty(),
            format!("S5: a pet while {:?} is stuck", self.stuck),
        )?;
        no(pets > 1 || arms > 1, "two pets or arms in one step")?;
        no(
            self.last_pet_given && pets + arms > 0,
            "S5: a pet or an arm after the last pet",
        )?;
        for note in v.notes {
            match note {
                Note::PetWithheld { .. } => {
                    no(self.withheld || self.stuck.is_empty(), "withheld twice")?;
                    self.withheld = true;
                }
                Note::PetResumed => {
                    no(!self.withheld || !self.stuck.is_empty(), "resumed in vain")?;
                    self.withheld = false;
                }
                // The last pet is given without a word, if nobody is stuck any more.
                Note::WatchdogLeftArmed { .. } | Note::WatchdogDisarmed => {
                    self.last_pet_given = true;
                    self.withheld = false;
                }
                _ => {}
            }
        }
        no(
            self.withheld && pets > 0,
            "S5: a pet while pets are withheld",
        )
    }

    fn the_device_is_ours(&mut self, v: &View) -> Check {
        let w = &self.settings.watchdog;
        let arm = count(v, |a| matches!(a, Action::Arm { .. })) > 0;
        let disarm = count(v, |a| *a == Action::Disarm) > 0;
        no(
            arm && w.owner != WatchdogOwner::Fieldwarden,
            "the device belongs to somebody else",
        )?;
        let exits = self.ending.is_some_and(|e| !e.leave);
        no(
            disarm && !(w.disarm_on_stop && exits && v.core.picture().halting.is_none()),
            "the device is stopped though it should run on",
        )
    }

    /// L5: an end that was accepted comes to its end. A halt goes before it, whichever came first; one
    /// that is taken back leaves it what is left of its time, or a moment.
    fn the_end_comes(&mut self, v: &View) -> Check {
        let budget = millis(self.settings.stop_budget);
        let Some(ending) = &mut self.ending else {
            return Ok(());
        };
        let now = v.now - v.frozen;
        match (ending.halt, v.core.picture().halting.is_some()) {
            (None, true) => ending.halt = Some(now),
            (Some(_), false) => {
                ending.halt = None;
                ending.by = ending.by.max(now + AFTER_BUDGET);
            }
            (None, false) | (Some(_), true) => {}
        }
        let by = ending
            .halt
            .map_or(ending.by, |since| ending.by.max(since + budget + RUNGS));
        no(
            now > by && !self.over,
            "L5: the end does not come to its end",
        )
    }

    fn remember(&mut self, v: &View) {
        let halting = v.core.picture().halting;
        // One that was taken up beyond that has left out the stop of the services.
        let skipped = !self.halts && halting.is_some_and(|h| h.rung > Rung::Stopping);
        let killing = halting.is_some_and(|h| h.rung == Rung::Killing);
        self.halt_overran = halting.is_some() && (self.halt_overran || killing || skipped);
        self.halts = halting.is_some();
        for (service, run) in starts(v) {
            let seen = &mut self.services[usize::from(service.0)];
            seen.run = run.0;
            seen.told = None;
            seen.own = None;
            seen.killed = None;
            seen.cut_short = false;
            seen.asked = false;
            seen.ready = false;
            (seen.window, seen.extended) = (None, 0);
        }
        for note in v.notes {
            match note {
                Note::ServiceBackoff { service, delay, .. } => {
                    self.wait(*service, v.now + millis(*delay));
                }
                // The next run of a job is one that its schedule, or somebody, calls.
                Note::ServiceFinished { service, .. }
                    if self.settings.services[usize::from(service.0)].job.is_some() =>
                {
                    let seen = &mut self.services[usize::from(service.0)];
                    seen.asked = true;
                    seen.restarts.clear();
                    (seen.not_before, seen.at_once) = (0, 0);
                }
                // It has told itself to.
                Note::Notify(service, NotifyNote::ServiceEnding) => {
                    self.services[usize::from(service.0)].own = Some(v.now);
                }
                Note::ServiceGaveUp { service, retry, .. } => {
                    self.wait(*service, v.now + millis(*retry));
                }
                Note::Began { .. } => self.begun = true,
                Note::Group(_, service, GroupNote::GroupGaveUp { retry, .. }) => {
                    self.wait(*service, v.now + millis(*retry));
                }
                // It comes back when that is over, and that is no restart.
                Note::ServiceBarred { service, .. } => {
                    self.services[usize::from(service.0)].asked = true;
                }
                Note::Halt(HaltNote::HaltCancelled { .. } | HaltNote::HaltGivenUp { .. }) => {
                    // What was stopped for the halt comes back, and that is no restart.
                    self.services.iter_mut().for_each(|seen| seen.asked = true);
                }
                Note::StopOverran { .. } => {
                    if let Some(ending) = &mut self.ending {
                        ending.overran = true;
                    }
                }
                _ => {}
            }
        }
        for member in self.afresh(v) {
            self.wait(member, 0);
        }
        // What was stopped to save power is started again by a wish, as if somebody had asked for it.
        for held in v.core.services().filter(|s| s.held) {
            self.services[usize::from(held.service.0)].asked = true;
        }
        self.given = v.orders.last().map_or(self.given, |o| o.id.0);
        self.over |= count(v, |a| matches!(a, Action::Exit { .. } | Action::HandOver)) > 0;
    }

    fn wait(&mut self, service: ServiceId, until: u64) {
        self.services[usize::from(service.0)].not_before = until;
    }

    fn is_rushed(&self) -> bool {
        self.halt_overran || self.ending.is_some_and(|e| e.overran)
    }

    /// The daemon has ended, and was not to leave anything: nothing is alive, unless time was over.
    pub fn ended(&self, alive: &[u16]) -> Check {
        let overran = self.is_rushed();
        no(self.ending.is_none(), "an end that nobody asked for")?;
        no(
            !overran && alive.iter().any(|n| *n > 0),
            "the daemon has ended and services are alive",
        )
    }
}

/// A service is given up in this step.
fn gives_up(v: &View, which: ServiceId) -> bool {
    v.notes.iter().any(|note| match note {
        Note::ServiceGaveUp { service, .. } => *service == which,
        _ => false,
    })
}

/// It waits for one that is not on its way up.
fn barred(view: &fieldwarden::core::View) -> bool {
    match view.bar {
        None => false,
        Some(Bar::Requirement { coming, .. } | Bar::Group { coming, .. }) => !coming,
        Some(Bar::Need(_) | Bar::Hindered(_) | Bar::Taken { .. } | Bar::Keeper(_)) => true,
    }
}

fn no(wrong: bool, why: impl Into<String>) -> Check {
    if wrong { Err(why.into()) } else { Ok(()) }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

fn count(v: &View, which: impl Fn(&Action) -> bool) -> usize {
    v.orders.iter().filter(|o| which(&o.action)).count()
}

/// The time for an orderly stop is over in this step.
fn overruns(v: &View) -> bool {
    v.notes
        .iter()
        .any(|n| matches!(n, Note::StopOverran { .. }))
}

fn starts<'a>(v: &'a View) -> impl Iterator<Item = (ServiceId, RunId)> + use<'a> {
    v.orders.iter().filter_map(|o| match o.action {
        Action::Start { service, run } => Some((service, run)),
        _ => None,
    })
}

fn signals<'a>(v: &'a View) -> impl Iterator<Item = (ServiceId, RunId, Signal)> + use<'a> {
    v.orders.iter().filter_map(|o| match o.action {
        Action::Signal {
            service,
            run,
            signal,
            ..
        } => Some((service, run, signal)),
        _ => None,
    })
}
