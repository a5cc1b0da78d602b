//! `start`, `stop`, `restart`: asks, and waits until it has come about or cannot come about.

use super::Act;
use super::printer::{Printer, tell_line};
use super::remote::{Daemon, Told};
use crate::core::note::Severity;
use crate::edge::clock;
use crate::error::Error;
use crate::status::{ServiceStatus, Status};
use crate::text::for_people;
use crate::units::Mono;
use std::time::Duration;

/// First wait between two looks; a service that starts fast is told of at once.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// Longest wait between two looks: late enough to cost nothing, early enough for somebody who
/// waits.
const LOOK: Duration = Duration::from_millis(500);

/// A run that is younger than this does not count as up yet: most programs that cannot do their
/// work say so within it. Longer would keep those waiting who restart many services.
const SETTLED: Duration = Duration::from_millis(200);

/// Events that are searched for the reason of a failure: all that the daemon has at hand.
const SEARCHED: u32 = 256;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Start,
    Stop,
    Restart,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Restart => "restart",
        }
    }
}

/// How far it has come with one service.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Progress {
    /// As it was asked for, in words.
    Reached(String),
    /// It will not come about, in words.
    Failed(String),
    /// Not yet.
    Under,
}

/// Asks for all services first and then waits for each.
pub fn act(daemon: &Daemon, verb: Verb, order: &Act, out: &mut Printer) -> Result<(), Error> {
    let begun = clock::now();
    let before = daemon.status()?;
    refuse_unknown(daemon, verb, order, &before)?;
    let mut asked = Vec::new();
    for name in &order.services {
        let new = daemon.act(verb.word(), name)?;
        asked.push((name.as_str(), new));
    }
    if order.no_wait {
        for (name, new) in asked {
            out.line(&match new {
                true => format!("{name}: {} asked for", verb.word()),
                false => format!("{name}: nothing to do"),
            })?;
        }
        return Ok(());
    }
    let mut failed = false;
    let until = begun.after(order.timeout);
    for (name, new) in asked {
        match wait(daemon, verb, name, run_of(&before, name), until)? {
            Progress::Reached(text) => {
                let took = clock::now().since(begun);
                out.line(&match new {
                    true => format!("{text} after {}", for_people(took)),
                    false => format!("{text} already"),
                })?;
            }
            Progress::Failed(text) => {
                failed = true;
                let why = reason(daemon, name).map_or_else(String::new, |why| format!("\n  {why}"));
                tell_line(&format!("fieldwarden: {text}{why}"));
            }
            Progress::Under => {
                failed = true;
                let state = find(&daemon.status()?, name).map_or("gone".to_owned(), standing);
                let limit = for_people(order.timeout);
                tell_line(&format!(
                    "fieldwarden: {name} is still {state} after {limit}\n\
                     help: it goes on in the background; look with `fieldwarden status`, or allow \
                     more time with --timeout"
                ));
            }
        }
    }
    if failed { Err(Error::Said) } else { Ok(()) }
}

/// Asks for a halt of the machine. What follows is told by events, until nobody is there to tell.
pub fn halt(daemon: &Daemon, kind: &str, out: &mut Printer) -> Result<(), Error> {
    out.line(match daemon.halt(kind)? {
        true => "asked for: services are stopped, then the machine is halted",
        false => "it is being halted already",
    })?;
    Ok(())
}

/// A name that the daemon does not know is refused by it before anything is asked of the others.
fn refuse_unknown(daemon: &Daemon, verb: Verb, order: &Act, before: &Status) -> Result<(), Error> {
    let mut unknown = order.services.iter().filter(|n| find(before, n).is_none());
    unknown.try_for_each(|name| daemon.act(verb.word(), name).map(drop))
}

fn word(service: &ServiceStatus) -> &str {
    &service.state
}

/// What it is doing, and for which services it waits.
fn standing(service: &ServiceStatus) -> String {
    let state = word(service);
    match service.waits_for.as_slice() {
        [] => state.to_owned(),
        before => format!("{state}, waiting for {},", before.join(", ")),
    }
}

fn find<'a>(status: &'a Status, name: &str) -> Option<&'a ServiceStatus> {
    status.services.iter().find(|s| s.name == name)
}

fn run_of(status: &Status, name: &str) -> u32 {
    find(status, name).map_or(0, |s| s.run)
}

/// Looks again and again, ever more rarely.
fn wait(
    daemon: &Daemon,
    verb: Verb,
    name: &str,
    run_before: u32,
    until: Mono,
) -> Result<Progress, Error> {
    let mut pause = FIRST_LOOK;
    loop {
        let status = daemon.status()?;
        let progress = match find(&status, name) {
            Some(service) => judge(verb, run_before, service),
            None => Progress::Failed(format!("{name} is not known to the daemon any more")),
        };
        if progress != Progress::Under || clock::now() >= until {
            return Ok(progress);
        }
        std::thread::sleep(pause.min(until.since(clock::now())));
        pause = (pause * 2).min(LOOK);
    }
}

/// What keeps it from being started, where that does not pass by itself.
fn obstacle(service: &ServiceStatus) -> Option<&str> {
    let keeper = service.keeper.as_ref()?;
    let passes = matches!(keeper.obstacle.as_deref()?, "unseen" | "ending");
    keeper.text.as_deref().filter(|_| !passes)
}

/// How far it has come. `run_before` is the service's run before it was asked for.
fn judge(verb: Verb, run_before: u32, service: &ServiceStatus) -> Progress {
    let name = &service.name;
    let pid = service
        .pid
        .map_or_else(String::new, |pid| format!(" (pid {pid})"));
    let retry = service.retry_seconds.map_or_else(String::new, |s| {
        format!("; next try in {}", for_people(s.0))
    });
    let new = verb == Verb::Start || service.run > run_before;
    let settled = service.since_seconds.is_none_or(|s| s.0 >= SETTLED);
    let ended = service.run > run_before;
    match (verb, service.state.as_str(), service.why.as_deref()) {
        (Verb::Stop, "down", _) => Progress::Reached(format!("{name} is down")),
        (Verb::Stop, _, _) if service.wish == "run" => {
            Progress::Failed(format!("somebody else wants {name} to run again"))
        }
        (Verb::Stop, _, _) => Progress::Under,
        (_, "up", _) if new && settled => Progress::Reached(format!("{name} is up{pid}")),
        (_, "gave-up", _) => Progress::Failed(format!("{name} failed too often{retry}")),
        (Verb::Start | Verb::Restart, "held", _) => Progress::Failed(format!(
            "{name} is held back for want of power or memory, or for heat, and starts when that is over"
        )),
        (Verb::Start | Verb::Restart, "down", Some("waiting")) if obstacle(service).is_some() => {
            Progress::Failed(format!(
                "{name} waits: {}",
                obstacle(service).unwrap_or("?")
            ))
        }
        (_, "backoff", _) => Progress::Failed(format!("{name} does not stay up{retry}")),
        (_, "down", Some("finished")) if ended => {
            Progress::Reached(format!("{name} has run and finished"))
        }
        (_, "down", Some("failed")) if ended => Progress::Failed(match service.job {
            Some(_) => format!("{name} failed, and runs again at its next time"),
            None => format!("{name} failed, and is not restarted"),
        }),
        (_, "down", Some("waiting")) if hindered(service).is_some() => Progress::Failed(format!(
            "{name} {}, and runs when that is over",
            hindered(service).unwrap_or_default()
        )),
        (_, "down", Some("stopped")) => {
            Progress::Failed(format!("somebody else asked {name} to stop"))
        }
        _ => Progress::Under,
    }
}

/// Why a job does not run although it is called.
fn hindered(service: &ServiceStatus) -> Option<String> {
    service.job.as_ref()?.waits()
}

/// The latest bad news about a service, if the daemon still has it at hand.
fn reason(daemon: &Daemon, name: &str) -> Option<String> {
    let events = daemon.events(SEARCHED, false).ok()?;
    let bad = events.flatten().filter_map(|told| match told {
        Told::Event(record, _) => {
            let about = record.data.get("service").and_then(|s| s.as_str()) == Some(name);
            // What comes of a failure is said already; what it was is not.
            let sequel = [
                "service-backoff",
                "service-gave-up",
                "service-finished",
                "job-freshness",
            ];
            let cause = !sequel.contains(&record.event.as_str());
            (about && cause && record.severity > Severity::Info).then_some(record.text)
        }
        Told::Lost(_) => None,
    });
    bad.last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{JobStatus, KeeperStatus, Seconds};

    fn service(state: &str, why: Option<&str>, run: u32) -> ServiceStatus {
        ServiceStatus {
            name: "web".into(),
            state: state.into(),
            wish: "run".into(),
            why: why.map(str::to_owned),
            pid: (state == "up").then_some(812),
            run,
            retry_seconds: Some(Seconds(Duration::from_secs(9))),
            ..ServiceStatus::default()
        }
    }

    /// A restart is through when a later run is up, not while the old one still is.
    #[test]
    fn restart_wants_a_new_run() {
        let judge = |run| judge(Verb::Restart, 3, &service("up", None, run));
        assert_eq!(judge(3), Progress::Under);
        assert_eq!(judge(4), Progress::Reached("web is up (pid 812)".into()));
        let young = ServiceStatus {
            since_seconds: Some(Seconds(Duration::from_millis(100))),
            ..service("up", None, 4)
        };
        assert_eq!(super::judge(Verb::Restart, 3, &young), Progress::Under);
    }

    /// Waiting ends as soon as it is clear how it ends.
    /// Nobody waits for what only a person can mend; what passes is waited for.
    #[test]
    fn a_unit_that_cannot_be_started_is_not_waited_for() {
        let with = |word: &str| {
            let keeper = KeeperStatus {
                obstacle: Some(word.to_owned()),
                text: Some("web.service is masked".to_owned()),
                ..KeeperStatus::default()
            };
            let mut service = service("down", Some("waiting"), 3);
            service.keeper = Some(keeper);
            judge(Verb::Start, 3, &service)
        };
        let text = "web waits: web.service is masked".to_owned();
        assert_eq!(with("masked"), Progress::Failed(text));
        assert_eq!(with("ending"), Progress::Under);
    }

    #[test]
    fn ends_that_are_clear() {
        let start = |state, why, run| judge(Verb::Start, 3, &service(state, why, run));
        let reached = |text: &str| Progress::Reached(text.into());
        let failed = |text: &str| Progress::Failed(text.into());
        assert_eq!(start("up", None, 3), reached("web is up (pid 812)"));
        assert_eq!(start("down", Some("waiting"), 3), Progress::Under);
        assert_eq!(start("starting", None, 4), Progress::Under);
        assert_eq!(
            start("backoff", None, 4),
            failed("web does not stay up; next try in 9 s")
        );
        assert_eq!(
            start("gave-up", None, 4),
            failed("web failed too often; next try in 9 s")
        );
        assert_eq!(
            start("down", Some("finished"), 4),
            reached("web has run and finished")
        );
        assert_eq!(start("down", Some("finished"), 3), Progress::Under);
        assert_eq!(
            start("down", Some("failed"), 4),
            failed("web failed, and is not restarted")
        );
        assert_eq!(
            start("down", Some("stopped"), 4),
            failed("somebody else asked web to stop")
        );
        let job = |why, job| {
            let job = Some(job);
            let service = service("down", Some(why), 4);
            judge(Verb::Start, 3, &ServiceStatus { job, ..service })
        };
        assert_eq!(
            job("failed", JobStatus::default()),
            failed("web failed, and runs again at its next time")
        );
        assert_eq!(job("waiting", JobStatus::default()), Progress::Under);
        let beside = JobStatus {
            beside: Some("dump".into()),
            ..JobStatus::default()
        };
        assert_eq!(
            job("waiting", beside),
            failed(
                "web waits for dump, which must not run at the same time, and runs when that is over"
            )
        );
        let resting = |state| ServiceStatus {
            wish: "rest".into(),
            ..service(state, None, 3)
        };
        assert_eq!(judge(Verb::Stop, 3, &resting("stopping")), Progress::Under);
        assert_eq!(
            judge(Verb::Stop, 3, &resting("down")),
            reached("web is down")
        );
        assert_eq!(
            judge(Verb::Stop, 3, &service("starting", None, 4)),
            failed("somebody else wants web to run again")
        );
    }
}
