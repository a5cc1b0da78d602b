//! What there are many of: services, file systems, threads.

use super::job::{self, JobStatus};
use super::probe::{self, ProbeStatus};
use super::quantity::{Percent, Seconds};
use crate::core::fact::{Health, Pid, ServiceId};
use crate::core::settings::{Class, Keeper, Need, Settings};
use crate::core::{
    Account, Bar, Core, Down, MountTrouble, Readiness, State, StopCause, View, Wish,
};
use crate::text;
use crate::units::Mono;
use serde::{Deserialize, Serialize};

/// One service.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// What it is doing: `down`, `starting`, `up`, `stopping`, `backoff`, `gave-up` or `held`.
    pub state: String,
    /// What it should be doing: `run` or `rest`.
    pub wish: String,
    /// Why it is down (`not-started`, `waiting`, `stopped`, `finished`, `failed`, `stopped-elsewhere`),
    /// is held (`shed`: for want of power or memory, or for heat) or being stopped (`asked`, `fault`,
    /// `own`).
    pub why: Option<String>,
    /// Its main process.
    pub pid: Option<u32>,
    /// Number of its latest run; 0 before the first.
    pub run: u32,
    /// Time since that run began, while it lasts; for one that was taken over, since then.
    pub since_seconds: Option<Seconds>,
    /// Time since its last sign of life, where it owes heartbeats and is up.
    pub silent_seconds: Option<Seconds>,
    /// Whether it can be used, by its readiness probe: `awaited`, `ready` or `lost`; null without such
    /// a probe, and while it is not up.
    #[serde(default)]
    pub readiness: Option<String>,
    /// Its probes, as far as they are made now.
    #[serde(default)]
    pub probes: Vec<ProbeStatus>,
    /// Time since it was told to stop.
    pub stopping_seconds: Option<Seconds>,
    /// It was killed and is not gone yet.
    pub killed: bool,
    /// Time until it is tried again.
    pub retry_seconds: Option<Seconds>,
    /// Services that must be up before it is started, in the order of their names; those that it
    /// requires are among them.
    #[serde(default)]
    pub after: Vec<String>,
    /// Services without which it does not run.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Services that it starts too.
    #[serde(default)]
    pub wants: Vec<String>,
    /// How much it matters: `essential`, `normal` or `optional`.
    #[serde(default)]
    pub class: String,
    /// The group that it belongs to.
    #[serde(default)]
    pub group: Option<String>,
    /// Why the machine is not restarted for its sake, where it escalates to that and was given up.
    #[serde(default)]
    pub machine_kept: Option<String>,
    /// Services that it waits for.
    pub waits_for: Vec<String>,
    /// Its group, while that is restarted and it is stopped or waits for that.
    #[serde(default)]
    pub with_group: Option<String>,
    /// What it needs and lacks: `clock`, `mains` or `network`.
    #[serde(default)]
    pub lacks: Option<String>,
    /// How that stands: the trust in the clock; `gone`, `down` or `unknown`.
    #[serde(default)]
    pub lacks_because: Option<String>,
    /// Its process was started by an earlier daemon and taken over.
    pub adopted: bool,
    /// Times it was started again without being asked to, since the daemon began.
    pub restarts: u32,
    /// Failures in a row.
    pub failures: u32,
    /// Failures that were put down to power, throttling or a hold, since the daemon began.
    #[serde(default)]
    pub excused: u32,
    /// Time since it began to read its configuration anew, while it does.
    #[serde(default)]
    pub reloading_seconds: Option<Seconds>,
    /// What its latest run said that it does (`STATUS=`).
    #[serde(default)]
    pub status_text: Option<String>,
    /// Descriptors that it has left for its next run (`FDSTORE=1`).
    pub kept_descriptors: u16,
    /// What its latest run said that had failed (`ERRNO=`), for example `ENOENT`.
    #[serde(default)]
    pub errno: Option<String>,
    /// What makes it a job; null for a service that is kept running.
    #[serde(default)]
    pub job: Option<JobStatus>,
    /// Who keeps its process; null for one of the daemon's own.
    #[serde(default)]
    pub keeper: Option<KeeperStatus>,
}

/// Who keeps the process of a service.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct KeeperStatus {
    /// Who: `systemd`, `docker` or `podman`.
    pub by: String,
    /// What the service is called there, for example `nginx.service` or `broker`.
    pub name: String,
    /// Why it cannot be started there, or what is not known: `unseen`, `silent`, `ending`, `missing`,
    /// `masked`, `paused`, `broken` or `no-process`.
    pub obstacle: Option<String>,
    /// The same as a sentence, with what to do.
    pub text: Option<String>,
    /// What its keeper thinks of it while it runs: `awaited`, `well` or `ill`.
    pub health: Option<String>,
    /// The command that shows what it writes.
    pub logs: String,
}

impl KeeperStatus {
    /// Nobody knows how it stands there.
    pub(super) fn is_unseen(&self) -> bool {
        matches!(self.obstacle.as_deref(), Some("unseen" | "silent"))
    }
}

/// One file system.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MountStatus {
    /// Where it is mounted.
    pub path: String,
    /// What the storage policy thinks of it: `ok`, `unknown`, `warn` or `critical`.
    pub verdict: String,
    /// What it thinks so for: `space`, `inodes`, `errors` or `read-only`; `null` while nothing is
    /// wrong.
    pub why: Option<String>,
    /// Free space, as far as it was ever read.
    pub free_percent: Option<Percent>,
    /// Free inodes, where they are limited.
    pub free_inodes_percent: Option<Percent>,
    /// No write can succeed.
    pub read_only: Option<bool>,
    /// Errors that it has recorded since it was last checked; 0 where it does not count them.
    pub errors: Option<u32>,
    /// The latest reading stands; otherwise it cannot be looked at, and what is above is what was
    /// read last.
    pub readable: bool,
    /// Time since the latest reading; `null` before the first.
    pub seen_seconds: Option<Seconds>,
}

/// One thread of the daemon that is behind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ThreadStatus {
    /// Its name.
    pub thread: String,
    /// Since when.
    pub late_seconds: Seconds,
    /// Pets are withheld because of it.
    pub essential: bool,
}

pub(super) fn services(core: &Core, now: Mono) -> Vec<ServiceStatus> {
    let views: Vec<View> = core.services().collect();
    views
        .iter()
        .map(|view| ServiceStatus {
            lacks: lacks(view).map(|need| text::need_word(need).to_owned()),
            lacks_because: lacks(view).map(|need| standing(need, core)),
            machine_kept: machine_kept(view, core, now),
            job: job::job(view, core, now),
            readiness: probe::readiness(core, view),
            probes: probe::probes(core, view.service),
            ..service(view, &views, core, now)
        })
        .collect()
}

fn service(view: &View, views: &[View], core: &Core, now: Mono) -> ServiceStatus {
    let settings = core.settings();
    let account = core.account(view.service);
    let plain = stateless(view, account, settings, now);
    let number = |pid: Pid| Some(pid.number());
    let span = |since: Mono| Some(Seconds(now.since(since)));
    match view.state {
        State::Down { why } => ServiceStatus {
            why: Some(down_word(why).to_owned()),
            waits_for: match why {
                Down::Waiting => waits_for(view.service, views, settings),
                Down::NotStarted
                | Down::Held
                | Down::Stopped
                | Down::Finished
                | Down::Failed
                | Down::Elsewhere => Vec::new(),
            },
            ..plain
        },
        State::Starting { since, pid } => ServiceStatus {
            pid: pid.and_then(number),
            since_seconds: span(since),
            ..plain
        },
        State::Up { since, pid, beat } => ServiceStatus {
            pid: number(pid),
            since_seconds: span(since),
            silent_seconds: span(beat).filter(|_| owes_beats(view.service, account, settings)),
            ..plain
        },
        State::Stopping {
            since,
            pid,
            told,
            cause,
            killed,
        } => ServiceStatus {
            why: Some(cause_word(cause).to_owned()),
            pid: pid.and_then(number),
            since_seconds: span(since),
            stopping_seconds: span(told),
            killed,
            ..plain
        },
        State::Backoff { until } | State::GaveUp { until } => ServiceStatus {
            retry_seconds: Some(Seconds(until.since(now))),
            ..plain
        },
    }
}

/// Why the machine is not restarted for its sake.
fn machine_kept(view: &View, core: &Core, now: Mono) -> Option<String> {
    let given_up = matches!(view.state, State::GaveUp { .. });
    let why = given_up.then(|| core.keeps_machine(view.service, now));
    why.flatten().map(text::kept_because)
}

/// What it needs and lacks.
fn lacks(view: &View) -> Option<Need> {
    match view.bar {
        Some(Bar::Need(need)) if view.wish == Wish::Run && !view.held => Some(need),
        Some(
            Bar::Need(_)
            | Bar::Requirement { .. }
            | Bar::Group { .. }
            | Bar::Hindered(_)
            | Bar::Taken { .. }
            | Bar::Keeper(_),
        )
        | None => None,
    }
}

/// How a need stands that is not met.
fn standing(need: Need, core: &Core) -> String {
    match (need, core.picture().met(need)) {
        (Need::Clock, _) => text::trust_word(core.clock_trust()).to_owned(),
        (Need::Mains, Some(false)) => "gone".to_owned(),
        (Need::Mains, Some(true)) => "back".to_owned(),
        (Need::Mains, None) => "unknown".to_owned(),
        (Need::Network, Some(false)) => "down".to_owned(),
        (Need::Network, Some(true)) => "up".to_owned(),
        (Need::Network, None) => "unknown".to_owned(),
    }
}

/// What does not depend on the details of its state.
fn stateless(
    view: &View,
    account: Option<&Account>,
    settings: &Settings,
    now: Mono,
) -> ServiceStatus {
    let own = settings.services.get(usize::from(view.service.0));
    let names = |ids: Option<&Vec<ServiceId>>| {
        let ids = ids.into_iter().flatten();
        let mut names: Vec<_> = ids.map(|id| settings.name(*id).to_owned()).collect();
        names.sort();
        names
    };
    let reload = account.and_then(|account| account.reloading);
    let errno = account.and_then(|account| account.errno);
    let wish = match view.wish {
        Wish::Run => "run",
        Wish::Rest => "rest",
    };
    ServiceStatus {
        name: settings.name(view.service).to_owned(),
        state: state_word(view.state).to_owned(),
        wish: wish.to_owned(),
        why: None,
        pid: None,
        run: view.run.0,
        since_seconds: None,
        silent_seconds: None,
        readiness: None,
        probes: Vec::new(),
        stopping_seconds: None,
        killed: false,
        retry_seconds: None,
        after: names(own.map(|s| &s.after)),
        requires: names(own.map(|s| &s.requires)),
        wants: names(own.map(|s| &s.wants)),
        class: own.map_or_else(String::new, |s| class_word(s.class).to_owned()),
        group: group_of(view.service, settings),
        machine_kept: None,
        waits_for: Vec::new(),
        with_group: with_group(view, settings),
        lacks: None,
        lacks_because: None,
        adopted: view.adopted,
        restarts: view.restarts,
        failures: view.failures,
        excused: view.excuses,
        reloading_seconds: reload.map(|reload| Seconds(now.since(reload.since))),
        status_text: account.and_then(|account| account.status.as_deref().map(str::to_owned)),
        kept_descriptors: account.map_or(0, |account| account.kept),
        errno: errno.map(text::errno_word),
        job: None,
        keeper: own.and_then(|s| keeper(view, s.keeper.as_ref()?)),
    }
}

fn keeper(view: &View, keeper: &Keeper) -> Option<KeeperStatus> {
    Some(KeeperStatus {
        by: text::keeper_word(keeper).to_owned(),
        name: text::name_there(keeper).to_owned(),
        obstacle: view.obstacle.map(|o| text::obstacle_word(o).to_owned()),
        text: view.obstacle.map(|o| text::obstacle_sentence(keeper, o)),
        health: match view.health {
            Health::Untold => None,
            health => Some(text::health_word(health).to_owned()),
        },
        logs: text::where_logs_are(keeper),
    })
}

/// Its group, while it goes with that.
fn with_group(view: &View, settings: &Settings) -> Option<String> {
    match view.bar {
        Some(Bar::Group { group, .. }) if view.wish == Wish::Run => {
            Some(settings.group(group).to_owned())
        }
        Some(
            Bar::Group { .. }
            | Bar::Need(_)
            | Bar::Requirement { .. }
            | Bar::Hindered(_)
            | Bar::Taken { .. }
            | Bar::Keeper(_),
        )
        | None => None,
    }
}

fn group_of(service: ServiceId, settings: &Settings) -> Option<String> {
    let mut groups = settings.groups.iter();
    let group = groups.find(|group| group.members.contains(&service))?;
    Some(group.name.to_string())
}

/// It has promised heartbeats, or its configuration has.
fn owes_beats(service: ServiceId, account: Option<&Account>, settings: &Settings) -> bool {
    let service = settings.services.get(usize::from(service.0));
    let configured = service.and_then(|s| s.heartbeat);
    let own = account.and_then(|account| account.window);
    own.unwrap_or(configured).is_some()
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Down { why: Down::Held } => "held",
        State::Down { .. } => "down",
        State::Starting { .. } => "starting",
        State::Up { .. } => "up",
        State::Stopping { .. } => "stopping",
        State::Backoff { .. } => "backoff",
        State::GaveUp { .. } => "gave-up",
    }
}

fn class_word(class: Class) -> &'static str {
    match class {
        Class::Essential => "essential",
        Class::Normal => "normal",
        Class::Optional => "optional",
    }
}

fn down_word(why: Down) -> &'static str {
    match why {
        Down::NotStarted => "not-started",
        Down::Waiting => "waiting",
        Down::Held => "shed",
        Down::Stopped => "stopped",
        Down::Finished => "finished",
        Down::Failed => "failed",
        Down::Elsewhere => "stopped-elsewhere",
    }
}

fn cause_word(cause: StopCause) -> &'static str {
    match cause {
        StopCause::Asked => "asked",
        StopCause::Fault => "fault",
        StopCause::Own => "own",
    }
}

/// The services before this one that are on their way up, and those that it requires and that are not
/// up, whatever they do.
fn waits_for(service: ServiceId, views: &[View], settings: &Settings) -> Vec<String> {
    let Some(s) = settings.services.get(usize::from(service.0)) else {
        return Vec::new();
    };
    let awaited = |id: &ServiceId| {
        views.get(usize::from(id.0)).is_some_and(|view| {
            let required = s.requires.contains(id);
            // Whoever requires it needs to be able to use it; the others wait until that is known.
            let up = matches!(view.state, State::Up { .. })
                && match view.readiness {
                    Readiness::Ready => true,
                    Readiness::Lost => !required,
                    Readiness::Awaited => false,
                };
            let finished = matches!(
                view.state,
                State::Down {
                    why: Down::Finished
                }
            );
            let gave_up = matches!(view.state, State::GaveUp { .. });
            let lacks = matches!(view.bar, Some(Bar::Need(_) | Bar::Keeper(_)));
            let coming = view.wish == Wish::Run && !view.held && !gave_up && !lacks;
            let required = required && !finished;
            !up && (coming || required)
        })
    };
    let before = s.after.iter().filter(|id| awaited(id));
    before.map(|id| settings.name(*id).to_owned()).collect()
}

pub(super) fn mounts(core: &Core, now: Mono) -> Vec<MountStatus> {
    let settings = core.settings();
    core.mounts()
        .map(|view| {
            let sample = view.latest.map(|(sample, _)| sample);
            MountStatus {
                path: settings.mount(view.mount).to_owned(),
                verdict: view.verdict.word().to_owned(),
                why: view.why.map(|why| trouble_word(why).to_owned()),
                free_percent: sample.map(|s| Percent(s.space)),
                free_inodes_percent: sample.and_then(|s| s.inodes).map(Percent),
                read_only: sample.map(|s| s.read_only),
                errors: sample.map(|s| s.errors),
                readable: view.stands,
                seen_seconds: view.latest.map(|(_, at)| Seconds(now.since(at))),
            }
        })
        .collect()
}

fn trouble_word(trouble: MountTrouble) -> &'static str {
    match trouble {
        MountTrouble::ReadOnly => "read-only",
        MountTrouble::Space => "space",
        MountTrouble::Inodes => "inodes",
        MountTrouble::Errors => "errors",
        MountTrouble::Worn => "worn",
    }
}

pub(super) fn late_threads(core: &Core, now: Mono) -> Vec<ThreadStatus> {
    core.late_threads()
        .map(|(thread, since)| ThreadStatus {
            thread: text::thread_word(thread).to_owned(),
            late_seconds: Seconds(now.since(since)),
            essential: thread.essential(),
        })
        .collect()
}
