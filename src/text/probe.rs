//! Words about probes of services.

use super::describe::{Fields, count, time, word};
use super::quantity::{for_people, seconds};
use super::words::{exit, probe_kind_word};
use super::{Value, errno_message, errno_word, signal_word};
use crate::core::fact::{Exit, Ill, ProbeKind, Probed};
use crate::core::note::ProbeNote;

/// What came of a probe, as a line of a trace has it: `good`, `bad status=503`, `unsure busy`.
pub(super) fn probed(probed: Probed) -> String {
    match probed {
        Probed::Good => "good".to_owned(),
        Probed::Bad(why) => format!("bad {}", ill(why)),
        Probed::Unsure(why) => format!("unsure {}", ill(why)),
    }
}

fn ill(why: Ill) -> String {
    match why {
        Ill::Errno(errno) => format!("errno={}", errno_word(errno)),
        Ill::TimedOut => "timed-out".to_owned(),
        Ill::Closed => "closed".to_owned(),
        Ill::NotHttp => "not-http".to_owned(),
        Ill::Status(status) => format!("status={status}"),
        Ill::Exit(how) => format!("exit {}", exit(how)),
        Ill::Unchanged(age) => format!("unchanged={}", seconds(age)),
        Ill::Undated => "undated".to_owned(),
        Ill::Busy => "busy".to_owned(),
        Ill::Reaches(place) => format!("reaches={place}"),
    }
}

/// What was wrong with a probe, for people.
pub fn ill_sentence(why: Ill) -> String {
    match why {
        Ill::Errno(errno) => errno_message(errno),
        Ill::TimedOut => "no answer in time".to_owned(),
        Ill::Closed => "the connection was closed without an answer".to_owned(),
        Ill::NotHttp => "the answer is no HTTP".to_owned(),
        Ill::Status(status) => format!("HTTP status {status}"),
        Ill::Exit(Exit::Code(code)) => format!("exited with status {code}"),
        Ill::Exit(Exit::Signal(number)) => format!("ended by {}", signal_word(number)),
        Ill::Exit(Exit::Unknown) => "ended in a way nobody saw".to_owned(),
        Ill::Unchanged(age) => format!("the file has not changed for {}", for_people(age)),
        Ill::Undated => {
            "the time of the file tells nothing yet: it is watched for a change".to_owned()
        }
        Ill::Busy => "the daemon was busy or held up".to_owned(),
        Ill::Reaches(place) => format!("it reaches number {place} of `must_not_reach`"),
    }
}

/// Name and fields of a note; `service` is the first of them.
pub(super) fn describe(
    kind: ProbeKind,
    note: &ProbeNote,
    mut fields: Fields,
) -> (&'static str, Fields) {
    fields.push(("probe", word(probe_kind_word(kind))));
    match note {
        ProbeNote::ProbePassed => ("probe-passed", fields),
        ProbeNote::ProbeFailed { why, failures } => {
            fields.push(("failures", count(*failures)));
            fields.extend(cause(*why));
            ("probe-failed", fields)
        }
        ProbeNote::ProbeUnsure { why } => {
            fields.extend(cause(*why));
            ("probe-unsure", fields)
        }
        ProbeNote::ProbeSure => ("probe-sure", fields),
    }
}

fn cause(why: Ill) -> Fields {
    let named = |text| vec![("why", word(text))];
    match why {
        Ill::Errno(errno) => vec![("errno", Value::Text(errno_word(errno)))],
        Ill::TimedOut => named("timed-out"),
        Ill::Closed => named("closed"),
        Ill::NotHttp => named("not-http"),
        Ill::Status(status) => vec![("status", count(status))],
        Ill::Exit(Exit::Code(code)) => vec![("code", count(code))],
        Ill::Exit(Exit::Signal(number)) => vec![("signal", Value::Text(signal_word(number)))],
        Ill::Exit(Exit::Unknown) => vec![("exit", word("unknown"))],
        Ill::Unchanged(age) => vec![("unchanged", time(age))],
        Ill::Undated => named("undated"),
        Ill::Busy => named("busy"),
        Ill::Reaches(place) => vec![("reaches", count(place))],
    }
}

/// A note about the service of this name, for people. `after`: what becomes of one that is ended.
pub(super) fn sentence(name: &str, kind: ProbeKind, note: &ProbeNote, after: &str) -> String {
    let probe = probe_kind_word(kind);
    match note {
        ProbeNote::ProbePassed => match kind {
            ProbeKind::Isolation => format!("the network of {name} is closed again"),
            ProbeKind::Startup | ProbeKind::Readiness | ProbeKind::Liveness => {
                format!("{name} is ready: its {probe} probe succeeds")
            }
        },
        ProbeNote::ProbeFailed { why, failures } => {
            let times = match failures {
                1 => "failed".to_owned(),
                n => format!("failed {n} times in a row"),
            };
            let why = ill_sentence(*why);
            match kind {
                ProbeKind::Startup => {
                    format!("{name} has not started: its startup probe {times} ({why}): {after}")
                }
                ProbeKind::Readiness => {
                    format!("{name} is not ready: its readiness probe {times} ({why})")
                }
                ProbeKind::Liveness => {
                    format!("{name} hangs: its liveness probe {times} ({why}): {after}")
                }
                ProbeKind::Isolation => {
                    format!("the network of {name} is not closed: {why}; it runs on")
                }
            }
        }
        ProbeNote::ProbeUnsure { why } => format!(
            "the {probe} probe of {name} tells nothing ({}): nothing follows from it",
            ill_sentence(*why)
        ),
        ProbeNote::ProbeSure => format!("the {probe} probe of {name} can be made again"),
    }
}
