//! Every state against everything that can happen, and against nothing ever happening again.

use super::{Down, Service, State, StopCause, Turn, Wish};
use crate::core::action::{Action, Actions};
use crate::core::fact::{Change, Errno, Exit, Fault, Pid, RunId, Said, ServiceId, Stage};
use crate::core::note::Severity;
use crate::core::settings::{Backoff, Ready, Restart, Service as Settings};
use crate::units::Mono;
use std::time::Duration;

/// All begins a long time after zero, so that nothing underflows unseen.
const NOW: Mono = Mono(1_000_000);

/// States by their words in the table below.
const STATES: [&str; 14] = [
    "down",
    "waiting",
    "ordered",
    "starting",
    "up",
    "resting",
    "stopping",
    "failing",
    "ending",
    "killed",
    "restarting",
    "backoff",
    "gave-up",
    "held",
];

/// Inputs by their words in the table below.
const INPUTS: [&str; 21] = [
    "started",
    "no-start",
    "adopted",
    "ready",
    "beat",
    "exit-0",
    "exit-1",
    "busy",
    "old",
    "start",
    "stop",
    "restart",
    "kill",
    "hold",
    "release",
    "silence",
    "reloading",
    "says-end",
    "trigger",
    "more-time",
    "main",
];

fn settings() -> Settings {
    let s = Duration::from_secs;
    Settings {
        ready: Ready::Notify,
        start_timeout: s(20),
        heartbeat: Some(s(10)),
        stop_timeout: s(5),
        backoff: Backoff {
            immediate: 0,
            restarts: 5,
            ..Backoff::DEFAULT
        },
        ..Settings::named("web")
    }
}

/// A service in the state of this word; run 1.
fn in_state(word: &str) -> Service {
    let mut service = Service::new(ServiceId(0), false);
    let (since, told) = (Mono(NOW.0 - 9_000), Mono(NOW.0 - 1_000));
    let pid = Pid::new(77).unwrap();
    let stopping = |cause, killed| State::Stopping {
        since,
        pid: Some(pid),
        told,
        cause,
        killed,
    };
    let until = Mono(NOW.0 + 3_000);
    (service.state, service.wish) = match word {
        "down" => (
            State::Down {
                why: Down::NotStarted,
            },
            Wish::Rest,
        ),
        "waiting" => (State::Down { why: Down::Waiting }, Wish::Run),
        "ordered" => (State::Starting { since, pid: None }, Wish::Run),
        "starting" => (
            State::Starting {
                since,
                pid: Some(pid),
            },
            Wish::Run,
        ),
        "up" => (
            State::Up {
                since,
                pid,
                // One more millisecond of silence is too much.
                beat: Mono(NOW.0 - 9_999),
            },
            Wish::Run,
        ),
        // It was asked to stop while its start was under way.
        "resting" => (State::Starting { since, pid: None }, Wish::Rest),
        "stopping" => (stopping(StopCause::Asked, false), Wish::Rest),
        "failing" => (stopping(StopCause::Fault, false), Wish::Run),
        "ending" => (stopping(StopCause::Own, false), Wish::Run),
        "killed" => (stopping(StopCause::Asked, true), Wish::Rest),
        "restarting" => (stopping(StopCause::Asked, false), Wish::Run),
        "backoff" => (State::Backoff { until }, Wish::Run),
        "gave-up" => (State::GaveUp { until }, Wish::Run),
        "held" => (State::Down { why: Down::Held }, Wish::Run),
        _ => panic!("no state {word}"),
    };
    service.run = RunId(1);
    service.held = word == "held";
    service.restart_wanted = word == "restarting";
    service.due = match service.state {
        State::Down { .. } => None,
        State::Starting { .. } | State::Up { .. } | State::Stopping { .. } => Some(Mono(NOW.0 + 1)),
        State::Backoff { until } | State::GaveUp { until } => Some(until),
    };
    service
}

fn give(service: &mut Service, input: &str, out: &mut Actions) {
    let s = settings();
    let mut turn = Turn {
        s: &s,
        now: NOW,
        jitter: 0,
        excuse: None,
        out,
    };
    let (run, pid) = (RunId(1), Pid::new(88).unwrap());
    let change = match input {
        "started" => Change::Started { pid },
        "no-start" => Change::StartFailed {
            stage: Stage::Exec,
            errno: Errno(2),
        },
        "adopted" => {
            return service.change(RunId(9), &Change::Adopted { pid, ready: true }, &mut turn);
        }
        "ready" => Change::Ready,
        "beat" => Change::Heartbeat,
        "reloading" => Change::Said(Said::Reloading { since: None }),
        "says-end" => Change::Said(Said::Stopping),
        "trigger" => Change::Said(Said::Trigger),
        "more-time" => Change::Said(Said::Extend(Duration::from_secs(100))),
        "main" => Change::Said(Said::Main(pid)),
        "exit-0" => Change::Exited(Exit::Code(0)),
        "exit-1" => Change::Exited(Exit::Code(1)),
        "busy" => return service.refused(&Fault::Busy, &mut turn),
        "old" => return service.change(RunId(0), &Change::Exited(Exit::Code(1)), &mut turn),
        "start" => return service.want_run(),
        "stop" => {
            service.want_rest();
            return service.stop(&s, NOW, out);
        }
        "restart" => {
            service.want_restart();
            return service.stop(&s, NOW, out);
        }
        "kill" => return service.kill(NOW, out),
        "hold" => return service.hold(true),
        "release" => return service.hold(false),
        // Its deadline comes due, and nothing else happens.
        "silence" => {
            let due = service.due.unwrap_or(NOW);
            return service.tick(&s, due, out);
        }
        _ => panic!("no input {input}"),
    };
    service.change(run, &change, &mut turn);
}

/// The word of a state, with what is in it that matters.
fn word(service: &Service) -> &'static str {
    let restarting = service.restart_wanted || service.wish == Wish::Run;
    match service.state {
        State::Down { why: Down::Waiting } => "waiting",
        State::Down { why: Down::Held } => "held",
        State::Down { .. } => "down",
        State::Starting { .. } if service.wish == Wish::Rest => "resting",
        State::Starting { pid: None, .. } if service.restart_wanted => "ordered*",
        State::Starting { pid: None, .. } => "ordered",
        State::Starting { pid: Some(_), .. } => "starting",
        State::Up { .. } => "up",
        State::Stopping {
            cause: StopCause::Asked,
            killed: false,
            ..
        } if restarting => "restarting",
        State::Stopping {
            cause: StopCause::Asked,
            killed: false,
            ..
        } => "stopping",
        State::Stopping {
            cause: StopCause::Own,
            killed: false,
            ..
        } => "ending",
        State::Stopping { killed: true, .. } if restarting => "killed*",
        State::Stopping { killed: true, .. } => "killed",
        State::Stopping {
            cause: StopCause::Fault,
            ..
        } => "failing",
        State::Backoff { .. } => "backoff",
        State::GaveUp { .. } => "gave-up",
    }
}

/// What follows from an input in a state: the next state, and the signal that is sent.
fn outcome(state: &str, input: &str) -> String {
    let mut service = in_state(state);
    let mut out = Actions::default();
    give(&mut service, input, &mut out);
    let mut cell = word(&service).to_owned();
    for order in &out.orders {
        match &order.action {
            Action::Signal { signal, .. } => cell += &format!("+{signal:?}").to_lowercase(),
            other => panic!("{state} and {input}: {other:?}"),
        }
    }
    if service.due.is_none() && service.alive() {
        cell += "!";
    }
    if let Some(until) = service.account.extended {
        assert!(service.due >= Some(until), "{state} and {input}");
        cell += "+time";
    }
    if service.account.reloading.is_some() {
        cell += "+reload";
    }
    if service.main() == Pid::new(88) && input == "main" {
        cell += "+main";
    }
    if cell == state { "-".to_owned() } else { cell }
}

/// The table. `-` is "as before"; `!` is a process that nothing is awaited of.
const TABLE: &str = "
           started    no-start   adopted    ready      beat       exit-0     exit-1     busy       old        start      stop       restart    kill       hold       release    silence    reloading  says-end   trigger    more-time  main
down       -          -          up         -          -          -          -          -          -          waiting    -          waiting    -          -          -          -          -          -          -          -          -
waiting    -          -          up         -          -          -          -          -          -          -          down       -          -          held       -          -          -          -          -          -          -
ordered    starting   backoff    -          -          -          backoff    backoff    backoff    -          -          resting    ordered*   -          -          -          ordered!   -          -          -          -          -
starting   -          -          -          up         -          backoff    backoff    -          -          -          stopping+stop restarting+stop killed*+kill -          -          failing+stop -          ending     failing+abort starting+time starting+main
up         -          -          -          -          -          backoff    backoff    -          -          -          stopping+stop restarting+stop killed*+kill -          -          failing+abort up+reload  ending     failing+abort up+time    up+main
resting    -          down       -          -          -          down       down       down       -          ordered    -          ordered*   -          -          -          resting!   -          -          -          -          -
stopping   -          -          -          -          -          down       down       -          -          restarting -          restarting killed+kill -          -          killed+kill -          -          -          stopping+time stopping+main
failing    -          -          -          -          -          backoff    backoff    -          -          -          -          -          killed*+kill -          -          killed*+kill -          -          -          failing+time failing+main
ending     -          -          -          -          -          backoff    backoff    -          -          -          -          -          killed*+kill -          -          killed*+kill -          -          -          ending+time ending+main
killed     -          -          -          -          -          down       down       -          -          killed*    -          killed*    -          -          -          killed+kill -          -          -          -          killed+main
restarting -          -          -          -          -          waiting    waiting    -          -          -          stopping   -          killed*+kill -          -          killed*+kill -          -          -          restarting+time restarting+main
backoff    -          -          up         -          -          -          -          -          -          waiting    down       waiting    -          -          -          waiting    -          -          -          -          -
gave-up    -          -          up         -          -          -          -          -          -          waiting    down       waiting    -          -          -          waiting    -          -          -          -          -
held       -          -          up         -          -          -          -          -          -          -          down       -          -          -          waiting    -          -          -          -          -          -
";

#[test]
fn every_state_and_every_input() {
    let mut is = format!("\n{:<10}", "");
    for input in INPUTS {
        is += &format!(" {input:<10}");
    }
    for state in STATES {
        is = format!("{}\n{state:<10}", is.trim_end());
        for input in INPUTS {
            is += &format!(" {:<10}", outcome(state, input));
        }
    }
    let is = is.trim_end().to_owned() + "\n";
    assert!(is == TABLE, "the table is now:\n{is}");
}

/// A job that has done its work is good news; an end that nobody wanted is not, however well it was.
#[test]
fn a_finished_job_is_no_warning() {
    let severity = |restart, exit| {
        let settings = Settings {
            restart,
            ..settings()
        };
        let mut out = Actions::default();
        let mut turn = Turn {
            s: &settings,
            now: NOW,
            jitter: 1,
            excuse: None,
            out: &mut out,
        };
        in_state("up").change(RunId(1), &Change::Exited(exit), &mut turn);
        out.notes.first().unwrap().severity()
    };
    assert_eq!(severity(Restart::Never, Exit::Code(0)), Severity::Info);
    assert_eq!(severity(Restart::OnFailure, Exit::Code(0)), Severity::Info);
    assert_eq!(severity(Restart::Always, Exit::Code(0)), Severity::Warning);
    assert_eq!(severity(Restart::Never, Exit::Code(3)), Severity::Warning);
    assert_eq!(severity(Restart::Never, Exit::Unknown), Severity::Warning);
}

/// A run after several failures is on probation until it counts as stable; that ends the row of
/// failures, and its heartbeat is awaited all the time.
#[test]
fn probation_ends_with_a_stable_run() {
    let s = settings();
    let mut out = Actions::default();
    let mut service = in_state("starting");
    let pid = Pid::new(77).unwrap();
    for failures in 1..=2 {
        service
            .backoff
            .fail(&s.backoff, NOW, Duration::ZERO, 0, false);
        assert_eq!(service.backoff.failures(), failures);
        let mut turn = Turn {
            s: &s,
            now: NOW,
            jitter: 0,
            excuse: None,
            out: &mut out,
        };
        service.state = State::Starting {
            since: NOW,
            pid: Some(pid),
        };
        service.change(service.run, &Change::Ready, &mut turn);
        assert_eq!(service.is_on_probation(), failures > 1);
    }
    let stable = NOW.after(s.backoff.stable);
    let mut now = NOW;
    while let Some(due) = service.due.filter(|due| *due <= stable) {
        let State::Up { beat, .. } = &mut service.state else {
            panic!("it was ended at {due:?}, after a heartbeat at {now:?}");
        };
        *beat = Mono(due.0 - 1);
        now = due;
        assert_eq!(service.is_on_probation(), now <= stable);
        service.tick(&s, now, &mut out);
    }
    assert_eq!(now, stable, "it was looked at in time");
    assert!(!service.is_on_probation());
    assert_eq!(service.backoff.failures(), 0);
    assert_eq!(
        service.due,
        Some(Mono(now.0 - 1).after(s.heartbeat.unwrap()))
    );
}

/// One that failed for good is a trouble until somebody who has seen it stops it.
#[test]
fn a_failure_can_be_acknowledged() {
    let mut service = in_state("down");
    service.state = State::Down { why: Down::Failed };
    service.want_rest();
    assert_eq!(service.state, State::Down { why: Down::Stopped });
}
