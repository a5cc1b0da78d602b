//! Words about what services say of themselves on their notify sockets.

use super::describe::{Fields, count, time, word};
use super::quantity::{for_people, seconds};
use super::words::notify_key_word;
use super::{Value, errno_message, errno_word, token};
use crate::core::fact::{Refusal, Said};
use crate::core::note::NotifyNote;

/// What a run has said, as a line of a trace has it behind `said`.
pub(super) fn said(said: &Said) -> String {
    match said {
        Said::Reloading { since: None } => "reloading".to_owned(),
        Said::Reloading { since: Some(since) } => format!("reloading since={since}"),
        Said::Stopping => "stopping".to_owned(),
        Said::Status(text) => format!("status={}", token(text)),
        Said::Errno(errno) => format!("errno={}", errno_word(*errno)),
        Said::Trigger => "trigger".to_owned(),
        Said::Window(None) => "window=none".to_owned(),
        Said::Window(Some(window)) => format!("window={}", seconds(*window)),
        Said::Extend(time) => format!("extend={}", seconds(*time)),
        Said::Kept(count) => format!("kept={count}"),
        Said::Main(pid) => format!("main={}", pid.number()),
    }
}

/// Why something counts for nothing, as a line of a trace has it behind `refused`.
pub(super) fn refusal(why: Refusal) -> String {
    match why {
        Refusal::Stranger { pid: None, user } => format!("stranger user={user}"),
        Refusal::Stranger {
            pid: Some(pid),
            user,
        } => format!("stranger pid={} user={user}", pid.number()),
        Refusal::TooLong => "too-long".to_owned(),
        Refusal::Nul => "nul".to_owned(),
        Refusal::Value(key) => format!("value key={}", notify_key_word(key)),
        Refusal::Main(pid) => format!("main pid={}", pid.number()),
        Refusal::Store => "store".to_owned(),
        Refusal::Flood => "flood".to_owned(),
    }
}

/// Name and fields of a note; `service` is the first of them.
pub(super) fn describe(note: &NotifyNote, service: Fields) -> (&'static str, Fields) {
    let (name, rest) = own(note);
    (name, service.into_iter().chain(rest).collect())
}

fn own(note: &NotifyNote) -> (&'static str, Fields) {
    match note {
        NotifyNote::ServiceReloading => ("service-reloading", vec![]),
        NotifyNote::ServiceReloaded { took } => ("service-reloaded", vec![("took", time(*took))]),
        NotifyNote::ServiceReloadOverran { waited } => {
            ("service-reload-overran", vec![("waited", time(*waited))])
        }
        NotifyNote::ServiceEnding => ("service-ending", vec![]),
        NotifyNote::ServiceExtended { time: by } => ("service-extended", vec![("time", time(*by))]),
        NotifyNote::ServiceErrno { errno } => {
            let errno = Value::Text(errno_word(*errno));
            ("service-errno", vec![("errno", errno)])
        }
        NotifyNote::ServiceTriggered => ("service-triggered", vec![]),
        NotifyNote::ServiceWindow { window } => {
            let window = window.map_or_else(|| word("none"), time);
            ("service-window", vec![("window", window)])
        }
        NotifyNote::ServiceMain { pid } => ("service-main", vec![("pid", count(pid.number()))]),
        NotifyNote::ServiceRefused { why, times } => {
            let mut fields = refused(*why);
            fields.push(("times", count(*times)));
            ("service-refused", fields)
        }
    }
}

fn refused(why: Refusal) -> Fields {
    let why_is = |text| ("why", word(text));
    match why {
        Refusal::Stranger { pid, user } => {
            let mut fields = vec![why_is("stranger")];
            fields.extend(pid.map(|pid| ("pid", count(pid.number()))));
            fields.push(("user", count(user)));
            fields
        }
        Refusal::TooLong => vec![why_is("too-long")],
        Refusal::Nul => vec![why_is("nul")],
        Refusal::Value(key) => vec![why_is("value"), ("key", word(notify_key_word(key)))],
        Refusal::Main(pid) => vec![why_is("main"), ("pid", count(pid.number()))],
        Refusal::Store => vec![why_is("store")],
        Refusal::Flood => vec![why_is("flood")],
    }
}

/// A note about the service of this name, for people. `after`: what becomes of one that is ended.
pub(super) fn sentence(name: &str, note: &NotifyNote, after: &str) -> String {
    match note {
        NotifyNote::ServiceReloading => format!("{name} is reloading"),
        NotifyNote::ServiceReloaded { took } => {
            format!("{name} has reloaded after {}", for_people(*took))
        }
        NotifyNote::ServiceReloadOverran { waited } => format!(
            "{name} did not say READY=1 within {} of RELOADING=1: it counts as up all the same",
            for_people(*waited)
        ),
        NotifyNote::ServiceEnding => format!("{name} says that it is about to end"),
        NotifyNote::ServiceExtended { time } => {
            format!("{name} asked for more time: {} from now", for_people(*time))
        }
        NotifyNote::ServiceErrno { errno } => {
            format!("{name} says that it failed: {}", errno_message(*errno))
        }
        NotifyNote::ServiceTriggered => {
            format!("{name} says that it is broken (WATCHDOG=trigger): {after}")
        }
        NotifyNote::ServiceWindow { window: None } => format!(
            "{name} says that it sends no heartbeats any more (WATCHDOG_USEC=0): a hang of it will \
             not be noticed"
        ),
        NotifyNote::ServiceWindow {
            window: Some(window),
        } => format!(
            "{name} says that it sends heartbeats at most {} apart from now on",
            for_people(*window)
        ),
        NotifyNote::ServiceMain { pid } => {
            format!("the main process of {name} is pid {} now", pid.number())
        }
        NotifyNote::ServiceRefused { why, times } => {
            let times = match times {
                0 | 1 => String::new(),
                n => format!(" ({n} times)"),
            };
            format!("{}{times}", refused_sentence(name, *why))
        }
    }
}

fn refused_sentence(name: &str, why: Refusal) -> String {
    match why {
        Refusal::Stranger { pid, user } => {
            let who = match pid {
                Some(pid) => format!("process {} of user {user}", pid.number()),
                None => format!("a process of user {user}"),
            };
            format!(
                "{who} wrote to the notify socket of {name} and is no part of it: ignored; a helper \
                 has to be started by {name} itself"
            )
        }
        Refusal::TooLong => {
            format!("{name} sent a notification of more than 4096 bytes: ignored as a whole")
        }
        Refusal::Nul => {
            format!("{name} sent a notification with a NUL in it: ignored as a whole")
        }
        Refusal::Value(key) => format!(
            "{name} sent a {}= whose value makes no sense: ignored",
            notify_key_word(key)
        ),
        Refusal::Main(pid) => format!(
            "{name} called process {} its main process, which is gone or no part of it: ignored",
            pid.number()
        ),
        Refusal::Store => {
            format!("{name} left more descriptors than `fd_store` allows: those beyond are closed")
        }
        Refusal::Flood => format!(
            "{name} says more on its notify socket than can be of use: it is read more slowly"
        ),
    }
}
